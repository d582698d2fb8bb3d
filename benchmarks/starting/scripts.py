"""How fast a trial of a script starts and ends, beside a bare fork, plain Python, and Ray Tune where it is installed.

    python benchmarks/startup.py [--quick] [--repetitions N] [--module torch] [--json FILE]

The warm process of both forks has imported the same module. A worker is driven over its link, without a sweep, so that nothing
but the start of a script is in the figures; `asyncsweep run` is measured as a whole, as a user would. Each repetition measures
everything once, in order, after a first one that does not count.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import pickle
import platform
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from figures import Figure, Goal, ratio, show

from asyncsweep.wire.messages import FINISHED, HELLO, LAUNCH, PROTOCOL, READY, SETUP, SHUTDOWN
from asyncsweep.wire.stream import Decoder, pack
from asyncsweep.worker.script import Script

_NOTES = (
    "ms of wall time; ranges span all repetitions, each the median of its trials; x are ratios within a repetition.",
    "A script's first line: from the launch message to the first statement. A fork's: from os.fork() to the child's first statement.",
    "The end: to the outcome's arrival, or to the return of waitpid. A script ends as an interpreter does; so does the fork beside it.",
    "asyncsweep run: from the start of its process to the last line of its first trial, and to the end of a sweep of one trial.",
)
_FIRST_LINE = "import time\nbegan = time.monotonic()\n"
_SCRIPT = _FIRST_LINE + "import {module}, asyncsweep\nasyncsweep.finish(loss=began)\n"
_COLD = _FIRST_LINE + "import {module}\nprint(time.monotonic())\n"
_BY_HAND = "import sys, time\nopen(sys.argv[1].removeprefix('--at='), 'w').write(str(time.monotonic()))\n"
_RAY = """
import sys, time
from ray import tune
path = sys.argv[1]  # a worker of Ray's has another one
tune.Tuner(lambda config: open(path, "w").write(str(time.monotonic())), tune_config=tune.TuneConfig(num_samples=1)).fit()
"""


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
        self._send(SETUP, list(sys.path), "", code, [], [], ["loss"], None, None, "")
        self._receive()
        if self._receive() != [READY]:
            raise RuntimeError(f"the worker cannot preload {module}")

    def trial(self) -> tuple[float, float]:
        """Seconds to the script's first line, and to its outcome."""
        began = time.monotonic()
        self._send(LAUNCH, 1, 0, 1, {}, None)
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
            self._decoder.feed(self._sock.recv(65536))


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


_FORKS = """
import gc, json, os, sys
sys.path.insert(0, {here!r})
import {module}, startup
gc.collect()
gc.freeze()
for _ in range({n}):
    print(json.dumps(startup.forked()), flush=True)
"""


