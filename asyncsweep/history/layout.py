"""What the columns of a table mean for a sweep.

A table with the columns number, state and attempts is one that a `Result` made: there the prefixes and the columns of
`asyncsweep.columns` count first, and an unknown column is a parameter before the metrics and a further metric after them. One
that looks like `study.trials_dataframe()` of Optuna has the columns of `optuna_tables`. In any other table the names of the space and of the directions count first, and an unknown column is an error as soon as it says
something, because it may be a parameter that made a difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Literal, NamedTuple

from asyncsweep.cells import ABSENT, Cells
from asyncsweep.columns import CONSTRAINT, METRIC, OWN, PARAM, PREFIXES
from asyncsweep.core.records import Direction
from asyncsweep.errors import ConfigError
from asyncsweep.history import optuna_tables
from asyncsweep.history.admission import unknown_parameter
from asyncsweep.hooks.nearest import did_you_mean
from asyncsweep.space import Space

_SEPARATORS = {";": "semicolons", "\t": "tabs"}

Kind = Literal["param", "metric", "further", "constraint", "state", "unknown", "nothing"]


class Layout(NamedTuple):
    """The places of a row.

    Attributes:
        params: Place, name and cells of each parameter, in the space's order.
        blanks: Those parameters for which a blank cell is a value, if the trial has them.
        metrics: Place and name of each metric that has a direction.
        further: Place and name of each other metric.
        constraints: Place and name of each constraint.
        unknown: Place of each column that may be a parameter of another space, and what to say of it.
        state: The place of the state; None when every row is COMPLETE.
    """

    params: Sequence[tuple[int, str, Cells]]
    blanks: Sequence[tuple[int, str, Cells]]
    metrics: Sequence[tuple[int, str]]
    further: Sequence[tuple[int, str]]
    constraints: Sequence[tuple[int, str]]
    unknown: Sequence[tuple[int, str]]
    state: int | None


class Layouts:
    """The layouts of tables for one sweep.

    Args:
        space: Of the sweep.
        directions: Of the sweep.
        ignore: Columns, and parameters and metrics by name, that are passed over.
    """

    def __init__(self, space: Space, directions: Mapping[str, Direction], ignore: Set[str]) -> None:
        self._space = space
        self._directions = directions
        self._ignore = ignore
        self._cells = {name: Cells(domain) for name, domain in space.domains.items()}
        self._known: dict[tuple[str, ...], Layout] = {}

    def of_header(self, header: Sequence[str]) -> Layout:
        """The layout of a table whose rows all have these columns.

        Raises:
            ConfigError: A column is there twice, or that of a metric is missing.
        """
        columns = list(header) if _is_ours(header) else [column.strip() for column in header]
        for place, column in enumerate(columns):
            if column and column in columns[:place]:
                raise ConfigError(f"two columns are called {column!r}")
        layout = self.of(tuple(columns))
        there = {name for _, name in layout.metrics}
        for name in self._directions:
            if name not in there and not _is_ours(columns):  # a sweep without a COMPLETE trial has no metric to write
                raise ConfigError(
                    f"there is no column for the metric {name!r}{did_you_mean(name, columns)}; {_there(columns)}"
                )
        return layout

    def of(self, columns: tuple[str, ...]) -> Layout:
        """The layout of a row with these columns."""
        found = self._known.get(columns)
        if found is None:
            found = self._known[columns] = self._made(columns)
        return found

    def _made(self, columns: tuple[str, ...]) -> Layout:
        ours = _is_ours(columns)
        optunas = (
            optuna_tables.metrics(columns, list(self._directions))
            if not ours and optuna_tables.is_optunas(columns)
            else None
        )
        places: dict[str, list[tuple[int, str]]] = {}
        for place, column in enumerate(columns):
            if optunas is not None:
                kind, name = self._meaning_in_optunas(column, columns, optunas)
            else:
                kind, name = self._meaning(column, columns, ours=ours)
            if not {column, name} & self._ignore:
                places.setdefault(kind, []).append((place, name))
        unknown = places.get("unknown", [])
        further = places.get("further", [])
        if ours:
            first = [place for place, _ in places.get("metric", ())] or [columns.index("attempts")]
            further += [(place, name) for place, name in unknown if place > first[0]]
            unknown = [(place, name) for place, name in unknown if place < first[0]]
        order = {name: place for place, name in enumerate(self._space.names)}
        params = sorted(places.get("param", ()), key=lambda found: order[found[1]])
        cells = [(place, name, self._cells[name]) for place, name in params]
        states = places.get("state")
        return Layout(
            cells,
            [found for found in cells if found[2].blank is not ABSENT],
            places.get("metric", ()),
            further,
            places.get("constraint", ()),
            [(place, self._complaint(name, ours=ours or columns[place] != name)) for place, name in unknown],
            states[0][0] if states else None,
        )

    def _meaning(self, column: str, columns: Sequence[str], *, ours: bool) -> tuple[Kind, str]:
        prefix = next((prefix for prefix in PREFIXES if column.startswith(prefix)), "")
        name = column.removeprefix(prefix)
        if ours and prefix:
            return self._prefixed(prefix, name)
        if not (ours and column in OWN):
            if column in self._space and f"{PARAM}{column}" not in columns:
                return "param", column
            if column in self._directions and f"{METRIC}{column}" not in columns:
                return "metric", column
        if column in OWN or _is_index(column):
            return ("state" if column == "state" else "nothing"), column
        return self._prefixed(prefix, name) if prefix else ("unknown", column)

    def _meaning_in_optunas(self, column: str, columns: Sequence[str], metrics: Mapping[str, str]) -> tuple[Kind, str]:
        if column in metrics:
            return "metric", metrics[column]
        name = column.removeprefix(optuna_tables.PARAM)
        if name != column and not (column in self._space and name not in self._space):
            return ("param" if name in self._space else "unknown"), name
        if column.startswith(optuna_tables.CONSTRAINT):
            return "constraint", column.removeprefix(optuna_tables.CONSTRAINT)
        values = optuna_tables.value_columns([column])
        if values:
            return "further", values[column] or column
        if optuna_tables.is_note(column):
            return ("state" if column == "state" else "nothing"), column
        return self._meaning(column, columns, ours=False)

    def _prefixed(self, prefix: str, name: str) -> tuple[Kind, str]:
        if prefix == CONSTRAINT:
            return "constraint", name
        if prefix == METRIC:
            return ("metric" if name in self._directions else "further"), name
        return ("param" if name in self._space else "unknown"), name

    def _complaint(self, name: str, *, ours: bool) -> str:
        if ours:
            return str(unknown_parameter(name, self._space))
        known = [*self._space.names, *self._directions]
        return (
            f"the column {name!r} is neither a parameter nor a metric{did_you_mean(name, known)}; "
            f"there are: {', '.join(map(repr, known))}; History(source, ignore=[{name!r}]) passes over it"
        )


def _there(columns: Sequence[str]) -> str:
    """The columns for an error; a header that is one column was meant to be several."""
    separator = (
        next((word for sign, word in _SEPARATORS.items() if sign in columns[0]), "") if len(columns) == 1 else ""
    )
    if separator:
        return f"the columns are separated by {separator}, and commas are needed"
    return f"there are: {', '.join(map(repr, columns)) or 'none'}"


def _is_index(column: str) -> bool:
    """Whether it is the index of a frame: nameless in its CSV file, which pandas reads as "Unnamed: 0"."""
    return not column or (column.startswith("Unnamed: ") and column.removeprefix("Unnamed: ").isdecimal())


def _is_ours(columns: Sequence[str]) -> bool:
    """Whether a `Result` made the table."""
    return {"number", "state", "attempts"} <= set(columns)
