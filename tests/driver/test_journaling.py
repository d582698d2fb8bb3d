"""What the driver writes and when, and what becomes of the sweep when it cannot."""

from __future__ import annotations

import errno
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest

import asyncsweep as sw
from asyncsweep.core.events import Event, Finished, Judged, Kept, Reported, Suggested
from asyncsweep.driver import syncing
from asyncsweep.driver.replay import replay
from asyncsweep.journal import format as layout
from asyncsweep.journal import journal as journals
from asyncsweep.journal.files import OsFile
from tests.journal.faulty import FaultyFile, FaultyFiles
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


async def test_of_ends_that_come_together_each_is_followed_by_what_it_causes(tmp_path: Path) -> None:
    """Otherwise the last of them would find slots idle for which others have asked for trials, and take back what waits."""
    await sweep(tmp_path, n_trials=50, concurrency=8).run()
    events = journals.read(tmp_path).events
    after_ends = [type(after) for event, after in pairwise(events) if isinstance(event, Finished)]
    assert after_ends[:42] == [Suggested] * 42


async def test_reports_alone_are_no_reason_to_write(tmp_path: Path, files: FaultyFiles) -> None:
    async def reporting(trial: Any) -> float:
        before = len(files.made[0].appends)
        for step in range(1000):
            trial.report(1.0, step)
        return len(files.made[0].appends) - before

    result = await sweep(tmp_path, reporting, n_trials=1).run()
    assert result.trials[0].value == 0.0 and len(list(result.trials[0].reports)) == 1000


async def test_verdicts_alone_are_no_reason_to_write_and_are_on_disk_before_the_end_is_seen(
    tmp_path: Path, files: FaultyFiles
) -> None:
    async def asking(trial: Any) -> float:
        before = len(files.made[0].appends)
        for step in range(200):
            trial.report(1.0, step)
            assert not trial.should_prune()
        return len(files.made[0].appends) - before

    judged: list[int] = []

    class Looking:
        @staticmethod
        @sw.hookimpl
        def asyncsweep_on_updates(updates: Any) -> None:
            if any(isinstance(update, sw.TrialFinished) for update in updates):
                judged.append(sum(isinstance(event, Judged) for event in journals.read(tmp_path).events))

    result = await sweep(tmp_path, asking, n_trials=2, pruner="median", plugins=[Looking()]).run()
    # One where 50 ms have passed, on a machine that is busy.
    assert sum(trial.value for trial in result.trials) <= 4
    assert judged == [200, 400]


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


async def test_a_journal_whose_trials_all_wait_for_a_retry_stays(tmp_path: Path, files: FaultyFiles) -> None:
    async def fails(trial: Any) -> float:
        raise OSError("the data store is away")

    async def break_it() -> None:
        retries = sw.Retry(times=1, backoff_s=(60, 60))
        async with sweep(tmp_path, fails, n_trials=1, retries=retries).start() as run:
            async for update in run.updates():
                if isinstance(update, sw.TrialRetried):
                    break
            files.writes_left = 0
            run.pause()
            await run.result()

    with anyio.fail_after(10), pytest.raises(sw.JournalError):
        await break_it()
    files.writes_left = sys.maxsize
    result = await sw.Sweep.resume(tmp_path, square)
    assert [(trial.number, trial.attempt, len(trial.failures)) for trial in result.trials] == [(0, 2, 1)]


async def test_every_file_is_closed_after_a_sweep(tmp_path: Path, files: FaultyFiles) -> None:
    await sweep(tmp_path, n_trials=1).run()
    await sw.Sweep.resume(tmp_path, square)
    assert (len(files.made), files.n_open) == (3, 0)


# -- fsync ------------------------------------------------------------------------------------------------------------


