"""The final trials as a table in a CSV file, row by row.

The columns are those of `Result.to_csv`: known at the start, but for parameters that the objective asks for while it runs, further
metrics and constraints. When one of these turns up the file is written anew, beside the old one, and takes its place at once; so
whoever reads it finds a whole table at any time.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from asyncsweep.cells import Cells, csv_text
from asyncsweep.columns import Columns
from asyncsweep.core.effects import TrialDropped, Update
from asyncsweep.core.records import TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.exporters.threaded import ThreadedExporter
from asyncsweep.hooks.contracts import SweepInfo
from asyncsweep.space import Categorical

_FIRST = ("number", "state")
_LAST = ("attempts", "started_at", "duration_s", "error")


class CsvExporter(ThreadedExporter):
    """Writes a row for each trial that is final, in the order in which they end.

    Args:
        path: The file. One that has something else in it is refused; a resumed sweep writes its own anew.
        overwrite: True: whatever is in the file is replaced.
    """

    def __init__(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise ConfigError(f"exporter.path: expected the path of a file, got {path!r}")
        if not isinstance(overwrite, bool):
            raise ConfigError(f"exporter.overwrite: expected True or False, got {overwrite!r}")
        self.path = Path(path)
        self._overwrites = overwrite
        self._file: TextIO | None = None

    def open(self, info: SweepInfo) -> None:
        """Write the header, and the trials of a resumed sweep.

        Raises:
            ConfigError: The file has something else in it, or cannot be written.
        """
        self._space, self._metrics = info.space.domains, tuple(info.directions)
        self._is_resumed = bool(info.trials())
        self._trials = {trial.number: trial for trial in info.trials() if trial.is_final}
        self._columns = self._columns_of(())
        try:
            # A link stays one; what it leads to is replaced.
            self._target = Path(os.path.realpath(self.path))
            self._check_present()
            self._write_anew()
        except OSError as error:
            raise ConfigError(f"exporter.path: cannot write to {str(self.path)!r}: {error}") from error

    def write(self, updates: Sequence[Update], trials: Sequence[TrialRecord]) -> None:
        new = [trial for trial in trials if trial.number not in self._trials]
        self._trials |= {trial.number: trial for trial in new}
        dropped = [update.trial for update in updates if type(update) is TrialDropped and update.trial in self._trials]
        for number in dropped:
            del self._trials[number]
        if dropped or not all(map(self._has_columns_of, new)):
            self._write_anew()
        elif new and self._file is not None:
            self._write_rows(self._file, new)
            self._file.flush()

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _check_present(self) -> None:
        """See that nothing is lost that is not of this sweep."""
        if not self._target.exists():
            return
        if not self._target.is_file():
            raise ConfigError(f"exporter.path: {str(self.path)!r} is no file")
        with open(self._target, newline="", encoding="utf-8", errors="replace") as file:
            rows = csv.reader(file)
            header, first = next(rows, None), next(rows, None)
        is_own = header == self._header() if first is None else header is not None and tuple(header[:2]) == _FIRST
        if header is None or self._overwrites or (is_own and (first is None or self._is_resumed)):
            return
        raise ConfigError(
            f"exporter.path: {str(self.path)!r} is there already; move it away, give another path, or overwrite=True"
        )

    def _write_anew(self) -> None:
        self._columns = self._columns_of(self._trials.values())
        self.close()
        beside = self._target.with_name(f".{self._target.name}.{os.getpid()}")
        file = open(beside, "w", newline="", encoding="utf-8")  # noqa: SIM115  # it stays open for the rows that follow
        try:
            csv.writer(file).writerow(self._header())
            self._write_rows(file, self._trials.values())
            file.flush()
            os.replace(beside, self._target)
        except BaseException:
            with suppress(OSError):
                file.close()
            beside.unlink(missing_ok=True)
            raise
        self._file = file

    def _write_rows(self, file: TextIO, trials: Iterable[TrialRecord]) -> None:
        texts = self._texts
        writer = csv.DictWriter(file, self._header(), restval="")
        for trial in trials:
            row = self._columns.row(trial)
            writer.writerow({key: texts[key].text(v) if key in texts else csv_text(v) for key, v in row.items()})

    def _columns_of(self, trials: Iterable[TrialRecord]) -> Columns:
        columns = Columns(self._space, self._metrics, trials)
        self._texts: dict[str, Any] = {
            columns.params[name]: Cells(domain)
            for name, domain in self._space.items()
            if isinstance(domain, Categorical)
        }
        return columns

    def _has_columns_of(self, trial: TrialRecord) -> bool:
        columns = self._columns
        return (
            all(name in columns.params for name in trial.param_names or ())
            and all(name in columns.metrics for name in trial.metric_names)
            and all(name in columns.constraints for name in trial.constraints or ())
        )

    def _header(self) -> list[str]:
        columns = self._columns
        return [*_FIRST, *columns.params.values(), *columns.metrics.values(), *columns.constraints.values(), *_LAST]
