"""What the driver writes and when, and what becomes of the sweep when it cannot."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.core.events import Finished, Suggested
from asyncsweep.journal import journal as journals
from tests.journal.faulty import FaultyFiles
from tests.small_objectives import SPACE, endless, square

pytestmark = pytest.mark.anyio


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> FaultyFiles:
    """Every journal's file is one of these."""
    files = FaultyFiles()
    monkeypatch.setattr(journals, "OsFiles", lambda: files)
    return files


def sweep(directory: Path, objective: Any = square, **settings: Any) -> sw.Sweep:
    return sw.Sweep(objective, SPACE, directory=directory, **{"sampler": "random", "seed": 1, **settings})


async def test_all_that_one_wake_up_brings_is_one_write(tmp_path: Path, files: FaultyFiles) -> None:
    await sweep(tmp_path, n_trials=50).run()
    events = journals.read(tmp_path).events
    assert len(events) > 150
    assert len(files.made[0].appends) < 60  # the header, the start, and about one for each trial


async def test_reports_alone_are_no_reason_to_write(tmp_path: Path, files: FaultyFiles) -> None:
    async def reporting(trial: Any) -> float:
        before = len(files.made[0].appends)
        for step in range(1000):
            trial.report(1.0, step)
        return len(files.made[0].appends) - before

    result = await sweep(tmp_path, reporting, n_trials=1).run()
    assert result.trials[0].value == 0.0 and len(list(result.trials[0].reports)) == 1000


@pytest.mark.parametrize("sampler", ["random", "tpe"])
async def test_a_trial_is_on_disk_before_it_is_launched(tmp_path: Path, sampler: str) -> None:
    async def looking(trial: Any) -> float:
        events = journals.read(tmp_path).events
        return float(any(isinstance(e, Suggested) and e.trial == trial.number for e in events))

    result = await sweep(tmp_path, looking, n_trials=5, sampler=sampler).run()
    assert [trial.value for trial in result.trials] == [1.0] * 5


async def test_a_result_is_on_disk_before_anybody_sees_it(tmp_path: Path) -> None:
    seen: list[bool] = []

    class Looking:
        @staticmethod
        @sw.hookimpl
        def asyncsweep_on_updates(updates: Any) -> None:
            events = journals.read(tmp_path).events
            finished = {event.trial for event in events if isinstance(event, Finished)}
            seen.extend(u.trial in finished for u in updates if isinstance(u, sw.TrialFinished))

    await sweep(tmp_path, n_trials=5, plugins=[Looking()]).run()
    assert seen == [True] * 5


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("writes_left", [4, 6, 9])
async def test_a_journal_that_cannot_be_written_ends_the_sweep_and_opens_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: FaultyFiles, error: int, writes_left: int
) -> None:
    files.writes_left, files.partly, files.error = writes_left, 7, error
    with anyio.fail_after(10), pytest.raises(sw.JournalError, match=os.strerror(error)):
        await sweep(tmp_path, n_trials=20).run()
    assert files.n_open == 0
    monkeypatch.undo()
    result = await sw.Sweep.resume(tmp_path, square)
    assert [trial.state.value for trial in result.trials] == ["COMPLETE"] * 20


async def test_a_journal_that_cannot_be_written_ends_running_trials(tmp_path: Path, files: FaultyFiles) -> None:
    ended = anyio.Event()

    async def waiting(trial: Any) -> float:
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()
        return 0.0

    async def break_it() -> None:
        async with sweep(tmp_path, waiting).start() as run:
            async for update in run.updates():
                if isinstance(update, sw.TrialStarted):
                    break
            files.writes_left = 0
            run.pause()
            await run.result()

    with anyio.fail_after(10), pytest.raises(sw.JournalError):
        await break_it()
    assert ended.is_set()


async def test_a_disk_that_does_not_sync_ends_the_sweep(tmp_path: Path, files: FaultyFiles) -> None:
    files.syncs_left = 0
    with anyio.fail_after(10), pytest.raises(sw.JournalError, match="cannot be synced"):
        await sweep(tmp_path, endless).run()


async def test_everything_is_synced_when_the_sweep_has_ended(tmp_path: Path, files: FaultyFiles) -> None:
    await sweep(tmp_path, n_trials=1).run()
    assert files.made[0].syncs >= 1


async def test_a_journal_that_fails_before_the_first_trial_vanishes(tmp_path: Path, files: FaultyFiles) -> None:
    files.writes_left = 1
    with pytest.raises(sw.JournalError):
        await sweep(tmp_path / "new").run()
    assert not await anyio.Path(tmp_path / "new").exists()


async def test_every_file_is_closed_after_a_sweep(tmp_path: Path, files: FaultyFiles) -> None:
    await sweep(tmp_path, n_trials=1).run()
    await sw.Sweep.resume(tmp_path, square)
    assert (len(files.made), files.n_open) == (3, 0)