class Noting(FaultyFiles):
    """Files that tell how much of them is synced.

    Attributes:
        synced: How many bytes of the journal a power loss would leave.
        syncs: How often it was synced.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.synced = self.syncs = 0
        self._path = path

    def _made(self, file: OsFile) -> FaultyFile:
        made = super()._made(file)
        sync = made.sync

        def noted() -> None:
            size = self._path.stat().st_size
            sync()
            self.synced = size
            self.syncs += 1

        made.sync = noted  # type: ignore[method-assign]
        return made

    def _events(self) -> list[Event]:
        return layout.decode(self._path.read_bytes()[: self.synced], "").events

    def has(self, kind: type[Event], number: int) -> bool:
        """Whether such an event of the trial is synced."""
        return any(isinstance(event, kind) and getattr(event, "trial", None) == number for event in self._events())

    def count(self, kind: type[Event]) -> int:
        """How many such events are synced."""
        return sum(isinstance(event, kind) for event in self._events())


@pytest.fixture
def noting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Noting:
    files = Noting(tmp_path / journals.NAME)
    monkeypatch.setattr(journals, "OsFiles", lambda: files)
    return files


async def test_always_launches_and_shows_nothing_that_is_not_synced(tmp_path: Path, noting: Noting) -> None:
    shown: list[bool] = []

    async def objective(trial: Any) -> float:
        return float(noting.has(Suggested, trial.number))

    class Showing:
        @staticmethod
        @sw.hookimpl
        def asyncsweep_on_updates(updates: Any) -> None:
            shown.extend(noting.has(Finished, u.trial) for u in updates if isinstance(u, sw.TrialFinished))

    result = await sweep(tmp_path, objective, n_trials=6, concurrency=2, fsync="always", plugins=[Showing()]).run()
    assert [trial.value for trial in result.trials] == [1.0] * 6
    assert shown == [True] * 6


async def test_always_shows_no_report_that_is_not_synced(tmp_path: Path, noting: Noting) -> None:
    shown: list[bool] = []

    async def reporting(trial: Any) -> float:
        for step in range(10):
            trial.report(1.0, step)
            await anyio.lowlevel.checkpoint()
        return 0.0

    class Showing:
        @staticmethod
        @sw.hookimpl
        def asyncsweep_on_updates(updates: Any) -> None:
            n_reports = sum(isinstance(update, sw.TrialReported) for update in updates)
            if n_reports:
                n_shown = len(shown)
                shown.extend([noting.count(Reported) >= n_shown + n_reports] * n_reports)

    await sweep(tmp_path, reporting, n_trials=3, concurrency=3, fsync="always", plugins=[Showing()]).run()
    assert shown == [True] * 30


async def test_always_answers_an_objective_on_the_loop_at_once(tmp_path: Path) -> None:
    async def asking(trial: Any) -> float:
        for step in range(3):
            trial.report(float(trial.number), step)
            if trial.should_prune():
                raise sw.TrialPruned
        return float(trial.suggest_float("more", 0.0, 1.0) + trial.number)

    settings: dict[str, Any] = {"pruner": {"name": "median", "n_startup_trials": 2}, "n_trials": 6}
    result = await sweep(tmp_path, asking, fsync="always", **settings).run()
    assert [trial.state.value for trial in result.trials] == ["COMPLETE", "COMPLETE", *["PRUNED"] * 4]


async def test_always_gives_a_trial_to_ask_when_it_is_synced(tmp_path: Path, noting: Noting) -> None:
    async with sweep(tmp_path, endless, n_trials=2, fsync="always").start() as run:
        trial = await run.ask()
        assert noting.has(Suggested, trial.number)
        run.stop(now=True)


async def test_a_backoff_is_not_cut_short_by_the_time_limit_of_the_attempt_before(tmp_path: Path) -> None:
    times: list[float] = []

    async def failing(trial: Any) -> float:
        times.append(anyio.current_time())
        if trial.attempt == 1:
            raise ValueError("once")
        return 0.0

    retries = sw.Retry(1, backoff_s=(0.5, 0.5))
    await sweep(tmp_path, failing, n_trials=1, fsync="always", retries=retries, trial_timeout=0.2).run()
    assert times[1] - times[0] >= 0.49


async def test_batch_does_not_wait_for_a_sync(tmp_path: Path, noting: Noting) -> None:
    await sweep(tmp_path, n_trials=200).run()
    assert noting.syncs < 100 < len(noting.made[0].appends)


async def test_never_syncs_nothing(tmp_path: Path, noting: Noting) -> None:
    result = await sweep(tmp_path, n_trials=20, fsync="never").run()
    assert (result.counts[sw.State.COMPLETE], noting.syncs) == (20, 1)  # the file's beginning


async def test_never_writes_reports_all_the_same(tmp_path: Path) -> None:
    seen = anyio.Event()

    async def waiting(trial: Any) -> float:
        trial.report(1.0, 7)
        await seen.wait()
        return 0.0

    async with sweep(tmp_path, waiting, n_trials=1, fsync="never").start():
        with anyio.fail_after(10):
            while not any(isinstance(event, Reported) for event in journals.read(tmp_path).events):
                await anyio.lowlevel.checkpoint()
        seen.set()


@pytest.mark.parametrize("fsync", ["always", "batch", "never"])
async def test_a_sweep_is_steered_and_resumed_whatever_the_policy(tmp_path: Path, fsync: Any) -> None:
    async with sweep(tmp_path, endless, n_trials=4, concurrency=2, fsync=fsync).start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialStarted):
                run.stop("enough", now=True)
        assert (await run.result()).counts[sw.State.CANCELLED] > 0
    resumed = sw.Sweep.open(tmp_path, square)
    assert resumed.spec.fsync == fsync
    assert len((await resumed.run()).trials) == 4


async def test_never_notices_that_the_journal_is_gone(tmp_path: Path) -> None:
    async def deleting(trial: Any) -> float:
        (tmp_path / journals.NAME).unlink(missing_ok=True)
        return 0.0

    with pytest.raises(sw.JournalError, match="was deleted while the sweep ran"):
        await sweep(tmp_path, deleting, n_trials=1, fsync="never").run()


# -- compaction -------------------------------------------------------------------------------------------------------


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Journals are compacted when they are longer than 2 kB."""
    monkeypatch.setattr(syncing, "COMPACT_FROM_BYTES", 2_000)
    monkeypatch.setattr(syncing, "SYNC_EVERY_S", 0.0)


