"""Sweeps on three SSH hosts that are 50 ms away: real OpenSSH servers, each in a network namespace of its own. Needs root."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import asyncsweep as sw
from benchmarks.peers.shared import measured

ROUND_TRIP_S = 0.05
SLOTS = 2
CODE = Path(__file__).parent / "far"


class Far(NamedTuple):
    """The hosts' names, and the configuration that knows them."""

    names: list[str]
    config: str

    def executor(self, *names: str, slots: int = SLOTS) -> dict[str, Any]:
        from asyncsweep_ssh.testing import BARE_PYTHON

        hosts = [{"host": name, "slots": slots, "python": BARE_PYTHON} for name in names or self.names]
        return {"name": "ssh", "hosts": hosts, "code": str(CODE), "config": self.config}


@contextmanager
def hosts(folder: Path) -> Iterator[Far]:
    """Three of them.

    Raises:
        RuntimeError: There can be none here.
    """
    from asyncsweep_ssh.testing import Keys, three_hosts, why_no_namespaces, why_no_sshd

    reason = why_no_sshd() or why_no_namespaces()
    if reason:
        raise RuntimeError(reason)
    folder.mkdir(parents=True, exist_ok=True)
    keys = Keys(folder)
    sys.path.insert(0, str(CODE))  # as it is where somebody works on that code: the objective is looked at here first
    try:
        with three_hosts(keys, ROUND_TRIP_S) as found:
            yield Far([host.name for host in found], str(keys.config))
    finally:
        sys.path.remove(str(CODE))


async def share(far: Far, folder: Path, trials_per_slot: int) -> dict[str, float]:
    """The share of the slots' time that trials of a second had, in percent, and where the rest of it went."""
    file, n_slots = folder / "spans", SLOTS * len(far.names)
    file.unlink(missing_ok=True)
    sweep = sw.Sweep(
        "far_objectives:sleeps",
        {"x": sw.Float(0.0, 1.0), "file": sw.Categorical([str(file)])},
        sampler="random",
        n_trials=trials_per_slot * n_slots,
        concurrency=n_slots,
        executor=far.executor(),
    )
    _check(await sweep.run(), trials_per_slot * n_slots)
    return shares(slots_of(file), trials_per_slot * n_slots)


def slots_of(file: Path) -> list[list[measured.Span]]:
    """When the trials that wrote to this file began and ended, in order, for each of the processes that ran them."""
    found: dict[str, list[measured.Span]] = {}
    for line in file.read_text(encoding="ascii").splitlines():
        began, ended, pid = line.split()
        found.setdefault(pid, []).append((float(began), float(ended)))
    return [sorted(spans) for spans in found.values()]


def shares(slots: list[list[measured.Span]], n_trials: int) -> dict[str, float]:
    """What trials had of the slots' time, in percent, and what was lost on which way; all but the first are 100 together.

    Raises:
        RuntimeError: Trials are missing.
    """
    spans = sorted(span for slot in slots for span in slot)
    found = measured.share(spans, n_trials, len(slots))
    first, last = spans[0][0], max(ended for _, ended in spans)
    lost = {
        "lost to slots that joined later": sum(slot[0][0] - first for slot in slots),
        "lost between trials": sum(after[0] - before[1] for slot in slots for before, after in pairwise(slot)),
        "lost at the end": sum(last - slot[-1][1] for slot in slots),
    }
    whole = len(slots) * (last - first)
    return {
        "": 100 * found["share"],
        "with start and end": 100 * found["share_whole"],
        **{name: 100 * lost_s / whole for name, lost_s in lost.items()},
    }


async def verdicts(far: Far, n_trials: int) -> dict[str, float]:
    """How long objectives wait for a verdict."""
    sweep = sw.Sweep(
        "far_objectives:asks",
        {"x": sw.Float(0.0, 1.0)},
        sampler="random",
        pruner={"name": "threshold", "upper": 2.0},
        n_trials=n_trials,
        concurrency=SLOTS * len(far.names),
        executor=far.executor(),
    )
    result = await sweep.run()
    _check(result, n_trials)
    waits = sorted(1000 * wait for trial in result.trials for wait in trial.attrs["waits"])  # type: ignore[index]
    return {"p50": waits[len(waits) // 2], "p99": waits[len(waits) * 99 // 100]}


async def first(far: Far, n_hosts: int) -> dict[str, float]:
    """Seconds from the start of a sweep to its first finished trial, on hosts that have nothing of ours, and the steps of that way.

    In a process that has imported nothing but `asyncsweep`, as that of somebody who starts a sweep.
    """
    said = json.dumps([far.names[:n_hosts], far.config])
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.executing.hosts", said, stdout=subprocess.PIPE
    )
    out, _ = await done.communicate()
    if done.returncode:
        raise RuntimeError(f"the sweep ended with exit code {done.returncode}")
    found: dict[str, float] = json.loads(out)
    return found


async def _first(far: Far) -> dict[str, float]:
    steps = _Steps()
    sweep = sw.Sweep(
        "far_objectives:nothing",
        {"x": sw.Float(0.0, 1.0)},
        sampler="random",
        n_trials=1,
        concurrency=1,
        executor=far.executor(slots=1),
    )
    async with sweep.start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialFinished):
                steps.took("a trial")
        _check(await run.result(), 1)
    steps.took("the end")
    steps.close()
    return {"": steps.until("a trial"), **steps.each_s}


class _Steps(logging.Handler):
    """How long each step took, as the executor tells of them in debug messages: from the first of a kind, whichever host it is of."""

    SAYS: ClassVar = {
        "connecting": "imports here",
        "connected": "SSH",
        "the worker is on its way": "a channel",
        "it has told what it has": "the agent",
        "a worker is ready": "a worker",
    }

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.each_s: dict[str, float] = {}
        self._began_at = self._last_at = time.monotonic()
        self._log = logging.getLogger("asyncsweep")
        self._level = self._log.level
        self._log.addHandler(self)
        self._log.setLevel(logging.DEBUG)

    def emit(self, record: logging.LogRecord) -> None:
        step = self.SAYS.get(record.getMessage().partition(": ")[2])
        if step is not None and step not in self.each_s:
            self.took(step)

    def took(self, step: str) -> None:
        """A step has ended."""
        now = time.monotonic()
        self.each_s[step], self._last_at = now - self._last_at, now

    def until(self, last: str) -> float:
        """The time that this step and those before it took."""
        return sum(list(self.each_s.values())[: list(self.each_s).index(last) + 1])

    def close(self) -> None:
        self._log.setLevel(self._level)
        self._log.removeHandler(self)
        super().close()


def _check(result: sw.Result, n_trials: int) -> None:
    measured.check(n_trials, result.counts[sw.State.COMPLETE])


if __name__ == "__main__":
    sys.path.insert(0, str(CODE))
    print(json.dumps(asyncio.run(_first(Far(*json.loads(sys.argv[1]))))))
