# SPDX-License-Identifier: Apache-2.0
"""The programs of the flow: found, run, and asked for their version."""

import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from fantastic4.errors import FantasticError

_VERSION = re.compile(r"\d+(?:\.\d+)+(?:[-+]\S+?)?(?=[\s)(,]|$)")

_PYOSYS = """
import sys
from pyosys import libyosys
libyosys.run_pass(f"script {sys.argv[1]}", libyosys.Design())
"""


_running: set[subprocess.Popen[str]] = set()


def stop_tools() -> None:
    """Stop what ``run_tool`` runs in other threads; it fails there."""
    for process in list(_running):
        process.kill()


@cache
def find_tool(name: str) -> str:
    """Return the program ``name``: a native one on the path, else its WebAssembly build.

    Raises
    ------
    FantasticError
        If there is neither.
    """
    beside = str(Path(sys.executable).parent)
    for candidate in (name, f"yowasp-{name}"):
        found = shutil.which(candidate) or shutil.which(candidate, path=beside)
        if found:
            return found
    raise FantasticError(f"this needs {name}: pip install 'fantastic4[synth]'")


def command_of(name: str) -> list[str]:
    """Return how to run ``name``: a program, or ``native-yosys``.

    That is a yosys on the path or the one in the package pyosys, but not a WebAssembly build, where
    the words of abc are lost.

    Raises
    ------
    FantasticError
        If there is none.
    """
    if name != "native-yosys":
        return [find_tool(name)]
    native = shutil.which("yosys")
    if native:
        return [native]
    if find_spec("pyosys") is None:
        raise FantasticError("this needs a native yosys: pip install 'fantastic4[synth]'")
    return [sys.executable, "-c", _PYOSYS]


def has_tool(name: str) -> bool:
    """Return whether ``find_tool`` finds ``name``."""
    try:
        find_tool(name)
    except FantasticError:
        return False
    return True


@cache
def version_of(name: str) -> str:
    """Return the version of a tool, and whether it is the WebAssembly build."""
    command = command_of(name)
    if len(command) > 1:
        return f"{version('pyosys')} (pyosys)"
    option = "-version" if name == "sta" else "--version"
    done = subprocess.run([*command, option], capture_output=True, text=True, check=False)
    found = _VERSION.search(done.stdout + done.stderr)
    kind = " (yowasp)" if Path(command[0]).name.startswith("yowasp-") else ""
    return f"{found[0] if found else 'unknown'}{kind}"


def run_tool(
    name: str,
    args: Sequence[str],
    folder: Path,
    what: str,
    line: Callable[[str], None] | None = None,
) -> None:
    """Run a tool in ``folder``, of which the WebAssembly builds see relative paths only.

    Parameters
    ----------
    what : str
        What fails if it fails.
    line : callable, optional
        Called with each line that the tool prints.

    Raises
    ------
    FantasticError
        If the tool fails; with the error that it names.
    """
    last: deque[str] = deque(maxlen=40)
    errors: list[str] = []
    process = subprocess.Popen(
        [*command_of(name), *args],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    _running.add(process)
    try:
        for text in process.stdout:
            last.append(text)
            if "ERROR: " in text and not errors:
                errors.append(text.partition("ERROR: ")[2].strip())
            if line is not None:
                line(text)
        code = process.wait()
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
        _running.discard(process)
    if code:
        said = [text.strip() for text in last if text.strip()]
        raise FantasticError(f"{what} failed: {(errors or said or [f'exit code {code}'])[-1]}")
