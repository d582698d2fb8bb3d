"""A worker that runs scripts, driven by hand: what it says is seen message by message."""

from __future__ import annotations

import os
import pickle
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle

from asyncsweep.wire.messages import (
    FAILED,
    FINISHED,
    HELLO,
    LAUNCH,
    PROTOCOL,
    PRUNED,
    READY,
    SETUP,
    SHUTDOWN,
    UNREADY,
)
from asyncsweep.wire.stream import Decoder, pack
from asyncsweep.worker.script import Script

ROOT = Path(__file__).parents[2]
_TIMEOUT_S = 20


class Ended(NamedTuple):
    """How an attempt ended.

    Attributes:
        outcome: The last message without its secret; [] when the worker died.
        said: The messages before it, each without its secret.
        output: What was printed.
    """

    outcome: list[Any]
    said: list[list[Any]]
    output: str

    @property
    def error(self) -> tuple[str, str]:
        """Type and message."""
        assert self.outcome[0] == FAILED, self
        return self.outcome[1][0], self.outcome[1][1]

    @property
    def traceback(self) -> str:
        assert self.outcome[0] == FAILED, self
        return str(self.outcome[1][2])

    @property
    def metrics(self) -> dict[str, float]:
        assert self.outcome[0] == FINISHED, self
        found: dict[str, float] = self.outcome[1]
        return found

    @property
    def is_pruned(self) -> bool:
        return self.outcome == [PRUNED]


class ScriptWorker:
    """One worker; each `run` is an attempt.

    Attributes:
        leaves: True once it has said that it ends after its attempt.
    """

    leaves = False

    def __init__(
        self,
        script: Script,
        folder: Path,
        metrics: Sequence[str] = ("loss",),
        names: Sequence[str] = (),
        verdicts: tuple[int, int, int] | None = None,
    ) -> None:
        self._folder = folder
        self.script = script
        self._sock, theirs = socket.socketpair()
        self._sock.settimeout(_TIMEOUT_S)
        self._decoder = Decoder()
        self._ready: list[list[Any]] = []
        self._trial = 0
        fd = str(theirs.fileno())
        module = ["asyncsweep.worker.guard", "asyncsweep.worker", fd, str(os.getpid())]
        self._output = open(folder / f"output-{secrets.token_hex(4)}", "a+b")  # noqa: SIM115  closed with the worker
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", *(module if sys.platform == "linux" else module[1:3])],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            pass_fds=(theirs.fileno(),),
            process_group=0,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        theirs.close()
        code = cloudpickle.dumps(script)
        assert pickle.loads(code).path == script.path
        self.send(HELLO, PROTOCOL, "hello")
        self.send(SETUP, list(sys.path), "", code, names, names, metrics, verdicts, 2**20, str(folder / "trials"), None)
        assert self.receive() == [HELLO, PROTOCOL, "hello"]
        self.first = self.receive()

    def run(self, params: dict[str, Any] | None = None) -> Ended:
        """Launch an attempt, and hear it to its end."""
        self.launch(params)
        return self.end()

    def launch(self, params: dict[str, Any] | None = None) -> None:
        assert self.first == [READY, 0], self.first
        self._trial += 1
        self._log = self._folder / "trials" / str(self._trial) / "attempt-1.log"
        self._log.parent.parent.mkdir(exist_ok=True)
        self.send(LAUNCH, self._trial, self._trial, 1, params or {}, str(self._log), None)

    def end(self) -> Ended:
        said = []
        while (message := self.receive()) is not None:
            if message == [SHUTDOWN]:
                self.leaves = True
                continue
            assert message.pop(1) == self._trial
            if message[0] in (FINISHED, PRUNED, FAILED):
                return Ended(message, said, self._log.read_text() if self._log.exists() else "")
            said.append(message)
        self.process.wait(_TIMEOUT_S)
        self._output.seek(0)
        return Ended([], said, self._output.read().decode())

    def send(self, *message: Any) -> None:
        self._sock.sendall(pack(message))

    def receive(self) -> list[Any] | None:
        """The next message; None when the worker has ended."""
        while not self._ready:
            data = self._sock.recv(65536)
            if not data:
                return None
            self._decoder.feed(data)
            self._ready.extend(self._decoder)
        return self._ready.pop(0)

    @property
    def fault(self) -> tuple[str, str]:
        """Type and message of what kept it from being ready."""
        assert self.first is not None and self.first[0] == UNREADY, self.first
        return self.first[1], self.first[2]

    def close(self) -> None:
        try:
            self.send(SHUTDOWN)
            self.process.wait(_TIMEOUT_S)
        except (BrokenPipeError, ConnectionResetError):
            self.process.wait(_TIMEOUT_S)
        finally:
            if self.process.poll() is None and sys.platform == "linux":
                self.process.send_signal(signal.SIGUSR1)
                self.process.wait(_TIMEOUT_S)
            self._sock.close()
            self._output.close()
