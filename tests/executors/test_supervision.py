"""Which worker counts as dead, and that nothing is left of one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.executors.limits import UNLIMITED, Limits, Usage
from asyncsweep.executors.supervision import Look, Supervision
from asyncsweep.executors.worker import WorkerProcess
from asyncsweep.worker import tree
from tests.executors import hard_cases
from tests.leaks import has_ended, nothing_left

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows which processes descend from which"),
]

ROOT = Path(__file__).parents[2]
X = {"x": sw.Float(0, 1)}
SETTINGS: dict[str, Any] = {"sampler": "random", "executor": "process", "seed": 1, "grace_s": 0.2}


def pids_in(folder: Path) -> list[int]:
    return [int(pid) for file in sorted(folder.iterdir()) for pid in file.read_text().split()]


def survivors(folder: Path, within_s: float = 0) -> list[int]:
    return [pid for pid in pids_in(folder) if not has_ended(pid, within_s)]


def parent_of(pid: int) -> int:
    stat = tree.stat_of(pid)
    assert stat is not None
    return stat.parent


# -- what is no death ---------------------------------------------------------------------------------------------------


async def reported(run: sw.Run, n: int = 1) -> list[int]:
    """The process ids that the next `n` trials report."""
    found: list[int] = []
    async for update in run.updates():
        if isinstance(update, sw.TrialReported):
            found.append(int(update.value))
            if len(found) == n:
                break
    return found


def silent(trial: sw.Trial) -> float:
    """Holds the GIL for longer than the grace, four times over, in one call."""
    trial.report(float(os.getpid()), 0)
    n = 10**6
    while True:
        begin = time.monotonic()
        sum(range(n))
        if time.monotonic() - begin > 0.8:
            return float(os.getpid())
        n *= 2


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_worker_that_is_silent_because_its_objective_holds_the_gil_is_not_dead() -> None:
    result = await sw.Sweep(silent, X, n_trials=1, **SETTINGS).run()
    assert [(trial.state, trial.attempt) for trial in result.trials] == [("COMPLETE", 1)]


async def test_a_worker_that_a_signal_stopped_for_longer_than_the_grace_is_lost() -> None:
    async with (
        nothing_left(),
        sw.Sweep(hard_cases.hangs_once, {}, n_trials=1, retries=1, **SETTINGS).start() as run,
    ):
        (pid,) = await reported(run)
        os.kill(pid, signal.SIGSTOP)
        result = await run.result()
    (trial,) = result.trials
    reason = "WorkerLost: stopped by a signal for more than 0.2 s"
    assert ([str(error) for error in trial.failures], trial.state) == ([reason], "COMPLETE")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_worker_whose_guard_was_stopped_is_lost_as_well() -> None:
    settings = {**SETTINGS, "retries": 1}
    async with nothing_left(), sw.Sweep(hard_cases.hangs_once, {}, n_trials=1, **settings).start() as run:
        (pid,) = await reported(run)
        guard = parent_of(pid)
        os.kill(guard, signal.SIGSTOP)
        result = await run.result()
    assert (result.trials[0].state, has_ended(pid, 0), has_ended(guard, 0)) == ("COMPLETE", True, True)


class Job:
    """A worker with one attempt, as supervision sees it."""

    def __init__(self) -> None:
        self.attempt = 1
        self.condemned: list[tuple[Any, ...]] = []

    def condemn(self, *why: Any) -> None:
        self.condemned.append(why)


STOPPED, RUNS = Look(True, None), Look(False, None)


def judged(looks: list[Look], limits: Limits = UNLIMITED, job: Job | None = None) -> list[tuple[Any, ...]]:
    """What a worker is condemned for after these looks, ten in a second, with a grace of 0.25 s."""
    job = job or Job()
    supervision = Supervision(limits, 0.25)
    for look in looks:
        supervision._judge(cast(WorkerProcess, job), job.attempt, look)
    return job.condemned


def test_only_looks_count_towards_the_time_for_which_a_worker_is_stopped() -> None:
    """So what passes while we are stopped or asleep ourselves does not."""
    assert judged([STOPPED] * 2) == []
    assert judged([STOPPED] * 3) == [("WorkerLost", "stopped by a signal for more than 0.25 s")]


def test_a_worker_that_is_continued_within_the_grace_is_not_lost() -> None:
    assert judged([STOPPED, STOPPED, RUNS, STOPPED, STOPPED]) == []


def test_a_new_attempt_begins_without_the_looks_and_the_time_of_the_one_before() -> None:
    job = Job()
    supervision = Supervision(Limits(None, 1.0), 0.25)
    for attempt, cpu_s in ((1, 5.0), (1, 6.0), (2, 6.5), (2, 7.5)):
        supervision._judge(cast(WorkerProcess, job), attempt, Look(True, Usage(0, cpu_s)))
    assert job.condemned == []


def test_memory_is_ended_by_force_and_time_politely() -> None:
    limits = Limits(100 * 2**20, 3.0)
    (memory,) = judged([Look(False, Usage(300 * 2**20, 0.0))], limits)
    (cpu,) = judged([Look(False, Usage(0, 10.0)), Look(False, Usage(0, 13.2))], limits)
    assert memory == ("MemoryLimitExceeded", "took 300 MiB of memory, and memory_limit is 100 MiB")
    assert cpu == ("CpuTimeLimitExceeded", "took 3.2 s of processor time, and cpu_time_limit is 3 s", 0.25)


# -- kill -9 of workers -------------------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("n", "p99_s"), [(10, 10.0), pytest.param(100, 1.0, marks=pytest.mark.deep)])
async def test_a_killed_worker_is_noticed_and_its_trial_tried_again(n: int, p99_s: float) -> None:
    """R12. The bound of the short run is for a busy machine."""
    settings = {**SETTINGS, "retries": 1, "concurrency": 2}
    killed_at: dict[int, float] = {}
    delays_s: list[float] = []
    async with sw.Sweep(hard_cases.hangs_once, {}, n_trials=n, **settings).start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialReported) and update.trial not in killed_at:
                os.kill(int(update.value), signal.SIGKILL)
                killed_at[update.trial] = time.monotonic()
            elif isinstance(update, sw.TrialRetried):
                delays_s.append(time.monotonic() - killed_at[update.trial])
        result = await run.result()
    delays_s.sort()
    assert {str(trial.state) for trial in result.trials} == {"COMPLETE"}
    assert {str(error) for trial in result.trials for error in trial.failures} == {"WorkerLost: killed by SIGKILL"}
    assert len(delays_s) == n and delays_s[int(0.99 * n) - 1] < p99_s


# -- nothing is left ----------------------------------------------------------------------------------------------------


@pytest.mark.timeout(400)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("n", [10, pytest.param(100, marks=pytest.mark.deep)])
async def test_a_hung_trial_is_stopped_with_all_its_children_in_whatever_session(tmp_path: Path, n: int) -> None:
    """R13."""
    space = {"folder": str(tmp_path), "then": "hang"}
    settings = {**SETTINGS, "concurrency": 5, "trial_timeout": 1.5}
    async with nothing_left():
        result = await sw.Sweep(hard_cases.hard, space, n_trials=n, **settings).run()
    errors = {str(trial.error) for trial in result.trials}
    assert (errors, survivors(tmp_path)) == ({"TrialTimeout: ran longer than trial_timeout=1.5 s"}, [])
    assert len(pids_in(tmp_path)) >= hard_cases.N_CHILDREN


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("then", ["die", "return"])
async def test_what_a_worker_leaves_is_ended_after_it(tmp_path: Path, then: str) -> None:
    space = {"folder": str(tmp_path), "then": then}
    async with nothing_left():
        await sw.Sweep(hard_cases.hard, space, n_trials=1, **SETTINGS).run()
    assert (len(pids_in(tmp_path)), survivors(tmp_path)) == (hard_cases.N_CHILDREN + 1, [])


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_a_worker_leaves_is_ended_before_its_trial_is_tried_again(tmp_path: Path) -> None:
    space = {"folder": str(tmp_path), "then": "die"}
    left: list[int] = []
    async with sw.Sweep(hard_cases.hard, space, n_trials=1, **{**SETTINGS, "retries": 1}).start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialRetried):
                left += survivors(tmp_path)
                run.stop()
    assert left == []


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_children_of_a_worker_whose_guard_was_killed_are_found_by_their_mark(tmp_path: Path) -> None:
    """All but the one that began with an empty environment: whoever kills a guard has to look for those."""
    space = {"folder": str(tmp_path), "then": "kill the guard"}
    result = await sw.Sweep(hard_cases.hard, space, n_trials=1, **SETTINGS).run()
    assert str(result.trials[0].error) == "WorkerLost: killed by SIGKILL"
    left = survivors(tmp_path)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert len(left) == 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize("then", ["hang", "hold the GIL"])
@pytest.mark.parametrize("n", [2, pytest.param(25, marks=pytest.mark.deep)])
def test_nothing_is_left_of_a_controller_that_was_killed(tmp_path: Path, n: int, then: str) -> None:
    """R14. Whoever is left holds the pipe open."""
    for number in range(n):
        folder = tmp_path / str(number)
        folder.mkdir()
        command = [sys.executable, "-m", "tests.executors.hard_cases", str(folder), then]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT) as controller:
            assert controller.stdout is not None
            _wait_for_the_last_child(folder)
            controller.kill()
            controller.wait()
            left = survivors(folder, within_s=10)
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            assert left == []
            assert controller.stdout.read() == b""


def _wait_for_the_last_child(folder: Path) -> None:
    until = time.monotonic() + 30
    while len(pids_in(folder)) <= hard_cases.N_CHILDREN:
        assert time.monotonic() < until
        os.sched_yield()


# -- the thread that starts workers --------------------------------------------------------------------------------------


@pytest.mark.deep
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_workers_that_were_idle_for_half_a_minute_are_alive() -> None:
    """Trio ends a thread that has had nothing to do for 10 s, and the kernel tells all children of that thread."""
    async with sw.Sweep(hard_cases.hangs_once, {}, n_trials=1, **SETTINGS).start() as run:
        (pid,) = await reported(run)
        await anyio.sleep(30)
        assert not has_ended(pid, 0)
        run.stop(now=True)
