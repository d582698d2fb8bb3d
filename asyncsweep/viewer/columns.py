"""The columns of the viewer's table: one for each parameter, metric and constraint that any published trial has.

Places never change, and a cell that was sent stays right: columns are added at the end, choices are added at the end, ranges grow,
and `float` may become `any`. Keys may change, because a metric gives way to a parameter of its name that turns up later; so the list is
always sent as a whole. `version` grows with each change of it.

Choices that objectives make up while they run have no end. After `MOST_CHOICES` the others share one, and after `MOST_COLUMNS` there are no
more columns: such a table is of no use in a page. A trial's details and the CSV file have everything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from asyncsweep import columns as naming
from asyncsweep.cells import Cells
from asyncsweep.core.records import Direction, TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.space import Categorical, Constant, Domain, Float, Int
from asyncsweep.space.values import identity
from asyncsweep.viewer import values

MOST_COLUMNS = 1_000
MOST_CHOICES = 1_000
OTHERS = "(others)"
# So many different sets of names are remembered as known; trials mostly have the same.
_MOST_KNOWN = 1_000

_Cells = list[tuple[int, Callable[[Any], Any]]]


class Column:
    """One column; `fields` is what the stream says of it.

    Attributes:
        kind: "param", "metric" or "constraint".
        name: The user's name.
        cell: What a value is in this column.
        has_domain: True when a domain has told its type, or none ever will.
        grew: True when `fields` has changed; who has seen that sets it back.
    """

    def __init__(self, kind: str, name: str, direction: Direction | None = None) -> None:
        self.kind = kind
        self.name = name
        self.cell: Callable[[Any], Any] = values.number
        self._direction = direction
        self._type = "float"
        self._low: float | None = None
        self._high: float | None = None
        self._log = False
        self._choices: list[str] | None = None
        self._places: dict[Any, int] = {}
        self._values: list[Any] = []  # the choices themselves
        self._most = MOST_CHOICES
        self.has_domain = False
        self.grew = False
        if kind == "param":  # until a domain is known
            self._type, self.cell = "any", values.cell

    def fields(self, key: str) -> dict[str, Any]:
        return {
            "key": key,
            "name": values.text(self.name),
            "kind": self.kind,
            "type": self._type,
            "low": values.number(self._low),
            "high": values.number(self._high),
            "log": self._log,
            "choices": None if self._choices is None else self._choices[:],
            "direction": self._direction,
        }

    @property
    def type(self) -> str:
        """As the stream has it."""
        return self._type

    def choice(self, place: int) -> Any:
        """The choice at a place.

        Raises:
            ConfigError: There is none.
        """
        if self._type != "category":
            raise ConfigError(f"enqueue: {self.name!r} has no choices")
        if not 0 <= place < len(self._values):
            raise ConfigError(f"enqueue: {self.name!r}: {place} is no place among its {len(self._values)} choices")
        return self._values[place]

    def take(self, domain: Domain, *, is_fixed: bool = False) -> None:
        """Values of this domain are (also) to be shown; `is_fixed` when there is no other."""
        if not self.has_domain:
            self._begin(domain, is_fixed)
            self.has_domain = self.grew = True
        elif self._type == "category":
            for choice in _choices_of(domain):
                self._place(choice)
        elif isinstance(domain, Float | Int) and self._type in ("float", "int"):
            self._widen(domain)
        elif self._type in ("float", "int"):
            self._type, self.cell = "any", values.cell
            self._low = self._high = None
            self._log, self.grew = False, True

    def _begin(self, domain: Domain, is_fixed: bool) -> None:
        if isinstance(domain, Float | Int):
            self._type, self.cell = "float" if isinstance(domain, Float) else "int", values.number
            self._low, self._high, self._log = domain.low, domain.high, domain.log
            return
        cells, choices = Cells(domain), _choices_of(domain)
        self._choices = [values.text(cells.text(choice)) for choice in choices]
        if isinstance(domain, Constant) and domain.when is None and is_fixed:
            self._type, self.cell = "constant", _nothing
        else:  # a constant under a condition is there, or is not
            self._type, self.cell = "category", self._place
            self._places = {identity(choice): place for place, choice in enumerate(choices)}
            self._values = list(choices)
            self._most = len(choices) + MOST_CHOICES

    def _widen(self, domain: Float | Int) -> None:
        assert self._low is not None and self._high is not None
        before = self._type, self._low, self._high, self._log
        self._low, self._high = min(self._low, domain.low), max(self._high, domain.high)
        self._log = self._log and domain.log
        if isinstance(domain, Float):
            self._type = "float"
        self.grew = self.grew or before != (self._type, self._low, self._high, self._log)

    def _place(self, choice: Any) -> int:
        """The place of a choice; a new one gets one."""
        key = identity(choice)
        place = self._places.get(key)
        if place is None:
            assert self._choices is not None
            place = len(self._choices)
            if place < self._most:
                self._choices.append(self._told(choice))
                self._places[key] = place
                self._values.append(choice)
                self.grew = True
            else:
                place = self._most
                if len(self._choices) == place:
                    self._choices.append(OTHERS)
                    self.grew = True
        return place

    def _told(self, choice: Any) -> str:
        """The text of a new choice. If another one has it, a `str` is in JSON's quotes, as in a CSV file; else its type is said."""
        assert self._choices is not None
        text = values.text(str(values.cell(choice)))
        if text not in self._choices:
            return text
        if isinstance(choice, str):
            return values.text(json.dumps(choice, ensure_ascii=False))
        return values.text(f"{text} ({type(choice).__name__})")


