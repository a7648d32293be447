# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a stream of weight words, and where."""

from fantastic4.errors import ImageError


class FormatError(ImageError):
    """Weight words break a rule of their format.

    Parameters
    ----------
    what : str
        The rule.
    offset : int
        Word of the layer, in its bank, at which it shows.
    beat : int
        Beat of the layer at which it shows.
    """

    def __init__(self, what: str, *, offset: int, beat: int):
        super().__init__(f"{what} (at word {offset}, beat {beat})")
        self.what = what
        self.offset = offset
        self.beat = beat
