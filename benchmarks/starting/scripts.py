"""How fast a trial of a script starts and ends, beside a bare fork and plain Python.

The warm process of both forks has imported the same module. A worker is driven over its link, without a sweep, so that nothing
but the start of a script is in the figures; `asyncsweep run` is measured as a whole, as a user would.
"""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from asyncsweep.wire.messages import FINISHED, HELLO, LAUNCH, PROTOCOL, READY, SETUP, SHUTDOWN
from asyncsweep.wire.stream import Decoder, pack
from asyncsweep.worker.script import Script

_FIRST_LINE = "import time\nbegan = time.monotonic()\n"
_SCRIPT = _FIRST_LINE + "import {module}, asyncsweep\nasyncsweep.finish(loss=began)\n"
_COLD = _FIRST_LINE + "import {module}\nprint(time.monotonic())\n"
_BY_HAND = "import sys, time\nopen(sys.argv[1].removeprefix('--at='), 'w').write(str(time.monotonic()))\n"
_FORKS = """
import gc, json, os, sys
sys.path.insert(0, {root!r})
import {module}
from benchmarks.starting.scripts import forked
gc.collect()
gc.freeze()
for _ in range({n}):
    print(json.dumps(forked()), flush=True)
"""
_ROOT = Path(__file__).parents[2]


class Worker:
    """A worker that is warm, driven over its link."""

    def __init__(self, folder: Path, module: str) -> None:
        script = folder / "train.py"
        script.write_text(_SCRIPT.format(module=module))
        self._sock, theirs = socket.socketpair()
        self._decoder = Decoder()
        guard = ["asyncsweep.worker.guard"] if sys.platform == "linux" else []
        fds = [str(theirs.fileno()), *([str(os.getpid())] if guard else [])]
        command = [sys.executable, "-P", "-m", *guard, "asyncsweep.worker", *fds]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], process_group=0)
        theirs.close()
        code = pickle.dumps(Script(script, preload=[module]))
        self._send(HELLO, PROTOCOL, "")
        self._send(SETUP, list(sys.path), "", code, [], [], ["loss"], None, None, "", None)
        self._receive()
        if self._receive()[0] != READY:
            raise RuntimeError(f"the worker cannot preload {module}")

    def trial(self) -> tuple[float, float]:
        """Seconds to the script's first line, and to its outcome."""
        began = time.monotonic()
        self._send(LAUNCH, 1, 0, 1, {}, None, None)
        message = self._receive()
        ended = time.monotonic()
        if message[0] != FINISHED:
            raise RuntimeError(f"the script failed: {message}")
        return message[2]["loss"] - began, ended - began

    def close(self) -> None:
        self._send(SHUTDOWN)
        self._process.wait()
        self._sock.close()

    def _send(self, *message: Any) -> None:
        self._sock.sendall(pack(message))

    def _receive(self) -> list[Any]:
        while True:
            for message in self._decoder:
                return message
            data = self._sock.recv(65536)
            if not data:
                raise RuntimeError("the worker has ended")
            self._decoder.feed(data)


def forked() -> tuple[float, float]:
    """Seconds to the first line of a bare fork of this process, and to its end as an interpreter ends."""
    read, write = os.pipe()
    began = time.monotonic()
    pid = os.fork()
    if not pid:
        os.write(write, str(time.monotonic()).encode())
        sys.exit()
    os.waitpid(pid, 0)
    ended = time.monotonic()
    first = float(os.read(read, 100))
    os.close(read)
    os.close(write)
    return first - began, ended - began


class Scripts:
    """Programs that are started, measured in seconds.

    Args:
        folder: Where scripts are written.
        module: What the warm processes have imported.
        n: How many forks or trials one sample has.
    """

    def __init__(self, folder: Path, module: str, n: int) -> None:
        self._folder = folder
        self._module = module
        self._n = n
        self._worker: Worker | None = None

    def trials(self) -> list[tuple[float, float]]:
        """To the first line and to the outcome of a script, in a worker that stays warm until `close`."""
        if self._worker is None:
            self._worker = Worker(self._folder, self._module)
            self._worker.trial()
        return [self._worker.trial() for _ in range(self._n)]

    def forks(self) -> list[tuple[float, float]]:
        """To the first line and to the end of a bare fork."""
        code = _FORKS.format(root=str(_ROOT), module=self._module, n=self._n)
        return [tuple(json.loads(line)) for line in self._python("-c", code).splitlines()]

    def cold(self) -> float:
        """To the end of the import in a new process."""
        began = time.monotonic()
        return float(self._python("-c", _COLD.format(module=self._module))) - began

    def run_of_one(self, sampler: str) -> tuple[float, float]:
        """To the last line of the first trial of `asyncsweep run`, and to the end of a sweep of one trial."""
        script, at = self._folder / "by_hand.py", self._folder / "at"
        script.write_text(_BY_HAND + "import asyncsweep\nasyncsweep.finish(0.5)\n")
        options = ["--at", json.dumps([str(at)]), "--trials", "1", "--sampler", sampler, "--in-memory"]
        began = time.monotonic()
        self._python("-m", "asyncsweep.cli", "run", str(script), *options)
        return float(at.read_text()) - began, time.monotonic() - began

    def close(self) -> None:
        """End the warm worker."""
        if self._worker is not None:
            self._worker.close()

    def _python(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, cwd=self._folder, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)[:200]}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
        return done.stdout
