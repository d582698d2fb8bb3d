"""Three hosts at the end of links that are cut, and hosts and workers that are killed: nothing is lost, told twice, or left."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from asyncsweep_ssh.executor import SshExecutor
from asyncsweep_ssh.testing import BARE_PYTHON, Keys, NamespacedHost

import asyncsweep as sw
from asyncsweep.driver.replay import replay
from asyncsweep.journal.journal import read
from asyncsweep.worker.tree import name_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

Three = tuple[Keys, list[NamespacedHost]]
CODE = Path(__file__).parent / "code"


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
    """A sweep over three hosts, with two slots each.

    Attributes:
        sampler: What counts the tells.
        notes: The folder in which each attempt leaves a note.
    """

    def __init__(
        self, keys: Keys, hosts: Sequence[NamespacedHost], folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.syspath_prepend(str(CODE))
        self.keys = keys
        self.hosts = hosts
        self.sampler = Tells()
        self.notes = folder / "notes"
        self.notes.mkdir()
        self.directory = folder / "sweep"

    def executor(self, trial_s: float, **options: Any) -> SshExecutor:
        hosts = [{"host": host.name, "slots": 2, "python": BARE_PYTHON} for host in self.hosts]
        settings = {"lease": 2.0, "connect_timeout": 3.0, **options}
        return SshExecutor(
            hosts,
            code=CODE,
            config=str(self.keys.config),
            env={"NOTES": str(self.notes), "NOTED_S": str(trial_s)},
            **settings,
        )

    def sweep(self, n_trials: int, trial_s: float = 0.2, **options: Any) -> sw.Sweep:
        return sw.Sweep(
            "ssh_objectives:noted",
            space={"x": sw.Float(0.0, 1e6)},
            sampler=self.sampler,
            executor=self.executor(trial_s, **options),
            n_trials=n_trials,
            concurrency=6,
            retries=3,
            directory=self.directory,
        )

    def hosts_of_notes(self) -> set[str]:
        return {note.read_text().split()[3] for note in self.notes.iterdir() if note.suffix != ".end"}

    def begins(self) -> Counter[int]:
        """How often each trial has begun, on whatever host, as whichever attempt."""
        begun: Counter[int] = Counter()
        for note in self.notes.glob("*-*[0-9]"):
            begun[int(note.name.partition("-")[0])] += len(note.read_text().splitlines())
        return begun

    def ends(self) -> int:
        return sum(note.suffix == ".end" for note in self.notes.iterdir())

    async def until_ends(self, count: int) -> None:
        await anyio.to_thread.run_sync(self._until_ends, count)

    def _until_ends(self, count: int) -> None:
        until = time.monotonic() + 30
        while self.ends() < count:
            assert time.monotonic() < until, f"{self.ends()} of {count} attempts have ended"
            time.sleep(0.02)

    def assert_nothing_lost(self, result: sw.Result, n_trials: int) -> None:
        """Each trial is there and complete, and was told once."""
        assert [(trial.number, trial.state) for trial in result.trials] == [
            (n, sw.State.COMPLETE) for n in range(n_trials)
        ]
        assert self.sampler.tells == Counter(range(n_trials))
        assert [trial.value for trial in result.trials] == [float(n) for n in range(n_trials)]


@pytest.fixture
def field(three: Three, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Field:
    keys, hosts = three
    return Field(keys, hosts, tmp_path, monkeypatch)


@asynccontextmanager
async def running(sweep: sw.Sweep) -> AsyncIterator[sw.SweepRun]:
    with anyio.fail_after(90):
        async with sweep.start() as run:
            yield run


async def test_a_sweep_runs_on_all_three_hosts(field: Field) -> None:
    result = await field.sweep(18).run()
    field.assert_nothing_lost(result, 18)
    assert field.hosts_of_notes() == {host.server.address for host in field.hosts}


async def test_a_link_that_is_cut_for_five_seconds_costs_nothing_within_the_lease(field: Field) -> None:
    async with running(field.sweep(24, trial_s=1.0, lease=12.0)) as run:
        await field.until_ends(2)
        field.hosts[0].cut()
        await anyio.sleep(5)
        field.hosts[0].mend()
        result = await run.result()
    field.assert_nothing_lost(result, 24)
    assert {trial.attempt for trial in result.trials} == {1}


async def test_a_link_that_is_cut_for_five_seconds_beyond_the_lease_costs_an_attempt_of_what_ran_there(
    field: Field,
) -> None:
    async with running(field.sweep(40, trial_s=1.0)) as run:
        await field.until_ends(2)
        field.hosts[0].cut()
        await anyio.sleep(5)
        field.hosts[0].mend()
        result = await run.result()
    field.assert_nothing_lost(result, 40)
    assert 1 <= sum(trial.attempt > 1 for trial in result.trials) <= 2


async def test_a_link_that_is_cut_for_ever_leaves_its_trials_to_the_others_and_nothing_runs_on_there(
    field: Field,
) -> None:
    async with running(field.sweep(24, trial_s=0.5)) as run:
        await field.until_ends(2)
        field.hosts[0].cut()
        result = await run.result()
    field.assert_nothing_lost(result, 24)


async def test_a_host_that_is_killed_leaves_its_trials_to_the_others(field: Field) -> None:
    async with running(field.sweep(24, trial_s=0.5)) as run:
        await field.until_ends(2)
        killed = field.hosts[1].kill()
        result = await run.result()
    assert killed
    field.assert_nothing_lost(result, 24)
    assert removed_folders(field.keys) == 1  # nobody was there any more to remove it


async def test_the_folder_that_a_killed_host_leaves_is_removed_at_the_next_connection_and_no_other(
    field: Field,
) -> None:
    field.hosts = field.hosts[:1]
    (host,), temporary = field.hosts, field.keys.temporary
    async with running(field.sweep(12)) as run:
        await field.until_ends(1)
        host.kill()
        (left,) = temporary.iterdir()
        with held_folder(temporary) as held:
            host.mend()
            host.server.stop()
            host.server.start()
            result = await run.result()
            assert (left.exists(), held.exists()) == (False, True)
    field.assert_nothing_lost(result, 12)


@contextmanager
def held_folder(above: Path) -> Iterator[Path]:
    """What another controller's agent has there."""
    folder = above / "asyncsweep-ssh-held"
    folder.mkdir()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


