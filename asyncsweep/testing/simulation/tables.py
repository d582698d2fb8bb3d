"""A table of results that are known already: for each parameter set a learning curve, and how long it took.

A row has the parameters by name and the fields of a `Curve`. What a trial has is looked up among them: the row with the same
parameters, or the one whose numbers are nearest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from asyncsweep.errors import ConfigError
from asyncsweep.space import Domain, Float, Int, Space
from asyncsweep.space.values import same, shown

Missing = Literal["nearest", "error"]
FIELDS = ("values", "step_s", "value")


class Curve(NamedTuple):
    """What a trial with some parameters would have reported and returned.

    Attributes:
        values: The reported values at the steps 0, 1, ...; empty for a trial that reports nothing.
        step_s: Seconds for each step, above 0: one number for all, or one for each of `values`. Without values it is how long
            the trial takes.
        value: What the trial returns: a number, or metric names with numbers. None: the last of `values`. NaN: it fails.
    """

    values: Sequence[float] = ()
    step_s: float | Sequence[float] = 1.0
    value: float | Mapping[str, float] | None = None


class Known(NamedTuple):
    """A curve, checked.

    Attributes:
        values: The reported values.
        pauses_s: How long each step takes; at least one.
        metrics: What the trial returns.
    """

    values: tuple[float, ...]
    pauses_s: tuple[float, ...]
    metrics: dict[str, float]


class Table:
    """Finds the curve of a trial.

    Args:
        space: The space.
        metrics: The metrics' names, in the order of the directions.
        given: Rows, a DataFrame, or a function from parameters to a `Curve`.
        missing: What becomes of parameters that are in no row: "nearest" or "error".

    Raises:
        ConfigError: A row is wrong; the message has its number, from 0.
    """

    def __init__(self, space: Space, metrics: Sequence[str], given: Any, missing: Any) -> None:
        if missing not in ("nearest", "error"):
            raise ConfigError(f"missing={missing!r}: expected 'nearest' or 'error'")
        self._space = space
        self._metrics = tuple(metrics)
        self._missing: Missing = missing
        self._call: Callable[[dict[str, Any]], Any] | None = given if callable(given) else None
        self._rows: list[tuple[dict[str, Any], Known]] = []
        if self._call is None:
            self._rows = [self._read(number, row) for number, row in enumerate(_rows(given, space))]
            if not self._rows:
                raise ConfigError("table: it has no rows")

    def find(self, params: dict[str, Any]) -> Known:
        """The curve of a trial with these parameters.

        Raises:
            ConfigError: There is none; or the function gave something that is no curve.
        """
        if self._call is not None:
            return self._known(_curve(self._call(dict(params)), "table(...)"), f"table({shown(params)})")
        near = [(self._distance(params, known), place) for place, (known, _) in enumerate(self._rows)]
        distance, place = min(near)
        if distance == 0.0 or (self._missing == "nearest" and distance < math.inf):
            return self._rows[place][1]
        if self._missing == "error":
            hint = "; missing='nearest' takes the row with the nearest numbers" if distance < math.inf else ""
            raise ConfigError(f"table: no row has the parameters {params!r}{hint}")
        raise ConfigError(
            f"table: no row has the choices of {params!r}, only numbers can be taken from the nearest row"
        )

    def _read(self, number: int, row: Mapping[str, Any]) -> tuple[dict[str, Any], Known]:
        where = f"table: row {number}"
        given = {name: row[name] for name in self._space.names if name in row and not _is_nothing(row[name])}
        try:
            params = self._space.check(given, partial=False)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        unknown = [name for name in row if name not in self._space and name not in FIELDS]
        if unknown:
            raise ConfigError(
                f"{where}: {unknown[0]!r} is neither a parameter of the space nor one of {', '.join(FIELDS)}"
            )
        fields = {name: row[name] for name in FIELDS if name in row}
        return params, self._known(_curve(fields, where), where)

    def _known(self, curve: Curve, where: str) -> Known:
        values = tuple(
            _number(value, f"{where}: values[{step}]") for step, value in enumerate(_several(curve.values, where))
        )
        n_steps = max(1, len(values))
        if _is_number(curve.step_s):
            pauses_s = (_seconds(curve.step_s, f"{where}: step_s"),) * n_steps
        else:
            pauses = _several(curve.step_s, where, "step_s")
            pauses_s = tuple(_seconds(pause, f"{where}: step_s[{step}]") for step, pause in enumerate(pauses))
            if len(pauses_s) != n_steps:
                raise ConfigError(
                    f"{where}: step_s has {len(pauses_s)} numbers for {n_steps} steps; give one for each, or one for all"
                )
        return Known(values, pauses_s, self._returned(curve, values, where))

    def _returned(self, curve: Curve, values: tuple[float, ...], where: str) -> dict[str, float]:
        value = curve.value
        if isinstance(value, Mapping):
            missing = [name for name in self._metrics if name not in value]
            if missing:
                raise ConfigError(f"{where}: value={value!r} lacks the metric {missing[0]!r}")
            return {str(name): _number(number, f"{where}: value[{name!r}]") for name, number in value.items()}
        if len(self._metrics) > 1:
            raise ConfigError(
                f"{where}: value={value!r}: expected a number for each of {', '.join(self._metrics)}, by name"
            )
        if value is None:
            if not values:
                raise ConfigError(f"{where}: it has neither values nor a value")
            value = values[-1]
        return {self._metrics[0]: _number(value, f"{where}: value")}

    def _distance(self, params: dict[str, Any], known: dict[str, Any]) -> float:
        """How far apart the numbers are, each as a share of its range; infinite where anything else differs."""
        if params.keys() != known.keys():
            return math.inf
        total = 0.0
        for name, value in params.items():
            if same(value, known[name]):
                continue
            share = _share(self._space.domains[name], value, known[name])
            if share is None:
                return math.inf
            total += share * share
        return total


def _share(domain: Domain, one: Any, other: Any) -> float | None:
    """How far apart two values are, as a share of the domain's range; None where that means nothing."""
    if not isinstance(domain, Float | Int):
        return None
    low, high = float(domain.low), float(domain.high)
    if domain.log:
        low, high, one, other = math.log(low), math.log(high), math.log(one), math.log(other)
    return float(abs(one - other) / (high - low))


