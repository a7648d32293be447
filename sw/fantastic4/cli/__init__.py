# SPDX-License-Identifier: Apache-2.0
"""The command ``fantastic4``: a table of subcommands, each imported when it runs."""

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fantastic4.cli.common import errors_shown
from fantastic4.version import __version__

COMMANDS = {
    "demo": "Train on digits, pack, simulate the core, compare with golden: all in one.",
    "train": "Train a network of 4-bit weights and write a model file.",
    "sweep": "Train a grid of networks side by side: accuracy over stored size.",
    "pack": "Write the image of a model for one core.",
    "inspect": "Show what a model or an image holds.",
    "run": "Run an image on a data set, on the golden model or on the simulated core.",
    "verilog": "Write a core as Verilog, with a description of its ports.",
    "plan": "Propose the fastest core for a model on a chip, and say what limits it.",
    "synth": "Synthesise, place and route a core: gates, clock, what is slowest.",
    "bench": "Measure cores on networks: latency, operations, LUTs, beside a MAC array.",
    "formats": "Measure the storage formats: bits a weight, and what decoders cost.",
    "configs": "List the named cores and what each holds.",
}
"""Each subcommand is the function ``command`` of the module of its name, with ``EXAMPLES``."""


class LazyGroup(TyperGroup):
    """Lists the commands of the table, and imports the module of the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Replace the entry of the table by the command itself."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and command is not None:
            command = subcommand(name)
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what a user can cause ends in one message."""
        with errors_shown(ctx):
            return super().invoke(ctx)


def subcommand(name: str) -> Any:
    """Return the subcommand ``name``, imported now."""
    module = import_module(f"{__name__}.{name}")
    examples = "\n\n".join(("[bold]Examples[/bold]", *(f"  {line}" for line in module.EXAMPLES)))
    single = typer.Typer(add_completion=False, rich_markup_mode="rich")
    single.command(name, epilog=examples)(module.command)
    return typer.main.get_command(single)


app = typer.Typer(
    name="fantastic4",
    cls=LazyGroup,
    help="4-bit networks trained for low entropy, and the accelerator that runs them.",
    epilog="Start with: fantastic4 demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"fantastic4 {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    pass


def _entry() -> None:
    """Stand in for a subcommand in the list of commands; never called."""


for _name, _summary in COMMANDS.items():
    app.command(_name, help=_summary)(_entry)


def main() -> None:
    """Run the command line."""
    app()
