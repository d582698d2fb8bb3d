"""Outposts and seats, with bytes carried by hand: no cluster is needed for what every cluster's executor shares."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.lowlevel
import pytest

import asyncsweep as sw
from asyncsweep.core import events as ev
from asyncsweep.core.records import ErrorInfo
from asyncsweep.executors.outposts import files, outpost, seats
from asyncsweep.executors.outposts.messages import (
    Artifact,
    Hello,
    Leave,
    Left,
    Log,
    Welcome,
    from_outpost,
    packed,
    to_outpost,
)
from asyncsweep.executors.outposts.outbox import Outbox
from asyncsweep.executors.outposts.outpost import Outpost
from asyncsweep.executors.outposts.seats import Seat, Seats
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, ObjectiveSpec, Setup
from asyncsweep.testing import ExecutorSuite


class Loopback:
    """An executor whose outposts are in this process.

    Args:
        shares: Whether outposts see the sweep's directory.
        change: What becomes of the bytes of outposts on their way.
    """

    remote = True
    runs: Literal["async", "sync", "both"] = "both"

    def __init__(self, shares: bool = True, change: Callable[[bytes], bytes] = bytes, **options: Any) -> None:
        self._shares = shares
        self._change = change
        self._limit_bytes = options.pop("artifacts_limit_bytes", 1_000_000)
        self._options = options
        self.seats: Seats
        self.posts: list[Outpost] = []

    @asynccontextmanager
    async def open(self, setup: Setup, inbox: Inbox) -> AsyncIterator[None]:
        self.seats = Seats("loop", setup, inbox, self._options, self._limit_bytes, self._keep)
        async with self.seats.open():
            yield

    def resize(self, slots: int) -> None:
        self.seats.resize(slots)

    def take_back(self, job: JobId) -> None:
        self.seats.take_back(job)

    async def _keep(self, seat: Seat) -> None:
        post = Outpost(resources={"cpus": 1})
        self.posts.append(post)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._down, seat, post)
            tasks.start_soon(self._up, seat, post)
            tasks.start_soon(post.serve)
            await seat.gone.wait()
            post.leave()

    async def _down(self, seat: Seat, post: Outpost) -> None:
        while data := await seat.out.take():
            messages = to_outpost(data)
            if not self._shares:
                for message in messages:
                    if isinstance(message, Welcome):
                        message.token = "/nowhere"
            post.tell(packed(messages))

    async def _up(self, seat: Seat, post: Outpost) -> None:
        while data := await post.take():
            self.seats.heard(seat, self._change(data), "here")

    def launch(self, job: Job) -> None:
        self.seats.launch(job)

    def kill(self, job: JobId, grace_s: float) -> None:
        self.seats.kill(job, grace_s)

    def answer(self, job: JobId, answer: Answer) -> None:
        self.seats.answer(job, answer)


@pytest.mark.any_loop
class TestLoopback(ExecutorSuite):
    @pytest.fixture
    def executor(self) -> Loopback:
        return Loopback()

    def lose(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.anyio
@pytest.mark.any_loop
async def test_what_is_launched_to_a_seat_that_is_given_up_is_given_back_without_asking_its_outpost() -> None:
    executor = Loopback()
    async with TestLoopback().open(executor, "doubles", slots=2) as stand:
        await stand.free_worker(2)
        executor.resize(1)
        (gone,) = (worker for worker, slots in stand.slots.items() if not slots)
        executor.launch(Job(0, 1, gone, {"x": 0.5}))
        assert stand.said(0) == ["TakenBack"]


def sweep(objective: str, tmp_path: Path, executor: Loopback, **settings: Any) -> sw.Sweep:
    target = f"tests.executors.outpost_objectives:{objective}"
    return sw.Sweep(
        target,
        {"size": settings.pop("size", 700_000)},
        **{"sampler": "random", "n_trials": 1, "executor": executor, "directory": tmp_path / "sweep", **settings},
    )


@pytest.mark.anyio
@pytest.mark.any_loop
@pytest.mark.parametrize("shares", [True, False])
async def test_logs_and_artifacts_are_in_the_sweeps_directory(tmp_path: Path, shares: bool) -> None:
    result = await sweep("leaves_things", tmp_path, Loopback(shares)).run()
    assert result.counts[sw.State.COMPLETE] == 1
    folder = tmp_path / "sweep" / "trials" / "0"
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert found == [
        "artifacts/large.bin",
        "artifacts/made.txt",
        "artifacts/other.txt",
        "artifacts/plots/made.txt",
        "attempt-1.log",
    ]
    assert (folder / "attempt-1.log").read_text() == "printed by 0\n"
    assert (folder / "artifacts/plots/made.txt").read_text() == "made by 0"
    assert (folder / "artifacts/large.bin").read_bytes() == b"x" * 700_000
    assert [path.name for path in (tmp_path / "sweep").iterdir() if path.name.startswith(".outposts")] == []


@pytest.mark.anyio
@pytest.mark.any_loop
async def test_artifacts_beyond_the_limit_are_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    executor = Loopback(shares=False, artifacts_limit_bytes=100_000)
    await sweep("leaves_things", tmp_path, executor).run()
    artifacts = tmp_path / "sweep" / "trials" / "0" / "artifacts"
    assert sorted(path.name for path in artifacts.iterdir()) == ["made.txt", "other.txt", "plots"]
    assert "artifact 'large.bin': 700000 bytes" in caplog.text


@pytest.mark.anyio
@pytest.mark.any_loop
async def test_the_log_of_an_attempt_that_died_comes_too(tmp_path: Path) -> None:
    result = await sweep("prints_and_dies", tmp_path, Loopback(shares=False), retries=1).run()
    assert result.counts[sw.State.COMPLETE] == 1
    assert ["exit code 7" in error.message for error in result.trials[0].failures] == [True]
    folder = tmp_path / "sweep" / "trials" / "0"
    assert (folder / "attempt-1.log").read_text() == "attempt 1\n"
    assert (folder / "attempt-2.log").read_text() == "attempt 2\n"


@pytest.mark.anyio
@pytest.mark.any_loop
async def test_another_version_there_is_refused_with_what_to_do(tmp_path: Path) -> None:
    def old(data: bytes) -> bytes:
        messages = from_outpost(data)
        for message in messages:
            if isinstance(message, Hello):
                message.version = "0.0.1"
        return packed(messages)

    with pytest.raises(sw.AsyncSweepError, match=r"here has asyncsweep 0\.0\.1, .*install the same there"):
        await sweep("leaves_things", tmp_path, Loopback(change=old)).run()


@pytest.mark.anyio
@pytest.mark.any_loop
async def test_what_cannot_be_loaded_there_ends_the_sweep(tmp_path: Path) -> None:
    bad = sw.Sweep("tests.executors.outpost_objectives:missing", {"x": 1}, executor=Loopback(), n_trials=1)
    with pytest.raises(sw.AsyncSweepError, match="has no 'missing'"):
        await bad.run()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is there to leave."""
    monkeypatch.setattr(seats, "LEAVE_S", 0.05)


