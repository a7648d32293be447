# SPDX-License-Identifier: Apache-2.0
"""The course of a run as TensorBoard reads it."""

from pathlib import Path
from typing import Any

from fantastic4.errors import FantasticError
from fantastic4.train.config import TrainConfig


class TensorBoardLog:
    """Writes the metrics of every epoch; a `Progress`.

    Scalars are named ``loss``, ``accuracy`` and so on, those of a layer ``fc1/entropy`` and so on.
    Steps are epochs over all phases, from 1.

    Parameters
    ----------
    folder : Path
        Gets a file of its own for every run.
    config : TrainConfig

    Raises
    ------
    FantasticError
        If TensorBoard is not installed.
    """

    def __init__(self, folder: Path, config: TrainConfig):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError:
            raise FantasticError(
                "these logs need TensorBoard: pip install 'fantastic4[tensorboard]'"
            ) from None
        self.config = config
        self.writer: Any = SummaryWriter(str(folder))

    def batch(self, phase: str, epoch: int, epochs: int, batch: int, batches: int) -> None:
        """Write nothing: an epoch is the unit."""

    def epoch(self, phase: str, epoch: int, epochs: int, metrics: dict[str, Any]) -> None:
        """Write the metrics of an epoch."""
        step = self.config.epochs_before(phase) + epoch
        for name, value in metrics.items():
            if name != "layers":
                self.writer.add_scalar(name, value, step)
        for number, layer in enumerate(metrics.get("layers", ()), 1):
            for name, value in layer.items():
                self.writer.add_scalar(f"fc{number}/{name}", value, step)
        self.writer.flush()

    def close(self) -> None:
        """Close the file."""
        self.writer.close()
