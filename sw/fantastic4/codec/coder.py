# SPDX-License-Identifier: Apache-2.0
"""The arithmetic coder, in the one form the codec needs: the same calls write and read.

A range coder of the library ``constriction``, with 32-bit words. Probabilities are multiples of
2**-16, so that no rounding is left to the library.
"""

from importlib import import_module
from typing import Any, Protocol

import numpy as np

from fantastic4.errors import ModelError

WORD = np.dtype("<u4")
STEPS = 1 << 16

_STREAM: Any = import_module("constriction").stream  # the library has no types
_FLAG = _STREAM.model.Bernoulli(perfect=False)


class Coder(Protocol):
    """Writes what it is given, or reads it; both return it."""

    def number(self, below: int, given: int = 0) -> int:
        """Code a number in ``0..below - 1``, all equally likely."""
        ...

    def flags(self, steps: np.ndarray, given: np.ndarray | None = None) -> np.ndarray:
        """Code flags, bool (n,).

        Parameters
        ----------
        steps : numpy.ndarray
            How likely each flag is true, in ``1..65535`` parts of 65536, float64 (n,).
        """
        ...


class Encoder:
    """A `Coder` that writes."""

    def __init__(self) -> None:
        self._coder = _STREAM.queue.RangeEncoder()

    def number(self, below: int, given: int = 0) -> int:
        """Write ``given``."""
        if below > 1:
            self._coder.encode(given, _STREAM.model.Uniform(below))
        return given

    def flags(self, steps: np.ndarray, given: np.ndarray | None = None) -> np.ndarray:
        """Write ``given``."""
        assert given is not None
        self._coder.encode(given.astype(np.int32), _FLAG, steps / STEPS)
        return given

    def finish(self) -> bytes:
        """Return everything that was written."""
        return self._coder.get_compressed().astype(WORD).tobytes()


class Decoder:
    """A `Coder` that reads ``stream``; ``ModelError`` if no encoder can have written it."""

    def __init__(self, stream: bytes) -> None:
        if len(stream) % WORD.itemsize:
            raise ModelError(f"the codes must be whole words of 32 bits, not {len(stream)} bytes")
        self._coder = _STREAM.queue.RangeDecoder(np.frombuffer(stream, WORD).astype(np.uint32))

    def number(self, below: int, given: int = 0) -> int:
        """Read a number."""
        return int(self._read(_STREAM.model.Uniform(below))) if below > 1 else 0

    def flags(self, steps: np.ndarray, given: np.ndarray | None = None) -> np.ndarray:
        """Read as many flags as there are ``steps``."""
        return self._read(_FLAG, steps / STEPS).astype(bool)

    def _read(self, *model: Any) -> Any:
        try:
            return self._coder.decode(*model)
        except AssertionError as error:
            raise ModelError("the codes are damaged: no encoder makes such a stream") from error
