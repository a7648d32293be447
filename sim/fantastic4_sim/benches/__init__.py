# SPDX-License-Identifier: Apache-2.0
"""cocotb benches: they run inside the simulator and see nothing but ports."""
