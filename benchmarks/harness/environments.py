"""A virtual environment for each peer, made where it is missing: dependencies of two peers never meet.

It lies in `$ASYNCSWEEP_BENCH_ENVS`, or in `build/benchmark-environments` of the checkout, under a name that tells the pins and the
version of Python: changed pins make a new one. It is complete when its stamp is there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "benchmarks" / "peers"
CACHE_VARIABLE = "ASYNCSWEEP_BENCH_ENVS"
_STAMP = "complete"
_LIMIT_S = 1800.0


class EnvironmentFailed(Exception):
    """A peer's environment cannot be made; the message says why in one line."""


def cache() -> Path:
    """Where environments are kept."""
    return Path(os.environ.get(CACHE_VARIABLE) or ROOT / "build" / "benchmark-environments").absolute()


def place(name: str, pins: str, folder: Path, version: str = sys.version) -> Path:
    """Where the environment for these pins and this Python is, or would be."""
    told = hashlib.sha256(f"{version}\n{pins}".encode()).hexdigest()[:12]
    return folder / f"{name}-{told}"


def interpreter(name: str, tell: Callable[[str], None] = lambda line: None) -> Path:
    """The Python of a peer; makes its environment where it is missing, which takes minutes for some.

    Args:
        name: The peer; `benchmarks/peers/NAME.txt` has its pins.
        tell: Called with a line for people before something takes long.

    Raises:
        EnvironmentFailed: There are no pins, or they cannot be installed.
    """
    pins_file = PEERS / f"{name}.txt"
    if not pins_file.exists():
        raise EnvironmentFailed(f"there is no {pins_file.relative_to(ROOT)}")
    made = place(name, pins_file.read_text(encoding="utf-8"), cache())
    python = made / "bin" / "python"
    made.parent.mkdir(parents=True, exist_ok=True)
    with open(made.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once: the second finds it made
        if not (made / _STAMP).exists():
            tell(f"makes an environment for {name}: {made}")
            _make(made, python, pins_file)
            (made / _STAMP).touch()
    return python


def _make(folder: Path, python: Path, pins_file: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _do([sys.executable, "-m", "venv", str(folder)])
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    _do([*pip, "-r", str(pins_file)])


def _do(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFailed(str(error)) from error
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        errors = [line for line in said if line.startswith("ERROR")] or said
        raise EnvironmentFailed(errors[0] if errors else f"{' '.join(command)} ended with {done.returncode}")
