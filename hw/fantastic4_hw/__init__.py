# SPDX-License-Identifier: Apache-2.0
"""Gateware of FantastIC4, in Amaranth."""
