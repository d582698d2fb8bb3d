"""A slot: a place for one trial at a time on a host, and while all goes well one worker to the machine.

It lives as long as a connection does. What a slot of a local process does, it does too: a worker that ends is lost by its name, and
another one takes its place under a new one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Protocol

import anyio

from asyncsweep.core.events import Event, Killed, Started, TakenBack, WorkerJoined, WorkerLost
from asyncsweep.core.records import ErrorInfo
from asyncsweep.executors.names import new_worker
from asyncsweep.hooks.contracts import Answer, Inbox, Job, JobId, Setup
from asyncsweep.worker.capture import Output
from asyncsweep_ssh.faults import HostFault
from asyncsweep_ssh.info import Share
from asyncsweep_ssh.line import Line
from asyncsweep_ssh.worker import RemoteWorker

# A worker process that ends before it is ready says nothing of why; after so many in a row the host is no good for now.
MAX_FAILED_STARTS = 3
_PAUSE_S = 0.5
# What is said where a module uses a part of asyncsweep that does not go to hosts, or one that needs what they do not have.
_OURS = re.compile(r"No module named '(asyncsweep\.|msgspec\b|anyio\b|pluggy\b)")

log = logging.getLogger("asyncsweep")


class Board(Protocol):
    """Who knows which slot has which worker and which job."""

    def joined(self, name: str, slot: Slot) -> None: ...
    def left(self, name: str) -> None: ...
    def done(self, job: JobId) -> None: ...
    def unkept(self, why: str) -> None: ...


class Slot:
    """One place for a trial on a host that is up.

    Args:
        label: How its workers are called, with a number behind it.
        share: What it offers.
        line: The line to its host.
        setup: What workers are told first.
        inbox: Where events go.
        board: Where it is known.
        pass_env: The variables that may be spoken of in errors as passed on.
    """

    def __init__(
        self, label: str, share: Share, line: Line, setup: Setup, inbox: Inbox, board: Board, pass_env: tuple[str, ...]
    ) -> None:
        self._label = label
        self._share = share
        self._line = line
        self._setup = setup
        self._inbox = inbox
        self._board = board
        self._pass_env = pass_env
        self._name = new_worker(label)
        self._has_joined = False
        self._process: RemoteWorker | None = None
        self._job: Job | None = None
        self._next: Job | None = None
        self._told: Job | None = None  # of which it was told that it has begun
        self._killing: list[JobId] = []
        self._asked: dict[int, tuple[Job, list[Callable[[bool], None]]]] = {}
        self._holds = False  # `_next` is not sent yet
        self._closing = False

    async def serve(self, hold: Callable[[], None]) -> None:
        """Keep a worker here until the line is lost or the slot is closed.

        Args:
            hold: Called once a worker was ready.

        Raises:
            HostFault: No worker can be started here, or none can load the objective.
        """
        failed = 0
        while not self._closing and self._line.channel.is_up:
            process = self._process = self._new_process()
            reason = await process.run()
            self._process = None
            if self._closing and not process.was_ready:
                return
            if process.was_ready:
                hold()
                failed = 0
            if process.retired and not self._killing and self._job is None and self._line.channel.is_up:
                continue
            if process.was_ready:
                self._lose(process.kind, reason)
                continue
            if process.fault is not None and self._line.channel.is_up:
                raise HostFault(_unready(self._label, process.fault), is_final=True)
            failed += 1
            if failed >= MAX_FAILED_STARTS:
                raise HostFault(f"{self._label}: a worker process ends before it has a trial: {reason}", is_final=False)
            with anyio.move_on_after(_PAUSE_S):
                await self._line.channel.lost.wait()
        if self._has_joined:
            self._lose("WorkerLost", "the sweep has ended")

    def launch(self, job: Job) -> None:
        is_ready = self._process is not None and self._process.is_ready
        if self._job is not None:
            assert self._process is not None and self._next is None
            self._next = job
            # While the host is asked whether the one before it has begun, that one may have to be sent again, and go first.
            self._holds = any(asked is self._job for asked, _ in self._asked.values())
            if not self._holds:
                self._process.queue_job(job)
        else:
            self._job = job  # where no process is ready, it waits for the next one
            if is_ready:
                self._start(job)

    def take_back(self, job: JobId) -> None:
        """Give a job back that has not begun."""
        if self._is(self._next, job):
            self._ask_back(lambda did: self._inbox.post(TakenBack(*job)) if did else None)

    def kill(self, job: JobId, grace_s: float) -> None:
        if self._is(self._next, job):
            self._killing.append(job)
            self._ask_back(lambda did: self._killed(job) if did else self._kill_now(job, grace_s))
        elif self._next is not None:  # that must not begin where this one ends, only to be ended with it
            following = JobId(self._next.trial, self._next.attempt)
            self._killing.append(job)

            def then(did: bool) -> None:
                if did:
                    self._inbox.post(TakenBack(*following))
                self._kill_now(job, grace_s)

            self._ask_back(then)
        else:
            self._killing.append(job)
            self._kill_now(job, grace_s)

    def _kill_now(self, job: JobId, grace_s: float) -> None:
        """End a job that is to be killed, if it runs here."""
        if self._is(self._job, job) and self._process is not None and self._process.is_ready:
            self._process.terminate(grace_s)
            return
        if self._is(self._job, job):
            self._job = None
        self._killed(job)

    def _killed(self, job: JobId) -> None:
        self._killing = [other for other in self._killing if other != job]
        self._board.done(job)
        self._inbox.post(Killed(*job))

    def _ask_back(self, then: Callable[[bool], None]) -> None:
        """Ask the host to have the job that waits never begin; `then` is told whether it will not."""
        assert self._process is not None and self._next is not None
        if self._holds:
            held, self._next, self._holds = self._next, None, False
            self._board.done(JobId(held.trial, held.attempt))
            then(True)
            return
        for job, others in self._asked.values():
            if job is self._next:
                others.append(then)
                return
        place = self._process.ask_back()
        assert place is not None
        self._asked[place] = (self._next, [then])

    def _took(self, place: int, did: bool) -> None:
        """The host's answer. Meanwhile the worker may have ended the job before: then we told that this one had begun."""
        asked = self._asked.pop(place, None)
        if asked is None or self._process is None:
            return
        job, thens = asked
        if did and self._next is job:
            self._next = None
            self._process.was_taken_back()
            self._board.done(JobId(job.trial, job.attempt))
        elif did and self._job is job:
            did = False
            if JobId(job.trial, job.attempt) in self._killing:
                self._job = None
                self._process.has_nothing()
            else:
                self._process.start_job(job)
        if self._holds:
            self._send_held()
        for then in thens:  # who hears of it may launch the next one at once
            then(did)

    def _send_held(self) -> None:
        """The question that a job waited for is answered: it goes behind the one before it, or in its place."""
        assert self._process is not None and self._next is not None
        self._holds = False
        if self._job is not None:
            self._process.queue_job(self._next)
        else:
            self._job, self._next = self._next, None
            self._start(self._job)

    def answer(self, job: JobId, answer: Answer) -> None:
        if self._process is not None and self._is(self._job, job):
            self._process.answer(answer)

    def output(self, job: JobId, offset: int, limit_bytes: int) -> Output | None:
        """What a job that runs here has printed so far."""
        if self._process is None or not self._is(self._job, job):
            return None
        return self._process.output(offset, limit_bytes)

    @staticmethod
    def _is(job: Job | None, wanted: JobId) -> bool:
        return job is not None and (job.trial, job.attempt) == wanted

    def close(self) -> None:
        """No more workers; what runs is ended politely."""
        self._closing = True
        if self._process is not None:
            self._process.close()

    def force(self) -> None:
        """End what runs by force."""
        if self._process is not None:
            self._process.kill()

    # -- for the process ----------------------------------------------------------------------------------------------

    def _new_process(self) -> RemoteWorker:
        process = RemoteWorker(
            *(self._setup, self._inbox, self._ready, self._outcome, None),
            pass_env=self._pass_env,
            name=self._name,
            on_unkept=self._board.unkept,
            claims=self._line.claims,
        )
        return process.at(self._line, self._share.environment, self._begun, self._took)

    def _ready(self) -> None:
        log.debug("%s: a worker is ready", self._label)
        if not self._has_joined:
            self._has_joined = True
            assert self._process is not None
            self._board.joined(self._name, self)
            self._inbox.post(WorkerJoined(self._name, 1, self._process.ahead, self._share.resources))
        elif self._job is not None:
            self._start(self._job)

    def _start(self, job: Job) -> None:
        assert self._process is not None
        self._process.start_job(job)

    def _begun(self) -> None:
        """The job has arrived there: between its launch and this lies the way that a worker would wait for."""
        if self._job is not None and self._job is not self._told:
            self._told = self._job
            self._inbox.post(Started(self._job.trial, self._job.attempt))

    def _outcome(self, job: Job, events: list[Event]) -> list[Event]:
        self._job, self._next = self._next, None
        self._board.done(JobId(job.trial, job.attempt))
        self._line.files.forget(self._name, job.trial)
        is_held, self._holds = self._holds, False
        self._told = None if is_held else self._job
        if self._job is not None and not is_held:  # the worker goes on with it by itself
            events.append(Started(self._job.trial, self._job.attempt))
        if is_held and self._job is not None and self._process is not None and self._process.is_ready:
            self._start(self._job)
        return events

    def _lose(self, kind: str, reason: str) -> None:
        jobs = [job for job in (self._job, self._next) if job is not None]
        self._job = self._next = self._told = None
        self._holds = False
        self._asked.clear()
        killing, self._killing = self._killing, []
        name, self._name = self._name, new_worker(self._label)
        self._has_joined = False
        self._board.left(name)
        for job in jobs:  # one that waited may be launched elsewhere as soon as the loss is told
            self._board.done(JobId(job.trial, job.attempt))
        self._inbox.post(WorkerLost(name, reason, kind))
        for killed in killing:
            self._board.done(killed)
            self._inbox.post(Killed(*killed))


def _unready(label: str, error: ErrorInfo) -> str:
    hint = ""
    if _OURS.search(error.message):
        hint = (
            "; of asyncsweep a host has what runs trials, and domains: in the module of an objective put the rest under "
            '`if __name__ == "__main__":`, or the objective into a module of its own'
        )
    elif error.type in ("ModuleNotFoundError", "ImportError"):
        hint = '; install it there, or have your code sent with code="." (`python` chooses another environment)'
    return f"{label}: the objective cannot be loaded there: {error}{hint}"
