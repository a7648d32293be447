# SPDX-License-Identifier: Apache-2.0
"""What a point gives: trained, lowered, packed, and run on golden over the whole test split."""

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fantastic4 import cost, golden, modelfile
from fantastic4.data import DataSet
from fantastic4.network import Network
from fantastic4.pack import pack, read_image
from fantastic4.sweep.point import Point
from fantastic4.train import Checkpoint, Progress, TrainResult, train
from fantastic4.train.config import FLOAT_OPTIONS
from fantastic4.version import __version__


def measure(
    point: Point,
    data: DataSet,
    model: Path,
    progress: Progress | None = None,
    float_end: Path | None = None,
) -> dict[str, Any]:
    """Train ``point`` on ``data``, keep its network in ``model`` and return its record.

    Training that was stopped goes on behind its last whole epoch. The float phase is that of the
    file ``float_end``, if given, or goes there.

    Accuracies are shares of the test split, 0..1, except ``validation``: that of the training
    examples set aside, by which networks may be chosen. ``agreement`` is the share of test inputs
    for which the trained model and golden give the same class. ``bits_per_weight`` counts
    everything the core stores. ``cycles`` and ``utilisation`` are predicted. ``seconds`` are those
    of training, without a float phase that was there.

    Raises
    ------
    FantasticError
        If training fails, the network does not fit the core, or the model cannot be written.
    """
    started = time.monotonic()
    kept = Checkpoint(model.with_suffix(".checkpoint"), resume=True)
    begin = None if float_end is None else Checkpoint(float_end, True, FLOAT_OPTIONS)
    result = train(data, point.training, progress, kept, begin)
    seconds = time.monotonic() - started
    network = result.network()
    image = read_image(pack(network, point.core), point.core)
    stored = cost.storage(image)
    timing = cost.timing(image, point.core)
    accuracy, agreement = _on_golden(result, network, data)
    modelfile.save(network, model)
    return {
        "key": point.key,
        "dataset": point.dataset,
        "network": [network.in_features, *(layer.out_features for layer in network.layers)],
        "config": point.core.name,
        "accuracy": {
            "float": result.accuracy_float,
            "quantised": result.accuracy_quantised,
            "golden": accuracy,
            "validation": result.accuracy_validation,
        },
        "agreement": agreement,
        "weights": network.weights,
        "bits_per_weight": cost.bits_per_weight(stored),
        "entropy": cost.network_entropy(network),
        "density": sum(layer.density * layer.weights for layer in stored) / network.weights,
        "cycles": timing.cycles,
        "utilisation": timing.utilisation,
        "layers": [
            {
                "format": layer.format,
                "weights": layer.weights,
                "bits_per_weight": layer.bits_per_weight,
                "entropy": layer.entropy,
                "density": layer.density,
            }
            for layer in stored
        ],
        "training": point.training.plain(),
        "data_sha256": point.data_digest,
        "model": f"{model.parent.name}/{model.name}",
        "model_bytes": model.stat().st_size,
        "seconds": round(seconds, 2),
        "platform": machine(point.training.device),
    }


@torch.no_grad()
def _on_golden(result: TrainResult, network: Network, data: DataSet) -> tuple[float, float]:
    """Return golden's accuracy on the test split, and how often it gives the model's class."""
    x = network.quant(data.x_test)
    best = golden.predict(network, x).best
    model = result.model.eval()
    theirs = model(model.real(torch.from_numpy(x))).argmax(1).numpy()
    return float(np.mean(best == data.y_test)), float(np.mean(best == theirs))


def machine(device: str) -> dict[str, Any]:
    """Return what a record was made on, and with which versions."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "device": device if device == "cpu" else torch.cuda.get_device_name(device),
        "python": platform.python_version(),
        "torch": version("torch"),
        "numpy": np.__version__,
        "fantastic4": __version__,
    }


def _processor() -> str:
    """Return the name of the processor, if the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
