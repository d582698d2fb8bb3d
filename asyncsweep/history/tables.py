"""Trials of a table: a CSV file, a data frame, or a list of dicts. What the columns mean is told by `layout`.

A blank cell (nothing, NaN in a frame, None) of a parameter is a blank choice where the trial has the parameter and the domain
such a choice, and otherwise no value. A blank metric is NaN.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from asyncsweep.cells import Cells, is_blank, number
from asyncsweep.core.records import State
from asyncsweep.errors import ConfigError
from asyncsweep.history.admission import LEFT_OUT, Candidate
from asyncsweep.history.layout import Layout, Layouts
from asyncsweep.space import Space
from asyncsweep.space.values import shown

_CELL_LIMIT = 2**24
_STATES = {state.value: state for state in State} | {"FAIL": State.FAILED}  # the latter is Optuna's word


class Table:
    """Reads rows for one sweep.

    Args:
        space: Of the sweep.
        layouts: What the columns mean for it.
    """

    def __init__(self, space: Space, layouts: Layouts) -> None:
        self._space = space
        self._layouts = layouts

    def of_csv(self, path: Path) -> Iterator[Candidate]:
        """The rows of a CSV file in UTF-8 with a header.

        Raises:
            ConfigError: It is no such file, or lacks the column of a metric.
        """
        try:
            with open(path, newline="", encoding="utf-8-sig") as file:
                lines = csv.reader(file, strict=True)
                header = _next_line(lines)
                if not header:
                    raise ConfigError("the file is empty; its first line has to name the columns")
                layout = self._layouts.of_header(header)
                while (cells := _next_line(lines)) is not None:
                    where = f"line {lines.line_num}"
                    if len(cells) == len(header):
                        yield self._candidate(where, layout, cells, Cells.from_text)
                    elif cells:
                        fault = f"{len(cells)} values for {len(header)} columns"
                        yield Candidate(where, State.COMPLETE, fault=fault)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            why = error.strerror if isinstance(error, OSError) else error  # the path is in the message already
            raise ConfigError(f"it cannot be read as CSV in UTF-8: {why}") from error

    def of_frame(self, frame: Any) -> Iterator[Candidate]:
        """The rows of a pandas DataFrame.

        Raises:
            ConfigError: It lacks the column of a metric.
        """
        layout = self._layouts.of_header([_column(label) for label in frame.columns])
        values = frame.astype(object).where(frame.notna(), None)
        for place, cells in enumerate(values.itertuples(index=False, name=None)):
            yield self._candidate(f"row {place}", layout, cells, Cells.from_value)

    def of_rows(self, rows: Iterable[Any]) -> Iterator[Candidate]:
        """Rows as dicts.

        Raises:
            ConfigError: An item is no dict with text keys.
        """
        for place, row in enumerate(rows):
            if not isinstance(row, Mapping) or not all(isinstance(key, str) for key in row):
                raise ConfigError(f"row {place}: {shown(row)} is no dict with column names as keys")
            layout = self._layouts.of(tuple(row))
            yield self._candidate(f"row {place}", layout, tuple(row.values()), Cells.from_value)

    def _candidate(
        self, where: str, layout: Layout, cells: Sequence[Any], read: Callable[[Cells, Any], Any]
    ) -> Candidate:
        state = State.COMPLETE
        try:
            if layout.state is not None:
                state = _state(cells[layout.state])
                if state in LEFT_OUT:
                    return Candidate(where, state)
            for place, complaint in layout.unknown:
                if not is_blank(cells[place]):
                    raise ConfigError(complaint)
            params = self._params(layout, cells, read)
            metrics = {name: _number(cells[place], name) for place, name in layout.metrics}
            if state is not State.COMPLETE:
                metrics = {name: value for name, value in metrics.items() if not math.isnan(value)}
            metrics |= _numbers_among(layout.further, cells)
            constraints = {
                name: _number(cells[place], f"constraint:{name}")
                for place, name in layout.constraints
                if not is_blank(cells[place])
            }
        except ConfigError as error:
            return Candidate(where, state, fault=str(error))
        return Candidate(where, state, params, metrics, constraints=constraints)

    def _params(self, layout: Layout, cells: Sequence[Any], read: Callable[[Cells, Any], Any]) -> dict[str, Any]:
        params: dict[str, Any] = {}
        for place, name, meaning in layout.params:
            if not is_blank(cells[place]):
                try:
                    params[name] = read(meaning, cells[place])
                except ConfigError as error:
                    raise ConfigError(f"parameter {name!r}: {error}") from error
        for place, name, meaning in layout.blanks:
            if name not in params and self._space.is_active(name, params):
                params[name] = meaning.from_blank(cells[place])
        return params


def _next_line(lines: Iterator[list[str]]) -> list[str] | None:
    """The next line; None at the end. A cell may be as long as a value may be.

    Python's limit on a cell holds for all readers of the process, so it is lifted for one line at a time.
    """
    limit = csv.field_size_limit(_CELL_LIMIT)
    try:
        return next(lines, None)
    finally:
        csv.field_size_limit(limit)


def _column(label: Any) -> str:
    """The column of a frame; of several levels, as `study.trials_dataframe(multi_index=True)` has them, in one name."""
    return "_".join(str(part) for part in label if part != "") if isinstance(label, tuple) else str(label)


def _state(value: Any) -> State:
    if is_blank(value):
        return State.COMPLETE
    found = _STATES.get(str(value).strip().upper())
    if found is None:
        raise ConfigError(f"the state {shown(value)} is unknown; there are: {', '.join(_STATES)}")
    return found


def _number(value: Any, column: str) -> float:
    if is_blank(value):
        return math.nan
    try:
        return number(value)
    except ConfigError as error:
        raise ConfigError(f"column {column!r}: {error}") from error


def _numbers_among(places: Iterable[tuple[int, str]], cells: Sequence[Any]) -> dict[str, float]:
    """Further metrics; what is no number is a note of somebody's."""
    found = {}
    for place, name in places:
        if not is_blank(cells[place]):
            try:
                found[name] = number(cells[place])
            except ConfigError:
                continue
    return found
