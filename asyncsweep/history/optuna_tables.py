"""The columns of a table that Optuna's `study.trials_dataframe()` made, whether a frame, its CSV file or its rows.

There a parameter is under "params_NAME". The value of one direction is under "value", those of several under "values_0",
"values_1", ...; where the study has names for its metrics, these follow the underscore. Elsewhere such prefixes mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

PARAM = "params_"
CONSTRAINT = "system_attrs_constraints:"
_VALUES = ("value_", "values_")
# What a sweep has no use for.
_OWN = frozenset(("number", "state", "datetime_start", "datetime_complete", "duration", "last_step"))
_NOTES = ("user_attrs_", "system_attrs_", "intermediate_values_", "distributions_")


def is_optunas(columns: Sequence[str]) -> bool:
    """Whether Optuna made the table; with `attrs=` it may have but some of the columns, and the user may have added some."""
    there = set(columns)
    if any(column.startswith(PARAM) for column in columns):
        return {"number", "state"} <= there or all(_has_its_form(column) for column in columns if column)
    return {"number", "state", "datetime_start"} <= there


def is_note(column: str) -> bool:
    """Whether a column of such a table is neither a parameter, a value, a constraint nor one that somebody added."""
    return column in _OWN or column.startswith(_NOTES)


def value_columns(columns: Iterable[str]) -> dict[str, str]:
    """The columns of values in such a table, with the name of the metric, or its place, or "" for the only one."""
    found = {}
    for column in columns:
        prefix = next((prefix for prefix in _VALUES if column.startswith(prefix)), "")
        if prefix or column == "value":
            found[column] = column.removeprefix(prefix) if prefix else ""
    return found


def metrics(columns: Iterable[str], names: Sequence[str]) -> dict[str, str]:
    """Column -> metric, for the sweep's metrics: by name where the study has these names, and else by place.

    Several that have other names are none of the sweep's: by their places alone they might be mistaken.
    """
    found = value_columns(columns)
    by_name = {column: name for column, name in found.items() if name in names}
    if len(by_name) == len(names) or len(found) != len(names):
        return by_name
    if len(names) == 1:
        return dict.fromkeys(found, names[0])
    if all(place.isdecimal() for place in found.values()):
        return dict(zip(sorted(found, key=lambda column: int(found[column])), names, strict=True))
    return by_name


def _has_its_form(column: str) -> bool:
    return column.startswith(PARAM) or is_note(column) or bool(value_columns([column]))
