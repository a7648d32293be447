# SPDX-License-Identifier: Apache-2.0
"""One adaptive yes-or-no question, asked about many codes at once.

Probabilities come from integer counts with the four operations of IEEE float64 alone, each rounded
as the standard says, so that every machine computes the same.
"""

import numpy as np

from fantastic4.codec.coder import STEPS, Coder

LINE_PRIOR = 128
PLACE_PRIOR = 64
NEAR_PRIOR = 32
BUCKET_PRIOR = 64
"""How many answers the expectation weighs against what each count has seen."""

_RISING = (1, 3 / 2, 2, 8 / 3, 4, 16 / 3, 8, 16, 32, 64)
EDGES = np.array([1 / odds for odds in reversed(_RISING)] + [*_RISING[1:]])
"""Odds between the buckets."""

NEAR = 3
"""What a reference can say: zero, the value in question, another value."""


class Choice:
    """What is known about one question, and its coding.

    The share of yes so far in this line, at this place of earlier lines and beside the same
    neighbours each move the odds, as if independent. They are not, so the result is corrected by
    how often yes was right when similar odds were given before.

    Parameters
    ----------
    length : int
        Codes of a line.
    references : int
        Earlier lines that serve as neighbours.
    """

    def __init__(self, length: int, references: int) -> None:
        self.all = np.array([1, 2])  # yes and all answers, here and below
        self.line = np.zeros(2, np.int64)
        self.place = np.zeros((2, length), np.int64)
        self.near = np.zeros((2, references * NEAR), np.int64)
        self.bucket = np.zeros((2, len(EDGES) + 1), np.int64)

    def next_line(self) -> None:
        """Begin another line."""
        self.line[:] = 0

    def code(
        self, coder: Coder, places: np.ndarray, near: np.ndarray, given: np.ndarray | None
    ) -> np.ndarray:
        """Code the answers at ``places`` of a line, bool (n,), and learn from them.

        Parameters
        ----------
        places : numpy.ndarray
            Where in the line, shape ``(n,)``.
        near : numpy.ndarray
            What the references say, 0..2, shape ``(references, n)``.
        """
        contexts = near + NEAR * np.arange(len(near))[:, None]
        odds = self._odds(places, contexts)
        bucket = np.searchsorted(EDGES, odds)
        yes, total = self.bucket[:, bucket]
        share = (yes + BUCKET_PRIOR * (odds / (1 + odds))) / (total + BUCKET_PRIOR)
        answers = coder.flags(np.clip(np.floor(share * STEPS), 1, STEPS - 1), given)

        counts = (int(np.count_nonzero(answers)), len(answers))
        self.all += counts
        self.line += counts
        self.place[0, places] += answers
        self.place[1, places] += 1
        for table, index in ((self.bucket, bucket), (self.near, contexts)):
            size = table.shape[1]
            table[0] += np.bincount(index[..., answers].ravel(), minlength=size)
            table[1] += np.bincount(index.ravel(), minlength=size)
        return answers

    def _odds(self, places: np.ndarray, contexts: np.ndarray) -> np.ndarray:
        """Return the odds of yes, float64 (n,)."""
        yes, total = self.all
        share, overall = yes / total, yes / (total - yes)

        def gain(counts: np.ndarray, prior: int) -> np.ndarray:
            yes, total = counts
            return (yes + prior * share) / (total - yes + prior * (1 - share)) / overall

        odds = gain(self.place[:, places], PLACE_PRIOR) * gain(self.line, LINE_PRIOR) * overall
        near = gain(self.near, NEAR_PRIOR)
        for context in contexts:
            odds = odds * near[context]
        return odds
