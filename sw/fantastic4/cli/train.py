# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 train``: a network of 4-bit weights for a data set."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fantastic4.cli.common import (
    DataDir,
    DataFile,
    Device,
    Hidden,
    Json,
    Label,
    Output,
    WideLayers,
    chosen_data,
    facts,
    listing,
    parse_layers,
    parse_widths,
    percent,
    write_json,
)

if TYPE_CHECKING:
    from fantastic4.network import Network
    from fantastic4.train import TrainResult

EXAMPLES = (
    "fantastic4 train digits",
    "fantastic4 train mnist --hidden 300,100 -o build/mnist",
    "fantastic4 train mnist --gamma 0.3 --seed 1 --json",
    "fantastic4 train --data my.csv --label species",
    "fantastic4 train gsc12 --method ec2t --resume",
    "fantastic4 train har --objective stored --wide-layers auto --tensorboard",
)


class MethodName(StrEnum):
    """How weights are quantised."""

    EC4T = "ec4t"
    EC2T = "ec2t"
    ECQX = "ecqx"
    INT4 = "int4"


class Objective(StrEnum):
    """What the entropy term counts."""

    ENTROPY = "entropy"
    STORED = "stored"


class Basis(StrEnum):
    """What has a basis of its own."""

    LAYER = "layer"
    ROW = "row"


def command(
    dataset: Annotated[
        str | None, typer.Argument(help="Data set: digits, mnist, …", metavar="DATASET")
    ] = None,
    hidden: Hidden = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs with 4-bit weights.", show_default="by data set"),
    ] = None,
    float_epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs before them.", show_default="by data set")
    ] = None,
    method: Annotated[
        MethodName,
        typer.Option(
            help="ec4t: 16 learned values and an entropy term; ec2t: ternary; ecqx: ec4t that "
            "spares relevant weights; int4: uniform, the baseline.",
        ),
    ] = MethodName.EC4T,
    gamma: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Strength of the entropy term; 0 is none.",
            show_default="by data set",
        ),
    ] = None,
    values: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=15,
            help="Non-zero values a layer's weights may take; few are stored tightly.",
            show_default="by data set",
        ),
    ] = None,
    objective: Annotated[
        Objective,
        typer.Option(
            help="What the entropy term counts: first-order entropy, or the bits that the chip's "
            "formats store."
        ),
    ] = Objective.ENTROPY,
    wide_layers: WideLayers = None,
    distill: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of the targets that comes from the float network.",
            show_default="by data set",
        ),
    ] = None,
    basis: Annotated[
        Basis, typer.Option(help="Whether a layer shares its basis or each row has one.")
    ] = Basis.LAYER,
    seed: Annotated[int, typer.Option(min=0, help="Decides the run.")] = 0,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue a run that was stopped, from DIR/checkpoint.pt if it is there.",
        ),
    ] = False,
    device: Device = "auto",
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Log every epoch for TensorBoard, in DIR/logs.")
    ] = False,
    data_dir: DataDir = None,
    data: DataFile = None,
    label: Label = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder to write into.", show_default="build/DATASET"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a network, first in float, then with weights of 4 bits and activations of 8.

    Writes DIR/model.safetensors, the integer network any core's image is made from, and
    DIR/train.json, how it was trained, epoch by epoch. While it trains, DIR/checkpoint.pt holds
    the run after its last whole epoch: stopped at any moment, it goes on with --resume and ends
    with the same bits.
    """
    out = Output(as_json)
    name = chosen_data(dataset, data)
    folder = output or Path("build") / Path(name).stem
    result, network = train(
        out,
        name,
        data_dir,
        label,
        checkpoint=folder / "checkpoint.pt",
        resume=resume,
        logs=folder / "logs" if tensorboard else None,
        hidden=None if hidden is None else parse_widths(hidden),
        epochs=epochs,
        float_epochs=float_epochs,
        method=method.value,
        gamma=gamma,
        values=values,
        objective=objective.value,
        wide_layers=None if wide_layers is None else parse_layers(wide_layers),
        distill=distill,
        basis=basis.value,
        seed=seed,
        device=device,
    )
    model = save(result, network, folder)
    record: dict[str, Any] = {**summary(result, network), "model": str(model)}
    out.emit(
        record,
        facts(
            f"Trained on {name}",
            {
                "accuracy, float": percent(record["accuracy"]["float"]),
                "accuracy, 4-bit": percent(record["accuracy"]["quantised"]),
                "weights": record["weights"],
                "zeros": percent(record["sparsity"]),
                "entropy, bits a weight": record["entropy"],
                "model": model,
            },
        ),
        listing("Layers", record["layers"]),
    )


def train(
    out: Output,
    dataset: str,
    data_dir: Path | None,
    label: str | None = None,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    logs: Path | None = None,
    **given: Any,
) -> tuple["TrainResult", "Network"]:
    """Load ``dataset`` and train on it as ``given`` (None: by data set), with progress.

    The run is kept in the file ``checkpoint``, if given, and continued from it if ``resume``.
    ``logs``, if given, is a folder for TensorBoard.
    """
    from fantastic4 import data
    from fantastic4.cli.trainbars import shown_training
    from fantastic4.train import Checkpoint, TrainConfig, find_device
    from fantastic4.train import train as run_training

    device = find_device(given.pop("device", "auto"))
    config = TrainConfig.for_dataset(dataset, device=device, **given)
    with out.downloads() as progress:
        loaded = data.load(dataset, data_dir, progress=progress, label=label)
    shape = "-".join(str(n) for n in (loaded.features, *config.hidden, len(loaded.classes)))
    out.note(
        f"training {shape} by {config.method} on {len(loaded.x_train):,} examples of {dataset}"
        + ("" if device == "cpu" else f", on {device}")
    )
    if checkpoint and checkpoint.exists():
        out.note(
            f"continuing from {checkpoint}"
            if resume
            else f"{checkpoint}, a stopped run, is replaced; --resume would continue it"
        )
    kept = None if checkpoint is None else Checkpoint(checkpoint, resume)
    with shown_training(out, config, logs) as progress:
        result = run_training(loaded, config, progress, kept)
    return result, result.network()


def save(result: "TrainResult", network: "Network", folder: Path) -> Path:
    """Write model and training record into ``folder``; return the path of the model."""
    from fantastic4 import modelfile

    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model.safetensors"
    modelfile.save(network, model)
    write_json(folder / "train.json", summary(result, network) | {"history": result.history})
    return model


def summary(result: "TrainResult", network: "Network") -> dict[str, Any]:
    """Return what training reports."""
    import numpy as np

    from fantastic4 import cost

    metadata = result.metadata()
    merged = [
        sum(plane.astype(np.uint16) << 4 * i for i, plane in enumerate(layer.codes))
        for layer in network.layers
    ]
    layers = [
        {
            "layer": f"{layer.in_features}-{layer.out_features}",
            "weights": layer.weights,
            "bits": 4 * layer.planes,
            "zeros": float(np.mean(codes == 0)),
            "values": len(np.setdiff1d(codes, 0)),
            "entropy": cost.layer_entropy(layer),
        }
        for layer, codes in zip(network.layers, merged, strict=True)
    ]
    return {
        "dataset": metadata["dataset"],
        "accuracy": metadata["accuracy"],
        "weights": network.weights,
        "entropy": cost.network_entropy(network),
        "sparsity": sum(int(np.sum(codes == 0)) for codes in merged) / network.weights,
        "layers": layers,
        "training": metadata["training"],
    }
