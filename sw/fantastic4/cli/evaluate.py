# SPDX-License-Identifier: Apache-2.0
"""Running an image on inputs, on golden and on the simulated core: what run and demo share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from fantastic4 import cost, data, golden
from fantastic4.cli.common import Output, facts, percent
from fantastic4.config import CONFIGS, CoreConfig, find_config
from fantastic4.data import DataSet
from fantastic4.data.userfile import is_file_name
from fantastic4.errors import FantasticError, ImageError
from fantastic4.image import Image
from fantastic4.network import Network
from fantastic4.pack import read_image, unpack
from fantastic4.timing import timing


@dataclass(frozen=True)
class Loaded:
    """An image that suits its core."""

    raw: bytes
    image: Image
    network: Network
    cfg: CoreConfig


def load_image(raw: bytes, source: str, config: str | None = None) -> Loaded:
    """Read an image for the core ``config``, or for the core it names."""
    image = read_image(raw, source=source)
    named = config or image.meta.get("config")
    if not isinstance(named, str) or (config is None and named not in CONFIGS):
        raise ImageError(f"{source}: packed for a core without a known name; give one as --config")
    cfg = find_config(named)
    return Loaded(raw, read_image(raw, cfg, source), unpack(image, source), cfg)


def load_dataset(
    out: Output,
    name: str | None,
    data_dir: Path | None,
    loaded: Loaded,
    source: str,
    label: str | None = None,
) -> DataSet:
    """Return the data set ``name``, or the one the image was trained on."""
    trained_on = loaded.network.metadata.get("dataset")
    if not name and trained_on and is_file_name(trained_on):
        raise FantasticError(f"{source} was trained on {trained_on}: give that file as --data")
    name = name or trained_on
    if not name:
        raise FantasticError(f"{source} does not say its data set: name one with --dataset")
    with out.downloads() as progress:
        dataset = data.load(name, data_dir, progress=progress, label=label)
    if dataset.features != loaded.network.in_features:
        raise FantasticError(
            f"data set {name} has {dataset.features} features, {source} takes "
            f"{loaded.network.in_features} inputs"
        )
    if len(dataset.classes) != loaded.network.out_features:
        raise FantasticError(
            f"data set {name} has {len(dataset.classes)} classes, {source} gives "
            f"{loaded.network.out_features} outputs"
        )
    known = loaded.network.classes
    if known and dataset.classes != known:
        raise FantasticError(
            f"data set {name} has the classes {', '.join(dataset.classes)}, {source} tells apart "
            f"{', '.join(known)}"
        )
    return dataset


def evaluate(
    out: Output,
    loaded: Loaded,
    dataset: DataSet,
    *,
    limit: int | None = None,
    rtl: bool = True,
    engine: str = "auto",
    stall: float = 0.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Run the test split, or its first ``limit`` inputs, and return what is reported.

    ``mismatches`` counts the inputs for which the core and golden differ in any output or in the
    arg-max. ``cycles`` is the mean of an inference and ``utilisation`` the share of those cycles
    in which the array computes; both measured with ``rtl``, otherwise predicted.
    """
    x = loaded.network.quant(dataset.x_test[:limit])
    y = dataset.y_test[:limit]
    predicted = timing(loaded.image, loaded.cfg)
    stored = cost.storage(loaded.image)
    with out.progress(f"golden: {len(x):,} inputs", len(x)) as progress:
        expected = golden.predict(loaded.network, x, progress=progress)
    record: dict[str, Any] = {
        "dataset": dataset.name,
        "config": loaded.cfg.name,
        "inputs": len(x),
        "accuracy": {"golden": share(expected.best == y)},
        "bits_per_weight": cost.bits_per_weight(stored),
        "entropy": cost.network_entropy(loaded.network),
        "cycles": predicted.cycles,
        "cycles_predicted": predicted.cycles,
        "stalls": predicted.stalls,
        "stalls_predicted": predicted.stalls,
        "utilisation": predicted.utilisation,
        "formats": [layer.format for layer in stored],
    }
    if not rtl:
        return record

    from fantastic4_sim.device import open_device

    with out.progress(f"preparing the simulator of core {loaded.cfg.name}", None):
        device = open_device(loaded.cfg, engine=engine, stall=stall, seed=seed)
    if device.note:
        out.note(device.note)
    with out.progress(f"rtl: {len(x):,} inputs on {device.engine}", len(x)) as progress:
        found = device.predict(loaded.raw, x, progress=progress)
    differ = (found.outputs != expected.outputs).any(axis=1) | (found.best != expected.best)
    cycles = float(np.mean(found.cycles))
    record["accuracy"]["rtl"] = share(found.best == y)
    record |= {
        "mismatches": int(differ.sum()),
        "cycles": int(cycles) if cycles.is_integer() else cycles,
        "stalls": float(np.mean(found.stalls)),
        "utilisation": float(np.sum(found.beats) / np.sum(found.cycles)),
        "total_cycles": found.total_cycles,
        "engine": device.engine,
    }
    return record


def share(hits: np.ndarray) -> float:
    """Return the share of true values."""
    return float(hits.mean())


def result_table(title: str, record: dict[str, Any]) -> Table:
    """Return the table of an evaluation for people."""
    accuracy = record["accuracy"]
    rows: dict[str, object] = {
        f"accuracy, {name}": percent(accuracy[name])
        for name in ("float", "golden", "rtl")
        if name in accuracy
    }
    rows["inputs"] = record["inputs"]
    if "mismatches" in record:
        rows["mismatches"] = record["mismatches"]
    rows |= {"bits per weight": record["bits_per_weight"], "entropy": record["entropy"]}
    if "mismatches" in record:
        rows["cycles per inference"] = record["cycles"]
    rows["cycles predicted"] = record["cycles_predicted"]
    rows["clocks waiting for weights"] = record["stalls"]
    rows["array utilisation"] = percent(record["utilisation"])
    if "engine" in record:
        rows["simulator"] = record["engine"]
    return facts(title, rows)
