# SPDX-License-Identifier: Apache-2.0
"""The methods of quantisation: how a layer's basis starts and how its weights take their codes."""

from fantastic4.methods.ec2t import Ec2t
from fantastic4.methods.ec4t import OBJECTIVES, Ec4t
from fantastic4.methods.ecqx import Ecqx
from fantastic4.methods.int4 import Int4
from fantastic4.methods.method import Method

METHODS: dict[str, type[Ec4t] | type[Ec2t] | type[Ecqx] | type[Int4]] = {
    "ec4t": Ec4t,
    "ec2t": Ec2t,
    "ecqx": Ecqx,
    "int4": Int4,
}
"""The methods by the name that ``--method`` calls them."""

__all__ = ["METHODS", "OBJECTIVES", "Ec2t", "Ec4t", "Ecqx", "Int4", "Method"]
