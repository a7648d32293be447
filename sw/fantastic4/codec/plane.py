# SPDX-License-Identifier: Apache-2.0
"""One plane of codes, line by line, written or read."""

from dataclasses import dataclass

import numpy as np

from fantastic4.codec.choice import Choice
from fantastic4.codec.coder import Coder
from fantastic4.config import BASIS_COUNT

CODES = 1 << BASIS_COUNT

PART = 128
"""Codes of a line that are coded at once: none of them sees another."""

MAX_REFERENCES = 4
REACH = 64
"""How many lines back a reference may be."""

SIGNIFICANT = 8.0
"""Standard deviations by which a reference must agree more than chance."""


@dataclass(frozen=True)
class Plan:
    """How a plane is coded.

    Parameters
    ----------
    columns : bool
        Lines are the columns of the plane, not its rows.
    references : tuple of int
        How many lines back the lines are that are likely alike, at most four.
    values : tuple of int
        The non-zero codes in use, in the order of their questions.
    """

    columns: bool
    references: tuple[int, ...]
    values: tuple[int, ...]

    @classmethod
    def of(cls, codes: np.ndarray) -> "Plan":
        """Return the plan for ``codes``, uint8 (rows, columns).

        Lines run where they resemble earlier ones most; where none do, along the shorter side.
        """
        counts = np.bincount(codes.ravel(), minlength=CODES)
        chance = float(((counts / codes.size) ** 2).sum())
        rows, columns = _alike(codes, chance), _alike(codes.T, chance)
        best = [max(scores.values(), default=0.0) for scores in (rows, columns)]
        shorter = codes.shape[0] < codes.shape[1]
        upright = bool(best[1] > best[0] or (best[1] == best[0] and shorter))
        order = np.argsort(-counts, kind="stable")
        return cls(
            columns=upright,
            references=tuple(columns if upright else rows),
            values=tuple(int(code) for code in order if code and counts[code]),
        )


def _alike(lines: np.ndarray, chance: float) -> dict[int, float]:
    """Return the most telling distances between lines, with the significance of each.

    ``chance`` is the share of codes that would agree if all were independent.
    """
    found = {}
    for back in range(1, min(REACH + 1, len(lines)) if 0 < chance < 1 else 1):
        equal = lines[back:] == lines[:-back]
        deviation = (chance * (1 - chance) / equal.size) ** 0.5
        score = (np.count_nonzero(equal) / equal.size - chance) / deviation
        if score > SIGNIFICANT:
            found[back] = score
    best = sorted(found, key=lambda back: -found[back])[:MAX_REFERENCES]
    return {back: found[back] for back in best}


def code_plane(coder: Coder, shape: tuple[int, ...], given: np.ndarray | None = None) -> np.ndarray:
    """Write the codes ``given``, uint8 of ``shape`` (rows, columns), or read them; return them."""
    plan = _code_plan(coder, None if given is None else Plan.of(given))
    ranks = np.zeros(CODES, np.uint8)
    ranks[list(plan.values)] = np.arange(1, len(plan.values) + 1)
    wanted = None
    if given is not None:
        wanted = ranks[given.T if plan.columns else given]
    found = _code_lines(coder, shape[::-1] if plan.columns else shape, plan, wanted)
    codes = np.array([0, *plan.values], np.uint8)[found]
    return np.ascontiguousarray(codes.T if plan.columns else codes)


def _code_plan(coder: Coder, given: Plan | None) -> Plan:
    """Write a plan, or read one."""
    plan = given or Plan(False, (), ())

    def code_all(limit: int, below: int, values: tuple[int, ...]) -> tuple[int, ...]:
        count = coder.number(limit + 1, len(values))
        values = values or (1,) * count
        return tuple(coder.number(below, value - 1) + 1 for value in values)

    columns = bool(coder.number(2, int(plan.columns)))
    references = code_all(MAX_REFERENCES, REACH, plan.references)
    return Plan(columns, references, code_all(CODES - 1, CODES - 1, plan.values))


def _code_lines(
    coder: Coder, shape: tuple[int, ...], plan: Plan, wanted: np.ndarray | None
) -> np.ndarray:
    """Write the ranks ``wanted``, uint8 (lines, length), or read them; return them.

    Rank 0 is code 0, rank n the nth of the plan's values. Question d about a code is whether its
    rank exceeds d; the next one is only asked where it does.
    """
    lines, length = shape
    choices = [Choice(length, len(plan.references)) for _ in plan.values]
    padded = np.zeros((REACH + lines, length), np.uint8)
    for number in range(REACH, REACH + lines):
        references = padded[[number - back for back in plan.references]]
        places = np.arange(length)
        for rank, choice in enumerate(choices):
            choice.next_line()
            given = None if wanted is None else wanted[number - REACH] > rank
            near = np.where(references == rank, 1, np.where(references == 0, 0, 2))
            higher = []
            for part in np.split(places, range(PART, len(places), PART)):
                answers = choice.code(
                    coder, part, near[:, part], None if given is None else given[part]
                )
                higher.append(part[answers])
            places = np.concatenate(higher)
            padded[number, places] += 1
    return padded[REACH:]
