"""The viewers of one server, whoever carries their connections: how many there may be, how long one may take, what ends a visit.

A visit is ended by its viewer, by what it says, by a failure of ours, or with the server; never the other way round: whatever happens
here is logged, and the sweep goes on. A viewer that takes a message neither in time nor at all is cut off; that the pings of a server
are not answered does not tell so where something is still on its way to it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import anyio

from asyncsweep.viewer.guard import FULL, UNKNOWN_HOST, WRONG_ORIGIN, Refusal
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.session import Channel, Session, Unwelcome

MOST_VIEWERS = 256
# What a client may say at once.
MESSAGE_LIMIT_BYTES = 2**20
# How long a viewer may take for one message.
TAKE_S = 30.0

_LOOK_S = 0.02
_LONGEST_REASON_BYTES = 123
_MOST_COMPLAINTS = 100

log = logging.getLogger("asyncsweep")

Value = TypeVar("Value")


class Ending(NamedTuple):
    """How a connection is to be closed: the code of RFC 6455, and why."""

    code: int
    reason: str = ""


class TooLong(Exception):
    """A message of a client is longer than the limit, which a channel notices."""


class Visits:
    """Those who watch through one server.

    Args:
        hubs: The sweeps by their names.
    """

    def __init__(self, hubs: Mapping[str, Hub]) -> None:
        self._hubs = hubs
        self._sessions: dict[Session, anyio.CancelScope] = {}
        self._said: set[str] = set()

    @property
    def is_full(self) -> bool:
        return len(self._sessions) >= MOST_VIEWERS

    async def visit(self, channel: Channel, *, may_control: bool) -> Ending:
        """A viewer's whole visit; how its connection is to be closed then."""
        session = Session(self._hubs, channel, may_control)
        with self._place(session):
            try:
                await session.run()
            except Exception as error:
                return self._ending(error)
            return Ending(1000)
        return Ending(1001, "the viewer was closed")

    def end(self) -> None:
        """End all visits at once."""
        for scope in self._sessions.values():
            scope.cancel()

    async def seen_to_the_end(self) -> None:
        """Wait until every viewer has acknowledged all that there is of its sweep."""
        for hub in self._hubs.values():
            await hub.catch_up()
        for session in self._sessions:
            session.stir()
        while not all(session.is_current for session in self._sessions):  # noqa: ASYNC110 - nobody is told of it
            await anyio.sleep(_LOOK_S)

    def refuse(self, refusal: Refusal, what: str = "") -> None:
        """Tell the log of a refusal that whoever runs the server can do something about. Each is told of once: a flood is not."""
        if refusal in (UNKNOWN_HOST, WRONG_ORIGIN, FULL):
            self._say(refusal.text, "a request to the viewer was refused: %s (it was %.100r)", refusal.text, what)

    def failed(self, error: Exception) -> None:
        """Tell the log of a failure of ours, once of each kind."""
        self._say(repr(error)[:200], "the viewer failed, the sweep goes on", exc_info=error)

    @contextmanager
    def _place(self, session: Session) -> Iterator[None]:
        with anyio.CancelScope() as scope:
            self._sessions[session] = scope
            try:
                yield
            finally:
                del self._sessions[session]

    def _ending(self, error: Exception) -> Ending:
        errors = list(_leaves(error))
        for found in errors:
            if isinstance(found, Unwelcome):
                return Ending(1008, _cut(str(found)))
            if isinstance(found, TooLong):
                return Ending(1009, f"a message has at most {MESSAGE_LIMIT_BYTES} bytes")
        ours = [
            found for found in errors if not isinstance(found, anyio.BrokenResourceError | anyio.ClosedResourceError)
        ]
        for found in ours:
            self.failed(found)
        return Ending(1011, "the viewer failed") if ours else Ending(1000)

    def _say(self, key: str, text: str, *values: object, exc_info: Exception | None = None) -> None:
        if key not in self._said and len(self._said) < _MOST_COMPLAINTS:
            self._said.add(key)
            log.log(logging.WARNING if exc_info is None else logging.ERROR, text, *values, exc_info=exc_info)


async def taken(send: Callable[[], Awaitable[Value]], *broken: type[Exception]) -> Value:
    """What sending gives, if the viewer takes it in time.

    Raises:
        BrokenResourceError: It did not, or raised one of `broken`: the viewer is gone.
    """
    gone: tuple[type[Exception], ...] = (TimeoutError, *broken)
    try:
        with anyio.fail_after(TAKE_S):
            return await send()
    except gone as error:
        raise anyio.BrokenResourceError("the viewer is gone, or takes nothing") from error


def _leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error


def _cut(reason: str) -> str:
    return reason.encode()[:_LONGEST_REASON_BYTES].decode("utf-8", "ignore")
