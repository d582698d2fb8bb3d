"""Trials of an Optuna study: given as an object, or as a storage with the study's name. Only here optuna is imported.

A study is looked at and never changed: a file that is not there is not made, and tables are not added to a database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncsweep.core.records import Direction, State
from asyncsweep.errors import ConfigError
from asyncsweep.history.admission import Candidate
from asyncsweep.hooks.nearest import did_you_mean
from asyncsweep.samplers.optuna_domains import OptunaDomain
from asyncsweep.space import Categorical, Space
from asyncsweep.space.values import same, shown
from asyncsweep.worker.secrets import learn, redacted

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

_SQLITE = b"SQLite format 3\0"
_STATES = {
    "COMPLETE": State.COMPLETE,
    "PRUNED": State.PRUNED,
    "FAIL": State.FAILED,
    "RUNNING": State.RUNNING,
    "WAITING": State.WAITING,
}


def is_optunas(value: object, name: str) -> bool:
    """Whether the value is of Optuna's class of that name; optuna is not imported to find out."""
    return any(kind.__name__ == name and kind.__module__.split(".")[0] == "optuna" for kind in type(value).__mro__)


def is_sqlite(path: Path) -> bool:
    """Whether a file is a database of SQLite.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return f"{url.partition('://')[0]}://..."


@contextmanager
def opened(url: str) -> Iterator[BaseStorage]:
    """The storage behind a URL; its connections are closed at the end.

    Raises:
        ConfigError: There is none, or it cannot be read.
    """
    from optuna.exceptions import OptunaError
    from optuna.storages import RDBStorage
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    learn(url)  # its password is in no message
    try:
        parts = make_url(url)
        if parts.get_backend_name() == "sqlite":
            _check_file(parts.database or "")
        _check_tables(url)
        storage = RDBStorage(url, skip_table_creation=True)
    except ConfigError:
        raise
    except (SQLAlchemyError, OptunaError, ImportError, RuntimeError, ValueError) as error:
        raise ConfigError(f"it cannot be read as an Optuna storage: {_first_line(error)}") from error
    try:
        yield storage
    except (SQLAlchemyError, OptunaError) as error:
        raise ConfigError(f"it cannot be read as an Optuna storage: {_first_line(error)}") from error
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _check_file(database: str) -> None:
    """See that a database of SQLite is one.

    Raises:
        ConfigError: It is none.
    """
    try:
        if not Path(database).is_file():
            raise ConfigError(
                f"there is no file {shown(database)}; a path after sqlite:/// is relative, after //// not"
            )
        if Path(database).stat().st_size and not is_sqlite(Path(database)):
            raise ConfigError("that file is no database of SQLite, and so no Optuna storage")
    except OSError as error:
        raise ConfigError(f"it cannot be looked at: {error.strerror}") from error


def _check_tables(url: str) -> None:
    """See that a database has Optuna's tables, for Optuna itself only tells that something about it went wrong.

    Raises:
        ConfigError: It has not.
    """
    from sqlalchemy import create_engine, inspect

    engine = create_engine(url)
    try:
        is_optunas = inspect(engine).has_table("version_info") and inspect(engine).has_table("studies")
    finally:
        engine.dispose()
    if not is_optunas:
        raise ConfigError("that database is not of Optuna: it lacks the tables of an Optuna storage")


def study_in(storage: BaseStorage, name: str | None) -> Study:
    """The study of that name, or the only one.

    Raises:
        ConfigError: There is no such study, or there are several and none is named.
    """
    import optuna

    names = [study.study_name for study in storage.get_all_studies()]
    there = f"there are: {', '.join(map(repr, names)) or 'none'}"
    if name is None and len(names) != 1:
        raise ConfigError(f"study_name is needed, {there}" if names else "it holds no study")
    if name is not None and name not in names:
        raise ConfigError(f"study_name={name!r}: there is no such study{did_you_mean(name, names)}; {there}")
    return optuna.load_study(study_name=name or names[0], storage=storage)


def candidates(
    study: Study, space: Space, directions: Mapping[str, Direction], ignore: Set[str]
) -> Sequence[Candidate]:
    """The study's trials in their order.

    Raises:
        ConfigError: The study has other directions than the sweep.
    """
    metrics = _metrics(study, directions)
    places = {name: _Places(domain) for name, domain in space.domains.items() if isinstance(domain, Categorical)}
    return [_candidate(trial, metrics, places, ignore) for trial in study.get_trials(deepcopy=False)]


class _Places:
    """Choices that Optuna cannot hold: a study that `Result.to_optuna` made has their places instead."""

    def __init__(self, domain: Categorical) -> None:
        known = OptunaDomain(domain)
        told = [known.told(choice) for choice in domain.choices]
        are_places = not all(same(one, other) for one, other in zip(told, domain.choices, strict=True))
        self._choices = domain.choices if are_places else ()

    def choice(self, value: Any, distribution: Any) -> Any:
        is_place = self._choices and getattr(distribution, "choices", None) == tuple(range(len(self._choices)))
        return self._choices[value] if is_place else value


def _metrics(study: Study, directions: Mapping[str, Direction]) -> list[str]:
    """The sweep's metrics in the order of the study's values."""
    theirs = [direction.name.lower() for direction in study.directions]
    names = list(directions)
    if study.metric_names is not None and set(study.metric_names) == set(names):
        names = list(study.metric_names)
    if theirs != [directions[name] for name in names]:
        wanted = ", ".join(f"{name!r}: {direction}" for name, direction in directions.items())
        raise ConfigError(f"the study's directions are {', '.join(theirs)}, this sweep's {wanted}; they must agree")
    return names


def _candidate(trial: FrozenTrial, metrics: list[str], places: Mapping[str, _Places], ignore: Set[str]) -> Candidate:
    where = f"trial {trial.number}"
    state = _STATES[trial.state.name]
    if state is State.RUNNING or state is State.WAITING:
        return Candidate(where, state)
    params = {
        name: places[name].choice(value, trial.distributions[name]) if name in places else value
        for name, value in trial.params.items()
        if name not in ignore
    }
    values = dict(
        zip(metrics, trial.values or (), strict=False)
    )  # FAIL has none; a study takes no other number of them
    return Candidate(where, state, params, values, trial.intermediate_values, _constraints(trial))


def _constraints(trial: FrozenTrial) -> dict[str, float]:
    """By name; older Optuna has a list."""
    known = getattr(trial, "constraints", None)
    if known is None:
        known = {str(place): value for place, value in enumerate(trial.system_attrs.get("constraints") or ())}
    return {name: float(value) for name, value in known.items()}


def _first_line(error: Exception) -> str:
    return redacted((str(error).splitlines() or [type(error).__name__])[0])
