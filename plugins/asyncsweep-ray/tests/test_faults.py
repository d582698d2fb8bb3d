"""What becomes of trials when parts of the cluster, or the sweep's own process, are killed: the table of docs/reliability.md.

In each case: no trial is lost, none is told twice, and no process of a trial is left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import psutil
import pytest

import asyncsweep as sw

# How long one waits for what nobody tells of, on a machine that is busy: see conftest.py.
PATIENCE_S = 60.0

pytestmark = pytest.mark.anyio

NOTHING: dict[str, Any] = {"actors": [], "taken": 0.0, "processes": []}
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
    space = {**SPACE, "notes": str(tmp_path / "notes"), "gate": str(tmp_path / "gate")}
    return sw.Sweep(
        settings.pop("objective", "ray_objectives:noted"),
        space,
        **{
            "executor": "ray",
            "sampler": Tally(),
            "n_trials": 8,
            "concurrency": 4,
            "retries": 2,
            "grace_s": 0.5,
            **settings,
        },
    )


async def nothing_of_ours(stand: Any) -> None:
    """Wait until nothing of ours is on the cluster."""
    found: dict[str, Any] = {}
    with anyio.move_on_after(PATIENCE_S):
        while (found := await stand.state()) != NOTHING:  # noqa: ASYNC110
            await anyio.sleep(0.1)  # the cluster tells nobody
    assert found == NOTHING


async def begun(updates: AsyncIterator[sw.Update], count: int) -> None:
    """Wait until so many more attempts run."""
    with anyio.fail_after(PATIENCE_S):
        async for update in updates:
            count -= isinstance(update, sw.TrialReported) and update.step == 0
            if not count:
                return


async def retried(updates: AsyncIterator[sw.Update], count: int) -> None:
    """Wait until so many more attempts have failed and are to be made again."""
    with anyio.fail_after(PATIENCE_S):
        async for update in updates:
            count -= isinstance(update, sw.TrialRetried)
            if not count:
                return


def told_once(result: sw.Result, tally: Tally, n_trials: int) -> list[str]:
    """Check that every trial is complete and was told of once; gives the failures of attempts before."""
    assert result.counts[sw.State.COMPLETE] == n_trials
    assert tally.told == Counter(range(n_trials))
    failures = [error for trial in result.trials for error in trial.failures]
    assert {error.type for error in failures} == {"WorkerLost"}
    return [error.message for error in failures]


async def test_a_killed_actor_loses_its_running_trial_alone(stand: Any, tmp_path: Path) -> None:
    tally = Tally()
    async with sweep(stand, tmp_path, sampler=tally).start() as run:
        updates = run.updates()
        await begun(updates, 4)
        victim = psutil.Process(stand.trials()[0])
        while "ray::" not in " ".join(victim.cmdline()):
            victim = victim.parent()
        victim.kill()
        await retried(updates, 1)
        (tmp_path / "gate").touch()
        result = await run.result()
    failures = told_once(result, tally, 8)
    assert ["the actor at node" in message for message in failures] == [True]
    await nothing_of_ours(stand)


async def test_slots_follow_a_node_that_joins_and_its_death_loses_its_running_trials_alone(
    stand: Any, tmp_path: Path
) -> None:
    tally = Tally()
    async with sweep(stand, tmp_path, sampler=tally, concurrency=6).start() as run:
        updates = run.updates()
        await begun(updates, 4)
        node = stand.add_node()
        await begun(updates, 2)
        await stand.kill_node(node)
        await retried(updates, 2)
        (tmp_path / "gate").touch()
        result = await run.result()
    assert len(told_once(result, tally, 8)) == 2
    await nothing_of_ours(stand)


async def test_a_killed_controller_leaves_nothing_on_the_cluster_and_its_sweep_goes_on(
    stand: Any, tmp_path: Path
) -> None:
    notes, gate = tmp_path / "notes", tmp_path / "gate"
    code = f"""
import asyncsweep as sw, asyncio
space = {{"x": sw.Float(0.0, 1.0), "notes": {str(notes)!r}, "gate": {str(gate)!r}}}
sweep = sw.Sweep("ray_objectives:noted", space, sampler="random", executor={{"name": "ray", "address": {stand.address!r}}},
                 n_trials=4, concurrency=2, directory={str(tmp_path / "sweep")!r})
async def main():
    async with sweep.start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialReported) and update.step == 0:
                print("now", flush=True)
asyncio.run(main())
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    controller = subprocess.Popen(  # noqa: ASYNC220  a moment
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment
    )
    assert controller.stdout is not None
    for _ in range(2):
        assert await anyio.to_thread.run_sync(controller.stdout.readline) == b"now\n"
    controller.send_signal(signal.SIGKILL)
    controller.wait()
    controller.stdout.close()
    await nothing_of_ours(stand)
    gate.touch()
    result = await sw.Sweep.resume(tmp_path / "sweep", "ray_objectives:noted", executor="ray")
    assert result.counts[sw.State.COMPLETE] == 4
    lines = [line.split() for line in notes.read_text().splitlines()]
    assert sorted(int(trial) for what, trial, *_ in lines if what == "ended") == [0, 1, 2, 3]
    assert len([what for what, *_ in lines if what == "began"]) == 6
    await nothing_of_ours(stand)


async def test_cancelling_ends_what_runs(stand: Any, tmp_path: Path) -> None:
    with anyio.CancelScope() as scope:
        async with sweep(stand, tmp_path).start() as run:
            await begun(run.updates(), 4)
            scope.cancel()
            await anyio.sleep_forever()
    await nothing_of_ours(stand)


async def test_a_timeout_ends_a_trial_that_never_looks_with_all_that_it_started(stand: Any, tmp_path: Path) -> None:
    result = await sweep(
        stand,
        tmp_path,
        objective="ray_objectives:hangs_with_children",
        trial_timeout=1.5,
        n_trials=2,
        retries=0,
    ).run()
    assert [trial.error.type for trial in result.trials] == ["TrialTimeout"] * 2
    pids = [pid for trial in result.trials for pid in trial.user_attrs["pids"]]
    assert len(pids) == 4
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
    await nothing_of_ours(stand)


async def test_the_cluster_is_as_it_was_when_a_sweep_has_ended(stand: Any, tmp_path: Path) -> None:
    (tmp_path / "gate").touch()
    await sweep(stand, tmp_path).run()
    await nothing_of_ours(stand)
