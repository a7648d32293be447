# SPDX-License-Identifier: Apache-2.0
"""How the codes of a layer become the weight words of each bank, one module a format.

Each module has ``NAME``, ``Params``, and ``choose(beats)``, which gives the parameters or None if
the format cannot express the codes. For one bank there are ``encode(beats, params)``,
``decode(words, count, lanes, params)``, ``word_count(beats, params)``, and ``extent(words, count,
lanes, params)``, which says how many of the words are the layer's.
"""

from types import ModuleType

from fantastic4.formats import bitmask, bitmask2, csr, dense, ternary, ternary5
from fantastic4.layout import Format

FORMATS: dict[Format, ModuleType] = {
    Format.DENSE: dense,
    Format.TERNARY: ternary,
    Format.TERNARY5: ternary5,
    Format.BITMASK: bitmask,
    Format.CSR: csr,
    Format.BITMASK2: bitmask2,
}

__all__ = ["FORMATS"]
