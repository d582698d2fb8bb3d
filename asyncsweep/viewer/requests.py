"""Answers to what one viewer asks.

Nothing here raises: a question that cannot be answered is answered with what is wrong with it. Answers are of bounded size, however much a
trial holds, and what takes long is done in steps.
"""

from __future__ import annotations

from typing import Any

import anyio.lowlevel
import msgspec

from asyncsweep.cells import csv_text
from asyncsweep.core.records import ErrorInfo, TrialRecord
from asyncsweep.csv_table import CsvTable
from asyncsweep.errors import AsyncSweepError, ConfigError
from asyncsweep.logs import PIECE_BYTES, Log
from asyncsweep.viewer import enqueuing, incoming, values
from asyncsweep.viewer.forms import Form
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.incoming import Ask, Enqueue, OfCsv, OfLog, OfTrial

# A character is at most 4 bytes.
CSV_CHARS = 64 * 1024
# Trials that are looked at, or written, before others have their turn.
_STEP_SEEN = 2_000
_STEP_WRITTEN = 100
# Of a text, and of a value, in a trial's details.
_TEXT_CHARS = 20_000
_MOST_FAILURES = 20
_MOST_LISTED = 5_000
_MOST_NAMED = 10


class Answers:
    """Answers one viewer.

    Args:
        form: The form of the messages.
        may_control: Whether the viewer may steer.
    """

    def __init__(self, form: Form, may_control: bool) -> None:
        self._form = form
        self._may_control = may_control
        self._csv: _CsvFile | None = None

    def forget(self) -> None:
        """What comes next is about another sweep."""
        self._csv = None

    async def to(self, ask: Ask, hub: Hub | None) -> bytes:
        """The message that answers."""
        await anyio.lowlevel.checkpoint()
        try:
            answer = await self._answer(ask, hub)
        except (AsyncSweepError, OSError) as error:
            answer = {"error": values.text(str(error) or type(error).__name__, _TEXT_CHARS)}
        return self._form.encode({**answer, "type": "answer", "id": values.number(ask.id)})

    async def _answer(self, ask: Ask, hub: Hub | None) -> dict[str, Any]:
        fields = incoming.fields(ask, self._form)
        if hub is None:
            raise ConfigError(f"{ask.what}: no sweep is open; send `open` first")
        if ask.what in incoming.CONTROL:
            return await self._steer(ask.what, fields, hub)
        if isinstance(fields, OfTrial):
            return {"detail": detail(_known(hub, fields.trial))}
        if isinstance(fields, OfLog):
            return await self._log(fields, hub)
        if isinstance(fields, OfCsv):
            return await self._csv_piece(fields, hub)
        return {"status": hub.status()}

    async def _steer(self, command: str, fields: msgspec.Struct, hub: Hub) -> dict[str, Any]:
        if not self._may_control:
            raise ConfigError(
                f"{command}: this viewer only looks; to steer, serve with control=True and come with the control token"
            )
        commands = hub.source.commands
        if commands is None:
            raise ConfigError(
                f"{command}: the sweep {hub.source.name!r} cannot be steered: it has ended, or nothing listens"
            )
        given = enqueuing.command(fields, hub) if isinstance(fields, Enqueue) else msgspec.structs.asdict(fields)
        commands.check(command, given)
        return await commands.answer(command, given)

    async def _log(self, fields: OfLog, hub: Hub) -> dict[str, Any]:
        _known(hub, fields.trial)
        log = await hub.source.log(fields.trial, fields.attempt, fields.offset, PIECE_BYTES)
        return {"trial": fields.trial, **log_fields(log, is_cut_at_start=fields.offset < 0)}

    async def _csv_piece(self, fields: OfCsv, hub: Hub) -> dict[str, Any]:
        file = self._csv
        if not fields.offset:
            file = self._csv = await _CsvFile.begun(hub, fields.trials)
        if file is None or file.offset != fields.offset or file.hub is not hub or file.epoch != hub.epoch:
            raise ConfigError(f"csv: offset: {fields.offset} is not where the piece before ended; begin again with 0")
        text = await file.piece()
        if file.is_over:
            self._csv = None
        return {"text": values.text(text, len(text) + 1), "next_offset": None if file.is_over else file.offset}


