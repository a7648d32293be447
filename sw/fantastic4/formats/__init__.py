# SPDX-License-Identifier: Apache-2.0
"""How the codes of a layer become the weight words of each engine, one module a format."""

from fantastic4.formats import dense
from fantastic4.layout import Format

ENCODERS = {Format.DENSE: dense}

__all__ = ["ENCODERS", "dense"]
