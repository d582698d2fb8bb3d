"""The command line as a user has it: another process, in a folder with a module of objectives."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

OBJECTIVES = '''
import os
import time


def square(x):
    return x * x


def kind(x, opt):
    print(f"noise {x}")
    return x if opt == "sgd" else 2 * x


def two(x):
    return {"loss": x, "size": -x}


def hostile(x):
    raise ValueError("[red]bad\\x1b[31m\\x07\\nsecond line")


def forever(x):
    """Says who it is, then waits to be ended; once a file "go" is there it ends by itself."""
    with open(f"worker-{os.getpid()}", "w"):
        pass
    while not os.path.exists("go"):
        time.sleep(0.005)
    return x
'''

Cli = Callable[..., subprocess.CompletedProcess[str]]
# As the installed script: without the current folder on the path.
COMMAND = (sys.executable, "-P", "-m", "asyncsweep.cli")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The current folder of `cli`."""
    (tmp_path / "objectives.py").write_text(OBJECTIVES)
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "TERM": "xterm-256color"}


@pytest.fixture
def cli(folder: Path, environment: dict[str, str]) -> Cli:
    """Run `asyncsweep ARGS...` to its end."""

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *args], cwd=folder, env=environment, capture_output=True, text=True, timeout=50, check=False
        )

    return run