class Startup:
    """The figures, and how a repetition is added to them."""

    def __init__(self, folder: Path, module: str, n: int, ray_python: str | None) -> None:
        self._folder = folder
        self._module = module
        self._n = n
        self._ray_python = ray_python
        self.figures: dict[str, Figure] = {}

    def repeat(self, worker: Worker) -> None:
        """Measure everything once."""
        module = self._module
        forks = self._forks()
        self._add("fork_first", f"os.fork() of a process with {module}, first line", [first for first, _ in forks])
        self._add("fork_end", f"os.fork() of a process with {module}, end", [end for _, end in forks])
        trials = [worker.trial() for _ in range(self._n)]
        self._add("script_first", f"script with preload=[{module!r}], first line", [first for first, _ in trials])
        self._add("script_end", f"script with preload=[{module!r}], end", [end for _, end in trials])
        self._add("cold", f'python -c "import {module}"', [self._cold()])
        for sampler in ("tpe", "random"):
            first, end = self._run_of_one(sampler)
            self._add(f"run_{sampler}", f"asyncsweep run --sampler {sampler}, first trial finished", [first])
            self._add(f"run_{sampler}_end", f"asyncsweep run --sampler {sampler} --trials 1, end", [end])
        if self._ray_python is not None:
            self._add("ray", "Ray Tune, first trial finished", [self._ray()])

    def compare(self) -> list[Goal]:
        """Add the ratios, and judge."""
        measured = self.figures
        measured["first_by_fork"] = ratio(
            "first_by_fork", "first line: script / os.fork()", measured["script_first"], measured["fork_first"]
        )
        measured["end_by_fork"] = ratio(
            "end_by_fork", "end: script / os.fork()", measured["script_end"], measured["fork_end"]
        )
        measured["cold_by_script"] = ratio(
            "cold_by_script", "cold import / first line of a script", measured["cold"], measured["script_first"]
        )
        return [
            Goal(measured["first_by_fork"], 2, at_most=True),
            Goal(measured["end_by_fork"], 2, at_most=True),
            Goal(measured["run_tpe"], 700, at_most=True),
        ]

    def _add(self, key: str, label: str, samples_s: list[float]) -> None:
        self.figures.setdefault(key, Figure(key, label, "ms")).samples.append(1000 * median(samples_s))

    def _forks(self) -> list[tuple[float, float]]:
        code = _FORKS.format(here=str(Path(__file__).parent), module=self._module, n=self._n)
        return [tuple(json.loads(line)) for line in self._python("-c", code).splitlines()]

    def _cold(self) -> float:
        began = time.monotonic()
        return float(self._python("-c", _COLD.format(module=self._module))) - began

    def _run_of_one(self, sampler: str) -> tuple[float, float]:
        script, at = self._folder / "by_hand.py", self._folder / "at"
        script.write_text(_BY_HAND + "import asyncsweep\nasyncsweep.finish(0.5)\n")
        options = ["--at", json.dumps([str(at)]), "--trials", "1", "--sampler", sampler, "--in-memory"]
        began = time.monotonic()
        self._python("-m", "asyncsweep.cli", "run", str(script), *options)
        return float(at.read_text()) - began, time.monotonic() - began

    def _ray(self) -> float:
        at = self._folder / "at_of_ray"
        began = time.monotonic()
        assert self._ray_python is not None
        self._python("-c", _RAY, str(at), python=self._ray_python)
        return float(at.read_text()) - began

    def _python(self, *arguments: str, python: str = sys.executable) -> str:
        done = subprocess.run([python, *arguments], capture_output=True, text=True, cwd=self._folder, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)[:200]}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
        return done.stdout


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="startup-") as name:
        folder = Path(name)
        worker = Worker(folder, options.module)
        try:
            Startup(folder, options.module, 3, None).repeat(worker)
            startup = Startup(folder, options.module, 5 if options.quick else 30, options.ray_python)
            for _ in range(options.repetitions):
                startup.repeat(worker)
        finally:
            worker.close()
    goals = startup.compare()
    setting = {
        "versions": f"{platform.python_implementation()} {platform.python_version()}, {_version(options.module)}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average_after": ", ".join(f"{load:.2f}" for load in os.getloadavg()),
        "repetitions": options.repetitions,
    }
    notes = _NOTES
    if "ray" not in startup.figures:
        notes = (*notes, "Ray Tune is not installed here: not measured. --ray-python names a Python that has it.")
    if options.quick:
        notes = (*notes, "--quick: samples this small say little.")
    show(setting, list(startup.figures.values()), goals, notes)
    if options.json is not None:
        content = {
            "setting": setting,
            "quick": options.quick,
            "figures": {key: figure.as_json() for key, figure in startup.figures.items()},
            "goals": [goal.as_json() for goal in goals],
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _version(module: str) -> str:
    return f"{module} {getattr(importlib.import_module(module), '__version__', '')}".strip()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure how fast a trial of a script starts.")
    parser.add_argument("--quick", action="store_true", help="tiny samples: to see that it works, not how fast")
    parser.add_argument("--module", default="torch", help="what the warm processes have imported (torch)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    parser.add_argument("--ray-python", metavar="PYTHON", help="a Python that has Ray Tune, to measure it too")
    parser.add_argument("--repetitions", type=int, metavar="N", help="samples of each figure (5; 1 with --quick)")
    options = parser.parse_args()
    if options.repetitions is None:
        options.repetitions = 1 if options.quick else 5
    if options.ray_python is None and importlib.util.find_spec("ray") is not None:
        options.ray_python = sys.executable
    if options.repetitions < 1:
        parser.error(f"--repetitions {options.repetitions}: it must be at least 1")
    return options


if __name__ == "__main__":
    main()
