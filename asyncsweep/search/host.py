"""The sampler host: holds a sampler, a pruner, or both, and answers questions over its link.

As a child process it keeps from the application what a sampler needs and what it may do to a process: imports, pauses,
crashes. As a thread it saves the process. `wire` has its messages.

Everything that has arrived is taken in before the next ask is answered, so that the answer knows it. When more asks wait than
trials run at a time, workers are idle, and the sampler is told to hurry. In a sweep with a window the order of messages is
kept to the letter.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import sys
from array import array
from collections import deque
from typing import Any

import msgspec

from asyncsweep.core.events import Event, SuggestFailed
from asyncsweep.core.records import ErrorInfo, State, TrialRecord
from asyncsweep.core.stand_in import stand_in
from asyncsweep.errors import ConfigError
from asyncsweep.search import wire
from asyncsweep.search.parts import Setting, desk_of
from asyncsweep.space import Domain, Space
from asyncsweep.worker.link import Link
from asyncsweep.worker.loading import loading
from asyncsweep.worker.outcome import describe
from asyncsweep.worker.watch import Watch


def main(fd: int) -> None:
    """Serve the link on file descriptor `fd` until the controller says that it is enough."""
    sock = socket.socket(fileno=fd)
    os.set_inheritable(fd, False)
    watch = Watch(fd, None)
    watch.start()
    serve(sock, is_process=True)
    watch.end()


def serve(sock: socket.socket, *, is_process: bool) -> None:
    """Serve until the controller says that it is enough, or is gone."""
    link = Link(sock)
    try:
        message = link.receive()
        if message is None or message[0] != wire.OPEN:
            return
        try:
            opening = msgspec.convert(message[1], wire.Opening)
            if is_process:
                sys.path[:] = opening.path
            # In a thread nothing is imported that the application has not imported.
            with loading() if is_process else contextlib.nullcontext():
                host = Host(opening)
            steps = host.verdict_steps()
            if is_process and "optuna" in sys.modules:  # every trial is logged by us
                sys.modules["optuna"].logging.set_verbosity(sys.modules["optuna"].logging.ERROR)
        except Exception as error:  # told to the controller, which raises it
            link.send((wire.REFUSED, isinstance(error, ConfigError), *describe(error)[:3]))
            return
        link.send((wire.OPENED, steps))
        _answer(link, host)
    except ConnectionError:
        return  # the controller is gone; nobody is left to hear of it


def _answer(link: Link, host: Host) -> None:
    asks: deque[list[Any]] = deque()
    hurried = 0
    while True:
        while not asks or link.has_more():
            message = link.receive()
            if message is None or message[0] == wire.CLOSE:
                return
            if message[0] == wire.ASK and not host.keeps_order:
                # What the user wants tried comes before what is fetched early.
                asks.append(message) if message[2] is None else asks.appendleft(message)
            else:
                _send(link, host.answer(message))
        if len(asks) > host.slots and not hurried:
            hurried = len(asks)
            host.desk.hurry(hurried)
        hurried = max(0, hurried - 1)
        _send(link, host.answer(asks.popleft()))


def _send(link: Link, event: Event | None) -> None:
    """Send an answer; one that cannot be sent becomes a failure of who gave it."""
    if event is None:
        return
    try:
        link.send(wire.plain(event))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        link.send(wire.plain(stand_in(event, error, "it cannot leave the sampler host")))


class Host:
    """The desk of one sweep behind a link.

    Attributes:
        desk: The desk.
        slots: How many trials run at a time.
        keeps_order: True when messages are answered in the order in which they come.
    """

    def __init__(self, opening: wire.Opening) -> None:
        space = Space.from_spec(opening.space)
        setting = Setting(space, opening.directions, opening.seed, opening.window)
        pickled = opening.pruner
        # The controller's own launch message: the one place of the host where bytes are unpickled.
        sampler = None if opening.sampler is None else pickle.loads(opening.sampler)  # noqa: S301  our parent's bytes
        make = None if pickled is None else lambda: pickle.loads(pickled)  # noqa: S301  the same
        self.desk = desk_of(setting, sampler, make)
        self.slots = opening.slots
        self.keeps_order = opening.window > 0
        self._running: dict[int, TrialRecord] = {}

    def verdict_steps(self) -> list[int] | None:
        """The pruner's; None when it never prunes, or is elsewhere."""
        steps = self.desk.verdict_steps()
        return None if steps is None else wire.plain(steps)

    def answer(self, message: list[Any]) -> Event | None:
        """The answer to one message; None where there is nothing to say."""
        tag = message[0]
        if tag == wire.ASK:
            return self.desk.ask(*message[1:])
        if tag == wire.TELL:
            trial = wire.unpacked(message)
            if not trial.is_final:
                return self.desk.pending(trial)
            self._running.pop(trial.number, None)
            return self.desk.tell(trial)
        if tag == wire.SUGGEST:
            return self._suggest(*message[1:])
        return self._judge(*message[1:])

    def _suggest(self, number: int, attempt: int, name: str, domain: dict[str, Any]) -> Event:
        try:
            found: Domain = msgspec.convert(domain, Domain)
        except msgspec.ValidationError as error:
            return SuggestFailed(number, attempt, name, ErrorInfo("TrialError", f"suggest {name!r}: {error}"))
        return self.desk.suggest(number, attempt, name, found)

    def _judge(self, number: int, attempt: int, step: int, steps: bytes, values: bytes, attrs: dict[str, Any]) -> Event:
        trial = self._running.get(number)
        if trial is None or trial.attempt != attempt:
            trial = self._running[number] = TrialRecord(number, State.RUNNING, attempt, pruner_attrs=attrs)
            trial.steps, trial.reported = array("q"), array("d")
        assert trial.steps is not None and trial.reported is not None
        trial.steps.frombytes(steps)
        trial.reported.frombytes(values)
        return self.desk.judge(trial, step)


if __name__ == "__main__":
    main(int(sys.argv[1]))
