"""The sources of an import, told apart by what they are, read by their readers, and written as a sweep's directory."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from asyncsweep.core.records import Direction, PluginSpec, State, SweepSpec
from asyncsweep.errors import ConfigError
from asyncsweep.history import studies as past_studies
from asyncsweep.importing import guesses, studies, sweeps, tables
from asyncsweep.importing.search import Search
from asyncsweep.importing.writing import write
from asyncsweep.journal import journal
from asyncsweep.space import Domain
from asyncsweep.space.values import shown

_OF_HISTORY = re.compile(r"History\(source, ignore=\[(.*?)\]\) passes over it")


class Imported(NamedTuple):
    """What was imported.

    Attributes:
        source: Where it comes from, without a password.
        spec: The settings of the sweep.
        counts: State -> number of trials.
        n_left_out: How many trials were left out, because they had not ended by themselves.
        notes: What the user should know, in words.
    """

    source: str
    spec: SweepSpec
    counts: Mapping[State, int]
    n_left_out: int
    notes: tuple[str, ...]


def import_search(
    source: str,
    directory: Path,
    *,
    study: str | None = None,
    space: Mapping[str, Domain] | None = None,
    directions: Mapping[str, Direction] | None = None,
    ignore: frozenset[str] = frozenset(),
    objective: str = "",
    seed: int | None = None,
) -> Imported:
    """Make a sweep's directory of an earlier search. It can be listed, shown, exported, and opened to go on.

    Args:
        source: The URL of an Optuna storage, a CSV file, or another sweep's directory.
        directory: The new sweep's: a new folder, or one without a sweep.
        study: Which study of a storage; needed where there are several.
        space: Domains by name. A CSV file needs all of them; of a study those count that are given, and otherwise its own.
        directions: Metric -> direction; a CSV file needs them.
        ignore: Parameters and columns of the source that are passed over.
        objective: What the sweep's objective is called.
        seed: Of the sweep that goes on; None draws one.

    Raises:
        ConfigError: The source cannot be read, has nothing to import, or what is needed is not given; or the directory
            cannot be made. Nothing is left there.
        JournalError: The source's journal is damaged, or the system refuses to write.
    """
    journal.refuse_used(directory)
    named = _shown(source)
    try:
        found = _read(source, directory, study, space or {}, directions, ignore)
    except ConfigError as error:
        text = _OF_HISTORY.sub(r"--ignore \1 passes over it", str(error))
        raise ConfigError(f"import of {named}: {text}") from error
    spec = found.spec
    if objective:
        spec = replace(spec, objective=objective)
    if seed is not None:
        spec = replace(spec, seed=seed)
    write(found._replace(spec=spec), directory, f"imported from {named}")
    counts = dict.fromkeys(State, 0)
    for trial in found.trials:
        counts[trial.state] += 1
    return Imported(named, spec, counts, found.n_left_out, tuple(found.notes))


def _read(
    source: str,
    directory: Path,
    study: str | None,
    space: Mapping[str, Domain],
    directions: Mapping[str, Direction] | None,
    ignore: frozenset[str],
) -> Search:
    if "://" in source:
        with past_studies.opened(source) as storage:
            found = studies.read(past_studies.study_in(storage, study), space, directions, ignore)
        return _as_new(found)
    if study is not None:
        raise ConfigError(f"--study {study!r} is for Optuna storages; leave it out")
    path = _path(source)
    if path.is_dir():
        if space or directions or ignore:
            raise ConfigError(
                "a sweep's directory tells its space and directions; leave --space, --direction, --ignore out"
            )
        return sweeps.read(path)
    if not space or directions is None:
        raise ConfigError(_proposal(path, directory, space, directions, ignore))
    return _as_new(tables.read(path, space, directions, ignore))


def _as_new(found: Search) -> Search:
    """The settings of a search that tells none: what a new sweep would have, and no more trials than there are."""
    spec = replace(
        found.spec,
        n_trials=len(found.trials),
        seed=int.from_bytes(os.urandom(4)) >> 1,
        sampler=PluginSpec("tpe"),
        executor=PluginSpec("process"),
    )
    return found._replace(spec=spec)


def _path(source: str) -> Path:
    try:
        path = Path(source)
        if source and path.exists():
            if path.is_file() and past_studies.is_sqlite(path):
                url = shown(f"sqlite:///{path}")
                raise ConfigError(f"that is a database of SQLite; name an Optuna storage by its URL, {url}")
            return path
    except OSError as error:
        raise ConfigError(f"it cannot be looked at: {error.strerror}") from error
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"it cannot be looked at: {error}") from error
    raise ConfigError(
        "there is no such file or directory; a storage of Optuna is named by a URL such as sqlite:///a.db"
    )


def _proposal(
    path: Path,
    directory: Path,
    space: Mapping[str, Domain],
    directions: Mapping[str, Direction] | None,
    ignore: frozenset[str],
) -> str:
    """What is missing, with a command that has it guessed."""
    tables.check(path)
    spaces, goals = guesses.options(tables.rows(path), directions, ignore)
    lacking = [] if space else ["the space"]
    lacking += [] if directions is not None else ["the direction of each metric"]
    given = [f"--direction={name}={direction}" for name, direction in (directions or {}).items()]
    parts = [
        str(path),
        str(directory),
        *(() if space else spaces),
        *goals,
        *given,
        *(f"--ignore={name}" for name in sorted(ignore)),
    ]
    command = shlex.join(["asyncsweep", "import", *parts])
    return f"a CSV file does not tell {' and '.join(lacking)}; mend what is guessed here:\n  {command}"


def _shown(source: str) -> str:
    return past_studies.without_password(source) if "://" in source else source
