# SPDX-License-Identifier: Apache-2.0
"""The networks of the benchmark: trained ones where they are at hand, random ones otherwise."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from fantastic4 import modelfile
from fantastic4.errors import FantasticError
from fantastic4.network import InputQuant, Network
from fantastic4.randomnet import random_layer

MODELS = Path(__file__).parents[3] / "tests" / "models"
"""Trained networks; only a checkout has them."""

SEED = 4
"""Of all random networks."""


@dataclass(frozen=True)
class Case:
    """One network of the benchmark.

    Parameters
    ----------
    name : str
    what : str
        The task, as tables show it.
    widths : tuple of int
        Inputs, and outputs of each layer.
    density : float
        Share of codes that are not zero, where the network is random.
    values : int
        Different values among these.
    fixture : str
        Its file in `MODELS`; empty if there is none.
    """

    name: str
    what: str
    widths: tuple[int, ...]
    density: float
    values: int
    fixture: str = ""


CASES = (
    Case("mnist", "MNIST digits", (784, 300, 100, 10), 0.17, 2, "mnist.safetensors"),
    # Density of the entropy that FINN's published weights have, 2.73 bits (peers.json).
    Case("kws", "keyword spotting", (490, 256, 256, 256, 12), 0.445, 15),
    Case(
        "gsc",
        "speech commands, MLP-GSC",
        (220, 512, 512, 256, 256, 128, 128, 12),
        0.15,
        2,
        "gsc12.safetensors",
    ),
    # Likewise, 0.53 bits, ternary.
    Case("unsw", "intrusion, UNSW-NB15", (593, 64, 64, 64, 1), 0.091, 2),
    # As sparse as the network that the unrolled one of the peers has.
    Case("jets", "LHC jets", (16, 64, 32, 32, 5), 0.41, 15),
)
"""Networks by default; the density of those with a fixture is that of the fixture."""


@dataclass(frozen=True)
class Subject:
    """A network that is there, and where it is from."""

    name: str
    what: str
    network: Network
    source: str

    @property
    def widths(self) -> tuple[int, ...]:
        """Return inputs, and outputs of each layer."""
        layers = self.network.layers
        return (layers[0].in_features, *(layer.out_features for layer in layers))


def find_cases(names: Iterable[str] | None) -> list[Case]:
    """Return the cases of these names, all if None.

    Raises
    ------
    FantasticError
        If there is none of a name.
    """
    known = {case.name: case for case in CASES}
    chosen = list(known) if names is None else list(dict.fromkeys(names))
    for name in chosen:
        if name not in known:
            raise FantasticError(
                f"the benchmark has no network {name!r}; choose some of {', '.join(known)}"
            )
    return [known[name] for name in chosen]


def subjects(
    cases: Sequence[Case], models: Mapping[str, Path], folder: Path = MODELS
) -> list[Subject]:
    """Return the networks of ``cases``: of ``models`` if named there, a fixture, or random.

    ``models`` of other names follow.
    """
    found = []
    for case in cases:
        if case.name in models:
            found.append(_trained(case.name, case.what, models[case.name]))
        elif case.fixture and (folder / case.fixture).is_file():
            path = folder / case.fixture
            where = f"trained, tests/models/{case.fixture}"
            found.append(Subject(case.name, case.what, modelfile.load(path), where))
        else:
            values = f"{case.values} non-zero values"
            where = f"random, density {case.density:g}, {values}, seed {SEED}"
            found.append(Subject(case.name, case.what, random_case(case), where))
    known = {case.name for case in cases}
    found += [_trained(name, name, path) for name, path in models.items() if name not in known]
    return found


def random_case(case: Case) -> Network:
    """Return a random network as ``case`` describes it: one plane, one basis a layer, logits."""
    rng = np.random.default_rng(SEED)
    last = len(case.widths) - 2
    layers = [
        random_layer(
            rng,
            columns,
            rows,
            density=case.density,
            names=case.values,
            logits=index == last,
            name=f"layer{index}",
        )
        for index, (columns, rows) in enumerate(pairwise(case.widths))
    ]
    return Network(tuple(layers), InputQuant(gain=np.ones(1), offset=np.zeros(1)))


def _trained(name: str, what: str, path: Path) -> Subject:
    return Subject(name, what, modelfile.load(path), f"trained, {path.name}")
