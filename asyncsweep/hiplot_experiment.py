"""A sweep as a HiPlot experiment, which HiPlot's own page, notebooks and Streamlit show.

HiPlot guesses types, and guesses anew as rows come: here they are pinned to the space, so that two experiments of one sweep look alike.

- Its table and its pages obey HTML in texts, and `</script>` in one ends an exported page. So none has a `<`: one that
  looks like it is in its place.
- Names that every object of JavaScript has, such as `__proto__`, get a prefix, as those of HiPlot's own columns do.
- In HiPlot a value that is not there is another thing than one that is not finite: the first is left out, the others are texts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from asyncsweep.cells import Cells, cell
from asyncsweep.columns import CONSTRAINT, METRIC, PARAM, Columns
from asyncsweep.core.records import Direction, State, TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.space import Categorical, Constant, Domain, Float, Int

if TYPE_CHECKING:
    import hiplot

LONGEST_TEXT = 300

_COLOURS = {
    State.COMPLETE: "rgb(33, 145, 80)",
    State.PRUNED: "rgb(214, 137, 16)",
    State.FAILED: "rgb(206, 44, 49)",
    State.CANCELLED: "rgb(131, 71, 185)",
}
# Of `Object.prototype`: a column of this name would be there in rows that do not have it, or change what the page is made of.
_INHERITED = frozenset(
    (
        "__defineGetter__",
        "__defineSetter__",
        "__lookupGetter__",
        "__lookupSetter__",
        "__proto__",
        "constructor",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "toLocaleString",
        "toString",
        "valueOf",
    )
)

_Read = Callable[[Any], Any]


def experiment_of(
    space: Mapping[str, Domain], directions: Mapping[str, Direction], trials: Sequence[TrialRecord]
) -> hiplot.Experiment:
    """An experiment with one datapoint for each final trial; its `uid` is the number.

    Raises:
        ConfigError: HiPlot is not installed, or no trial is final: HiPlot has no experiment without datapoints.
    """
    try:
        import hiplot
    except ImportError as error:
        raise ConfigError('hiplot is not installed: pip install "asyncsweep[viewer]"') from error
    final = [trial for trial in trials if trial.is_final]
    if not final:
        raise ConfigError("to_hiplot(): no trial has ended yet, and HiPlot takes no experiment without a datapoint")
    columns = Columns(space, directions, final)
    rows = [columns.named(trial) for trial in final]
    present = {column for row in rows for column in row}
    names = {column: name for column, name in _names(columns).items() if column in present}
    definitions = {
        "state": hiplot.ValueDef(hiplot.ValueType.CATEGORICAL, colors={s.value: c for s, c in _COLOURS.items()})
    }
    reads: dict[str, _Read] = {}
    domains = {columns.params[name]: domain for name, domain in _domains(space, final).items()}
    for column, name in names.items():
        values = [row[column] for row in rows if column in row]
        definitions[name], reads[column] = _defined(domains.get(column), values)
    datapoints = [
        hiplot.Datapoint(
            {"state": trial.state.value, **{names[column]: reads[column](value) for column, value in row.items()}},
            uid=str(trial.number),
        )
        for trial, row in zip(final, rows, strict=True)
    ]
    experiment = hiplot.Experiment(datapoints, definitions)
    optimised = (columns.metrics[name] for name in directions)
    metrics = [names[column] for column in optimised if column in names]
    experiment.colorby = metrics[0] if metrics else "state"
    others = [name for name in names.values() if name not in metrics]
    # The first is the rightmost one.
    order = ["state", *others, *metrics][::-1]
    experiment.display_data(hiplot.Displays.PARALLEL_PLOT).update({"order": order, "hide": ["uid", "from_uid"]})
    experiment.display_data(hiplot.Displays.TABLE).update({"hide": ["from_uid"]})
    if not _has_difference(datapoints):
        experiment.enabledDisplays = [hiplot.Displays.TABLE]  # its plots fail where there is nothing to compare
    return experiment


def _has_difference(datapoints: Sequence[hiplot.Datapoint]) -> bool:
    """Whether any column has two values."""
    first: dict[str, Any] = {}
    return any(first.setdefault(name, value) != value for point in datapoints for name, value in point.values.items())


def _names(columns: Columns) -> dict[str, str]:
    """What each column is called, parameters first; no two are called the same."""
    found: dict[str, str] = {}
    taken = {"state", "uid", "from_uid"}
    groups = ((PARAM, columns.params), (CONSTRAINT, columns.constraints), (METRIC, columns.metrics))
    for prefix, group in groups:
        for column in group.values():
            name = wanted = _plain(f"{prefix}{column}" if column in _INHERITED else column)
            while name in taken:
                name = f"{prefix}{name}" if name == wanted else f"{name}'"
            taken.add(name)
            found[column] = name
    return found


def _domains(space: Mapping[str, Domain], trials: Iterable[TrialRecord]) -> dict[str, Domain | None]:
    """The domain of each parameter; None where the objective asked for several, which are no ranges of one kind."""
    found: dict[str, Domain | None] = {}
    for trial in trials:
        for name, domain in (trial.domains or {}).items():
            found[name] = _joined(found[name], domain) if name in found else domain
    return {**found, **space}


def _joined(one: Domain | None, other: Domain) -> Domain | None:
    if one == other:
        return one
    if isinstance(one, Float | Int) and type(one) is type(other) and isinstance(other, Float | Int):
        low, high = min(one.low, other.low), max(one.high, other.high)
        return type(one)(low, high, log=one.log and other.log)  # type: ignore[arg-type]  # both are of one kind
    return None


def _defined(domain: Domain | None, values: Sequence[Any]) -> tuple[hiplot.ValueDef, _Read]:
    """How a column is drawn, and what a value is in it."""
    from hiplot import ValueDef, ValueType

    numbers = [value for value in values if _is_number(value)]
    finite = [value for value in numbers if math.isfinite(value)]
    if isinstance(domain, Categorical | Constant) or len(numbers) < len(values) or not finite:
        cells = Cells(domain) if isinstance(domain, Categorical) else None
        return ValueDef(ValueType.CATEGORICAL), _Texts(cells)
    is_log = isinstance(domain, Float | Int) and domain.log and min(finite) > 0
    drawn = ValueDef(ValueType.NUMERIC_LOG if is_log else ValueType.NUMERIC)
    if isinstance(domain, Float | Int) and domain.low < domain.high:
        drawn.force_range(min(domain.low, *finite, domain.high), max(domain.low, *finite, domain.high))
    return drawn, _number


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: int | float) -> int | float | str:
    """A number, or what HiPlot calls it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"


class _Texts:
    """What values are in a column of categories: numbers as they are, everything else as text. No two are the same.

    Args:
        cells: What tells choices apart that look alike; None where there are no choices.
    """

    def __init__(self, cells: Cells | None) -> None:
        self._cells = cells
        self._n_long: dict[str, int] = {}

    def __call__(self, value: Any) -> Any:
        if _is_number(value):
            return _number(value)
        text = str(cell(value)) if self._cells is None else self._cells.text(value)
        if len(text) > LONGEST_TEXT:
            place = self._n_long.setdefault(text, len(self._n_long) + 1)
            text = f"{text[:LONGEST_TEXT]}\N{HORIZONTAL ELLIPSIS} ({place})"
        return _plain(text)


def _plain(text: str) -> str:
    return text.replace("<", "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}")