async def test_a_killed_worker_costs_an_attempt(field: Field) -> None:
    async with running(field.sweep(12, trial_s=0.5)) as run:
        await field.until_ends(1)
        pids = {
            int(n.read_text().split()[0])
            for n in field.notes.iterdir()
            if not n.suffix and not n.with_suffix(".end").exists()
        }
        pid = pids.pop()
        os.kill(pid, signal.SIGKILL)
        result = await run.result()
    field.assert_nothing_lost(result, 12)
    assert sum(trial.attempt for trial in result.trials) == 13
    failures = [failure for trial in result.trials for failure in trial.failures]
    assert [failure.type for failure in failures] == ["WorkerLost"]
    assert "SIGKILL" in failures[0].message


@pytest.mark.parametrize("which", ["asyncsweep-host", "asyncsweep-keep"])
async def test_a_killed_agent_or_keeper_is_a_lost_host_that_comes_back(field: Field, which: str) -> None:
    async with running(field.sweep(24, trial_s=0.5)) as run:
        await field.until_ends(1)
        os.kill(next(pid for pid in field.hosts[2].processes() if name_of(pid) == which.encode()), signal.SIGKILL)
        result = await run.result()
    field.assert_nothing_lost(result, 24)


async def test_one_of_three_hosts_that_is_unreachable_from_the_start_is_left_out(
    field: Field, caplog: pytest.LogCaptureFixture
) -> None:
    field.hosts[0].cut()
    result = await field.sweep(12).run()
    field.assert_nothing_lost(result, 12)
    assert len(field.hosts_of_notes()) == 2


async def test_all_hosts_unreachable_ends_the_sweep_with_all_reasons(field: Field) -> None:
    for host in field.hosts:
        host.server.stop()
    with pytest.raises(sw.ConfigError) as failed:
        await field.sweep(12).run()
    for host in field.hosts:
        assert f"{host.name}: it refuses the connection" in str(failed.value)


