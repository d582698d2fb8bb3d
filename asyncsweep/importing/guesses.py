"""What the space and the directions of a table may have been, as options for the user to look at and to mend.

A guess is never used by itself: the values of a table do not tell how far a range went, nor what is better.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import islice

from asyncsweep.cells import number
from asyncsweep.columns import CONSTRAINT, METRIC, OWN, PARAM
from asyncsweep.core.records import Direction
from asyncsweep.errors import ConfigError
from asyncsweep.history import optuna_tables
from asyncsweep.importing.tables import Row

_LOOKED_AT = 10_000
_MOST_CHOICES = 20
_LOG_FROM = 100.0  # so many times the least value is the greatest: then it was searched in the logarithm
_USUAL_METRICS = ("value", "loss", "val_loss", "score", "accuracy", "error", "metric", "objective")
_PREFIXES = (PARAM, METRIC, CONSTRAINT, "system_attrs_", "user_attrs_")


def options(
    rows: Iterable[Row], directions: Mapping[str, Direction] | None, ignore: frozenset[str]
) -> tuple[list[str], list[str]]:
    """Guessed options "--space NAME=DOMAIN", and "--direction METRIC=minimize" where no direction is given.

    Raises:
        ConfigError: There is no column for a metric that is given.
    """
    cells: dict[str, list[str]] = {}
    columns: tuple[str, ...] = ()
    for row in islice(rows, _LOOKED_AT):
        columns = columns or tuple(row)
        for column, text in row.items():
            if text:
                cells.setdefault(column, []).append(text)
    if optuna_tables.is_optunas(columns):
        named = {c.removeprefix(optuna_tables.PARAM): c for c in columns if c.startswith(optuna_tables.PARAM)}
        metrics = [name or "value" for name in optuna_tables.value_columns(columns).values()]
    else:
        named = {column: column for column in columns if _may_be_parameter(column)}
        metrics = _metrics(list(named), cells) if directions is None else list(directions)
        for name in metrics:
            if name not in columns and f"{METRIC}{name}" not in columns:
                there = ", ".join(map(repr, columns)) or "none"
                raise ConfigError(f"--direction: there is no column for the metric {name!r}; there are: {there}")
    spaces = [
        f"{name}={_domain(cells[column])}"
        for name, column in named.items()
        if column in cells and name not in metrics and not {name, column} & ignore
    ]
    goals = [] if directions is not None else [f"{name}=minimize" for name in metrics]
    return [f"--space={text}" for text in spaces], [f"--direction={text}" for text in goals]


def _may_be_parameter(column: str) -> bool:
    return bool(column) and column not in OWN and not column.startswith((*_PREFIXES, "Unnamed: "))


def _metrics(columns: list[str], cells: Mapping[str, list[str]]) -> list[str]:
    """A usual name, or else the last column of numbers."""
    usual = [column for column in columns if column.lower() in _USUAL_METRICS]
    numbers = [column for column in columns if _numbers(cells.get(column, ())) is not None]
    return usual[:1] or numbers[-1:]


def _domain(texts: list[str]) -> str:
    found = _numbers(texts)
    if found is None:
        choices = list(dict.fromkeys(texts))
        if len(choices) > _MOST_CHOICES:
            choices = choices[:_MOST_CHOICES]
        return f"categorical({', '.join(map(_quoted, choices))})"
    low, high = min(found), max(found)
    is_log = low > 0 and high / low >= _LOG_FROM
    # A column of whole numbers with gaps is one of floats in pandas.
    is_whole = not any("." in text.removesuffix(".0") or "e" in text.lower() for text in texts)
    if is_whole and all(value.is_integer() and abs(value) < 2**53 for value in found):
        return f"int_{'log_' if is_log else ''}uniform({int(low)}, {int(high)})"
    return f"{'log_' if is_log else ''}uniform({low!r}, {high!r})"


def _numbers(texts: Iterable[str]) -> list[float] | None:
    """Those of the texts that are finite numbers; None when one is no number, or there is none."""
    try:
        found = [number(text) for text in texts]
    except ConfigError:
        return None
    return [value for value in found if math.isfinite(value)] or None


def _quoted(text: str) -> str:
    """A choice as the language of domains reads it as this text or value."""
    is_word = text.isprintable() and not any(character in "()[]{},\"'= " for character in text)
    return text if is_word else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
