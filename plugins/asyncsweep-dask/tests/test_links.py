"""Links of a Dask cluster that are cut, for a while and for ever: no trial is lost or told twice, and none runs on.

Workers are in network namespaces; the scheduler and the sweep are outside, on the same network, but where it says otherwise. Dask
misses a peer when TCP does, after `distributed.comm.timeouts.tcp`: 30 s where nothing is set, 11 s at least, and here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

import asyncsweep as sw
from asyncsweep.testing.namespaces import Machine, Network, network, why_no_network

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(150)]

HERE = str(Path(__file__).parent)
TCP_S = 11
# How much longer it takes until the worker's process has closed, and all that it ran.
CLOSING_S = 10
NOTHING: dict[str, list[str]] = {"tasks": [], "queues": [], "topics": [], "clients": []}


class Tells:
    """A sampler that draws the trial's number, and counts what it is told."""

    host = "inline"

    def __init__(self) -> None:
        self.tells: Counter[int] = Counter()

    def open(self, space: Any, directions: Any, seed: int) -> None:
        pass

    def ask(self, trial: Any) -> dict[str, float]:
        return {"x": float(trial.number)}

    def suggest(self, trial: Any, name: str, domain: Any) -> float:
        return 0.0

    def tell(self, trial: Any) -> None:
        self.tells[trial.number] += 1


class Field:
    """A scheduler, and three machines, each with a worker of two threads; a fourth one has none.

    Attributes:
        stand: The cluster.
        machines: The three.
        spare: The fourth.
    """

    def __init__(self, stand: Any, net: Network) -> None:
        self.stand = stand
        self.machines = net.machines[:3]
        self.spare = net.machines[3]
        self._workers = [self._start(machine) for machine in self.machines]
        self._has_begun = False

    def _start(self, machine: Machine) -> subprocess.Popen[bytes]:
        nanny: subprocess.Popen[bytes] = self.stand.add_worker(host=machine.address, prefix=machine.prefix)
        return nanny

    async def ready(self) -> None:
        """Wait until there is a worker on each machine; where the scheduler knows of none, another one is started."""
        known = await self.stand.known() if self._has_begun else [f"//{machine.address}:" for machine in self.machines]
        self._has_begun = True
        for number, machine in enumerate(self.machines):
            machine.mend()
            if not any(f"//{machine.address}:" in address for address in known):
                if self._workers[number].poll() is None:  # it closes
                    self.end_worker(number)
                self._workers[number] = self._start(machine)
        await self.stand.joined(3)

    async def missed(self, count: int) -> None:
        """Wait until the scheduler knows of so many workers alone."""
        with anyio.fail_after(TCP_S + CLOSING_S):
            while len(await self.stand.known()) > count:  # noqa: ASYNC110
                await anyio.sleep(0.1)  # nobody is told who is not a client for long

    def end_worker(self, number: int) -> None:
        self.stand.kill_node(self._workers[number])

    def sweep(self, folder: Path, n_trials: int, work_s: float, **settings: Any) -> sw.Sweep:
        return sw.Sweep(
            "dask_objectives:noted",
            {"x": sw.Float(0.0, 1e6), "notes": str(folder / "notes"), "work_s": work_s},
            **{
                "executor": {"name": "dask", "address": self.stand.address},
                "n_trials": n_trials,
                "concurrency": 6,
                "retries": 1,
                "grace_s": 0.5,
                **settings,
            },
        )

    async def nothing_of_ours(self) -> None:
        """Nothing of the sweep is left with the scheduler, which may take a moment."""
        found: dict[str, list[str]] = {}
        with anyio.move_on_after(10):
            while True:
                found = {key: value for key, value in (await self.stand.state()).items() if key in NOTHING}
                if found == NOTHING:
                    return
                await anyio.sleep(0.1)  # the cluster tells nobody
        assert found == NOTHING


