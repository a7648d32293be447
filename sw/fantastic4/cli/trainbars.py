# SPDX-License-Identifier: Apache-2.0
"""How ``fantastic4 train`` shows a run."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.table import Table

from fantastic4.cli.common import Output, percent, progress_bar

if TYPE_CHECKING:
    from fantastic4.train import Progress, TrainConfig

LINE_EVERY = 10.0
"""Seconds between lines on training, where stderr is no terminal."""


class TrainingBars:
    """Shows each phase as a bar with its metrics and, on a terminal, a table of the layers."""

    def __init__(self, out: Output) -> None:
        self.out = out
        self.bar = progress_bar(out.err)
        self.live = Live(console=out.err, transient=True, auto_refresh=out.err.is_terminal)
        self.tasks: dict[str, Any] = {}
        self.spoken = time.monotonic()
        self.show([])

    def show(self, layers: list[dict[str, float]]) -> None:
        """Show the bars, and a row for each of the ``layers``."""
        if not self.out.err.is_terminal:
            return
        self.live.update(Group(self.bar, layer_table(layers)) if layers else self.bar)

    def batch(self, phase: str, epoch: int, epochs: int, batch: int, batches: int) -> None:
        """Move the bar of ``phase``."""
        if phase not in self.tasks:
            self.tasks[phase] = self.bar.add_task(phase, total=epochs * batches)
        self.bar.update(self.tasks[phase], completed=(epoch - 1) * batches + batch)

    def epoch(self, phase: str, epoch: int, epochs: int, metrics: dict[str, Any]) -> None:
        """Show the metrics of an epoch."""
        text = f"{phase:8} loss {metrics['loss']:.4f}  accuracy {percent(metrics['accuracy'])}"
        if "entropy" in metrics:
            text += (
                f"  entropy {metrics['entropy']:.2f}  zeros {percent(metrics['sparsity'])}"
                f"  size {metrics['bits']:.2f} bits"
            )
            self.show(metrics["layers"])
        self.bar.update(self.tasks[phase], description=text)
        late = time.monotonic() - self.spoken > LINE_EVERY
        if epoch == epochs or (late and not self.out.err.is_terminal):
            sizes = " ".join(f"{layer['bits']:.2f}" for layer in metrics.get("layers", ()))
            self.out.note(f"  epoch {epoch:3}/{epochs}  {text}" + (sizes and f" ({sizes})"))
            self.spoken = time.monotonic()


def layer_table(layers: list[dict[str, float]]) -> Table:
    """Return a table of the metrics of ``layers``."""
    table = Table("layer", "entropy", "zeros", "size, bits a weight, estimated", box=None)
    for number, layer in enumerate(layers, 1):
        table.add_row(
            f"fc{number}",
            f"{layer['entropy']:.2f}",
            percent(layer["sparsity"]),
            f"{layer['bits']:.2f}",
        )
    return table


class Several:
    """Tells each of several how training goes."""

    def __init__(self, *told: "Progress") -> None:
        self.told = told

    def batch(self, phase: str, epoch: int, epochs: int, batch: int, batches: int) -> None:
        """Pass it on."""
        for each in self.told:
            each.batch(phase, epoch, epochs, batch, batches)

    def epoch(self, phase: str, epoch: int, epochs: int, metrics: dict[str, Any]) -> None:
        """Pass it on."""
        for each in self.told:
            each.epoch(phase, epoch, epochs, metrics)


@contextmanager
def shown_training(out: Output, config: "TrainConfig", logs: Path | None) -> Iterator["Progress"]:
    """Show training while it runs, and log it for TensorBoard if there is a folder for ``logs``."""
    with ExitStack() as stack:
        told: list[Progress] = []
        if logs is not None:
            from fantastic4.train import TensorBoardLog

            log = TensorBoardLog(logs, config)
            stack.callback(log.close)
            told.append(log)
        bars = TrainingBars(out)
        stack.enter_context(bars.live)
        yield Several(bars, *told)
