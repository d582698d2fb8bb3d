"""The learning curves that one viewer watches, as they grow.

Of a curve with many points every 2nd, 4th, ... is sent, so that at most `MOST_POINTS` are shown, and the last one. What a viewer has is
known from a few numbers: which attempt, how many reports it had, and which stride. From them follows what is to be sent, and
where it belongs; a new attempt, and a new stride, begin the curve anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.viewer import values
from asyncsweep.viewer.table import Table

MOST_WATCHED = 64
MOST_POINTS = 1_000
MESSAGE_POINTS = 4_000


class _Sent:
    """What a viewer has of one curve.

    Attributes:
        record: Whose it is.
        attempt: Of which attempt.
        n_reports: How many reports that had.
        stride: Every how many-th was sent.
        is_told: Whether anything was said of it since it is watched.
    """

    __slots__ = ("attempt", "is_told", "n_reports", "record", "stride")

    def __init__(self) -> None:
        self.record: TrialRecord | None = None
        self.attempt = 0
        self.n_reports = 0
        self.stride = 1
        self.is_told = False


class Curves:
    """What one viewer watches."""

    def __init__(self) -> None:
        self._watched: dict[int, _Sent] = {}

    def watch(self, trials: Iterable[int]) -> None:
        """Watch these; those that were watched before, and are not named, are forgotten."""
        self._watched = {number: self._watched.get(number, _Sent()) for number in trials}

    def forget(self) -> None:
        """The viewer has no curves (any more); it still watches."""
        self._watched = {number: _Sent() for number in self._watched}

    def next(self, table: Table, records: Sequence[TrialRecord]) -> list[dict[str, Any]]:
        """The curves that have changed, or as many of them as fit in a message."""
        found: list[dict[str, Any]] = []
        points = 0
        for number, sent in self._watched.items():
            if points >= MESSAGE_POINTS:
                break
            if table.state(number) is None or number >= len(records):
                curve = _ended(number, sent) if 0 <= number < table.end else None
            else:
                curve = _grown(number, sent, table, records[number])
            if curve is not None:
                found.append(curve)
                points += len(curve["steps"])
        return found


def _grown(number: int, sent: _Sent, table: Table, record: TrialRecord) -> dict[str, Any] | None:
    """What there is of a curve beyond what was sent; None when that is nothing."""
    steps, reported = record.steps or (), record.reported or ()
    trial = table.open.get(number)
    attempt = record.attempt if trial is None else trial.attempt
    n = len(steps) if trial is None else min(trial.n_reports, len(steps))
    is_same = sent.record is record and sent.attempt == attempt and sent.n_reports <= n
    if is_same and sent.n_reports == n:
        return None
    if not n and not sent.n_reports:
        # Unless an attempt has ended, there never was a curve; if one has, the viewer may have it from an earlier watch.
        is_first = record.started_at > 0 if trial is None else trial.state is State.RUNNING
        if attempt < 1 or (attempt == 1 and is_first):
            return None
    stride = stride_of(n)
    start = -(-sent.n_reports // stride) if is_same and sent.stride == stride else 0
    sent.record, sent.attempt, sent.n_reports, sent.stride, sent.is_told = record, attempt, n, stride, True
    shown_steps = list(steps[start * stride : n : stride])
    shown = list(reported[start * stride : n : stride])
    if n and (n - 1) % stride:
        shown_steps.append(steps[n - 1])
        shown.append(reported[n - 1])
    return {
        "trial": number,
        "attempt": attempt,
        "from": start,
        "of": n,
        "steps": [values.number(step) for step in shown_steps],
        "values": [values.number(value) for value in shown],
    }


def _ended(number: int, sent: _Sent) -> dict[str, Any] | None:
    """There is no such trial any more, so its curve is empty; None where that was said."""
    if sent.is_told and not sent.n_reports:
        return None
    sent.record, sent.n_reports, sent.is_told = None, 0, True
    return {"trial": number, "attempt": sent.attempt, "from": 0, "of": 0, "steps": [], "values": []}


def stride_of(n_points: int) -> int:
    """Every how many-th point is sent: the least power of two with which they, and the last one, are no more than the limit."""
    stride = 1
    while n_points > MOST_POINTS and -(-n_points // stride) >= MOST_POINTS:
        stride *= 2
    return stride
