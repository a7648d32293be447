# SPDX-License-Identifier: Apache-2.0
"""What a core spends its cycles on, and what keeps a faster one from the chip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fantastic4.plan.candidates import Candidate
from fantastic4.plan.chips import described, over_use
from fantastic4.plan.proposal import Proposal

MUCH = 0.25
"""Share of the latency from which on something limits it."""


@dataclass(frozen=True)
class Limits:
    """Why there is nothing faster.

    Parameters
    ----------
    cycles : Mapping
        Shares of the latency: ``input``, transfers of the input stream; ``array``, beats;
        ``weights``, clocks in which these were late; ``layers``, clocks in which the array waits
        for the activations of the layer before, or for rows to leave through the four multipliers.
    reasons : tuple of str
        Sentences, what limits most first.
    """

    cycles: Mapping[str, float]
    reasons: tuple[str, ...]


def limits_of(best: Proposal, missed: Sequence[Candidate], room: Mapping[str, int]) -> Limits:
    """Return what limits a proposal; ``missed`` are faster cores that do not fit into ``room``."""
    timing, cfg = best.timing, best.cfg
    total = timing.latency
    transfers = total - timing.cycles
    shares = {
        "input": transfers / total,
        "array": timing.beats / total,
        "weights": timing.stalls / total,
        "layers": (timing.cycles - timing.beats - timing.stalls) / total,
    }
    reasons = []
    if missed:
        fastest = min(missed, key=lambda x: x.latency_us)
        nearest = min(missed, key=lambda x: _excess(x, room))
        missing = described(over_use(nearest.area, room))
        reasons.append(
            f"{missing} for {nearest.cfg.name} ({nearest.latency_us:.1f} µs), of the faster cores "
            f"the one that lacks least; the fastest would take {fastest.latency_us:.1f} µs"
        )
    if shares["input"] >= MUCH:
        reasons.append(
            f"the input stream: {transfers} of {total} cycles bring the input, "
            f"{cfg.input_width} values each"
        )
    if shares["layers"] >= MUCH:
        reasons.append(
            f"layers that are narrow for {cfg.lanes} lanes and {cfg.engines} engines: "
            f"{timing.cycles - timing.beats - timing.stalls} of {total} cycles wait for the layer "
            "before, or for rows on their way through the four multipliers"
        )
    if shares["weights"] >= MUCH:
        reasons.append(f"decoders: {timing.stalls} of {total} cycles wait for weights")
    if not reasons:
        reasons.append("the array: more lanes or engines would spend more cycles in other places")
    return Limits({name: round(share, 4) for name, share in shares.items()}, tuple(reasons))


def _excess(candidate: Candidate, room: Mapping[str, int]) -> float:
    return max(need / have for need, have in over_use(candidate.area, room).values())
