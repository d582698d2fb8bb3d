"""Who is measured: adapters in `benchmarks/peers/with_NAME.py`, each called in a fresh process of its own interpreter.

    PYTHON -m benchmarks.peers NAME WORKLOAD '{"n_trials": 200, "workers": 2, "durable": false}'

The last line of its standard output is a JSON object. Numbers in it are what was measured; `versions` names its libraries' versions,
and `does_less` what it leaves out where that depends on the arguments. An adapter that raises `NotImplementedError` takes no part in
that case, which is no failure.

What an adapter says at its head is read without running it: its functions are the workloads that it takes part in, `MOST` the number
of trials beyond which it is not run, `LESS` what it leaves out.
"""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.harness import environments
from benchmarks.harness.environments import PEERS, ROOT

HERE = ("asyncsweep", "raw", "by_hand", "optuna")
"""Contestants of this interpreter: what they need is installed with asyncsweep."""

BACKEND_VARIABLE = "ASYNCSWEEP_BENCH_BACKEND"
"""Tells the adapter of asyncsweep the event loop, "asyncio" or "trio"."""

LIMIT_S = 600.0
_NOT_OFFERED = "NotImplementedError"


class TakesNoPart(Exception):
    """A contestant is not measured in a case; the message says why."""


class Answer(dict[str, float]):
    """The numbers of one call.

    Attributes:
        does_less: What the contestant left out.
        began_at: `time.time()` when its process was started.
    """

    does_less: str = ""
    began_at: float = 0.0

    def taking(self, names: Mapping[str, str]) -> Answer:
        """The same with these numbers alone: new name to old name."""
        taken = Answer({new: self[old] for new, old in names.items()})
        taken.does_less, taken.began_at = self.does_less, self.began_at
        return taken


@dataclass
class Contestant:
    """One adapter and the Python that runs it.

    Attributes:
        name: As in `with_NAME.py`.
        python: Its interpreter.
        backend: The event loop for asyncsweep.
        folder: Where it may write; its `TMPDIR`.
        peers: The folder of the adapters.
        versions: Of its libraries, once it has been called.
    """

    name: str
    python: Path
    backend: str = "asyncio"
    folder: Path | None = None
    peers: Path = PEERS
    versions: dict[str, str] = field(default_factory=dict)

    @cached_property
    def workloads(self) -> frozenset[str]:
        """Where it takes part."""
        return frozenset(node.name for node in self._head if isinstance(node, ast.FunctionDef))

    @cached_property
    def most(self) -> Mapping[str, int]:
        """Workload to the number of trials beyond which it would take minutes."""
        return self._literal("MOST")

    @cached_property
    def less(self) -> Mapping[str, str]:
        """Workload to what it leaves out."""
        return self._literal("LESS")

    def call(self, workload: str, limit_s: float = LIMIT_S, **arguments: Any) -> Answer:
        """Run a workload once.

        Raises:
            TakesNoPart: It cannot do this, or not so much of it.
            RuntimeError: It failed, or took longer than the limit.
        """
        most = self.most.get(workload)
        if most is not None and arguments.get("n_trials", arguments.get("history", 0)) > most:
            raise TakesNoPart(f"more than {most:,} trials would take minutes")
        began_at = time.time()
        told = self._run([workload, json.dumps(arguments)], limit_s)
        answer = Answer({name: value for name, value in told.items() if isinstance(value, int | float)})
        answer.does_less = told.get("does_less") or self.less.get(workload, "")
        answer.began_at = began_at
        self.versions |= told.get("versions") or {}
        return answer

    def _run(self, arguments: list[str], limit_s: float) -> dict[str, Any]:
        command = [str(self.python), "-m", "benchmarks.peers", self.name, *arguments]
        said = {"PYTHONPATH": str(ROOT), BACKEND_VARIABLE: self.backend}
        if self.folder is not None:
            said["TMPDIR"] = str(self.folder)
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | said,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"took longer than {limit_s:g} s") from None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        if process.returncode:
            if _last(err).startswith(_NOT_OFFERED):
                raise TakesNoPart(_last(err).removeprefix(_NOT_OFFERED).lstrip(": ") or "it does not offer this")
            raise RuntimeError(_last(err) or f"ended with {process.returncode}")
        try:
            told = json.loads(_last(out))
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise RuntimeError(f"its last line is no JSON object: {_last(out)!r}")
        return told

    @cached_property
    def _head(self) -> list[ast.stmt]:
        file = self.peers / f"with_{self.name}.py"
        return ast.parse(file.read_text(encoding="utf-8")).body if file.exists() else []

    def _literal(self, name: str) -> Mapping[str, Any]:
        for node in self._head:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if isinstance(target, ast.Name) and target.id == name:
                    found: Mapping[str, Any] = ast.literal_eval(node.value)
                    return found
        return {}


def _last(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


def known() -> list[str]:
    """The names of all contestants that have an adapter."""
    return sorted(file.stem.removeprefix("with_") for file in PEERS.glob("with_*.py"))


def prepared(name: str, backend: str, folder: Path, tell: Callable[[str], None] = lambda line: None) -> Contestant:
    """A contestant whose environment is there.

    Raises:
        EnvironmentFailed: It cannot be made.
    """
    python = Path(sys.executable) if name in HERE else environments.interpreter(name, tell)
    return Contestant(name, python, backend, folder)
