"""What one viewer is sent, and when: no I/O, no clock.

Nothing is kept for a viewer but how far it is, and how many messages it has been sent and has acknowledged. What changes meanwhile is
where it is anyway, in the hub; so a viewer that acknowledges late gets everything in one, and one that never does costs nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from asyncsweep.viewer.curves import Curves
from asyncsweep.viewer.forms import Form
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.incoming import Unwelcome

# Messages under way that were not acknowledged.
WINDOW_SNAPSHOT = 4
WINDOW = 1


class Flow:
    """One viewer's side of the stream.

    Args:
        form: The form of its messages.

    Attributes:
        hub: The sweep that it has opened; None before the first.
        sent: How many messages it was sent that are to be acknowledged.
        received: How many of them it has acknowledged.
        is_reading: Whether it gets a snapshot.
        round: In which of the hub's rounds it was told of news last.
    """

    is_reading: bool

    def __init__(self, form: Form) -> None:
        self.hub: Hub | None = None
        self.sent = 0
        self.received = 0
        self.round = -1
        self._form = form
        self._name = ""
        self._curves = Curves()
        self._wanted: tuple[str | None, int | None] = (None, None)
        self._start("")

    # -- what it says -----------------------------------------------------------------------------------------------------

    def open(self, name: str, hub: Hub, epoch: str | None, since: int | None) -> None:
        """It wants this sweep, from where it knows it."""
        self.hub = hub
        self._name = name
        self._wanted = epoch, since
        self._curves = Curves()
        self._start("")

    def watch(self, trials: Iterable[int]) -> None:
        """It wants these curves."""
        self._curves.watch(trials)

    def ack(self, received: int) -> None:
        """It has got so many messages.

        Raises:
            Unwelcome: It was not sent so many.
        """
        if not 0 <= received <= self.sent:
            raise Unwelcome(f"ack: received is {received}, and {self.sent} messages were sent"[:120])
        self.received = max(self.received, received)

    # -- what it gets -----------------------------------------------------------------------------------------------------

    @property
    def may_send(self) -> bool:
        """Whether it takes another message now."""
        window = WINDOW_SNAPSHOT if self.is_reading or not self._epoch else WINDOW
        return self.hub is not None and self.sent - self.received < window

    @property
    def may_be_told(self) -> bool:
        """Whether its turn has come, if it lacks anything. A snapshot is not waited for."""
        hub = self.hub
        return hub is None or self.is_reading or self._epoch != hub.epoch or hub.may_tell(self.round)

    def next(self) -> bytes | None:
        """The next message; None when there is nothing that it lacks, or it takes no more."""
        hub = self.hub
        if hub is None or not hub.epoch:
            return None
        if self._epoch != hub.epoch:
            self._begin(hub)
        if not self.may_send:
            return None
        is_news = not self.is_reading
        message = self._news(hub) if is_news else self._part(hub)
        if message is not None:
            self.sent += 1
            if is_news:
                self.round = hub.budget.round
        else:
            self._current_at = hub.seq
        return message

    @property
    def is_current(self) -> bool:
        """Whether it has acknowledged all that there is."""
        return self.hub is None or (self._epoch == self.hub.epoch and self._current_at == self.hub.seq)

    def _start(self, epoch: str) -> None:
        self._epoch = epoch
        self._cursor = 0
        self._current_at = -1
        self._base = 0  # where the log ended when the snapshot began; what came later is news
        self._oldest = 0  # what was gone by here, the viewer has never been shown
        self._n_parts = 0
        self.is_reading = False
        self._is_resumed = False
        self._version = 0
        self._status_seq = 0
        self._turns: deque[Callable[[Hub], bytes | None]] = deque((self._delta, self._status, self._points))

    def _begin(self, hub: Hub) -> None:
        epoch, since = self._wanted
        self._wanted = None, None
        self._start(hub.epoch)
        self._curves.forget()
        if epoch == hub.epoch and since is not None and 0 <= since <= hub.seq:
            self._cursor, self._is_resumed = since, True
        else:
            self._base, self._oldest, self.is_reading = hub.seq, hub.seq, True

    def _part(self, hub: Hub) -> bytes | None:
        """The next part of a snapshot; after the first one comes the status."""
        if self._n_parts and not self._status_seq:
            return self._status(hub)
        piece = hub.rows.piece(self._cursor, self._form, may_be_older=True)
        message: dict[str, Any] = {
            "type": "snapshot",
            "sweep": self._name,
            "epoch": hub.epoch,
            "part": self._n_parts,
            "last": piece.to >= self._base,
            "seq": piece.to,
            "total": hub.table.total,
        }
        if not self._n_parts:
            message["info"] = hub.info()
        if self._version != hub.columns.version:
            message["columns"] = hub.column_fields()
            self._version = hub.columns.version
        self._oldest = min(self._oldest, piece.head)
        gone = [number for at, number in piece.gone if at > self._oldest]
        if gone:
            message["gone"] = gone
        self._cursor = piece.to
        self._n_parts += 1
        self.is_reading = piece.to < self._base
        return self._form.encode({**message, "rows": piece.rows})

    def _news(self, hub: Hub) -> bytes | None:
        """What there is in turns, so that nothing waits for long."""
        for _ in range(len(self._turns)):
            turn = self._turns[0]
            self._turns.rotate(-1)
            message = turn(hub)
            if message is not None:
                return message
        return None

    def _delta(self, hub: Hub) -> bytes | None:
        if self._cursor == hub.seq and not self._is_resumed:
            return None
        since = self._cursor
        piece = hub.rows.piece(since, self._form, may_be_older=False)
        if piece.is_empty and not self._is_resumed:
            return None  # and `from` of the next one is the `seq` that the viewer has
        self._cursor, self._is_resumed = piece.to, False
        if self._version == hub.columns.version:
            return piece.delta(since, 0, None, self._form)
        self._version = hub.columns.version
        return piece.delta(since, self._version, hub.column_fields(), self._form)

    def _status(self, hub: Hub) -> bytes | None:
        if self._status_seq == hub.status_seq:
            return None
        self._status_seq = hub.status_seq
        return hub.status_message(self._form)

    def _points(self, hub: Hub) -> bytes | None:
        curves = self._curves.next(hub.table, hub.source.trials)
        return self._form.encode({"type": "points", "curves": curves}) if curves else None
