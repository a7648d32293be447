# SPDX-License-Identifier: Apache-2.0
"""How ``fantastic4 synth`` shows what is under way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fantastic4.cli.common import Output


@contextmanager
def shown_flow(out: Output) -> Iterator[Callable[[str, str], None]]:
    """Show a line for each job while it runs; call it with the job and how far it is.

    Where stderr is no terminal, each phase of a job is a line by itself.
    """
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.fields[stage]}", markup=False),
        TimeElapsedColumn(),
        console=out.err,
        transient=True,
        disable=not out.err.is_terminal,
    )
    tasks, phases, begun = {}, {}, {}

    def told(job: str, stage: str) -> None:
        if job not in tasks:
            tasks[job] = bar.add_task(job, total=1, stage=stage)
            begun[job] = monotonic()
        done = stage == "done"
        bar.update(tasks[job], stage=stage, completed=int(done))
        phase = "mapping" if job == "synthesis" and stage.islower() and " " not in stage else stage
        phase = stage if stage in ("elaborating", "packing", "done") else phase.partition(",")[0]
        if done or (phase != phases.get(job) and not out.err.is_terminal):
            seconds = f" after {monotonic() - begun[job]:.0f} s" if done else ""
            out.note(f"{job}: {phase}{seconds}")
        phases[job] = phase

    with bar:
        yield told
