"""A host's life: reached, equipped, used, lost, and tried again."""

from __future__ import annotations

import logging
import math
import random
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, Protocol

import anyio

from asyncsweep.hooks.contracts import Inbox, Setup
from asyncsweep_ssh import frames
from asyncsweep_ssh.archive import worker_archive
from asyncsweep_ssh.code import Code
from asyncsweep_ssh.connecting import connected
from asyncsweep_ssh.faults import HostFault
from asyncsweep_ssh.files import Files
from asyncsweep_ssh.hosts import Host
from asyncsweep_ssh.info import shares_of
from asyncsweep_ssh.line import Line
from asyncsweep_ssh.slot import Board, Slot

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
# After the polite end and the grace: how long the host may take to clear up, before the connection is closed anyway.
_CLEAR_UP_S = 5.0

# What cloudpickle writes where a function is not named but described.
_BY_VALUE = b"_make_function"

log = logging.getLogger("asyncsweep")


class Plan(NamedTuple):
    """What all hosts of a sweep share.

    Attributes:
        config: OpenSSH's configuration files; None for the user's own.
        connect_timeout_s: How long it may take to reach a host and to begin there.
        lease_s: How long either side goes on without hearing of the other.
        limit_bytes: The most that files of an attempt may have on their way back.
        env: Environment variables for trials on any host.
        pass_env: Names of those of them that are ours.
        code: The user's code, if any.
        setup: What workers are told first.
        files: Where files of trials are here.
    """

    config: Sequence[str] | None
    connect_timeout_s: float
    lease_s: float
    limit_bytes: int
    env: Mapping[str, str]
    pass_env: tuple[str, ...]
    code: Code | None
    setup: Setup
    files: Files


class Roster(Board, Protocol):
    """Who decides about hosts."""

    permits: anyio.Semaphore

    def host_is_up(self, host: RemoteHost) -> None: ...
    def host_failed(self, host: RemoteHost, fault: HostFault) -> bool: ...


