# SPDX-License-Identifier: Apache-2.0
"""Who is told how training goes."""

from typing import Any, Protocol


class Progress(Protocol):
    """Told how training goes; ``phase`` is "float", "entropy" or "frozen"."""

    def batch(self, phase: str, epoch: int, epochs: int, batch: int, batches: int) -> None:
        """Count ``batch`` of ``batches`` in ``epoch`` of the phase's ``epochs``, all from 1."""
        ...

    def epoch(self, phase: str, epoch: int, epochs: int, metrics: dict[str, Any]) -> None:
        """Tell loss, validation_loss and validation accuracy (0..1).

        Once weights are quantised also entropy and estimated stored bits (both a weight), sparsity
        (share of zeros), and the same three for each of the ``layers``.
        """
        ...
