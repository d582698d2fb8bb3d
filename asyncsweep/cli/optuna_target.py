"""A sweep written into an Optuna storage as a study of its own, for optuna-dashboard and for Optuna's users."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from asyncsweep.cells import json_value
from asyncsweep.errors import ConfigError
from asyncsweep.history.studies import without_password
from asyncsweep.result import Result
from asyncsweep.samplers.optunas import quiet
from asyncsweep.space.values import shown

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage


def write_study(result: Result, url: str, name: str, *, force: bool) -> int:
    """Write every final trial that has parameters into a new study; gives how many there were.

    Args:
        result: The trials.
        url: The storage, such as "sqlite:///study.db"; its database is made if it is not there.
        name: The study's.
        force: Replace a study of this name.

    Raises:
        ConfigError: The storage cannot be used, or has such a study already; then nothing has changed.
    """
    import optuna

    with quiet(), warnings.catch_warnings(), _opened(url) as storage:
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        trials = result.to_optuna().get_trials(deepcopy=False)
        names = [study.study_name for study in storage.get_all_studies()]
        if name in names:
            if not force:
                raise ConfigError(f"it has a study {name!r} already; --force replaces it, --study names another")
            optuna.delete_study(study_name=name, storage=storage)
        study = optuna.create_study(study_name=name, storage=storage, directions=list(result.directions.values()))
        try:
            _fill(study, result, trials)
        except BaseException:
            with suppress(Exception):  # what made it fail is told; a part of a study is worse than none
                optuna.delete_study(study_name=name, storage=storage)
            raise
    return len(trials)


def _fill(study: Study, result: Result, trials: list[Any]) -> None:
    if list(result.directions) != ["value"]:
        study.set_metric_names(list(result.directions))
    if result.reason:
        study.set_user_attr("asyncsweep:reason", result.reason)
    for trial in trials:
        trial.user_attrs = json_value(trial.user_attrs)  # a database keeps them as JSON
    study.add_trials(trials)


@contextmanager
def _opened(url: str) -> Iterator[RDBStorage]:
    """The storage; its connections are closed at the end.

    Raises:
        ConfigError: It cannot be used, or not for what was done with it.
    """
    if "://" not in url:
        raise ConfigError(f"--storage {url!r}: a storage is named by a URL, such as sqlite:///study.db")
    from optuna.exceptions import OptunaError
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    storage: RDBStorage | None = None
    try:
        storage = RDBStorage(url)
        yield storage
    except ConfigError as error:
        raise ConfigError(f"--storage {shown(without_password(url))}: {error}") from error
    except (SQLAlchemyError, OptunaError, ImportError, RuntimeError, ValueError, OSError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"--storage {shown(without_password(url))} cannot be used: {why}") from error
    finally:
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()
