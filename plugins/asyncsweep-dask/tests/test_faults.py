"""What becomes of trials when parts of the cluster, or the sweep's own process, are killed: the table of docs/reliability.md.

In each case: no trial is lost, none is told twice, and no process of a trial is left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import psutil
import pytest

import asyncsweep as sw

pytestmark = pytest.mark.anyio

NOTHING: dict[str, list[str]] = {"tasks": [], "queues": [], "topics": [], "clients": [], "processes": []}
SPACE = {"x": sw.Float(0.0, 1.0)}


class Tally:
    """A sampler that counts whom it is told of."""

    host = "inline"

    def __init__(self) -> None:
        self.told: Counter[int] = Counter()

    def open(self, space: Any, directions: Any, seed: int) -> None:
        self._space = space

    def ask(self, trial: sw.TrialRef) -> dict[str, Any]:
        return dict(self._space.walk(lambda name, domain: domain.from_unit(trial.number % 10 / 10), trial.fixed))

    def suggest(self, trial: sw.TrialRef, name: str, domain: Any) -> Any:
        return domain.from_unit(0.5)

    def tell(self, trial: sw.FinishedTrial) -> None:
        self.told[trial.number] += 1


def sweep(stand: Any, tmp_path: Path, **settings: Any) -> sw.Sweep:
    space = {**SPACE, "notes": str(tmp_path / "notes"), "work_s": settings.pop("work_s", 0.3)}
    return sw.Sweep(
        settings.pop("objective", "dask_objectives:noted"),
        space,
        **{
            "executor": {"name": "dask", "address": stand.address},
            "sampler": Tally(),
            "n_trials": 12,
            "concurrency": 4,
            "retries": 2,
            "grace_s": 0.5,
            **settings,
        },
    )


async def nothing_of_ours(stand: Any) -> None:
    """Wait until nothing of ours is on the cluster."""
    found: dict[str, list[str]] = {}
    with anyio.move_on_after(15):
        while True:
            found = {key: value for key, value in (await stand.state()).items() if key in NOTHING}
            if found == NOTHING:
                return
            await anyio.sleep(0.1)  # the cluster tells nobody
    assert found == NOTHING


async def begun(run: sw.SweepRun, count: int) -> None:
    """Wait until so many attempts run."""
    seen = 0
    async for update in run.updates():
        seen += isinstance(update, sw.TrialReported) and update.step == 0
        if seen == count:
            return


async def test_a_killed_worker_loses_its_running_trials_alone(stand: Any, tmp_path: Path) -> None:
    tally = Tally()
    await stand.joined(2)
    async with sweep(stand, tmp_path, sampler=tally, work_s=1.0, n_trials=8).start() as run:
        await begun(run, 4)
        victim = stand.workers()[0]
        victim.kill()
        result = await run.result()
    assert result.counts[sw.State.COMPLETE] == 8
    assert tally.told == Counter(range(8))
    lost = [trial for trial in result.trials if trial.failures]
    assert 1 <= len(lost) <= 2
    assert all(error.type == "WorkerLost" and "was lost" in error.message for trial in lost for error in trial.failures)
    await nothing_of_ours(stand)


async def test_a_killed_node_loses_its_running_trials_alone(stand: Any, tmp_path: Path) -> None:
    nanny = stand.add_worker()
    await stand.joined(3)
    tally = Tally()
    async with sweep(stand, tmp_path, sampler=tally, concurrency=6, work_s=1.0).start() as run:
        await begun(run, 6)
        stand.kill_node(nanny)
        result = await run.result()
    assert result.counts[sw.State.COMPLETE] == 12
    assert tally.told == Counter(range(12))
    assert 1 <= sum(len(trial.failures) for trial in result.trials) <= 2
    await nothing_of_ours(stand)


async def test_a_killed_controller_leaves_nothing_on_the_cluster_and_its_sweep_goes_on(
    stand: Any, tmp_path: Path
) -> None:
    code = f"""
import asyncsweep as sw, asyncio
space = {{"x": sw.Float(0.0, 1.0), "notes": {str(tmp_path / "notes")!r}, "work_s": 0.5}}
sweep = sw.Sweep("dask_objectives:noted", space, sampler="random", executor={{"name": "dask", "address": {stand.address!r}}},
                 n_trials=8, concurrency=4, directory={str(tmp_path / "sweep")!r})
