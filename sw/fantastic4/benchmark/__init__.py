# SPDX-License-Identifier: Apache-2.0
"""What `fantastic4 bench` measures: named cores times networks, beside what others published."""
