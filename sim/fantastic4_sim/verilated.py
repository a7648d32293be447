# SPDX-License-Identifier: Apache-2.0
"""A core compiled by Verilator, driven by ``harness.cpp`` in a process of its own."""

import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from fantastic4.config import CoreConfig
from fantastic4.errors import SimulationError
from fantastic4_sim.commands import Command, Load, RawReply
from fantastic4_sim.device import Device, Progress
from fantastic4_sim.models import blocks_of, build, core_verilog

_REPLY = struct.Struct("<7Q")


class VerilatedDevice(Device):
    """A core as a native program; compiled on first use and then kept.

    Parameters
    ----------
    build_dir : pathlib.Path, optional
        Where compiled models are kept; the user's cache unless given.
    verilog : callable, optional
        Writes the Verilog of a configuration's core into a folder and returns its path;
        ``fantastic4_hw.verilog.write_verilog`` unless told otherwise.
    """

    engine = "verilator"

    def __init__(
        self,
        cfg: CoreConfig,
        *,
        build_dir: Path | None = None,
        verilog: Callable[[CoreConfig, Path], Path] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(cfg, **settings)
        folder = build_dir or Path(platformdirs.user_cache_dir("fantastic4")) / "verilated"
        folder.mkdir(parents=True, exist_ok=True)
        source = core_verilog(cfg, folder) if verilog is None else verilog(cfg, folder)
        self.model = build(source, cfg.name, folder, blocks_of(cfg))

    def _simulate(
        self, commands: Sequence[Command], patience: int, seed: int, progress: Progress
    ) -> list[RawReply]:
        with tempfile.TemporaryDirectory(prefix="fantastic4-") as scratch:
            job, result = Path(scratch) / "job", Path(scratch) / "result"
            with job.open("wb") as file:
                file.write(struct.pack("<2Q", seed, int(self.stall * 2**32)))
                for command in commands:
                    _write_command(file, command, self.cfg, patience)
            call(self.model, job, result, progress)
            return list(_read_replies(result.read_bytes()))


def call(model: Path, job: Path, result: Path, progress: Progress) -> None:
    """Run the model on a job; raise ``SimulationError`` if it does not end well."""
    said: list[str] = []
    with subprocess.Popen(
        [str(model), str(job), str(result)], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if line.startswith("done "):
                    progress(int(line[5:]))
                else:
                    said.append(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise SimulationError(
            f"{model.name} ended with status {process.returncode}: {''.join(said[-5:])}"
        )


def _write_command(file: Any, command: Command, cfg: CoreConfig, patience: int) -> None:
    transfers = command.transfers(cfg)
    frames, in_frame, lanes = transfers.shape
    words = np.zeros((frames, in_frame, -(-lanes // 4) * 4), np.uint8)
    words[:, :, :lanes] = transfers
    kind = 0 if isinstance(command, Load) else 1
    file.write(struct.pack("<5Q", kind, patience, frames, in_frame, words.shape[2] // 4))
    file.write(words.tobytes())


def _read_replies(raw: bytes) -> Iterator[RawReply]:
    at = 0
    while at < len(raw):
        *head, value_count, frame_count = _REPLY.unpack_from(raw, at)
        at += _REPLY.size
        values = np.frombuffer(raw, "<i4", value_count, at)
        at += values.nbytes
        frames = np.frombuffer(raw, "<u4", 5 * frame_count, at).reshape(-1, 5)
        at += frames.nbytes
        yield RawReply(*head, values=values, frames=frames)