class Kept:
    """Seats of which nobody is placed by anybody, and what they told the sweep."""

    def __init__(self, directory: Path | None = None, folders: str = "") -> None:
        self.events: list[ev.Event] = []
        self.posts: list[list[ev.Event]] = []
        self.kept: list[Seat] = []
        spec = ObjectiveSpec("a:b", b"", (), (), ("value",))
        self.seats = Seats("loop", Setup(None, spec, 1, None, directory, 0.1, folders), self, {}, 100, self._keep)

    async def _keep(self, seat: Seat) -> None:
        self.kept.append(seat)
        await seat.gone.wait()

    def post(self, *events: ev.Event) -> None:
        self.events += events
        self.posts.append(list(events))

    async def placed(self, number: int = 1) -> Seat:
        """The `number`-th seat, whose outpost has said hello and whose worker has joined."""
        while len(self.kept) < number:
            await anyio.lowlevel.checkpoint()
        seat = self.kept[number - 1]
        self.seats.heard(seat, packed([Hello(sw.__version__, 1, {}), ev.WorkerJoined("process-1")]), "there")
        return seat

    def launch(self, trial: int = 0) -> None:
        worker = [event.worker for event in self.events if isinstance(event, ev.WorkerJoined)][-1]
        self.seats.launch(Job(trial, 1, worker, {}))


@pytest.mark.anyio
@pytest.mark.usefixtures("_impatient")
async def test_an_outpost_that_the_cluster_started_again_is_lost_and_has_run_nothing() -> None:
    kept = Kept()
    async with kept.seats.open():
        seat = await kept.placed()
        kept.launch()
        kept.seats.heard(seat, packed([Hello(sw.__version__, 2, {})]), "elsewhere")
        lost = kept.events[-1]
        assert isinstance(lost, ev.WorkerLost) and "started" in lost.reason
        assert not seat.is_open
        assert len((await kept.placed(2)).workers) == 1


@pytest.mark.anyio
@pytest.mark.usefixtures("_impatient")
async def test_a_lost_seat_is_silent() -> None:
    kept = Kept()
    async with kept.seats.open():
        seat = await kept.placed()
        kept.launch()
        kept.seats.lost(seat, "gone")
        told = list(kept.events)
        kept.seats.heard(seat, packed([ev.Finished(0, 1, {"value": 1.0})]), "there")
        assert kept.events == told


