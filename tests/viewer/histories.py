"""For tests of the stream: sweeps without a driver as sources, and clients that do what `docs/stream.md` says.

A `BenchSource` is a machine on a bench whose updates go out when the test says so, as they do where a sweep waits for its disk.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from asyncsweep.core import events as ev
from asyncsweep.core.effects import Effect, Finish, Update, updates_of
from asyncsweep.core.machine import Machine, Phase
from asyncsweep.core.records import State, SweepSpec, TrialRecord
from asyncsweep.driver.replay import replay
from asyncsweep.driver.updates import Watcher, Watchers
from asyncsweep.errors import ConfigError
from asyncsweep.logs import Log
from asyncsweep.testing.events import Bench
from asyncsweep.viewer.source import Stand, Steering


class BenchSource:
    """A machine as a source.

    Args:
        bench: The machine's bench.
        buffered: How many updates a watcher holds, whatever it asks for.
    """

    name = "bench"
    has_logs = True
    is_here = False
    commands: Steering | None = None

    def __init__(self, bench: Bench, buffered: int = 10_000) -> None:
        self.bench = bench
        self.generation = 0
        self.problem = ""
        self.printed: dict[int, bytes] = {}
        self._machine: Machine = bench.machine
        self._watchers = Watchers()
        self._buffered = buffered
        self._n_shown = 0

    @property
    def machine(self) -> Machine:
        return self._machine

    @property
    def is_live(self) -> bool:
        return self._machine.phase is not Phase.FINISHED

    @property
    def spec(self) -> SweepSpec:
        return self._machine.spec

    @property
    def trials(self) -> Sequence[TrialRecord]:
        return self._machine.trials

    @property
    def best(self) -> TrialRecord | None:
        return self._machine.best

    @property
    def counts(self) -> Mapping[State, int]:
        return self._machine.life.counts

    @property
    def n_enqueued(self) -> int:
        return len(self._machine.life.enqueued)

    @property
    def stand(self) -> Stand:
        if self._machine.phase is Phase.FINISHED:
            return Stand("ENDED", self._machine.course.stop_reason)
        return Stand("PAUSED" if self._machine.paused else "RUNNING")

    def watch(self, buffered: int) -> Watcher:
        return self._watchers.add(min(buffered, self._buffered))

    async def log(self, number: int, attempt: int | None, offset: int, limit_bytes: int) -> Log:
        if number not in self.printed:
            raise ConfigError("log(): a sweep in memory keeps no output")
        printed = self.printed[number]
        start = max(0, len(printed) + offset) if offset < 0 else offset
        data = printed[start : start + limit_bytes]
        is_over = self._machine.trials[number].is_final and start + len(data) >= len(printed)
        return Log(attempt or 1, data, start, start + len(data), 0, len(printed), is_over)

    def publish(self, most: int | None = None) -> None:
        """Show what has happened and was not shown yet, or so many updates of it."""
        updates = _updates(self.bench.effects)[self._n_shown :][:most]
        self._n_shown += len(updates)
        self._watchers.put(updates)

    def replace(self) -> None:
        """The journal was replaced: all is read anew, and none of the records is the one that it was."""
        self._watchers.close()
        self._watchers = Watchers()
        self._machine = replay(self.bench.journal, "journal")
        self.bench.machine = self.bench.watch.machine = self._machine
        self._n_shown = len(_updates(self.bench.effects))
        self.generation += 1


def _updates(effects: Sequence[Sequence[Effect]]) -> list[Update]:
    return [update for some in effects for effect in some for update in updates_of(effect)]


def finished(bench: Bench) -> bool:
    return any(isinstance(effect, Finish) for effect in bench.effects[-1])


class Client:
    """What a viewer knows, from the messages that it got; each is checked for what the page on the stream says.

    Attributes:
        rows: Number -> row, with cells by key.
        curves: Number -> (attempt, steps, values).
        n_received: How many messages are to be acknowledged on this connection.
        is_reading: Whether a snapshot goes on.
    """

    def __init__(self) -> None:
        self.rows: dict[int, list[Any]] = {}
        self.columns: list[dict[str, Any]] = []
        self.curves: dict[int, tuple[int, list[Any], list[Any]]] = {}
        self.status: dict[str, Any] = {}
        self.info: dict[str, Any] = {}
        self.answers: list[dict[str, Any]] = []
        self.epoch: str | None = None
        self.seq: int | None = None
        self.n_received = 0
        self.is_reading = False
        self.n_parts = 0

    def connect_anew(self) -> None:
        """The connection was lost: what is known stays."""
        self.n_received = 0
        self.is_reading = False
        self.curves.clear()

    def take(self, data: bytes, is_text: bool = True) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(data) if is_text else msgspec.msgpack.decode(data)
        kind = message["type"]
        if kind == "answer":
            self.answers.append(message)
        elif kind != "hello":
            self.n_received += 1
        if kind == "snapshot":
            self._take_part(message)
        elif kind == "delta":
            assert message["from"] == self.seq, "a delta goes on where the client is"
            assert not self.is_reading
            self._change(message)
        elif kind == "status":
            self.status = message
        elif kind == "points":
            for curve in message["curves"]:
                self._extend(curve)
        return message

    def _take_part(self, message: dict[str, Any]) -> None:
        if message["part"] == 0:
            self.rows.clear()
            self.curves.clear()
            self.columns, self.info = [], message["info"]
            self.epoch, self.seq, self.n_parts = message["epoch"], None, 0
        assert message["part"] == self.n_parts and message["epoch"] == self.epoch
        self.n_parts += 1
        self.is_reading = not message["last"]
        self._change(message)

    def _change(self, message: dict[str, Any]) -> None:
        assert self.seq is None or message["seq"] >= self.seq
        self.seq = message["seq"]
        if "columns" in message:
            before = [(column["name"], column["kind"]) for column in self.columns]
            self.columns = message["columns"]
            assert [(column["name"], column["kind"]) for column in self.columns][: len(before)] == before
            keys = [column["key"] for column in self.columns]
            assert len(set(keys)) == len(keys)
        for row in message["rows"]:
            assert len(row) <= 8 + len(self.columns), "a row has no more cells than there are columns"
            self.rows[row[0]] = row
        for number in message.get("gone", ()):
            self.rows.pop(number, None)

    def _extend(self, curve: dict[str, Any]) -> None:
        attempt, steps, values = self.curves.get(curve["trial"], (0, [], []))
        start = curve["from"]
        if start == 0:
            attempt, steps, values = curve["attempt"], [], []
        assert attempt == curve["attempt"] and start <= len(steps), "points belong to what is there"
        self.curves[curve["trial"]] = attempt, steps[:start] + curve["steps"], values[:start] + curve["values"]

    def shown(self) -> dict[int, list[Any]]:
        """Rows as a reader sees them: cells by key, choices by their texts."""
        return {number: shown(row, self.columns) for number, row in self.rows.items()}


def shown(row: Sequence[Any], columns: Sequence[dict[str, Any]]) -> list[Any]:
    full = [*row, *[None] * (8 + len(columns) - len(row))]
    cells = {}
    for column, cell in zip(columns, full[8:], strict=True):
        if cell is not None:
            cells[column["key"]] = column["choices"][cell] if column["type"] == "category" else cell
    return [*full[:8], cells]


def wire(value: float) -> Any:
    """A number as JSON has it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def opened(settings: SweepSpec, *events: ev.Event, buffered: int = 10_000) -> BenchSource:
    """A source of a sweep to which these things have happened."""
    return BenchSource(Bench(settings, *events), buffered)
