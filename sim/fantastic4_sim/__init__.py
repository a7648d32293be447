# SPDX-License-Identifier: Apache-2.0
"""Simulating the gateware: test benches, and a whole core as a device."""
