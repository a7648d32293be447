# SPDX-License-Identifier: Apache-2.0
"""A simulated core as a device: load an image, run inputs, read results and cycles."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fantastic4.config import CoreConfig
from fantastic4.errors import SimulationError
from fantastic4.layout import ErrorCode
from fantastic4_sim.bench import simulate
from fantastic4_sim.commands import (
    Command,
    DeviceResult,
    Infer,
    InferReply,
    Load,
    LoadReply,
    RawReply,
    Reply,
    interpret,
    patience,
)
from fantastic4_sim.driver import Driver
from fantastic4_sim.toolchain import cores, missing_tools

Progress = Callable[[int], None]

SMALLEST_SHARE = 16
"""Fewest inputs worth a process of their own."""


class Device(ABC):
    """A core of one geometry in some simulator.

    Parameters
    ----------
    cfg : CoreConfig
    stall : float
        Probability with which each stream pauses, each clock.
    seed : int
        Of the pauses.
    jobs : int
        Simulations side by side.
    note : str
        Why this engine was chosen, if there was a choice; empty otherwise.
    """

    engine: ClassVar[str]

    def __init__(
        self, cfg: CoreConfig, *, stall: float = 0.0, seed: int = 0, jobs: int = 1, note: str = ""
    ) -> None:
        if not 0 <= stall <= 0.95:
            raise ValueError(f"stall must be 0..0.95, not {stall!r}")
        self.cfg = cfg
        self.stall = stall
        self.seed = seed
        self.jobs = jobs
        self.note = note

    @abstractmethod
    def _simulate(
        self, commands: Sequence[Command], patience: int, seed: int, progress: Progress
    ) -> list[RawReply]:
        """Return the replies up to the first fault."""

    def run(
        self,
        commands: Sequence[Command],
        progress: Progress = lambda done: None,
        *,
        seed: int | None = None,
    ) -> list[Reply]:
        """Reset a core, play ``commands`` one after the other and return a reply to each.

        ``progress`` is told how many inferences of the current command are done.

        Raises
        ------
        SimulationError
            If the core hangs or breaks its contract. An error it reports is not one: it is in
            the reply.
        """
        limit = patience(self.cfg, commands, self.stall)
        raws = self._simulate(commands, limit, self.seed if seed is None else seed, progress)
        # zip stops at a fault, for which interpret raises
        return [interpret(x, raw, limit) for x, raw in zip(commands, raws, strict=False)]

    def predict(
        self, image: bytes, x: np.ndarray, progress: Progress = lambda done: None
    ) -> DeviceResult:
        """Load ``image`` and run ``x``.

        Parameters
        ----------
        image : bytes
        x : numpy.ndarray
            uint8 ``(n, in_features)``.
        progress : callable
            Told how many inputs are done; may be called from other threads, one at a time.

        Raises
        ------
        SimulationError
            If the core refuses the image or an input, hangs or breaks its contract.
        """
        if x.dtype != np.uint8 or x.ndim != 2 or not x.size:
            raise ValueError(
                f"inputs must be uint8 of shape (n, in_features) and not empty, not {x.dtype} of "
                f"shape {x.shape}"
            )
        shares = np.array_split(x, min(self.jobs, max(1, len(x) // SMALLEST_SHARE)))
        done = [0] * len(shares)
        lock = threading.Lock()

        def share(index: int) -> InferReply:
            def tell(count: int) -> None:
                with lock:
                    done[index] = count
                    progress(sum(done))

            commands = [Load(image), Infer(shares[index])]
            loaded, inferred = self.run(commands, tell, seed=self.seed + index)
            assert isinstance(loaded, LoadReply)
            assert isinstance(inferred, InferReply)
            return _checked(loaded, inferred)

        if len(shares) == 1:
            replies = [share(0)]  # in this thread, so that an interrupt ends it
        else:
            with ThreadPoolExecutor(len(shares)) as pool:
                replies = list(pool.map(share, range(len(shares))))
        progress(len(x))

        def joined(name: str) -> np.ndarray:
            return np.concatenate([getattr(reply, name) for reply in replies])

        return DeviceResult(
            outputs=joined("outputs"),
            best=joined("best"),
            cycles=joined("cycles"),
            beats=joined("beats"),
            stalls=joined("stalls"),
            total_cycles=sum(reply.total_cycles for reply in replies),
            engine=self.engine,
        )


def _checked(loaded: LoadReply, inferred: InferReply) -> InferReply:
    if loaded.error or not loaded.loaded:
        raise SimulationError(f"the core refused the image: error {loaded.error.name}")
    if inferred.error is not ErrorCode.NONE:
        raise SimulationError(
            f"the core refused an input after {len(inferred.best)} results: error "
            f"{inferred.error.name}"
        )
    return inferred


class AmaranthDevice(Device):
    """A core in Amaranth's simulator: slow, but needs nothing else.

    Parameters
    ----------
    core : callable, optional
        Gives the component for a configuration; ``fantastic4_hw.core.Core`` unless told otherwise.
    """

    engine = "amaranth"

    def __init__(
        self, cfg: CoreConfig, *, core: Callable[[CoreConfig], Any] | None = None, **settings: Any
    ) -> None:
        super().__init__(cfg, **settings)
        if core is None:
            from fantastic4_hw.core import Core as core
        self.core = core

    def _simulate(
        self, commands: Sequence[Command], patience: int, seed: int, progress: Progress
    ) -> list[RawReply]:
        core = self.core(self.cfg)
        replies: list[RawReply] = []
        driver = Driver(core, self.cfg, patience, self.stall, seed, progress)
        simulate(core, [driver.testbench(commands, replies)], timeout_cycles=None)
        return replies


def open_device(
    cfg: CoreConfig,
    engine: str = "auto",
    *,
    build_dir: Path | None = None,
    stall: float = 0.0,
    seed: int = 0,
    jobs: int | None = None,
) -> Device:
    """Return a core of geometry ``cfg``, ready to run.

    Parameters
    ----------
    cfg : CoreConfig
    engine : str
        ``"verilator"``, ``"amaranth"``, or ``"auto"``: compiled if the tools are there, otherwise
        Amaranth's simulator, and the device's ``note`` says what was missing.
    build_dir : pathlib.Path, optional
        Where compiled models are kept; the user's cache unless given.
    stall : float
        Probability with which each stream pauses, each clock.
    seed : int
        Of the pauses.
    jobs : int, optional
        Simulations that share a large batch; one a processor core unless given. Amaranth's
        simulator uses one.

    Raises
    ------
    SimulationError
        If ``engine`` is unknown or the model cannot be compiled.
    """
    if engine not in ("auto", "verilator", "amaranth"):
        raise SimulationError(f"engine must be auto, verilator or amaranth, not {engine!r}")
    missing = missing_tools() if engine == "auto" else []
    if engine == "verilator" or (engine == "auto" and not missing):
        from fantastic4_sim.verilated import VerilatedDevice

        return VerilatedDevice(
            cfg, build_dir=build_dir, stall=stall, seed=seed, jobs=jobs or cores()
        )
    note = f"simulating in Python, which is slow: {', '.join(missing)} not found" if missing else ""
    return AmaranthDevice(cfg, stall=stall, seed=seed, note=note)
