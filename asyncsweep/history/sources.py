"""The sources of a warm start, told apart by what they are, and read by their readers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from asyncsweep.core.records import Direction
from asyncsweep.errors import ConfigError
from asyncsweep.history import studies, sweeps
from asyncsweep.history.admission import Candidate, Past, admit
from asyncsweep.history.layout import Layouts
from asyncsweep.history.tables import Table
from asyncsweep.hooks.nearest import did_you_mean
from asyncsweep.result import Result
from asyncsweep.space import Space
from asyncsweep.space.values import shown

_OUTSIDE = ("refuse", "skip")


@dataclass(frozen=True)
class History:
    """An earlier search that a sweep learns from: `Sweep(..., history=History(source))`, or the source alone.

    Args:
        source: One of these:
            the directory of another sweep, which may still run;
            a `Result`;
            an Optuna study, an Optuna storage, or a storage's URL such as "sqlite:///study.db";
            a CSV file, by its path: of `Result.to_csv`, or any with columns named as the parameters and metrics are;
            a pandas DataFrame or a list of dicts, with the same columns;
            `study.trials_dataframe()` of Optuna, or a CSV file or dicts of it.
        outside: What to do with trials that the new sweep could not have had, because a parameter is unknown, missing,
            inactive or outside its domain, or a metric is missing: "refuse" the source, or "skip" them and count.
        study_name: Which study of a storage; needed where there are several.
        ignore: Parameters and columns of the source that are passed over.

    Raises:
        ConfigError: An option is wrong.
    """

    source: Any
    outside: Literal["refuse", "skip"] = "refuse"
    study_name: str | None = None
    ignore: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.outside not in _OUTSIDE:
            hint = did_you_mean(self.outside, _OUTSIDE) if isinstance(self.outside, str) else ""
            raise ConfigError(f'history: outside={self.outside!r}: expected "refuse" or "skip"{hint}')
        if self.study_name is not None and not isinstance(self.study_name, str):
            raise ConfigError(f"history: study_name={self.study_name!r}: expected a text, or None for the only study")
        if not isinstance(self.ignore, list | tuple) or not all(isinstance(name, str) for name in self.ignore):
            raise ConfigError(f"history: ignore={self.ignore!r}: expected a list of names")


def load(history: Any, space: Space, directions: Mapping[str, Direction]) -> Past:
    """What a sweep with this space and these directions can learn from a `History` or its source.

    Raises:
        ConfigError: The source is none, cannot be read, or has what the sweep could not have had.
        JournalError: The journal of a sweep is damaged, or is of a newer version.
    """
    wanted = history if isinstance(history, History) else History(history)
    name = _shown(wanted.source)
    try:
        candidates = _candidates(wanted, space, directions)
        return admit(name, candidates, space, directions, skip=wanted.outside == "skip")
    except ConfigError as error:
        raise ConfigError(f"history={name}: {error}") from error


def _candidates(history: History, space: Space, directions: Mapping[str, Direction]) -> Iterable[Candidate]:
    source, ignore = history.source, frozenset(history.ignore)
    is_url = isinstance(source, str) and "://" in source
    if is_url or studies.is_optunas(source, "BaseStorage"):
        if not is_url:
            return studies.candidates(studies.study_in(source, history.study_name), space, directions, ignore)
        with studies.opened(source) as storage:
            return studies.candidates(studies.study_in(storage, history.study_name), space, directions, ignore)
    if history.study_name is not None:
        raise ConfigError(f"study_name={history.study_name!r} is for Optuna storages; leave it out")
    if studies.is_optunas(source, "Study"):
        return studies.candidates(source, space, directions, ignore)
    if isinstance(source, Result):
        sweeps.check_directions(source.directions, source.trials, directions)
        return sweeps.candidates(source.trials, ignore)
    table = Table(space, Layouts(space, directions, ignore))
    if isinstance(source, str | Path):
        path = _path(source)
        if not path.is_dir():
            _refuse_database(path)
            return table.of_csv(path)
        theirs, trials = sweeps.of_directory(path)
        sweeps.check_directions(theirs, trials, directions)
        return sweeps.candidates(trials, ignore)
    if _is_frame(source):
        return table.of_frame(source)
    if isinstance(source, Iterable) and not isinstance(source, Mapping | bytes):
        return table.of_rows(source)
    raise ConfigError(
        "expected the directory of a sweep, a Result, an Optuna study, storage or storage URL, a CSV file, "
        f"a DataFrame, or a list of dicts; got {type(source).__name__}"
    )


def _path(source: str | Path) -> Path:
    """A path at which something is.

    Raises:
        ConfigError: Nothing is there.
    """
    try:
        path = Path(source)
        if str(source) and path.exists():
            return path
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error  # the path is in the message already
        raise ConfigError(f"it cannot be looked at: {why}") from error
    raise ConfigError(
        "there is no such file or directory; a storage of Optuna is named by a URL such as sqlite:///a.db"
    )


def _refuse_database(path: Path) -> None:
    """See that a file is no database, which a storage's URL names.

    Raises:
        ConfigError: It is one.
    """
    try:
        is_database = path.is_file() and studies.is_sqlite(path)
    except OSError as error:
        raise ConfigError(f"it cannot be read: {error.strerror}") from error
    if is_database:
        raise ConfigError(
            f"that is a database of SQLite; name an Optuna storage by its URL, {shown(f'sqlite:///{path}')}"
        )


def _is_frame(source: object) -> bool:
    return any(
        kind.__name__ == "DataFrame" and kind.__module__.split(".")[0] == "pandas" for kind in type(source).__mro__
    )


def _shown(source: Any) -> str:
    """The source for a message, without its content and without a password."""
    if isinstance(source, str) and "://" in source:
        return shown(studies.without_password(source))
    if isinstance(source, str | Path):
        return shown(str(source))
    if studies.is_optunas(source, "Study"):
        return f"study {source.study_name!r}"
    return type(source).__name__
