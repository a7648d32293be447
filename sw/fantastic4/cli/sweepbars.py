# SPDX-License-Identifier: Apache-2.0
"""How ``fantastic4 sweep`` shows what is under way."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fantastic4.cli.common import Output, percent, progress_bar

if TYPE_CHECKING:
    from fantastic4.sweep.point import Point


class SweepBars:
    """Shows a bar for all points, one for each that is under way, and a line for each result."""

    def __init__(self, out: Output, points: Sequence["Point"]) -> None:
        self.out = out
        self.bar = progress_bar(out.err)
        self.total = len({point.key for point in points})
        self.done = self.earlier = 0
        self.all = self.bar.add_task("all points", total=self.total)
        self.tasks: dict[Any, Any] = {}

    def started(self, point: "Point") -> None:
        """Show a bar for ``point``."""
        self.tasks[point] = self.bar.add_task(f"  {point}", total=point.epochs)

    def epoch(self, point: "Point", done: int) -> None:
        """Move the bar of ``point``."""
        self.bar.update(self.tasks[point], completed=done)

    def finished(self, point: "Point", record: dict[str, Any], earlier: bool) -> None:
        """Tell the result of ``point``, unless it is one of an ``earlier`` run."""
        self.done += 1
        self.bar.update(self.all, completed=self.done)
        if earlier:
            self.earlier += 1
            return
        self.bar.remove_task(self.tasks.pop(point))
        if "error" in record:
            text = f"failed: {record['error']}"
        else:
            text = (
                f"golden {percent(record['accuracy']['golden'])}  "
                f"{record['bits_per_weight']:.3f} bits  entropy {record['entropy']:.3f}  "
                f"{record['seconds']:.0f} s"
            )
        self.out.note(f"  {self.done:3}/{self.total}  {point}  {text}")


@contextmanager
def shown_sweep(out: Output, points: Sequence["Point"]) -> Iterator[SweepBars]:
    """Show a sweep while it runs."""
    bars = SweepBars(out, points)
    with bars.bar:
        yield bars
    if bars.earlier:
        out.note(f"  {bars.earlier} of {bars.total} points were there already")