class _CsvFile:
    """A CSV file that one viewer reads; it is the table as it was when the first piece was asked for.

    Attributes:
        hub: The sweep.
        epoch: The numbers of its trials mean what they did then while it has this epoch.
        offset: How many characters were read.
        is_over: Whether that is all.
    """

    def __init__(self, hub: Hub, numbers: list[int] | range) -> None:
        self.hub = hub
        self.epoch = hub.epoch
        self.offset = 0
        self.is_over = False
        self._numbers = numbers
        self._place = 0
        self._table = CsvTable(hub.source.spec.space, hub.source.spec.directions)
        self._open: dict[int, TrialRecord] = {}  # as they were then
        self._rest = ""

    @classmethod
    async def begun(cls, hub: Hub, numbers: list[int] | None) -> _CsvFile:
        """With its header; of all trials, or of those with these numbers."""
        if not hub.epoch:
            await hub.catch_up()
        if numbers is not None:
            numbers = list(dict.fromkeys(numbers))
            _check_known(hub, numbers)
        file = cls(hub, range(hub.table.end) if numbers is None else numbers)
        for count, number in enumerate(file._numbers, 1):
            trial = hub.published(number)
            if trial is not None:
                file._table.see(trial)
                if not hub.table.is_final(number):
                    file._open[number] = trial
            if not count % _STEP_SEEN:
                await anyio.lowlevel.checkpoint()
        file._rest = file._table.header()
        return file

    async def piece(self) -> str:
        """The next piece."""
        lines, size = [self._rest], len(self._rest)
        while size < CSV_CHARS and self._place < len(self._numbers):
            number = self._numbers[self._place]
            trial = self._open.get(number) or self.hub.published(number)
            self._place += 1
            if trial is not None:
                try:
                    lines.append(self._table.line(trial))
                except (KeyError, ValueError):  # a column that there was none of
                    raise ConfigError("csv: the sweep has changed meanwhile; begin again with offset 0") from None
                size += len(lines[-1])
            if not self._place % _STEP_WRITTEN:
                await anyio.lowlevel.checkpoint()
        text = "".join(lines)
        text, self._rest = text[:CSV_CHARS], text[CSV_CHARS:]
        self.offset += len(text)
        self.is_over = not self._rest and self._place >= len(self._numbers)
        return text


def detail(trial: TrialRecord) -> dict[str, Any]:
    """All that is to be said of one trial."""
    return {
        "number": trial.number,
        "state": trial.state.value,
        "attempt": trial.attempt,
        "worker": None if trial.worker is None else values.text(trial.worker),
        "external": trial.external,
        "params": _listed(trial.params),
        "metrics": _listed(trial.metrics),
        "constraints": _listed(trial.constraints or {}),
        "user_attrs": values.whole(trial.user_attrs, _TEXT_CHARS),
        "usage": _listed(trial.usage or {}),
        "reports": len(trial.steps or ()),
        "asked_at": trial.asked_at or None,
        "started_at": trial.started_at or None,
        "finished_at": trial.finished_at or None,
        "error": None if trial.error is None else _error(trial.error),
        "failures": [_error(error) for error in trial.failures[-_MOST_FAILURES:]],
        "feasible": trial.is_feasible,
    }


def log_fields(log: Log, *, is_cut_at_start: bool) -> dict[str, Any]:
    """A piece of a log as text. No character is cut: what one piece has of it at its end, the next one has as a whole."""
    data, offset, next_offset = log.data, log.offset, log.next_offset
    if is_cut_at_start and offset > 0:
        skipped = _n_continued(data)
        data, offset = data[skipped:], offset + skipped
    if not log.is_over:
        open_bytes = _n_open(data)
        data, next_offset = data[: len(data) - open_bytes], next_offset - open_bytes
    return {
        "attempt": log.attempt,
        "offset": offset,
        "next_offset": next_offset,
        "left_out": log.left_out,
        "total": log.total,
        "is_over": log.is_over,
        "text": data.decode(errors="replace"),
    }


def _n_continued(data: bytes) -> int:
    """How many bytes at the beginning belong to a character that began before; a character has at most 3 such."""
    return next((place for place, byte in enumerate(data[:3]) if byte & 0xC0 != 0x80), min(3, len(data)))


def _n_open(data: bytes) -> int:
    """How many bytes at the end begin a character that goes on after them."""
    for n, byte in enumerate(reversed(data[-3:]), 1):
        if byte & 0xC0 != 0x80:
            length = 1 + (byte >= 0xC2) + (byte >= 0xE0) + (byte >= 0xF0) if byte <= 0xF4 else 1
            return n if length > n else 0
    return 0


def _check_known(hub: Hub, numbers: list[int]) -> None:
    unknown = [number for number in numbers if hub.table.state(number) is None]
    if unknown:
        named = ", ".join(map(str, unknown[:_MOST_NAMED]))
        if len(unknown) > _MOST_NAMED:
            named += f", ... ({len(unknown)})"
        are = "is no trial" if len(unknown) == 1 else "are no trials"
        raise ConfigError(f"csv: there {are} {named}; the sweep has {hub.table.total}")


def _known(hub: Hub, number: int) -> TrialRecord:
    trial = hub.published(number)
    if trial is None:
        raise ConfigError(f"trial: there is no trial {number}; the sweep has {hub.table.total}")
    return trial


def _listed(found: dict[str, Any]) -> list[list[Any]]:
    """[name, value, text] of each."""
    few = list(found.items())[:_MOST_LISTED]
    return [
        [values.text(name), values.whole(value, _TEXT_CHARS), values.text(str(csv_text(value)), _TEXT_CHARS)]
        for name, value in few
    ]


def _error(error: ErrorInfo) -> dict[str, str]:
    traceback = error.traceback
    if len(traceback) > _TEXT_CHARS:  # its end tells most
        traceback = f"\u2026{traceback[1 - _TEXT_CHARS :]}"
    return {
        "type": values.text(error.type),
        "message": values.text(error.message, _TEXT_CHARS),
        "traceback": values.text(traceback, _TEXT_CHARS),
    }