@pytest.mark.anyio
@pytest.mark.usefixtures("_impatient")
async def test_what_was_not_launched_at_a_seat_is_not_heard_of_it() -> None:
    kept = Kept()
    async with kept.seats.open():
        seat = await kept.placed()
        kept.launch(3)
        told = list(kept.events)
        kept.seats.heard(seat, packed([ev.Started(4, 1), ev.Finished(4, 1, {"value": 1.0}), ev.Killed(3, 1)]), "there")
        assert kept.events == told


@pytest.mark.anyio
@pytest.mark.usefixtures("_impatient")
async def test_a_seat_that_is_given_up_has_no_slot_from_then_on_and_says_so_once() -> None:
    kept = Kept()
    async with kept.seats.open():
        seat = await kept.placed()
        kept.launch()
        kept.seats.resize(0)
        (worker,) = seat.workers.values()
        assert kept.events[-1] == ev.SlotsChanged(worker, 0)
        told = list(kept.events)
        kept.seats.heard(seat, packed([ev.SlotsChanged("process-1", 0)]), "there")
        assert kept.events == told


@pytest.mark.anyio
@pytest.mark.usefixtures("_impatient")
async def test_a_seat_that_is_given_up_takes_no_worker_for_one_that_is_lost_there() -> None:
    """What were launched at such a worker would be given back at once, and launched there again, for ever."""
    kept = Kept()
    async with kept.seats.open():
        seat = await kept.placed()
        (worker,) = seat.workers.values()
        kept.seats.resize(0)
        seat.out.take_now()
        kept.seats.heard(seat, packed([ev.WorkerLost("process-1", "killed")]), "there")
        assert isinstance(kept.events[-1], ev.WorkerLost) and kept.events[-1].worker == worker
        assert list(to_outpost(seat.out.take_now())) == [Leave()]  # it may be on its way to have another
        told = list(kept.events)
        kept.seats.heard(seat, packed([ev.WorkerJoined("process-2", 1)]), "there")
        assert (kept.events, seat.workers) == (told, {})
        assert list(to_outpost(seat.out.take_now())) == [Leave()]


@pytest.mark.anyio
@pytest.mark.usefixtures("_impatient")
async def test_what_is_no_message_loses_the_outpost() -> None:
    kept = Kept()
    async with kept.seats.open():
        seat = await kept.placed()
        kept.seats.heard(seat, b"\xc1", "there")
        assert isinstance(kept.events[-1], ev.WorkerLost) and "no message" in kept.events[-1].reason


@pytest.mark.anyio
@pytest.mark.usefixtures("_impatient")
async def test_a_kill_that_nobody_carries_out_gives_the_outpost_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seats, "KILL_PATIENCE_S", 0.05)
    kept = Kept()
    async with kept.seats.open():
        seat = await kept.placed()
        kept.launch()
        kept.seats.kill(JobId(0, 1), 0.0)
        with anyio.fail_after(5):
            await seat.gone.wait()
        assert [type(event) for event in kept.events[-2:]] == [ev.WorkerLost, ev.Killed]


@pytest.mark.anyio
@pytest.mark.usefixtures("_impatient")
async def test_outposts_that_cannot_begin_end_the_sweep_after_three() -> None:
    kept = Kept()
    async with kept.seats.open():
        for number in range(seats.MAX_FAILED_FIRST):
            with anyio.fail_after(5):
                while len(kept.kept) <= number:  # noqa: ASYNC110
                    await anyio.sleep(0.01)
            error = ErrorInfo("ImportError", "no module")
            kept.seats.heard(kept.kept[number], packed([Hello(sw.__version__, 1, {}), Left(error)]), "there")
        assert kept.events == [ev.ExecutorFailed(error)]


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", "."])
def test_an_artifact_whose_name_leads_elsewhere_is_not_kept(tmp_path: Path, name: str) -> None:
    with pytest.raises((ValueError, OSError)):
        files.keep(str(tmp_path / "trials"), Artifact(0, 1, name, b"data", True))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_link_in_the_place_of_a_log_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "trials" / "0"
    folder.mkdir(parents=True)
    (folder / "attempt-1.log").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        files.keep(str(tmp_path / "trials"), Log(0, 1, b"data", True))
    assert not (tmp_path / "victim").exists()


