"""System calls per trial, by `strace`: of the controller's thread and of the worker's, from mark to mark of a marked sweep.

Not counted: what other threads do, which is by time; waiting for a lock, which depends on who comes first; and a wait that ended
because it was long enough.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.guard.objectives import MARK
from benchmarks.guard.sweeps import Case

_LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed>)")
_TIMED_OUT = re.compile(r"wait.*, [1-9]\d*(?:, NULL, \d+)?\) += 0$")
_UNFINISHED = "<unfinished ...>"
_LOCKING = "futex"
_LEFT_OUT = 3
_LIMIT_S = 120


def why_not() -> str:
    """Why system calls cannot be counted here; "" when they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"strace does not work here: {tried.stderr.strip()[:200]}"


def count(case: Case, environment: dict[str, str]) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Calls per trial, and each of those counts by the calls' names."""
    with tempfile.TemporaryDirectory(prefix="guard-") as name:
        folder = Path(name)
        log = folder / "log"
        subprocess.run(
            [
                *("strace", "-f", "-qq", "-s", "32", "-o", str(log)),
                *(sys.executable, "-m", "benchmarks.guard.measuring", case.name, str(folder)),
            ],
            env=environment,
            timeout=_LIMIT_S,
            check=True,
        )
        return read(log.read_text(encoding="utf-8", errors="replace"))


def read(log: str) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """The counts that a log of `strace -f` holds: of the process that it began with, and of the one that made the marks.

    Raises:
        RuntimeError: It has too few marks.
    """
    calls = list(_calls(log))
    marks = [place for place, (_, name) in enumerate(calls) if name == MARK][_LEFT_OUT:]
    if len(marks) < 2:
        raise RuntimeError("strace has seen no trials: this counts nothing")
    controller, worker = calls[0][0], calls[marks[0]][0]
    by_thread = {controller: Counter[str]()}
    by_thread.setdefault(worker, Counter())
    for thread, name in calls[marks[0] : marks[-1]]:
        if thread in by_thread and name != MARK:
            by_thread[thread][name] += 1
    n_trials = len(marks) - 1
    names = dict(zip(("syscalls", "worker_syscalls"), by_thread.values(), strict=False))
    counts = {count: of.total() / n_trials for count, of in names.items()}
    return counts, {count: {name: n / n_trials for name, n in of.most_common()} for count, of in names.items()}


def _calls(log: str) -> Iterator[tuple[str, str]]:
    """Thread and name of each call that counts, when it returns; a mark's name is `MARK`."""
    marking: set[str] = set()
    for line in log.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        thread, name = match.groups()
        if line.endswith(_UNFINISHED):
            if MARK in line:
                marking.add(thread)
        elif MARK in line or thread in marking:
            marking.discard(thread)
            yield thread, MARK
        elif name != _LOCKING and not _TIMED_OUT.search(line):
            yield thread, name
