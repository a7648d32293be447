# SPDX-License-Identifier: Apache-2.0
"""``fantastic4 train``: a network of 4-bit weights for a data set."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fantastic4.cli.common import (
    DataDir,
    DataFile,
    Hidden,
    Json,
    Label,
    Output,
    chosen_data,
    facts,
    listing,
    parse_widths,
    percent,
    progress_bar,
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
)

LINE_EVERY = 10.0
"""Seconds between lines on training, where stderr is no terminal."""


class MethodName(StrEnum):
    """How weights are quantised."""

    EC4T = "ec4t"
    EC2T = "ec2t"
    ECQX = "ecqx"
    INT4 = "int4"


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
    DIR/train.json, how it was trained. While it trains, DIR/checkpoint.pt holds the run after its
    last whole epoch: stopped at any moment, it goes on with --resume and ends with the same bits.
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
        hidden=None if hidden is None else parse_widths(hidden),
        epochs=epochs,
        float_epochs=float_epochs,
        method=method.value,
        gamma=gamma,
        values=values,
        distill=distill,
        basis=basis.value,
        seed=seed,
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
    **given: Any,
) -> tuple["TrainResult", "Network"]:
    """Load ``dataset`` and train on it as ``given`` (None: by data set), with progress.

    The run is kept in the file ``checkpoint``, if given, and continued from it if ``resume``.
    """
    from fantastic4 import data
    from fantastic4.train import Checkpoint, TrainConfig
    from fantastic4.train import train as run_training

    config = TrainConfig.for_dataset(dataset, **given)
    with out.downloads() as progress:
        loaded = data.load(dataset, data_dir, progress=progress, label=label)
    shape = "-".join(str(n) for n in (loaded.features, *config.hidden, len(loaded.classes)))
    out.note(
        f"training {shape} by {config.method} on {len(loaded.x_train):,} examples of {dataset}"
    )
    if checkpoint and checkpoint.exists():
        out.note(
            f"continuing from {checkpoint}"
            if resume
            else f"{checkpoint}, a stopped run, is replaced; --resume would continue it"
        )
    kept = None if checkpoint is None else Checkpoint(checkpoint, resume)
    with shown_training(out) as progress:
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
    zeros = sum(int((layer.codes == 0).sum()) for layer in network.layers)
    layers = [
        {
            "layer": f"{layer.in_features}-{layer.out_features}",
            "weights": layer.codes.size,
            "zeros": float((layer.codes == 0).mean()),
            "values": len(np.unique(layer.codes[layer.codes != 0])),
            "entropy": cost.layer_entropy(layer),
        }
        for layer in network.layers
    ]
    return {
        "dataset": metadata["dataset"],
        "accuracy": metadata["accuracy"],
        "weights": network.weights,
        "entropy": cost.network_entropy(network),
        "sparsity": zeros / network.weights,
        "layers": layers,
        "training": metadata["training"],
    }


class TrainingBars:
    """Shows each phase of training as a bar with its loss and validation accuracy."""

    def __init__(self, out: Output) -> None:
        self.out = out
        self.bar = progress_bar(out.err)
        self.tasks: dict[str, Any] = {}
        self.spoken = time.monotonic()

    def batch(self, phase: str, epoch: int, epochs: int, batch: int, batches: int) -> None:
        """Move the bar of ``phase``."""
        if phase not in self.tasks:
            self.tasks[phase] = self.bar.add_task(phase, total=epochs * batches)
        self.bar.update(self.tasks[phase], completed=(epoch - 1) * batches + batch)

    def epoch(self, phase: str, epoch: int, epochs: int, metrics: dict[str, Any]) -> None:
        """Show the metrics of an epoch."""
        text = f"{phase:8} loss {metrics['loss']:.4f}  accuracy {percent(metrics['accuracy'])}"
        if "entropy" in metrics:
            text += f"  entropy {metrics['entropy']:.2f}  zeros {percent(metrics['sparsity'])}"
        self.bar.update(self.tasks[phase], description=text)
        late = time.monotonic() - self.spoken > LINE_EVERY
        if epoch == epochs or (late and not self.out.err.is_terminal):
            self.out.note(f"  epoch {epoch:3}/{epochs}  {text}")
            self.spoken = time.monotonic()


@contextmanager
def shown_training(out: Output) -> Iterator[TrainingBars]:
    """Show training while it runs."""
    bars = TrainingBars(out)
    with bars.bar:
        yield bars