def _rows(given: Any, space: Space) -> list[Mapping[str, Any]]:
    """The rows as mappings.

    Raises:
        ConfigError: It is no table, or a parameter has the name of a field.
    """
    taken = [name for name in FIELDS if name in space]
    if taken:
        raise ConfigError(
            f"table: the space has a parameter {taken[0]!r}, which is a field of a row; give a function instead"
        )
    rows = given.to_dict("records") if hasattr(given, "to_dict") else given
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Sequence):
        raise ConfigError(
            f"table={shown(given)}: expected a list of dicts, a DataFrame, or a function from parameters to a Curve"
        )
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise ConfigError(f"table: row {number} is {shown(row)}; expected a dict")
    return list(rows)


def _curve(given: Any, where: str) -> Curve:
    if isinstance(given, Curve):
        return given
    if not isinstance(given, Mapping):
        raise ConfigError(f"{where} gave {shown(given)}; expected a Curve, or a dict with {', '.join(FIELDS)}")
    unknown = [name for name in given if name not in FIELDS]
    if unknown:
        raise ConfigError(f"{where}: {unknown[0]!r} is none of {', '.join(FIELDS)}")
    return Curve(**{name: value for name, value in given.items() if name == "value" or not _is_nothing(value)})


def _several(given: Any, where: str, name: str = "values") -> list[Any]:
    found = given.tolist() if hasattr(given, "tolist") else given  # an array is no sequence
    if isinstance(found, str | bytes) or not isinstance(found, Sequence):
        raise ConfigError(f"{where}: {name}={shown(given)}: expected a list of numbers")
    return list(found)


def _is_nothing(value: Any) -> bool:
    """Whether it is what a table has where nothing is."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any, what: str) -> float:
    plain = value.item() if hasattr(value, "item") else value  # a numpy scalar
    if not _is_number(plain):
        raise ConfigError(f"{what}={shown(value)}: expected a number")
    return float(plain)


def _seconds(value: Any, what: str) -> float:
    found = _number(value, what)
    if not 0 < found < math.inf:
        raise ConfigError(f"{what}={found}: expected seconds above 0")
    return found
