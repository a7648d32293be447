# SPDX-License-Identifier: Apache-2.0
"""One network on one core: clocks, operations and bits, counted on its packed image."""

from typing import Any

import numpy as np

from fantastic4 import cost
from fantastic4.benchmark.networks import Subject
from fantastic4.config import CoreConfig
from fantastic4.errors import FantasticError
from fantastic4.network import Network
from fantastic4.pack import pack, read_image, unpack
from fantastic4.timing import timing

OPERATIONS = 2
"""Operations of a multiply-accumulate; those by zero count."""


def network_record(subject: Subject) -> dict[str, Any]:
    """Return what a network is."""
    network = subject.network
    zeros = sum(np.count_nonzero(layer.codes == 0) for layer in network.layers)
    codes = sum(layer.codes.size for layer in network.layers)
    return {
        "name": subject.name,
        "what": subject.what,
        "widths": list(subject.widths),
        "source": subject.source,
        "weights": network.weights,
        "density": 1 - zeros / codes,
        "entropy": cost.network_entropy(network),
    }


def run_record(subject: Subject, cfg: CoreConfig, lanes: int) -> dict[str, Any]:
    """Return what an inference takes on a core of ``lanes`` lanes in all, or why it cannot.

    ``latency_cycles`` go from the first input transfer to the last result, ``interval`` from one
    inference to the next, inputs waiting. ``additions`` are the activations that masks let into
    the trees, of the codes as they are on the chip. ``busy`` is the share of clocks in which the
    array took a beat, ``lanes_used`` the multiply-accumulates of those that all lanes could do in
    all clocks.
    """
    said = {"network": subject.name}
    try:
        raw = pack(subject.network, cfg)
        image = read_image(raw, cfg, subject.name)
    except FantasticError as error:
        return {**said, "fits": False, "why": str(error).partition(": take ")[0]}
    clocks = timing(image, cfg)
    stored = cost.storage(image)
    weights = subject.network.weights
    return {
        **said,
        "fits": True,
        "why": None,
        "cycles": clocks.cycles,
        "latency_cycles": clocks.latency,
        "interval": clocks.interval,
        "beats": clocks.beats,
        "stalls": clocks.stalls,
        "busy": clocks.utilisation,
        "lanes_used": weights / (clocks.cycles * lanes),
        "operations": OPERATIONS * weights,
        "additions": additions(unpack(image)),
        "bits_per_weight": cost.bits_per_weight(stored),
        "formats": [layer.format for layer in stored],
    }


def additions(network: Network) -> int:
    """Return the bits that are set in the codes of a network: each adds an activation."""
    return sum(int(np.bitwise_count(layer.codes).sum()) for layer in network.layers)


def rates(run: dict[str, Any], mhz: float | None, luts: int | None) -> dict[str, Any]:
    """Return what a run gives at a clock; None for what needs a clock or LUTs that are not known.

    Operations are of inferences in a row, one an ``interval``; ``additions`` in 10^9 a second.
    """
    if not run["fits"] or mhz is None:
        return dict.fromkeys(("latency_us", "inferences_per_s", "gops", "gadds", "gops_per_klut"))
    rate = mhz * 1e6 / run["interval"]
    gops = run["operations"] * rate / 1e9
    return {
        "latency_us": run["latency_cycles"] / mhz,
        "inferences_per_s": rate,
        "gops": gops,
        "gadds": run["additions"] * rate / 1e9,
        "gops_per_klut": 1000 * gops / luts if luts else None,
    }
