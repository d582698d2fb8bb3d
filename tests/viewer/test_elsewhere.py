"""A sweep of another process, asked for a viewer: commands for it, and what its trials print while they run and afterwards."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import asyncsweep as sw
from asyncsweep.core import events as ev
from asyncsweep.journal import lock
from asyncsweep.steering import runtime
from asyncsweep.testing.events import Bench, failed, spec, started, suggested, worker_joined
from asyncsweep.viewer.following import JournalSource
from tests import printing_objectives
from tests.cli.made import ended, open_still, put


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # the loop makes no difference to another process


pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="as-", dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "a sweep"


@asynccontextmanager
async def printing(directory: Path) -> AsyncIterator[tuple[sw.SweepRun, JournalSource]]:
    """A sweep whose only trial has printed its first line, and its directory as a source."""
    space = {"folder": str(directory.parent)}
    sweep = sw.Sweep(printing_objectives.in_turns, space, sampler="random", n_trials=1, directory=directory)
    with anyio.fail_after(50):
        async with sweep.start() as run, sw.control(run):
            while run._driver.machine.seq < 4 or not (await run.log(0)).data:
                await anyio.lowlevel.checkpoint()
            source = await JournalSource.open(directory)
            while not source.trials or source.trials[0].state is not sw.State.RUNNING:
                await source.look()
            yield run, source
            source.close()


async def test_what_a_trial_prints_is_asked_of_its_process_and_then_read_from_its_log(directory: Path) -> None:
    async with printing(directory) as (run, source):
        first = await source.log(0, None, 0, 1000)
        assert (first.attempt, first.data, first.is_over) == (1, b"trial 0 line 0\n", False)
        assert await source.log(0, 1, -3, 2) == first._replace(data=b" 0", offset=12, next_offset=14)
        for name in ("0", "end"):
            (directory.parent / name).touch()
        await run.result()
        while source.trials[0].state is not sw.State.COMPLETE:
            await source.look()
        last = await source.log(0, None, first.next_offset, 1000)
        assert last.is_over and last.data in (b"trial 0 line 1\n", b"") and last.attempt == 1


async def test_commands_are_passed_on_and_what_the_sweep_says_of_them_comes_back(directory: Path) -> None:
    async with printing(directory) as (run, source):
        commands = source.commands
        assert commands is not None
        commands.check("pause", {})
        assert (await commands.answer("pause", {}))["is_paused"] and run.is_paused
        await commands.answer("unpause", {})
        assert not run.is_paused
        with pytest.raises(sw.ConfigError, match="there is no trial 9"):
            await commands.answer("cancel", {"trial": 9})
        with pytest.raises(sw.ConfigError, match="takes no more trials"):
            await commands.answer("enqueue", {"params": {}})
        answer = await commands.answer("stop", {"reason": "enough", "now": True})
        assert answer["is_stopping"] or answer["is_over"]
        assert (await run.result()).reason == "enough"
        while source.is_live:
            await source.look()
        assert source.commands is None
    with pytest.raises(sw.ConfigError, match="is not running"):
        await commands.answer("pause", {})


@pytest.mark.parametrize(
    ("command", "fields", "said"),
    [
        ("delete", {}, "there is no command 'delete'"),
        ("log", {"follow": True}, "there is no command 'log'"),
        ("pause", {"directory": [1, 2]}, "takes no 'directory'"),
        ("stop", {"command": "unpause"}, "takes no 'command'"),
        ("enqueue", {"params": {"x": b"bytes"}}, "no JSON"),
        ("enqueue", {"params": {"x": float("nan")}}, "no JSON"),
    ],
    ids=str,
)
async def test_only_commands_for_viewers_are_passed_on(
    directory: Path, command: str, fields: dict[str, Any], said: str
) -> None:
    source = await JournalSource.open(put(directory, open_still().journal))
    with pytest.raises(sw.ConfigError, match=said):
        source._elsewhere.check(command, fields)
    source.close()


async def test_a_sweep_that_nobody_can_ask_has_no_commands_and_prints_nothing_yet(directory: Path) -> None:
    source = await JournalSource.open(put(directory, open_still().journal))
    held = lock.Lock(directory)
    await source.look()
    assert source.is_live and source.commands is None
    log = await source.log(2, None, 0, 100)
    assert (log.data, log.attempt, log.is_over) == (b"", 1, False)
    held.release()
    source.close()


async def test_a_control_file_of_somebody_else_leads_nowhere(directory: Path, tmp_path: Path) -> None:
    source = await JournalSource.open(put(directory, open_still().journal))
    runtime.write_notice(directory, str(tmp_path / "trap.sock"))
    held = lock.Lock(directory)
    await source.look()
    assert source.commands is not None
    with pytest.raises(sw.ConfigError, match="no socket of ours"):
        await source.commands.answer("pause", {})
    assert (await source.log(2, None, 0, 100)).data == b""
    held.release()
    source.close()


async def test_what_the_worker_left_of_a_killed_sweep_is_shown(directory: Path) -> None:
    bench = open_still()
    bench.send(ev.Reopened(bench.machine.spec), worker_joined("process-1"), started(2, 2))
    source = await JournalSource.open(put(directory, bench.journal))
    (directory / "worker-process-1.log").write_bytes(b"last words")
    assert bench.trial(2).worker == "process-1"
    log = await source.log(2, None, 5, 100)
    assert (log.attempt, log.data, log.total, log.is_over) == (2, b"words", 10, True)
    source.close()


async def test_logs_of_all_attempts_are_read_and_no_link_is_followed(directory: Path) -> None:
    bench = Bench(spec(n_trials=1, retries=1), worker_joined())
    bench.send(suggested(0), started(0), failed(0), started(0, 2))
    source = await JournalSource.open(put(directory, bench.journal))
    folder = directory / "trials" / "0"
    folder.mkdir(parents=True)
    (folder / "attempt-1.log").write_bytes(b"first")
    assert (await source.log(0, 1, 0, 3)).data == b"fir"
    assert (await source.log(0, 1, 3, 9)).is_over
    (folder / "attempt-1.log").unlink()
    assert (await source.log(0, 1, 0, 3)).is_over
    (folder / "attempt-1.log").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic"):
        await source.log(0, 1, 0, 100)
    source.close()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [((9, None, 0), "no trial 9"), ((-1, None, 0), "no trial -1"), ((0, 2, 0), "has had 1"), ((0, 0, 0), "has had 1")],
    ids=str,
)
async def test_a_log_that_cannot_be_is_refused(directory: Path, wanted: tuple[int, int | None, int], said: str) -> None:
    source = await JournalSource.open(put(directory, ended(2).journal))
    with pytest.raises(sw.ConfigError, match=said):
        await source.log(*wanted, 100)
    source.close()


async def test_the_log_of_a_trial_that_has_not_begun_is_empty(directory: Path) -> None:
    bench = open_still()
    source = await JournalSource.open(put(directory, bench.journal[: next(_before_launch(bench.journal))]))
    log = await source.log(len(source.trials) - 1, None, 0, 100)
    assert (log.attempt, log.data, log.is_over) == (0, b"", False)
    source.close()
    assert os.listdir(directory) == ["journal.asyncsweep"]


def _before_launch(events: list[ev.Event]) -> Iterator[int]:
    """How many events there are before each that gives a trial its parameters."""
    return (place for place, event in enumerate(events) if isinstance(event, ev.Suggested))
