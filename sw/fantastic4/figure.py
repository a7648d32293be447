# SPDX-License-Identifier: Apache-2.0
"""The figure that plots are drawn into."""

from typing import Any

from fantastic4.errors import FantasticError


def new_figure(width: float, height: float) -> Any:
    """Return an empty matplotlib figure, in inches.

    Raises
    ------
    FantasticError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise FantasticError("plots need matplotlib: pip install 'fantastic4[plot]'") from None
    return Figure(figsize=(width, height), layout="constrained")