async def test_a_sweep_whose_only_host_stays_away_gives_up_and_is_resumed_with_nothing_cancelled(field: Field) -> None:
    host = field.hosts[0]
    field.hosts = [host]

    async def lost() -> None:
        async with running(field.sweep(12, trial_s=0.5, give_up_after=3.0)) as run:
            await field.until_ends(1)
            host.cut()
            await run.result()

    with pytest.raises(sw.PluginError, match="no host could be used for 3 s"):
        await lost()
    host.mend()
    again = sw.Sweep.open(field.directory, "ssh_objectives:noted", sampler=Tells(), executor=field.executor(0.1))
    with anyio.fail_after(90):
        result = await again.run()
    assert [trial.state for trial in result.trials] == [sw.State.COMPLETE] * 12


CONTROLLER = """
import asyncio, json, sys
import asyncsweep as sw
sys.path[:0] = [sys.argv[1]]
executor = json.loads(sys.argv[2])
sweep = sw.Sweep("ssh_objectives:noted", space={"x": sw.Float(0.0, 1e6)}, sampler="random", seed=1, executor=executor,
                 n_trials=24, concurrency=6, directory=sys.argv[3])
asyncio.run(sweep.run())
"""


@contextmanager
def controller(field: Field, **env: str) -> Iterator[None]:
    """A process that runs the sweep; it is killed on leaving."""
    options = {
        "name": "ssh",
        "hosts": [{"host": host.name, "slots": 2, "python": BARE_PYTHON} for host in field.hosts],
        "config": str(field.keys.config),
        "code": str(CODE),
        "env": {"NOTES": str(field.notes), **env},
        "lease": 5.0,
    }
    process = started([sys.executable, "-c", CONTROLLER, str(CODE), json.dumps(options), str(field.directory)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def resumed(field: Field) -> sw.Result:
    """The result of a killed controller's sweep, of which nothing is left on hosts: each trial is COMPLETE, and told once."""
    left = await anyio.to_thread.run_sync(left_after, 5.0, field.hosts)
    assert left == []
    (field.notes / "go").touch()
    with anyio.fail_after(60):
        result = await sw.Sweep.open(field.directory, "ssh_objectives:noted", sampler=field.sampler).run()
    assert [(trial.state, trial.value) for trial in result.trials] == [
        (sw.State.COMPLETE, trial.params["x"]) for trial in result.trials
    ]
    assert (len(result.trials), field.sampler.tells) == (24, Counter(range(24)))
    return result


async def test_a_killed_controller_leaves_nothing_and_its_sweep_is_resumed(field: Field) -> None:
    with controller(field, NOTED_S="0.5"):
        await field.until_ends(4)
    assert field.ends() >= 4
    result = await resumed(field)
    repeated = [trial.number for trial in result.trials if trial.attempt > 1]
    assert 1 <= len(repeated) <= 12  # six ran, and as many may have waited on the hosts, and begun


async def test_of_a_killed_controllers_trials_none_begins_twice_but_those_that_ran(field: Field) -> None:
    with controller(field, NOTED_S="0.1", GATED="6"):
        await anyio.to_thread.run_sync(until_six_run_and_six_wait, field)
    ran = field.begins().keys() - set(range(6))
    result = await resumed(field)
    assert len(ran) == 6
    assert field.begins() == {n: 1 + (n in ran) for n in range(24)}
    assert [trial.failures for trial in result.trials] == [()] * 24


def until_six_run_and_six_wait(field: Field) -> None:
    """The first six trials have ended, six run, and as many wait at their workers, as far as the journal tells."""
    until = time.monotonic() + 30
    ended, waiting = -1, -1
    while len(begun := field.begins()) < 12 or (ended, waiting) != (6, 6):
        assert time.monotonic() < until, f"{len(begun)} have begun, {ended} ended, {waiting} wait"
        time.sleep(0.02)
        if begun:
            life = replay(read(field.directory).events, str(field.directory)).life
            ended, waiting = life.counts[sw.State.COMPLETE], sum(map(len, life.slots.queues.values()))


def started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command)


def removed_folders(keys: Keys) -> int:
    """How many folders of hosts are here; afterwards there are none."""
    left = list(keys.temporary.iterdir())
    subprocess.run(["rm", "-rf", *left], check=True)
    return len(left)


def left_after(patience_s: float, hosts: Sequence[NamespacedHost]) -> list[str]:
    """What of ours still runs on hosts after a while."""
    until = time.monotonic() + patience_s
    while True:
        names = [name_of(pid) for host in hosts for pid in host.processes()]
        left = [name.decode() for name in names if name and not name.startswith(b"sshd")]
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.05)
