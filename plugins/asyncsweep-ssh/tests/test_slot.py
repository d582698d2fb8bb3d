"""A slot beside a host that is played by the test: what waits there is asked back, and the answer may come too late."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from asyncsweep_ssh import frames
from asyncsweep_ssh.claims import HostClaims
from asyncsweep_ssh.info import Info, Share
from asyncsweep_ssh.slot import Slot

from asyncsweep.core import events as ev
from asyncsweep.hooks.contracts import Job, JobId, ObjectiveSpec, Setup
from asyncsweep.wire import messages as words
from asyncsweep.wire.stream import Decoder, pack

pytestmark = pytest.mark.anyio


class FakeFiles:
    """Nothing is ever written."""

    def has_checkpoint(self, trial: int) -> bool:
        return False

    def forget(self, worker: str, trial: int) -> None:
        pass


class FakeChannel:
    def __init__(self) -> None:
        self.lost = anyio.Event()

    @property
    def is_up(self) -> bool:
        return not self.lost.is_set()


class FakeLine:
    """A line whose other end is the test: it keeps what was sent, and says what the test wants.

    Attributes:
        sent: The frames, with what they are for a worker unpacked: `[tag, *parts]`.
    """

    def __init__(self) -> None:
        self.channel = FakeChannel()
        self.files = FakeFiles()
        self.claims = HostClaims(3)
        self.info = Info("3.11.0", "python", "host", 1, 0, "/there/trials", "/there/code", ["/there/lib"])
        self.folders = self.info.folders
        self.sent: list[list[Any]] = []
        self.children: dict[str, Any] = {}

    def send(self, tag: int, *parts: Any) -> None:
        if tag == frames.TO_WORKER:
            name, data = parts
            decoder = Decoder(1 << 20)
            decoder.feed(data)
            parts = (name, *decoder)
        self.sent.append([tag, *parts])

    def add(self, name: str, child: Any) -> None:
        self.children[name] = child

    def remove(self, name: str) -> None:
        del self.children[name]

    def set_up(self, name: str, message: bytes) -> None:
        self.sent.append([frames.SET_UP, name])

    def search_path(self, ours: Any) -> list[str]:
        return self.info.path

    # -- for the tests ------------------------------------------------------------------------------------------------

    def launches(self) -> list[list[Any]]:
        """The launches that arrived: secret, trial, attempt, and the place of one that waits."""
        found = [frame[2] for frame in self.sent if frame[0] == frames.TO_WORKER and frame[2][0] == words.LAUNCH]
        return [[secret, trial, attempt, place] for _, secret, trial, attempt, _, _, place in found]

    def asked_back(self) -> list[list[Any]]:
        return [frame[1:] for frame in self.sent if frame[0] == frames.TAKE_BACK]

    def signals(self) -> list[str]:
        return [frame[2] for frame in self.sent if frame[0] == frames.SIGNAL]


class Field:
    """A slot, with trial 0 running and trial 1 waiting behind it.

    Attributes:
        events: What the slot told the sweep, but for the arrival of its worker.
        done_jobs: The jobs that the executor forgot.
        due: What is launched as soon as there is room.
    """

    def __init__(self) -> None:
        self.line = FakeLine()
        self.events: list[ev.Event] = []
        self.done_jobs: list[JobId] = []
        self.due: list[Job] = []
        spec = ObjectiveSpec("m:f", b"", ("x",), ("x",), ("value",))
        share = Share({}, {})
        self.slot = Slot("gpu1", share, self.line, Setup(None, spec, 1, None, None, 1.0), self, self, ())  # type: ignore[arg-type]

    def post(self, *events: ev.Event) -> None:
        """As a sweep does, launch what is `due` at once when a trial has ended."""
        self.events += events
        if self.due and isinstance(events[0], ev.Finished | ev.Killed | ev.TakenBack):
            self.slot.launch(self.due.pop(0))

    def joined(self, name: str, slot: Slot) -> None:
        pass

    def left(self, name: str) -> None:
        pass

    def done(self, job: JobId) -> None:
        self.done_jobs.append(job)

    def unkept(self, why: str) -> None:
        raise AssertionError(why)

    @property
    def child(self) -> Any:
        return next(iter(self.line.children.values()))

    def say(self, *message: Any) -> None:
        """The worker says something."""
        self.child.said(pack(message))

    def end(self, at: int) -> None:
        """The attempt of the launch with this number ends well."""
        self.say(words.FINISHED, self.line.launches()[at][0], {"value": 1.0})

    def took(self, did: bool) -> None:
        """The host answers the only question."""
        ((_, _, place),) = self.line.asked_back()
        self.child.on_took(place, did)

    async def until(self, is_so: Any) -> None:
        with anyio.fail_after(5):
            while not is_so():
                await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def two_at_one_slot() -> AsyncIterator[Field]:
    field = Field()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(field.slot.serve, lambda: None)
        await field.until(lambda: any(frame[0] == frames.SET_UP for frame in field.line.sent))
        hello = next(frame[2] for frame in field.line.sent if frame[0] == frames.TO_WORKER)
        field.say(words.HELLO, words.PROTOCOL, hello[2])
        field.say(words.READY, 1)
        field.slot.launch(Job(0, 1, {"x": 0.0}, "gpu1"))
        field.slot.launch(Job(1, 1, {"x": 1.0}, "gpu1"))
        field.child.on_begun(field.line.launches()[0][0])
        assert [(trial, place) for _, trial, _, place in field.line.launches()] == [(0, None), (1, 0)]
        assert field.events[1:] == [ev.Started(0, 1)]
        field.events.clear()
        yield field
        assert field.slot._asked == {}  # nothing is forgotten in there
        field.line.channel.lost.set()
        for child in list(field.line.children.values()):
            child.ended("the test is over")


async def test_a_waiting_attempt_that_is_killed_is_asked_back_and_leaves_the_other_alone() -> None:
    async with two_at_one_slot() as field:
        field.slot.kill(JobId(1, 1), 0.0)
        secret = field.line.launches()[1][0]
        assert [asked[1:] for asked in field.line.asked_back()] == [[secret, 0]]
        assert field.events == []
        field.took(True)
        assert field.events == [ev.Killed(1, 1)]
        assert field.line.signals() == []
        assert field.done_jobs == [JobId(1, 1), JobId(1, 1)]
        field.end(0)
        field.end(1)  # stale: nothing runs under this secret
        assert field.events[1:] == [ev.Finished(0, 1, {"value": 1.0})]


async def test_a_waiting_attempt_that_had_begun_at_its_host_when_it_is_killed_is_ended_as_one_that_runs() -> None:
    """The end of the one before it is on its way to us, and the question on its way there, at the same time."""
    async with two_at_one_slot() as field:
        field.slot.kill(JobId(1, 1), 0.0)
        field.end(0)
        assert field.events == [ev.Finished(0, 1, {"value": 1.0}), ev.Started(1, 1)]
        field.took(False)
        assert field.line.signals()[0] == "TERM"
        assert ev.Killed(1, 1) not in field.events
        field.child.ended("killed by SIGKILL")
        await field.until(lambda: ev.Killed(1, 1) in field.events)
        lost = [event for event in field.events if isinstance(event, ev.WorkerLost)]
        assert len(lost) == 1
        assert field.events.index(lost[0]) < field.events.index(ev.Killed(1, 1))


async def test_a_waiting_attempt_that_we_thought_had_begun_is_killed_without_a_signal_where_the_host_was_first() -> (
    None
):
    """We told that it has begun, as the one before it had ended; but the host has claimed it before its worker could."""
    async with two_at_one_slot() as field:
        field.slot.kill(JobId(1, 1), 0.0)
        field.end(0)
        field.took(True)
        assert field.events == [ev.Finished(0, 1, {"value": 1.0}), ev.Started(1, 1), ev.Killed(1, 1)]
        assert field.line.signals() == []
        field.end(1)  # stale, and changes nothing
        field.slot.launch(Job(2, 1, {"x": 2.0}, "gpu1"))  # the slot is free, and knows it
        assert [(trial, place) for _, trial, _, place in field.line.launches()][2:] == [(2, None)]
        field.end(2)
        assert field.events[3:] == [ev.Finished(2, 1, {"value": 1.0})]


async def test_what_was_taken_back_after_we_told_that_it_has_begun_is_sent_again() -> None:
    """It cannot be given back any more, so it has to run: the host will not begin it by itself."""
    async with two_at_one_slot() as field:
        field.slot.take_back(JobId(1, 1))
        field.end(0)
        field.took(True)
        launches = field.line.launches()
        assert [(trial, attempt, place) for _, trial, attempt, place in launches][2:] == [(1, 1, None)]
        assert launches[2][0] != launches[1][0]  # a secret of its own
        field.end(2)
        assert field.events == [
            ev.Finished(0, 1, {"value": 1.0}),
            ev.Started(1, 1),
            ev.Finished(1, 1, {"value": 1.0}),
        ]


async def test_what_is_launched_meanwhile_runs_behind_what_is_sent_again() -> None:
    """The worker takes launches as they come: one that was sent first would begin first."""
    async with two_at_one_slot() as field:
        field.slot.take_back(JobId(1, 1))
        field.end(0)
        field.slot.launch(Job(2, 1, {"x": 2.0}, "gpu1"))
        assert len(field.line.launches()) == 2
        field.took(True)
        assert [(trial, place) for _, trial, _, place in field.line.launches()][2:] == [(1, None), (2, 1)]
        field.end(2)
        field.end(3)
        assert field.events == [
            ev.Finished(0, 1, {"value": 1.0}),
            ev.Started(1, 1),
            ev.Finished(1, 1, {"value": 1.0}),
            ev.Started(2, 1),
            ev.Finished(2, 1, {"value": 1.0}),
        ]


async def test_what_is_launched_meanwhile_waits_behind_what_has_begun() -> None:
    async with two_at_one_slot() as field:
        field.slot.take_back(JobId(1, 1))
        field.end(0)
        field.slot.launch(Job(2, 1, {"x": 2.0}, "gpu1"))
        field.took(False)
        assert [(trial, place) for _, trial, _, place in field.line.launches()][2:] == [(2, 1)]
        field.end(1)
        assert field.events[2:] == [ev.Finished(1, 1, {"value": 1.0}), ev.Started(2, 1)]


async def test_what_is_launched_meanwhile_begins_where_the_other_has_ended_before_the_answer() -> None:
    async with two_at_one_slot() as field:
        field.slot.take_back(JobId(1, 1))
        field.end(0)
        field.slot.launch(Job(2, 1, {"x": 2.0}, "gpu1"))
        field.due = [Job(3, 1, {"x": 3.0}, "gpu1")]
        field.end(1)
        assert [(trial, place) for _, trial, _, place in field.line.launches()][2:] == [(2, None), (3, 1)]
        assert field.events[2:] == [ev.Finished(1, 1, {"value": 1.0})]
        field.took(False)
        assert len(field.line.launches()) == 4
        field.child.on_begun(field.line.launches()[2][0])
        field.end(2)
        assert field.events[3:] == [ev.Started(2, 1), ev.Finished(2, 1, {"value": 1.0}), ev.Started(3, 1)]


@pytest.mark.parametrize("kill", [False, True])
async def test_what_is_launched_meanwhile_is_given_back_without_a_question(kill: bool) -> None:
    async with two_at_one_slot() as field:
        field.slot.take_back(JobId(1, 1))
        field.end(0)
        field.slot.launch(Job(2, 1, {"x": 2.0}, "gpu1"))
        field.events.clear()
        if kill:
            field.slot.kill(JobId(2, 1), 0.0)
        else:
            field.slot.take_back(JobId(2, 1))
        assert field.events == [ev.Killed(2, 1) if kill else ev.TakenBack(2, 1)]
        assert field.done_jobs[-1] == JobId(2, 1)
        field.took(True)
        assert [(trial, place) for _, trial, _, place in field.line.launches()][2:] == [(1, None)]


async def test_what_is_launched_meanwhile_is_given_back_when_the_one_before_it_is_killed() -> None:
    async with two_at_one_slot() as field:
        field.slot.take_back(JobId(1, 1))
        field.end(0)
        field.slot.launch(Job(2, 1, {"x": 2.0}, "gpu1"))
        field.events.clear()
        field.slot.kill(JobId(1, 1), 0.0)
        assert field.events == [ev.TakenBack(2, 1)]
        field.took(True)
        field.child.ended("killed by SIGTERM")
        await field.until(lambda: ev.Killed(1, 1) in field.events)
        assert len(field.line.launches()) == 2


async def test_what_is_launched_meanwhile_takes_the_place_of_one_that_was_killed_before_it_began() -> None:
    async with two_at_one_slot() as field:
        field.slot.kill(JobId(1, 1), 0.0)
        field.end(0)
        field.slot.launch(Job(2, 1, {"x": 2.0}, "gpu1"))
        field.due = [Job(3, 1, {"x": 3.0}, "gpu1")]
        field.took(True)
        assert field.events[-1] == ev.Killed(1, 1)
        assert [(trial, place) for _, trial, _, place in field.line.launches()][2:] == [(2, None), (3, 1)]
        field.end(2)
        assert field.events[-2:] == [ev.Finished(2, 1, {"value": 1.0}), ev.Started(3, 1)]


async def test_what_is_taken_back_in_time_is_given_back_and_may_be_launched_again() -> None:
    async with two_at_one_slot() as field:
        field.slot.take_back(JobId(1, 1))
        field.took(True)
        assert field.events == [ev.TakenBack(1, 1)]
        field.slot.launch(Job(1, 1, {"x": 1.0}, "gpu1"))
        assert [(trial, place) for _, trial, _, place in field.line.launches()][2:] == [(1, 1)]
        field.end(0)
        assert field.events[1:] == [ev.Finished(0, 1, {"value": 1.0}), ev.Started(1, 1)]


async def test_what_is_asked_back_and_then_killed_is_asked_once_and_answered_twice() -> None:
    async with two_at_one_slot() as field:
        field.slot.take_back(JobId(1, 1))
        field.slot.kill(JobId(1, 1), 0.0)
        field.took(True)
        assert field.events == [ev.TakenBack(1, 1), ev.Killed(1, 1)]


async def test_the_attempt_behind_one_that_is_killed_is_given_back_before_the_worker_is_ended() -> None:
    async with two_at_one_slot() as field:
        field.slot.kill(JobId(0, 1), 0.0)
        assert field.line.signals() == []  # else the one behind it would begin and be lost with it
        field.took(True)
        assert field.events == [ev.TakenBack(1, 1)]
        assert field.line.signals()[0] == "TERM"


async def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    async with two_at_one_slot() as field:
        field.child.on_took(0, True)
        assert field.events == []
        field.end(0)
        field.end(1)
        assert field.events == [
            ev.Finished(0, 1, {"value": 1.0}),
            ev.Started(1, 1),
            ev.Finished(1, 1, {"value": 1.0}),
        ]
