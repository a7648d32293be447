# SPDX-License-Identifier: Apache-2.0
"""The flow: synthesis with yosys, place and route with nextpnr, one record of what came out."""
