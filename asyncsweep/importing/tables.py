"""A CSV file as a sweep: of `Result.to_csv`, of `study.trials_dataframe()`, or any with a column for each parameter and metric.

A parameter that not every COMPLETE or PRUNED trial has is kept with those that have it, as of a study.
What the columns mean is told by `history.layout`. Here the columns are read too that a warm start has no use for: times,
attempts, errors and attributes. A file does not tell ranges, nor what is better, so the user has to; `guesses` proposes.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path

from asyncsweep.core.records import Direction, State, SweepSpec, TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.history import optuna_tables
from asyncsweep.history.admission import LEFT_OUT, Candidate
from asyncsweep.history.layout import Layouts
from asyncsweep.history.tables import Table
from asyncsweep.importing.search import Details, Search, notes_on, record_of
from asyncsweep.space import Constant, Domain, Space
from asyncsweep.space.values import shown

_LOOKED_AT = 100
_ATTR = "user_attrs_"

Row = Mapping[str, str]


def read(
    path: Path, given: Mapping[str, Domain], directions: Mapping[str, Direction], ignore: frozenset[str]
) -> Search:
    """The rows of a file, in their order.

    Args:
        path: The file.
        given: The space.
        directions: Of the sweep.
        ignore: Columns that are passed over.

    Raises:
        ConfigError: It is no such file, has no trial, or one that the sweep could not have had.
    """
    space = Space(given)
    candidates = Table(space, Layouts(space, directions, ignore)).of_csv(path)
    found: list[tuple[Candidate, Details]] = []
    n_left_out = 0
    details: Callable[[int, Row], Details] | None = None
    for place, (candidate, row) in enumerate(zip(candidates, rows(path), strict=True)):
        details = details or _reader(tuple(row))
        if candidate.state in LEFT_OUT:
            n_left_out += 1
        else:
            found.append((candidate, Details(place) if candidate.fault else details(place, row)))
    if not found:
        raise ConfigError("it has no row of a trial that ended by itself: there is nothing to import")
    asked = _not_everywhere(space, [candidate for candidate, _ in found])
    kept = {name: domain for name, domain in space.domains.items() if name not in asked}
    spec = SweepSpec(space=kept, directions=dict(directions))
    records: list[TrialRecord] = []
    for candidate, known in found:
        domains = {name: asked[name] for name in asked if name in (candidate.params or {})}
        records.append(record_of(len(records), _without_nothing(candidate), known._replace(domains=domains), spec))
    return Search(spec, records, n_left_out, notes_on(asked))


def _not_everywhere(space: Space, candidates: Sequence[Candidate]) -> dict[str, Domain]:
    """The parameters that some trial which ended well does not have: its objective did not ask for them."""
    whole = [one.params or {} for one in candidates if one.state is not State.FAILED and not one.fault]
    return {
        name: domain
        for name, domain in space.domains.items()
        if not isinstance(domain, Constant) and not all(name in params for params in whole)
    }


def rows(path: Path) -> Iterator[Row]:
    """The rows of a CSV file by column, but for empty lines; a row of another length has its cells as far as they go.

    Raises:
        ConfigError: It is no such file.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file, strict=True)
            header = [column.strip() for column in next(lines, [])]
            for cells in lines:
                if cells:
                    yield dict(zip(header, cells, strict=False))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"it cannot be read as CSV in UTF-8: {why}") from error


def check(path: Path) -> None:
    """See that a file may be a table of trials: it names columns, and has a value for each of them in its first rows.

    Raises:
        ConfigError: It is something else.
    """
    expected = "expected a CSV file whose first line names a column for each parameter and metric"
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file, strict=True)
            header = next(lines, [])
            if not any(header):
                raise ConfigError(f"the file is empty, or its first line is; {expected}")
            if len([name for name in header if name.strip()]) < 2:
                raise ConfigError(f"its first line is {shown(','.join(header))}; {expected}")
            n_rows = 0
            for cells in islice(lines, _LOOKED_AT):
                if cells and len(cells) != len(header):
                    count = f"{len(cells)} value{'s' * (len(cells) != 1)} for {len(header)} columns"
                    raise ConfigError(f"line {lines.line_num} has {count}; {expected}")
                n_rows += bool(cells)
            if not n_rows:
                raise ConfigError("it has the names of columns, and no row below them: there is nothing to import")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"it cannot be read as CSV in UTF-8: {why}; {expected}") from error


def _without_nothing(candidate: Candidate) -> Candidate:
    """Metrics of a trial that is not COMPLETE may be blank, and say nothing then."""
    if candidate.state is State.COMPLETE:
        return candidate
    return candidate._replace(metrics={name: value for name, value in candidate.metrics.items() if value == value})


def _reader(columns: tuple[str, ...]) -> Callable[[int, Row], Details]:
    """How the rows of a table with these columns tell what is no result."""
    if {"number", "state", "attempts"} <= set(columns):
        return _of_ours
    return _of_optunas if optuna_tables.is_optunas(columns) else lambda place, row: Details(place)


def _of_ours(place: int, row: Row) -> Details:
    started_at = _number(row.get("started_at", ""))
    return Details(
        int(_number(row["number"], place)),
        started_at,
        started_at + _number(row.get("duration_s", "")) if started_at else 0.0,
        max(1, int(_number(row["attempts"], 1))),
        error=row.get("error", ""),
    )


def _of_optunas(place: int, row: Row) -> Details:
    return Details(
        int(_number(row.get("number", ""), place)),
        _date(row.get("datetime_start", "")),
        _date(row.get("datetime_complete", "")),
        attrs={column.removeprefix(_ATTR): text for column, text in row.items() if column.startswith(_ATTR) and text},
        error=row.get("system_attrs_fail_reason", ""),
    )


def _number(text: str, otherwise: float = 0.0) -> float:
    """A number of ours; a cell that somebody changed says nothing."""
    try:
        found = float(text)
    except ValueError:
        return otherwise
    return found if 0 <= found < 2**53 else otherwise


def _date(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp() if text else 0.0
    except (ValueError, OverflowError, OSError):
        return 0.0
