"""The trials of a sweep as the text of a CSV file, trial by trial: what `Result.to_csv` writes, and what a viewer is given.

Which columns there are is known when all trials were seen. Trials that have the same names have the same columns, so one of each kind
is enough to tell.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from asyncsweep.cells import Cells, csv_text
from asyncsweep.columns import Columns
from asyncsweep.core.records import Direction, TrialRecord
from asyncsweep.space import Categorical, Domain


class CsvTable:
    """One table: first `see` every trial, then take the `header`, then the `line` of each of them.

    Args:
        space: The domains by name.
        directions: The metrics that are optimised.
    """

    def __init__(self, space: Mapping[str, Domain], directions: Mapping[str, Direction]) -> None:
        self._space = space
        self._directions = directions
        self._kinds: dict[tuple[Any, ...], TrialRecord] = {}
        self._text = io.StringIO()

    def see(self, trial: TrialRecord) -> None:
        """This trial is to be in the table."""
        self._kinds.setdefault(_kind(trial), trial)

    def header(self) -> str:
        """The first line."""
        of_each = self._kinds.values()
        self._columns = Columns(self._space, self._directions, of_each)
        self._texts = {
            self._columns.params[name]: Cells(domain)
            for name, domain in self._space.items()
            if isinstance(domain, Categorical)
        }
        names = self._columns.in_order(map(self._columns.row, of_each))
        self._writer = csv.DictWriter(self._text, names, restval="")
        self._writer.writeheader()
        return self._taken()

    def line(self, trial: TrialRecord) -> str:
        """The line of a trial that was seen, and has not changed since."""
        texts, row = self._texts, self._columns.row(trial)
        self._writer.writerow({key: texts[key].text(v) if key in texts else csv_text(v) for key, v in row.items()})
        return self._taken()

    def _taken(self) -> str:
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return text


def _kind(trial: TrialRecord) -> tuple[Any, ...]:
    """What decides about the columns that a trial has."""
    constraints = tuple(trial.constraints) if trial.constraints else None
    has = bool(trial.started_at), trial.duration_s is not None, trial.error is not None
    return trial.param_names, trial.metric_names, constraints, has