class RemoteHost:
    """A host, for as long as the executor is open.

    Attributes:
        host: Which.
        is_up: True while it has a worker, or could have one.
        is_out: True once it is not tried any more.
        tries: How often it failed in a row.
        fault: Why it failed last.
    """

    def __init__(self, host: Host, plan: Plan, inbox: Inbox, roster: Roster) -> None:
        self.host = host
        self.is_up = False
        self.is_out = False
        self.tries = 0
        self.fault: HostFault | None = None
        self._plan = plan
        self._inbox = inbox
        self._roster = roster
        self._slots: list[Slot] = []
        self._scope = anyio.CancelScope()
        self._closing = anyio.Event()
        self._over = anyio.Event()

    async def serve(self) -> None:
        """Use the host until `close`, or until it is out."""
        try:
            # A cancelled sweep ends its trials as any other does: the executor sees to it, within the grace.
            with anyio.CancelScope(shield=True), self._scope:
                while not self._closing.is_set() and not self.is_out:
                    await self._try()
        finally:
            self.is_up = False
            self._over.set()

    def close(self) -> None:
        """Connect no more, and end what runs there politely."""
        self._closing.set()
        if not self._slots:
            self._scope.cancel()  # it is not even reached
        for slot in self._slots:
            slot.close()

    async def end(self, grace_s: float) -> None:
        """Wait for the end of `close`, then use force."""
        for patience_s, then in ((grace_s, self._force), (_CLEAR_UP_S, self._scope.cancel)):
            with anyio.move_on_after(patience_s):
                await self._over.wait()
                return
            then()
        await self._over.wait()

    def _force(self) -> None:
        for slot in self._slots:
            slot.force()

    async def _try(self) -> None:
        fault = await self._fault_of_use()
        self.is_up = False
        if self._closing.is_set() or fault is None:
            return
        self.fault, self.tries = fault, self.tries + 1
        self.is_out = fault.is_final
        if not self._roster.host_failed(self, fault):
            self.is_out = True
        if not self.is_out:
            with anyio.move_on_after(self._pause_s()):
                await self._closing.wait()

    async def _fault_of_use(self) -> HostFault | None:
        try:
            await self._use()
        except HostFault as error:
            return error
        except BaseExceptionGroup as group:
            faults, others = group.split(HostFault)
            if faults is None or others is not None:
                raise
            return _first(faults)
        return None

    def _pause_s(self) -> float:
        pause_s: float = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self.tries - 1, 10))
        return pause_s * random.uniform(0.8, 1.2)  # many hosts that came back together are not asked together

    async def _use(self) -> None:
        """Reach the host and use it until it is lost.

        Raises:
            HostFault: It is.
        """
        async with self._equipped() as line:
            try:
                shares = shares_of(self.host, line.info)
                self._slots = [
                    Slot(self.host.name, share, line, self._plan.setup, self._inbox, self._roster, self._plan.pass_env)
                    for share in shares
                ]
                if not self._closing.is_set():
                    await self._work(line)
            finally:
                self._slots = []
        if not self._closing.is_set():
            raise line.channel.why or HostFault(f"{self.host.shown}: it has nothing to do any more", is_final=False)

    async def _work(self, line: Line) -> None:
        async with anyio.create_task_group() as tasks:

            async def lose() -> None:
                await line.channel.lost.wait()
                line.lose()

            tasks.start_soon(lose)
            async with anyio.create_task_group() as slots:
                for slot in self._slots:
                    slots.start_soon(self._serve_slot, slot, line)
            tasks.cancel_scope.cancel()

    async def _serve_slot(self, slot: Slot, line: Line) -> None:
        """Have a slot work while there is a permit for it: no more trials run than were asked for."""
        async with anyio.create_task_group() as tasks:

            async def stop_waiting() -> None:
                async with anyio.create_task_group() as either:

                    async def closing() -> None:
                        await self._closing.wait()
                        either.cancel_scope.cancel()

                    either.start_soon(closing)
                    await line.channel.lost.wait()
                    either.cancel_scope.cancel()
                tasks.cancel_scope.cancel()

            tasks.start_soon(stop_waiting)
            await self._roster.permits.acquire()
            with anyio.CancelScope(shield=True):
                try:
                    await slot.serve(self._hold)
                finally:
                    self._roster.permits.release()
            tasks.cancel_scope.cancel()

    def _hold(self) -> None:
        self.tries = 0

    @asynccontextmanager
    async def _equipped(self) -> AsyncIterator[Line]:
        """The host with everything that a worker needs, while the context is entered.

        Raises:
            HostFault: It cannot be reached or equipped.
        """
        plan, host = self._plan, self.host
        worker = await anyio.to_thread.run_sync(worker_archive)
        line = Line(host, plan.lease_s, plan.code, plan.files)
        channel = line.channel
        async with (
            connected(host, plan.config, plan.connect_timeout_s) as connection,
            anyio.create_task_group() as tasks,
        ):
            log.debug("%s: connected", host.shown)
            try:
                await channel.open(connection, worker)
                log.debug("%s: the worker is on its way", host.shown)
                tasks.start_soon(channel.beat)
                channel.send(frames.OPEN, self._options())
                if plan.code is not None:
                    await self._send_code(line, plan.code)
                await self._wait_for_info(line)
                log.debug("%s: it has told what it has", host.shown)
                self._check_version(line.info.python)
                self.is_up = True
                self._roster.host_is_up(self)
                yield line
            finally:
                channel.close()
                with anyio.CancelScope(shield=True), anyio.move_on_after(_CLEAR_UP_S):
                    await channel.ended.wait()
                tasks.cancel_scope.cancel()

    async def _wait_for_info(self, line: Line) -> None:
        channel = line.channel
        with anyio.move_on_after(self._plan.connect_timeout_s) as limit:
            await channel.began.wait()
        if channel.why is None and limit.cancelled_caught:
            channel.give_up(
                HostFault(
                    f"{self.host.shown}: Python did not begin there within {self._plan.connect_timeout_s:g} s",
                    is_final=False,
                )
            )
        # What follows may take longer (code, GPUs that sleep), and the heart beats meanwhile.
        async with anyio.create_task_group() as tasks:

            async def lose() -> None:
                await channel.lost.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(lose)
            await line.informed.wait()
            tasks.cancel_scope.cancel()
        if not line.informed.is_set():
            raise channel.why or HostFault(f"{self.host.shown}: the connection was lost", is_final=False)

    def _check_version(self, version: str) -> None:
        """A function that travels by value is bytecode, which each version of Python has its own of.

        Raises:
            HostFault: The objective is one, and the host's Python is of another version.
        """
        ours = f"{sys.version_info[0]}.{sys.version_info[1]}"
        if version.split(".")[:2] != ours.split(".") and _BY_VALUE in self._plan.setup.objective.pickled:
            raise HostFault(
                f"{self.host.shown}: its Python is {version}, and the objective is sent as code of Python {ours}: name a Python {ours} there "
                'by `python`, or put the objective into a module and have that sent with code="."',
                is_final=True,
            )

    async def _send_code(self, line: Line, code: Code) -> None:
        view = memoryview(code.archive.data)
        size = frames.FILE_BYTES
        for at in range(max(1, math.ceil(len(view) / size))):
            piece = bytes(view[at * size : (at + 1) * size])
            await line.channel.send_when_taken(frames.CODE, piece, (at + 1) * size >= len(view))
            if not line.channel.is_up:
                return

    def _options(self) -> dict[str, object]:
        from asyncsweep.executors.worker import LOG_LIMIT_BYTES

        return {
            "lease_s": self._plan.lease_s,
            "log_limit_bytes": LOG_LIMIT_BYTES,
            "limit_bytes": self._plan.limit_bytes,
            # Without a directory a trial's output goes where ours goes, when it has ended.
            "shows": self._plan.setup.directory is not None,
            "env": {**self._plan.env, **self.host.env},
            "cwd": None if self._plan.code is None else self._plan.code.cwd,
            "roots": [] if self._plan.code is None else self._plan.code.roots,
            "gpus": self.host.gpus is not None,
            # Where slots have variables of their own, nothing can be started before those are known.
            "spares": (self.host.slots or 1) if self.host.gpus is None else 0,
        }


def _first(group: BaseExceptionGroup[HostFault]) -> HostFault:
    """The first fault of a group; one that is final goes before others."""
    found: list[HostFault] = []
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop(0)
        if isinstance(error, BaseExceptionGroup):
            waiting += error.exceptions
        elif isinstance(error, HostFault):
            found.append(error)
    return next((fault for fault in found if fault.is_final), found[0])
