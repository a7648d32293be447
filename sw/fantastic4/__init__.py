# SPDX-License-Identifier: Apache-2.0
"""FantastIC4: entropy-trained 4-bit multilayer perceptrons, and the accelerator that runs them."""

from fantastic4.version import __version__

__all__ = ["__version__"]
