# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 run``: an image on a data set."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fantastic4.cli.common import (
    DataDir,
    DataFile,
    Engine,
    EngineName,
    Json,
    Label,
    Output,
    chosen_data,
    read_bytes,
)

EXAMPLES = (
    "fantastic4 run model.f4",
    "fantastic4 run model.f4 --dataset mnist --limit 1000 --on rtl",
    "fantastic4 run model.f4 --data my.csv --label species",
    "fantastic4 run model.f4 --on rtl --stall 0.3 --seed 7 --json",
)


class Target(StrEnum):
    """What runs the image."""

    GOLDEN = "golden"
    RTL = "rtl"


def command(
    image: Annotated[Path, typer.Argument(help="Image, as pack writes it.")],
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", show_default="the one it was trained on")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take the first inputs of the test split only.")
    ] = None,
    on: Annotated[
        Target, typer.Option(help="The golden model, or the simulated core beside it.")
    ] = Target.GOLDEN,
    config: Annotated[
        str | None, typer.Option(metavar="NAME", show_default="the one it was packed for")
    ] = None,
    engine: EngineName = Engine.AUTO,
    stall: Annotated[
        float, typer.Option(min=0, max=0.95, help="Chance that a stream pauses in a clock.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Decides the pauses.")] = 0,
    data_dir: DataDir = None,
    data: DataFile = None,
    label: Label = None,
    as_json: Json = False,
) -> None:
    """Run an image on the test split of a data set: accuracy, mismatches, cycles, utilisation.

    With --on rtl every output of the simulated core is compared with the golden model; any
    difference ends with exit code 1.
    """
    from fantastic4.cli.evaluate import evaluate, load_dataset, load_image, result_table

    out = Output(as_json)
    source = str(image)
    loaded = load_image(read_bytes(image), source, config)
    name = None if dataset is None and data is None else chosen_data(dataset, data)
    test = load_dataset(out, name, data_dir, loaded, source, label)
    record = evaluate(
        out,
        loaded,
        test,
        limit=limit,
        rtl=on is Target.RTL,
        engine=engine.value,
        stall=stall,
        seed=seed,
    )
    out.emit({"image": source, "on": on.value, **record}, result_table(source, record))
    out.exit_on_mismatch(record)