class TableColumns:
    """All columns, in the order in which they turned up.

    Args:
        space: The domains by name.
        directions: The metrics that are optimised.

    Attributes:
        version: Grows whenever the list is another one.
    """

    def __init__(self, space: Mapping[str, Domain], directions: Mapping[str, Direction]) -> None:
        self.version = 1
        self._columns: list[Column] = []
        self._params: dict[str, int] = {}
        self._metrics: dict[str, int] = {}
        self._constraints: dict[str, int] = {}
        self._known: set[Any] = set()
        self._domains: dict[int, dict[str, Domain]] = {}  # those that were looked at; held, so that no other has the id
        self._plans: dict[tuple[int, tuple[str, ...]], _Cells] = {}
        for name, domain in space.items():
            if self._add(self._params, "param", name):
                self._columns[-1].take(domain, is_fixed=True)
        for name, direction in directions.items():
            self._metrics[name] = len(self._columns)
            self._columns.append(Column("metric", name, direction))

    def __len__(self) -> int:
        return len(self._columns)

    def see_params(self, record: TrialRecord) -> None:
        """A trial has parameters."""
        domains = record.domains
        if domains is not None and id(domains) not in self._domains:
            if len(self._domains) >= _MOST_KNOWN:
                self._domains.clear()
            self._domains[id(domains)] = domains
            for name, domain in domains.items():
                if name not in self._params:
                    self._add(self._params, "param", name)
                if (place := self._params.get(name)) is not None:
                    self._columns[place].take(domain)
            self.see_growth()
        self._see(self._params, "param", record.param_names)

    def see_results(self, record: TrialRecord) -> None:
        """A trial is final."""
        self._see(self._metrics, "metric", record.metric_names)
        if record.constraints:
            self._see(self._constraints, "constraint", tuple(record.constraints))

    def row(self, record: TrialRecord, n_params: int | None = None) -> list[Any]:
        """A trial's cells: of one that is final, else those of its first parameters alone."""
        cells: list[Any] = [None] * len(self._columns)
        names = record.param_names
        if names is not None:
            if n_params is None or n_params == len(names):
                self._fill(cells, self._params, names, record.param_values)
            else:  # it has asked for more, which was not published yet
                self._fill(cells, self._params, names[:n_params], record.param_values[:n_params])
        if n_params is None:
            self._fill(cells, self._metrics, record.metric_names, record.metric_values)
            if record.constraints:
                self._fill(cells, self._constraints, tuple(record.constraints), record.constraints.values())
        return cells

    def type_of(self, param: str) -> str:
        """The type of a parameter's column; "" where there is none."""
        place = self._params.get(param)
        return "" if place is None else self._columns[place].type

    def choice(self, param: str, place: int) -> Any:
        """A parameter's choice, by its place in the column.

        Raises:
            ConfigError: There is none.
        """
        column = self._params.get(param)
        if column is None:
            raise ConfigError(f"enqueue: {param!r} has no choices")
        return self._columns[column].choice(place)

    def fields(self) -> list[dict[str, Any]]:
        """The columns as the stream has them."""
        keys = naming.Columns(self._params, self._metrics, ())
        named: list[str] = [""] * len(self._columns)
        for name, place in self._params.items():
            named[place] = keys.params[name]
        for name, place in self._metrics.items():
            named[place] = keys.metrics[name]
        for name, place in self._constraints.items():
            named[place] = f"{naming.CONSTRAINT}{name}"
        return [column.fields(key) for column, key in zip(self._columns, _cut(named), strict=True)]

    def _fill(self, cells: list[Any], places: dict[str, int], names: tuple[str, ...], found: Iterable[Any]) -> None:
        kind = id(places)
        plan = self._plans.get((kind, names))
        if plan is None:
            if len(self._plans) >= _MOST_KNOWN:
                self._plans.clear()
            plan = self._plans[kind, names] = [self._cell_of(places.get(name)) for name in names]
        for (place, cell), value in zip(plan, found, strict=True):
            if place >= 0:
                cells[place] = cell(value)

    def _cell_of(self, place: int | None) -> tuple[int, Callable[[Any], Any]]:
        return (-1, _nothing) if place is None else (place, self._columns[place].cell)

    def _see(self, places: dict[str, int], kind: str, names: tuple[str, ...] | None) -> None:
        if not names or (kind, names) in self._known:
            return
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known.add((kind, names))
        for name in names:
            if name not in places and self._add(places, kind, name):
                self._columns[-1].has_domain = True  # of a parameter whose domain nobody knows; it stays `any`

    def _add(self, places: dict[str, int], kind: str, name: str) -> bool:
        if len(self._columns) >= MOST_COLUMNS:
            return False
        places[name] = len(self._columns)
        self._columns.append(Column(kind, name))
        self._change()
        return True

    def see_growth(self) -> None:
        """Domains were seen, or rows were made: choices may have turned up."""
        grown = [column for column in self._columns if column.grew]
        for column in grown:
            column.grew = False
        if grown:
            self._change()

    def _change(self) -> None:
        self.version += 1
        self._plans.clear()


def _cut(keys: list[str]) -> list[str]:
    """The keys, none of them too long, and still no two alike."""
    cut = dict.fromkeys(key for key in keys if values.text(key) == key)
    found = []
    for place, key in enumerate(keys):
        if key not in cut:
            key = f"{values.text(key, values.CELL_CHARS - 20)} ({place})"
        found.append(key)
    return found


def _choices_of(domain: Domain) -> tuple[Any, ...]:
    if isinstance(domain, Categorical):
        return domain.choices
    return (domain.value,) if isinstance(domain, Constant) else ()


def _nothing(value: Any) -> None:
    return None
