"""The trials and curves of a stream as a client has them: plain Python values, taken out of messages. No I/O."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from asyncsweep.errors import ConfigError
from asyncsweep.space.values import shown
from asyncsweep.viewer.shapes import Column, Delta, Info, Malformed, Points, Snapshot, number

_N_FIXED = 8


class Table:
    """The trials of one snapshot and what came after it.

    Attributes:
        info: What the sweep was made with.
        columns: Its columns.
        trials: Number -> plain values.
    """

    def __init__(self, info: Info) -> None:
        self.info = info
        self.columns: tuple[Column, ...] = ()
        self.trials: dict[int, dict[str, Any]] = {}
        self._places: list[tuple[str, str, Callable[[Any], Any]]] = []
        self._constants: dict[str, str] = {}
        self._has_varying = False

    def take(self, message: Snapshot | Delta) -> list[int]:
        """Take trials in; their numbers are the answer.

        Raises:
            Malformed: A row is none.
        """
        if message.columns is not None:
            self.columns = message.columns
            self._places = [(f"{column.kind}s", column.name, _reading(column)) for column in message.columns]
            self._constants = {c.name: c.choices[0] for c in message.columns if c.type == "constant" and c.choices}
            self._has_varying = any(c.kind == "param" and c.type != "constant" for c in message.columns)
        try:
            changed = [self._take(row) for row in message.rows]
        except (TypeError, ValueError, IndexError, KeyError) as error:
            raise Malformed(f"a row: {error}") from error
        for gone in message.gone:
            self.trials.pop(gone, None)
        return changed

    def _take(self, row: list[Any]) -> int:
        head = row[:_N_FIXED] + [None] * (_N_FIXED - len(row))
        trial, state, attempt, started_at, duration_s, step, value, error = head
        if type(trial) is not int or not isinstance(state, str):
            raise ValueError(f"it begins with a number and a state, not {reprlib.repr(row[:2])}")
        found: dict[str, Any] = {
            "number": trial,
            "state": state,
            "attempt": attempt or 0,
            "started_at": started_at,
            "duration_s": duration_s,
            "last_report": None if step is None else (step, number(value)),
            "error": error,
            "params": {},
            "metrics": {},
            "constraints": {},
        }
        for (kind, name, read), cell in zip(self._places, row[_N_FIXED:], strict=False):
            if cell is not None:
                found[kind][name] = read(cell)
        if found["params"] or not self._has_varying:
            found["params"] |= self._constants
        self.trials[trial] = found
        return trial


class Curves:
    """What the watched trials have reported.

    Attributes:
        watched: The trials.
        points: Trial -> (step, value) in the order of the reports; a trial is there once its first points have come.
    """

    def __init__(self) -> None:
        self.watched: tuple[int, ...] = ()
        self.points: dict[int, list[tuple[int, Any]]] = {}

    def watch(self, trials: tuple[int, ...]) -> None:
        """Watch these from now on; what is known of them already stays."""
        self.watched = trials
        self.points = {number: self.points[number] for number in trials if number in self.points}

    def take(self, message: Points) -> list[int]:
        """Take points in; the trials whose curves are different.

        Raises:
            Malformed: A curve has another number of steps than of values, or begins beyond its end.
        """
        changed = []
        for curve in message.curves:
            if curve.trial not in self.watched:
                continue  # it was, when this was sent
            points = self.points.get(curve.trial, [])
            if len(curve.steps) != len(curve.values) or not 0 <= curve.begin <= len(points):
                raise Malformed(f"points of trial {curve.trial} do not go on where those before end")
            new = zip(curve.steps, map(number, curve.values), strict=True)
            self.points[curve.trial] = [*points[: curve.begin], *new]
            changed.append(curve.trial)
        return changed


def as_enqueued(params: Mapping[str, Any], columns: Iterable[Column]) -> tuple[dict[str, Any], dict[str, int]]:
    """Parameters as `enqueue` of the stream takes them: the values, and the places of choices that are given by their texts.

    Raises:
        ConfigError: Several choices have the text.
    """
    known = {column.name: column for column in columns if column.kind == "param" and column.choices}
    values, places = {}, {}
    for name, value in params.items():
        column = known.get(name)
        choices = () if column is None or column.choices is None else column.choices
        n_alike = choices.count(value) if isinstance(value, str) else 0
        if n_alike > 1:
            raise ConfigError(f"enqueue: {name!r}: several choices begin with {shown(value)}; give the whole one")
        if not n_alike:
            values[name] = value
        elif column is not None and column.type != "constant":
            places[name] = choices.index(value)
    return values, places


def _reading(column: Column) -> Callable[[Any], Any]:
    """What makes a value of a cell."""
    if column.type == "category":
        return partial(_choice, column.choices or ())
    if column.type in ("float", "int"):
        return number
    return _as_is


def _choice(choices: tuple[str, ...], place: Any) -> str:
    if type(place) is not int or not 0 <= place < len(choices):
        raise ValueError(f"there is no choice {reprlib.repr(place)} of {len(choices)}")
    return choices[place]


def _as_is(value: Any) -> Any:
    return value
