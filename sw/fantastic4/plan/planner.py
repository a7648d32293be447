# SPDX-License-Identifier: Apache-2.0
"""Chooses a core: of those that fit, the fastest, or the smallest that is fast enough."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fantastic4.config import MAX_TILE
from fantastic4.errors import FantasticError
from fantastic4.network import Network
from fantastic4.plan.candidates import Candidate, candidates
from fantastic4.plan.chips import Chip, described, larger, over_use
from fantastic4.plan.limits import Limits, limits_of
from fantastic4.plan.proposal import Proposal, work_out

INPUT_WIDTHS = tuple(1 << bits for bits in range(MAX_TILE.bit_length()))
"""Values that the input stream may bring a clock: those that divide the lanes of a core."""

ALIKE = 1.01
"""Ratio of latencies up to which the smaller of two cores is taken."""

MOST_EXCUSES = 12
"""Cores that are worked out to say what is missing."""

ENOUGH_SECONDS = 3.0
"""Processor time after which the best core found is proposed."""


@dataclass(frozen=True)
class Goal:
    """What a core is planned for.

    Parameters
    ----------
    chip : Chip
    latency_us : float or None
        The smallest core that is no slower is wanted; None: the fastest.
    fill : float
        Share of the LUTs and of the flip-flops that a core may take; place and route needs some.
    input_width : int
        Activations that the input stream brings in a clock, a power of two; a core of fewer lanes
        takes as many as these.
    mhz : float or None
        Clock, where it is known better than from the routed cores of the calibration.
    """

    chip: Chip
    latency_us: float | None = None
    fill: float = 0.85
    input_width: int = 4
    mhz: float | None = None


@dataclass(frozen=True)
class Plan:
    """A proposal, and why it is not faster.

    Parameters
    ----------
    proposal : Proposal
    limits : Limits
    considered, worked_out : int
        Cores that were looked at, and those whose memories and cycles were worked out.
    """

    proposal: Proposal
    limits: Limits
    considered: int
    worked_out: int


def plan(network: Network, goal: Goal) -> Plan:
    """Return the core for ``network`` that ``goal`` asks for.

    Cores are taken in the order of what they promise, and worked out until none that is left can
    be better.

    Raises
    ------
    FantasticError
        If none fits the chip, or none that fits is fast enough; it says what is missing. If the
        input width is no power of two.
    """
    width = goal.input_width
    if width not in INPUT_WIDTHS:
        raise FantasticError(f"input width must be a power of two up to {MAX_TILE}, not {width}")
    room = goal.chip.room(goal.fill)
    known = list(candidates(network, goal.chip.technology, goal.input_width, goal.mhz))
    if not known:
        raise FantasticError("no core can express the codes of this network")
    fitting = [x for x in known if not over_use(x.area, room)]
    if goal.latency_us is None:
        best, tried = _fastest(network, goal, fitting)
    else:
        best, tried = _smallest(network, goal, fitting, goal.latency_us)
    if best is None:
        raise FantasticError(_too_small(network, goal, known))
    missed = [x for x in known if x.latency_us * ALIKE < best.latency_us and x not in fitting]
    return Plan(best, limits_of(best, missed, room), len(known), tried)


def _fastest(
    network: Network, goal: Goal, fitting: Sequence[Candidate]
) -> tuple[Proposal | None, int]:
    """Return the fastest core that fits, and how many were worked out to find it."""

    def promise(candidate: Candidate) -> tuple[float, int]:
        return candidate.latency_us, candidate.area.luts

    found: list[Proposal] = []
    tried, begin = 0, time.process_time()
    for candidate in sorted(fitting, key=promise):
        least = min((x.latency_us for x in found), default=float("inf"))
        late = time.process_time() - begin > ENOUGH_SECONDS
        if candidate.latency_us > least * ALIKE or (found and late):
            break
        tried += 1
        found += _worked_out(network, goal, candidate)
    if not found:
        return None, tried
    least = min(x.latency_us for x in found)
    alike = [x for x in found if x.latency_us <= least * ALIKE]
    return min(alike, key=lambda x: (x.area.luts, x.area.block_rams)), tried


def _smallest(
    network: Network, goal: Goal, fitting: Sequence[Candidate], latency_us: float
) -> tuple[Proposal | None, int]:
    """Return the smallest core that fits and is fast enough."""
    able = [x for x in fitting if x.latency_us <= latency_us]
    tried = 0
    for candidate in sorted(able, key=lambda x: (x.area.luts, x.latency_us)):
        tried += 1
        for proposal in _worked_out(network, goal, candidate):
            if proposal.latency_us <= latency_us:
                return proposal, tried
    return None, tried


def _worked_out(network: Network, goal: Goal, candidate: Candidate) -> list[Proposal]:
    """Return the proposal of a candidate, if it fits indeed."""
    try:
        found = work_out(network, candidate.cfg, goal.chip.technology, goal.mhz)
    except FantasticError:
        return []
    used = {name for name in candidate.cfg.formats if name in found.formats}
    # Decoders that no layer uses are another candidate's to leave out.
    idle = len(used) < len(candidate.cfg.formats)
    fits = not over_use(found.area, goal.chip.room(goal.fill))
    return [found] if fits and not idle else []


def _too_small(network: Network, goal: Goal, known: Sequence[Candidate]) -> str:
    """Return why no core can be proposed."""
    room = goal.chip.room(goal.fill)
    fitting = [x for x in known if not over_use(x.area, room)]
    if goal.latency_us is not None and fitting:
        fastest, _ = _fastest(network, goal, fitting)
        if fastest is not None:
            return (
                f"no core on {goal.chip.name} is faster than {fastest.latency_us:.1f} µs, "
                f"{goal.latency_us:g} µs is asked for{_elsewhere(network, goal, known)}"
            )

    over = min((over_use(x.area, room) for x in known), key=_excess)
    if not over:  # by the estimate; so the weight words are more than that
        likely = sorted(fitting, key=lambda x: x.area.block_rams)[:MOST_EXCUSES]
        exact = [work_out(network, x.cfg, goal.chip.technology, goal.mhz).area for x in likely]
        over = min((over_use(area, room) for area in exact), key=_excess)
    return f"the network does not fit {goal.chip.name}: {described(over)}" + _elsewhere(
        network, goal, known
    )


def _excess(over: Mapping[str, tuple[int, int]]) -> float:
    return max((need / have for need, have in over.values()), default=1.0)


def _elsewhere(network: Network, goal: Goal, known: Sequence[Candidate]) -> str:
    """Return which larger chip does, as the end of a sentence."""
    for chip in larger(goal.chip):
        other = replace(goal, chip=chip)
        room = chip.room(goal.fill)
        fitting = [x for x in known if not over_use(x.area, room)]
        latency = float("inf") if goal.latency_us is None else goal.latency_us
        if _smallest(network, other, fitting, latency)[0] is not None:
            return f"; {chip.name} is large enough"
    return "; no larger chip that is planned for is large enough either"
