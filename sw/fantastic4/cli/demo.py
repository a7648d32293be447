# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 demo``: from a data set to the simulated core in one command."""

import time
from pathlib import Path
from typing import Annotated

import typer

from fantastic4.cli.common import (
    ConfigName,
    DataDir,
    DataFile,
    Engine,
    EngineName,
    Hidden,
    Json,
    Label,
    Output,
    chosen_data,
    parse_widths,
    write_bytes,
    write_json,
)
from fantastic4.config import find_config

EXAMPLES = (
    "fantastic4 demo",
    "fantastic4 demo --config base --json",
    "fantastic4 demo --dataset mnist --hidden 300,100 --config base --limit 1000",
)


def command(
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Data set.", show_default="digits")
    ] = None,
    hidden: Hidden = None,
    config: ConfigName = "small",
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs with 4-bit weights.", show_default="by data set"),
    ] = None,
    float_epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs before them.", show_default="by data set")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides the training.")] = 0,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take the first inputs of the test split only.")
    ] = None,
    engine: EngineName = Engine.AUTO,
    data_dir: DataDir = None,
    data_file: DataFile = None,
    label: Label = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder to write into.", metavar="DIR")
    ] = Path("build/demo"),
    as_json: Json = False,
) -> None:
    """Train, pack, write the Verilog, simulate the core on the test split, compare with golden.

    Leaves model, image, Verilog and a summary in DIR. Ends with exit code 1 if any output of the
    simulated core differs from the golden model.
    """
    cfg = find_config(config)
    name = "digits" if dataset is None and data_file is None else chosen_data(dataset, data_file)
    widths = None if hidden is None else parse_widths(hidden)

    from fantastic4 import data
    from fantastic4.cli.evaluate import evaluate, load_image, result_table
    from fantastic4.cli.train import save, train
    from fantastic4.pack import pack
    from fantastic4_hw.verilog import write_verilog

    out = Output(as_json)
    started = time.monotonic()
    result, network = train(
        out,
        name,
        data_dir,
        hidden=widths,
        epochs=epochs,
        float_epochs=float_epochs,
        seed=seed,
        label=label,
    )
    model = save(result, network, output)
    image = output / f"model_{cfg.name}.f4"
    write_bytes(image, pack(network, cfg))
    with out.progress(f"writing the Verilog of core {cfg.name}", None):
        verilog = write_verilog(cfg, output)

    record = evaluate(
        out,
        load_image(image.read_bytes(), str(image)),
        data.load(name, data_dir, label=label),
        limit=limit,
        engine=engine.value,
    )
    record["accuracy"] = {"float": result.accuracy_float, **record["accuracy"]}
    record["seconds"] = round(time.monotonic() - started, 1)
    record["files"] = {
        "model": str(model),
        "image": str(image),
        "verilog": str(verilog),
        "description": str(verilog.with_suffix(".json")),
        "summary": str(output / "summary.json"),
    }
    write_json(output / "summary.json", record)
    shape = "-".join(
        str(n) for n in (network.in_features, *(layer.out_features for layer in network.layers))
    )
    out.emit(record, result_table(f"{shape} on {name}, core {cfg.name}", record))
    out.note(f"model, image, Verilog and summary.json are in {output}/")
    out.exit_on_mismatch(record)