async def main():
    async with sweep.start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialFinished) and update.trial == 1:
                print("now", flush=True)
asyncio.run(main())
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    controller = subprocess.Popen(  # noqa: ASYNC220  a moment
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment
    )
    assert controller.stdout is not None
    assert await anyio.to_thread.run_sync(controller.stdout.readline) == b"now\n"
    controller.send_signal(signal.SIGKILL)
    controller.wait()
    controller.stdout.close()
    await nothing_of_ours(stand)
    result = await sw.Sweep.resume(tmp_path / "sweep", "dask_objectives:noted")
    assert result.counts[sw.State.COMPLETE] == 8
    ended = Counter(
        line.split()[1] for line in (tmp_path / "notes").read_text().splitlines() if line.startswith("ended")
    )
    assert sorted(map(int, ended)) == list(range(8))
    await nothing_of_ours(stand)


async def test_cancelling_ends_what_runs(stand: Any, tmp_path: Path) -> None:
    with anyio.CancelScope() as scope:
        async with sweep(stand, tmp_path, work_s=60.0).start() as run:
            await begun(run, 4)
            scope.cancel()
            await anyio.sleep_forever()
    await nothing_of_ours(stand)


async def test_a_timeout_ends_a_trial_that_never_looks_with_all_that_it_started(stand: Any, tmp_path: Path) -> None:
    result = await sweep(
        stand,
        tmp_path,
        objective="dask_objectives:hangs_with_children",
        trial_timeout=0.5,
        n_trials=2,
        retries=0,
    ).run()
    assert [trial.error.type for trial in result.trials] == ["TrialTimeout"] * 2
    pids = [pid for trial in result.trials for pid in trial.user_attrs["pids"]]
    assert len(pids) == 4
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
    await nothing_of_ours(stand)


async def test_the_cluster_is_as_it_was_when_a_sweep_has_ended(stand: Any, tmp_path: Path) -> None:
    before = await stand.state()
    await sweep(stand, tmp_path, work_s=0.0).run()
    assert await stand.state() == before
    assert {key: value for key, value in before.items() if key in NOTHING} == NOTHING


async def test_the_sweep_ends_with_its_scheduler_and_goes_on_with_another(
    stand: Any, stands: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = stands(tmp_path_factory.mktemp("other"))
    directory = tmp_path / "sweep"
    executor = {"name": "dask", "address": other.address, "give_up_after": 1}
    try:
        other.add_worker()
        with pytest.raises(sw.PluginError, match=r"the Dask scheduler at .* has answered there for 1 s"):  # noqa: PT012
            async with sweep(
                other, tmp_path, work_s=0.5, sampler="random", directory=directory, executor=executor
            ).start() as run:
                await begun(run, 2)
                other.kill_scheduler()
                await run.result()
    finally:
        other.close()
    tally = Tally()
    result = await sw.Sweep.resume(
        directory, "dask_objectives:noted", sampler=tally, executor={"name": "dask", "address": stand.address}
    )
    # What ran there or waited for its next attempt was not cancelled, but is made here.
    assert result.counts[sw.State.COMPLETE] == 12
    assert tally.told == Counter(range(12))
    assert other.trials() == []


async def test_a_sweep_outlives_the_restart_of_its_scheduler(
    stands: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = stands(tmp_path_factory.mktemp("other"))
    tally = Tally()
    try:
        other.add_worker()
        async with sweep(other, tmp_path, work_s=0.5, sampler=tally, concurrency=2, n_trials=6).start() as run:
            await begun(run, 2)
            other.kill_scheduler()
            await anyio.to_thread.run_sync(other.start_scheduler)
            other.add_worker()
            result = await run.result()
        await nothing_of_ours(other)
    finally:
        other.close()
    assert result.counts[sw.State.COMPLETE] == 6
    assert tally.told == Counter(range(6))
    lost = [str(error) for trial in result.trials for error in trial.failures]
    assert lost == [f"WorkerLost: the Dask scheduler at {other.address} was lost"] * 2