def leisurely(directory: Path) -> Any:
    """An objective that reports; from trial 50 on the journal has been compacted."""

    async def objective(trial: Any) -> float:
        for step in range(20):
            trial.report(step, step)
        with anyio.fail_after(30):
            while trial.number == 50 and not is_compacted(directory):
                await anyio.lowlevel.checkpoint()
        return float(trial.params["x"])

    return objective


def is_compacted(directory: Path) -> bool:
    return isinstance(journals.read(directory).events[0], Kept)


@pytest.mark.usefixtures("early")
@pytest.mark.parametrize("fsync", ["always", "batch", "never"])
async def test_a_long_journal_is_compacted_while_the_sweep_goes_on(tmp_path: Path, fsync: Any) -> None:
    result = await sweep(tmp_path, leisurely(tmp_path), n_trials=80, concurrency=3, fsync=fsync).run()
    assert is_compacted(tmp_path)
    assert replay(journals.read(tmp_path).events, "").trials == list(result.trials)
    assert not (tmp_path / "journal.asyncsweep.new").exists()


@pytest.mark.usefixtures("early")
async def test_a_compacted_journal_is_resumed(tmp_path: Path) -> None:
    first = await sweep(tmp_path, leisurely(tmp_path), n_trials=60).run()
    assert is_compacted(tmp_path)
    result = await sw.Sweep.resume(tmp_path, square, n_trials=70)
    assert result.trials[:60] == first.trials
    assert result.counts[sw.State.COMPLETE] == 70


@pytest.mark.usefixtures("early")
async def test_a_compacted_journal_is_resumed_in_debug_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCSWEEP_DEBUG", "1")
    await sweep(tmp_path, leisurely(tmp_path), n_trials=60).run()
    assert is_compacted(tmp_path)
    result = await sw.Sweep.resume(tmp_path, square, n_trials=70)
    assert result.counts[sw.State.COMPLETE] == 70


@pytest.mark.usefixtures("early")
async def test_a_compacted_journal_has_the_trials_of_earlier_searches(tmp_path: Path) -> None:
    past = [{"x": 0.25, "value": 1.0}, {"x": 0.75, "value": 2.0}]
    await sweep(tmp_path, leisurely(tmp_path), n_trials=60, history=past).run()
    assert [trial.number for trial in replay(journals.read(tmp_path).events, "").history] == [-1, -2]
    result = await sw.Sweep.resume(tmp_path, square, n_trials=61)
    assert len(result.trials) == 61


@pytest.mark.usefixtures("early")
async def test_a_journal_that_cannot_be_compacted_is_kept_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(FaultyFiles):
        def create(self, path: Path) -> FaultyFile:
            if path.name.endswith(".new"):
                anyio.from_thread.run_sync(refused.set)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().create(path)

    files = Full()
    monkeypatch.setattr(journals, "OsFiles", lambda: files)
    refused = anyio.Event()

    async def objective(trial: Any) -> float:
        for step in range(20):
            trial.report(step, step)
        with anyio.fail_after(30):
            if trial.number == 50:
                await refused.wait()
        return 0.0

    result = await sweep(tmp_path, objective, n_trials=60).run()
    assert (result.counts[sw.State.COMPLETE], len(files.made)) == (60, 1)
    warnings = [record.message for record in caplog.records if "is not compacted" in record.message]
    assert 1 <= len(warnings) < 5
    assert "No space left on device" in warnings[0]


@pytest.mark.usefixtures("early")
async def test_trials_that_are_too_large_together_are_compacted_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "RECORD_LIMIT_BYTES", 3_000)  # some trials of 20 reports
    result = await sweep(tmp_path, leisurely(tmp_path), n_trials=60).run()
    assert is_compacted(tmp_path)
    assert replay(journals.read(tmp_path).events, "").trials == list(result.trials)


async def test_a_trial_that_ran_whenever_the_process_ended_is_named_in_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def waiting(trial: Any) -> float:
        await anyio.sleep_forever()
        return 0.0

    async def cut_short(opened: sw.Sweep) -> None:
        async with opened.start() as run:
            async for update in run.updates():
                if isinstance(update, sw.TrialStarted):
                    raise KeyError("the process ends")

    for life in range(4):
        with pytest.raises(KeyError):
            await cut_short(sw.Sweep.open(tmp_path, waiting) if life else sweep(tmp_path, waiting, n_trials=1))
    warnings = [record.getMessage() for record in caplog.records if "ran when the process ended" in record.message]
    assert warnings == [
        "trial 0 ran when the process ended, 3 times by now, and is tried again; if it is the cause, cancel it by "
        "run.cancel_trial(0), or resume with retries=Retry(interrupted='fail')"
    ]
