# SPDX-License-Identifier: Apache-2.0
"""Many training runs side by side, each recorded in a file of its own.

This module imports nothing, so that a worker can choose its threads before numpy is loaded.
"""
