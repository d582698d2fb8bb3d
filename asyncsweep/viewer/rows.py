"""Rows on their way to viewers: what has changed, in pieces that are encoded once for all who lack the same.

A piece is what a viewer gets who knows everything up to one change: so many trials, in the order of their last changes. It is small
enough that making it does not hold up the loop. The last pieces are kept, some MiB of them.

Who reads a table for the first time needs no newest piece. What is kept may have an older row of a trial that has changed since, but
then the newer one comes later, because the trial is at another place in the log by now. So viewers of a large table share its pieces.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from asyncsweep.core.records import TrialRecord
from asyncsweep.viewer import values
from asyncsweep.viewer.changes import Changes
from asyncsweep.viewer.columns import TableColumns
from asyncsweep.viewer.forms import Form
from asyncsweep.viewer.table import Table

PIECE_BYTES = 128 * 1024
PIECE_ROWS = 500
# Cells cost the time, so rows of wide tables are fewer.
PIECE_CELLS = 6_000
# Entries of the log that are looked at for one piece: rows that are not shown cost little, but they do.
PIECE_LOOKS = 8_000
ERROR_CHARS = 200
KEPT_BYTES = 16 * 2**20
# Rows that are kept for other pieces than the one they were made for, and how long these may be.
KEPT_ROWS = 4_096
KEPT_ROW_BYTES = 1_000


class Piece:
    """Changes after one place in the log.

    Attributes:
        to: Up to where.
        head: Where the log ended when this was made.
        rows: The rows, encoded.
        gone: Trials that are not shown (any more), with their changes.
        is_empty: Nothing has changed.
        size: How many bytes the rows have.
    """

    __slots__ = ("_delta", "gone", "head", "is_empty", "rows", "size", "to")

    def __init__(self, to: int, head: int, rows: Sequence[bytes], gone: list[tuple[int, int]], form: Form) -> None:
        self.to = to
        self.head = head
        self.rows = form.joined(rows)
        self.gone = gone
        self.is_empty = not rows and not gone
        self.size = sum(map(len, rows))
        self._delta: tuple[int, bytes] | None = None

    def delta(self, since: int, version: int, columns: Sequence[Any] | None, form: Form) -> bytes:
        """The message; the very same bytes for all who get the same `version` of the columns, which is 0 for none."""
        if self._delta is None or self._delta[0] != version:
            message: dict[str, Any] = {"type": "delta", "from": since, "seq": self.to}
            if columns is not None:
                message["columns"] = columns
            if self.gone:
                message["gone"] = [number for _, number in self.gone]
            self._delta = version, form.encode({**message, "rows": self.rows})
        return self._delta[1]


class Rows:
    """The pieces of one table.

    Args:
        table: The table.
        changes: Its log.
        columns: Its columns.
        records: The sweep's trials.
        is_shown: Which trials viewers have.
    """

    def __init__(
        self,
        table: Table,
        changes: Changes,
        columns: TableColumns,
        records: Callable[[], Sequence[TrialRecord]],
        is_shown: Callable[[int], bool],
    ) -> None:
        self._table = table
        self._changes = changes
        self._columns = columns
        self._records = records
        self._is_shown = is_shown
        self._kept: OrderedDict[tuple[str, int], Piece] = OrderedDict()
        self._kept_bytes = 0
        self._encoded: dict[tuple[str, int], tuple[int, bytes]] = {}

    def piece(self, seq: int, form: Form, *, may_be_older: bool) -> Piece:
        """What changed after a place; `may_be_older` for who reads the table for the first time."""
        key = form.name, seq
        piece = self._kept.get(key)
        if piece is not None and (piece.head == self._changes.seq or (may_be_older and piece.to < piece.head)):
            self._kept.move_to_end(key)
            return piece
        piece = self._made(seq, form)
        self._keep(key, piece)
        return piece

    def row(self, number: int, record: TrialRecord) -> list[Any]:
        """A trial as the stream has it."""
        trial = self._table.open.get(number)
        if trial is not None:
            fixed = [
                number,
                trial.state.value,
                trial.attempt,
                trial.started_at or None,
                None,
                values.number(trial.step),
            ]
            row = [*fixed, values.number(trial.value), None, *self._columns.row(record, trial.n_params)]
        else:
            step = value = error = None
            if record.steps and record.reported:
                step, value = values.number(record.steps[-1]), values.number(record.reported[-1])
            if record.error is not None:
                error = values.text(str(record.error), ERROR_CHARS)
            fixed = [number, record.state.value, record.attempt, record.started_at or None, record.duration_s, step]
            row = [*fixed, value, error, *self._columns.row(record)]
        while row[-1] is None:
            row.pop()
        return row

    def _made(self, seq: int, form: Form) -> Piece:
        head, records = self._changes.seq, self._records()
        rows: list[bytes] = []
        gone: list[tuple[int, int]] = []
        most_rows = max(1, min(PIECE_ROWS, PIECE_CELLS // (8 + len(self._columns))))
        size = 0
        to = head
        for looks, (at, number) in enumerate(self._changes.after(seq), 1):
            if self._is_shown(number) and number < len(records):
                rows.append(self._row_of(at, number, records[number], form))
                size += len(rows[-1])
            else:
                gone.append((at, number))
            if len(rows) >= most_rows or size >= PIECE_BYTES or looks >= PIECE_LOOKS:
                to = at
                break
        self._columns.see_growth()
        return Piece(to, head, rows, gone, form)

    def _row_of(self, at: int, number: int, record: TrialRecord, form: Form) -> bytes:
        """A row as it is since a place. Viewers that are not at the same place get pieces of which most rows are the same."""
        key = form.name, number
        encoded = self._encoded.get(key)
        if encoded is None or encoded[0] != at:
            if len(self._encoded) >= KEPT_ROWS:
                self._encoded.clear()
            encoded = at, form.encode(self.row(number, record))
            if len(encoded[1]) <= KEPT_ROW_BYTES:
                self._encoded[key] = encoded
        return encoded[1]

    def _keep(self, key: tuple[str, int], piece: Piece) -> None:
        before = self._kept.pop(key, None)
        self._kept_bytes += _weight(piece) - (0 if before is None else _weight(before))
        self._kept[key] = piece
        while self._kept_bytes > KEPT_BYTES and len(self._kept) > 1:
            self._kept_bytes -= _weight(self._kept.popitem(last=False)[1])


def _weight(piece: Piece) -> int:
    """About what it takes: the rows, the message that may be made of them once more, and what is beside."""
    return 2 * piece.size + 100 * len(piece.gone) + 1_000