async def taken(out: Outbox, *further: ev.Event, patience_s: float) -> list[str]:
    """What goes together when something waits already and more is put in while it does."""
    found: list[str] = []

    async def take() -> None:
        found.extend(type(message).__name__ for message in from_outpost(await out.take()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take)
        await anyio.wait_all_tasks_blocked()
        for event in further:
            out.put(event, patience_s=patience_s)
    return found


@pytest.mark.anyio
async def test_what_is_patient_goes_with_what_is_not() -> None:
    out = Outbox()
    out.put(ev.Started(0, 1), patience_s=60.0)
    assert await taken(out, ev.Reported(0, 1, 0, 1.0), ev.Finished(0, 1, {"value": 1.0}), patience_s=0.0) == [
        *("Started", "Reported", "Finished")
    ]
    out.put(ev.Reported(0, 1, 0, 1.0), patience_s=60.0)
    assert await taken(out, ev.Finished(0, 1, {"value": 1.0}), patience_s=0.0) == ["Reported", "Finished"]
    out.put(ev.Finished(0, 1, {"value": 1.0}))
    out.put(ev.Started(0, 1), patience_s=60.0)
    assert await taken(out, patience_s=0.0) == ["Finished", "Started"]


@pytest.mark.anyio
async def test_patience_ends() -> None:
    out = Outbox()
    out.put(ev.Started(0, 1), patience_s=0.001)
    assert await taken(out, patience_s=0.0) == ["Started"]


@pytest.mark.anyio
async def test_nothing_waits_in_a_hurried_outbox() -> None:
    out = Outbox()
    out.put(ev.Started(0, 1), patience_s=60.0)
    out.is_hurried = True
    assert await taken(out, patience_s=60.0) == ["Started"]


@pytest.mark.anyio
async def test_what_comes_after_large_messages_is_taken() -> None:
    out = Outbox()
    out.put_slowly(iter([Log(0, 1, b"printed", True)]))
    assert await taken(out, patience_s=0.0) == ["Log"]
    assert await taken(out, ev.Finished(0, 1, {"value": 1.0}), patience_s=0.0) == ["Finished"]


def have_patience(monkeypatch: pytest.MonkeyPatch, brief_s: float) -> None:
    """What waits for company at outposts waits for ever, and trials that take less than `brief_s` are short."""
    monkeypatch.setattr(outpost, "UNHURRIED_S", math.inf)
    monkeypatch.setattr(outpost, "BRIEF_PATIENCE_S", math.inf)
    monkeypatch.setattr(outpost, "BRIEF_S", brief_s)


@pytest.mark.anyio
async def test_the_end_of_a_short_trial_goes_with_that_of_the_next_one_which_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    have_patience(monkeypatch, brief_s=60.0)
    post = Outpost()
    post.post(ev.Started(0, 1))
    post.post(ev.Finished(0, 1, {"value": 1.0}), ev.Started(1, 1))
    found: list[str] = []

    async def take() -> None:
        found.extend(type(message).__name__ for message in from_outpost(await post.take()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take)
        await anyio.wait_all_tasks_blocked()
        assert found == []
        post.post(ev.Finished(1, 1, {"value": 1.0}))  # nothing runs any more
    assert found == ["Started", "Finished", "Started", "Finished"]


@pytest.mark.anyio
async def test_the_end_of_a_longer_trial_goes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    have_patience(monkeypatch, brief_s=0.0)
    post = Outpost()
    post.post(ev.Started(0, 1))
    post.post(ev.Finished(0, 1, {"value": 1.0}), ev.Started(1, 1))
    assert [type(message) for message in from_outpost(await post.take())] == [ev.Started, ev.Finished, ev.Started]


@pytest.mark.anyio
async def test_a_question_goes_at_once_while_ends_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    have_patience(monkeypatch, brief_s=60.0)
    post = Outpost()
    post.post(ev.Started(0, 1))
    post.post(ev.Finished(0, 1, {"value": 1.0}), ev.Started(1, 1))
    post.post(ev.VerdictAsked(1, 1, 0))
    assert type(from_outpost(await post.take())[-1]) is ev.VerdictAsked


@pytest.mark.anyio
@pytest.mark.usefixtures("_impatient")
async def test_after_each_end_of_several_that_came_together_the_next_one_can_be_launched() -> None:
    kept = Kept()
    async with kept.seats.open():
        seat = await kept.placed()
        kept.launch(0)
        kept.launch(1)
        ends: list[ev.Event] = [ev.Finished(0, 1, {"value": 1.0}), ev.Finished(1, 1, {"value": 1.0})]
        kept.seats.heard(seat, packed([ev.Started(0, 1), ends[0], ev.Started(1, 1), ends[1]]), "there")
        assert kept.posts[-2:] == [[ev.Started(0, 1), ends[0]], [ev.Started(1, 1), ends[1]]]