@pytest.fixture(scope="module")
def ground(stands: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    reason = why_no_network()
    if reason:
        pytest.skip(reason)
    with network(4) as net:
        stand = stands(
            tmp_path_factory.mktemp("links"), net.address, {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": f"{TCP_S}s"}
        )
        try:
            yield Field(stand, net)
        finally:
            stand.close()


@pytest.fixture
async def field(ground: Field) -> Field:
    await ground.ready()
    return ground


def trials_on(machine: Machine) -> list[int]:
    """The processes there that trials run in, with their guards and children."""
    found = []
    for pid in machine.processes():
        try:
            command = Path("/proc", str(pid), "cmdline").read_bytes()
        except FileNotFoundError:
            continue  # it has ended
        if b"asyncsweep.worker" in command:
            found.append(pid)
    return found


async def ended_on(machine: Machine, within_s: float) -> None:
    """Wait until nothing of ours runs there."""
    with anyio.move_on_after(within_s):
        while trials_on(machine):  # noqa: ASYNC110
            await anyio.sleep(0.1)  # the machine is cut off: it tells nobody
    assert trials_on(machine) == []


async def begun(run: sw.SweepRun, count: int) -> None:
    """Wait until so many attempts run."""
    seen = 0
    async for update in run.updates():
        seen += isinstance(update, sw.TrialReported) and update.step == 0
        if seen == count:
            return


async def started(run: sw.SweepRun, workers: set[str], count: int) -> None:
    """Note the workers of so many attempts that start."""
    async for update in run.updates():
        if isinstance(update, sw.TrialStarted):
            workers.add(str(update.worker))
            count -= 1
        if not count:
            return


def assert_nothing_lost(result: sw.Result, tells: Tells, n_trials: int) -> None:
    """Each trial is there and complete, was told once, and has its own value."""
    assert [(trial.state, trial.value) for trial in result.trials] == [
        (sw.State.COMPLETE, float(n)) for n in range(n_trials)
    ]
    assert tells.tells == Counter(range(n_trials))


@pytest.mark.parametrize("cut_s", [1.0, pytest.param(5.0, marks=pytest.mark.deep)])
async def test_a_link_that_is_cut_for_less_than_tcp_bears_costs_nothing(
    field: Field, tmp_path: Path, cut_s: float
) -> None:
    tells = Tells()
    async with field.sweep(tmp_path, round(12 * cut_s), 0.5, sampler=tells).start() as run:
        await begun(run, 6)
        assert trials_on(field.machines[0])
        field.machines[0].cut()
        await anyio.sleep(cut_s)
        field.machines[0].mend()
        result = await run.result()
    assert_nothing_lost(result, tells, round(12 * cut_s))
    assert {trial.attempt for trial in result.trials} == {1}
    await field.nothing_of_ours()
    assert trials_on(field.machines[0]) == []


async def test_one_of_three_that_is_cut_off_before_the_sweep_begins_gets_nothing(field: Field, tmp_path: Path) -> None:
    """The scheduler does not know yet, and places tasks there, which never say hello."""
    field.machines[0].cut()
    tells = Tells()
    began = time.monotonic()
    result = await field.sweep(tmp_path, 12, 0.2, sampler=tells).run()
    assert time.monotonic() - began < TCP_S
    assert_nothing_lost(result, tells, 12)
    assert {trial.attempt for trial in result.trials} == {1}
    field.machines[0].mend()
    await field.nothing_of_ours()
    assert trials_on(field.machines[0]) == []


@pytest.mark.deep
async def test_one_of_three_that_could_never_join_is_not_missed_and_joins_later(field: Field, tmp_path: Path) -> None:
    field.end_worker(0)
    await field.missed(2)
    field.machines[0].cut()
    late = field.stand.add_worker(host=field.machines[0].address, prefix=field.machines[0].prefix)
    tells = Tells()
    async with field.sweep(tmp_path, 40, 0.5, sampler=tells).start() as run:
        workers: set[str] = set()
        await started(run, workers, 8)
        assert len(workers) == 4
        field.machines[0].mend()
        await started(run, workers, 28)
        result = await run.result()
    assert_nothing_lost(result, tells, 40)
    assert len(workers) == 6
    field.stand.kill_node(late)
    await field.nothing_of_ours()


@pytest.mark.deep
@pytest.mark.parametrize("mended_after_s", [None, TCP_S - 0.5, TCP_S + 0.5, TCP_S + 5.0])
async def test_a_link_that_is_cut_for_longer_costs_an_attempt_of_what_ran_there_and_nothing_runs_on(
    field: Field, tmp_path: Path, mended_after_s: float | None
) -> None:
    """With work of 8 s there are results at the cut end when the link comes back, of attempts that are over here."""
    tells = Tells()
    n_trials = 18
    async with field.sweep(tmp_path, n_trials, 8.0, sampler=tells).start() as run:
        await begun(run, 6)
        assert trials_on(field.machines[0])
        field.machines[0].cut()
        cut_at = time.monotonic()
        if mended_after_s is not None:
            await anyio.sleep(mended_after_s)
            field.machines[0].mend()
        await ended_on(field.machines[0], TCP_S + CLOSING_S - (time.monotonic() - cut_at))
        result = await run.result()
    assert_nothing_lost(result, tells, n_trials)
    failures = [str(error) for trial in result.trials for error in trial.failures]
    assert 1 <= len(failures) <= 2
    assert all("was lost" in failure for failure in failures)
    await field.nothing_of_ours()
    assert trials_on(field.machines[0]) == []


CONTROLLER = """
import asyncio, sys
from collections import Counter
import asyncsweep as sw

address, folder, n_trials = sys.argv[1:]
space = {"x": sw.Float(0.0, 1e6), "notes": folder + "/notes", "work_s": 0.5}
executor = {"name": "dask", "address": address, "give_up_after": 5}
sweep = sw.Sweep("dask_objectives:noted", space, sampler="random", executor=executor, n_trials=int(n_trials), concurrency=6, retries=1,
                 grace_s=0.5, directory=folder + "/sweep")

async def main():
    async with sweep.start() as run:
        begun = 0
        async for update in run.updates():
            begun += isinstance(update, sw.TrialReported) and update.step == 0
            if begun == 6:
                print("now", flush=True)
                break
        return await run.result()

print(sorted(Counter((trial.state.name, trial.attempt) for trial in asyncio.run(main()).trials).items()))
"""


def controller(field: Field, folder: Path, n_trials: int) -> subprocess.Popen[str]:
    """A sweep in a process of the fourth machine, when it has begun."""
    process = subprocess.Popen(
        [*field.spare.prefix, sys.executable, "-c", CONTROLLER, field.stand.address, str(folder), str(n_trials)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONPATH": HERE, "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": f"{TCP_S}s"},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "now\n"
    return process


@pytest.mark.deep
@pytest.mark.parametrize(
    ("cut_s", "seen"),
    [(5.0, "[(('COMPLETE', 1), 24)]"), (TCP_S + 2.0, "[(('COMPLETE', 1), 18), (('COMPLETE', 2), 6)]")],
)
async def test_the_sweeps_own_link_may_be_cut_for_a_while(
    field: Field, tmp_path: Path, cut_s: float, seen: str
) -> None:
    process = await anyio.to_thread.run_sync(controller, field, tmp_path, 24)
    field.spare.cut()
    await anyio.sleep(cut_s)
    field.spare.mend()
    out, _ = await anyio.to_thread.run_sync(process.communicate)
    assert out.splitlines()[-1] == seen
    await field.nothing_of_ours()
    assert [trials_on(machine) for machine in field.machines] == [[], [], []]


@pytest.mark.deep
async def test_the_sweep_ends_when_its_own_link_stays_cut_and_goes_on_from_elsewhere(
    field: Field, tmp_path: Path
) -> None:
    process = await anyio.to_thread.run_sync(controller, field, tmp_path, 24)
    field.spare.cut()
    for machine in field.machines:
        await ended_on(machine, TCP_S + CLOSING_S)
    out, _ = await anyio.to_thread.run_sync(process.communicate)
    assert process.returncode == 1
    assert "PluginError: the Dask scheduler at" in out.splitlines()[-1]
    tells = Tells()
    result = await sw.Sweep.resume(
        tmp_path / "sweep",
        "dask_objectives:noted",
        sampler=tells,
        executor={"name": "dask", "address": field.stand.address},
    )
    assert result.counts[sw.State.COMPLETE] == 24
    assert tells.tells == Counter(range(24))
    field.spare.mend()
    await field.nothing_of_ours()
