"""A sweep in a file: TOML or JSON with the fields of `Sweep(...)`.

    objective = {script = "train.py"}
    direction = "minimize"
    n_trials = 50
    sampler = {name = "tpe", n_startup_trials = 20}

    [space]
    lr = "log_uniform(1e-5, 1e-1)"

Relative paths begin at the file's folder, also those of exporters (`path`, `logdir`, `dir`). Where `Sweep` takes None, a file has "none" (or null in JSON).
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from asyncsweep.core.records import Retry
from asyncsweep.core.retry_rules import MOST_TIMES
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.nearest import did_you_mean
from asyncsweep.space.values import shown
from asyncsweep.spec_objective import objective_of
from asyncsweep.spec_space import space_of

SUFFIXES = (".toml", ".json")
NONE = "none"
# The fields that name code, which no journal has.
HOOKS = ("stop_when", "plugins")
# Options of exporters that are paths.
PATHS_OF_EXPORTERS = ("path", "logdir", "dir")

Read = Callable[[Any, str, Path], Any]


def load(path: str | Path) -> dict[str, Any]:
    """The arguments of the `Sweep` that a file describes: `Sweep(**load("sweep.toml"))`.

    Nothing is run; modules are imported where the file names hooks (`plugins`, `stop_when`, `patch` of a script).

    Raises:
        ConfigError: The file cannot be read, or a field is wrong; the message has the file and the path of the fault.
    """
    path = Path(path)
    return built(parsed(path), path)


def built(fields: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The arguments that the fields of a file mean; see `load`."""
    folder = path.absolute().parent
    found: dict[str, Any] = {}
    for name, value in fields.items():
        read = FIELDS.get(name)
        if read is None:
            raise ConfigError(
                f"{path}: {name}: there is no such field{did_you_mean(name, FIELDS)}; there are: {', '.join(FIELDS)}"
            )
        try:
            found[name] = read(value, name, folder)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
    if "objective" not in found:
        raise ConfigError(f'{path}: objective is missing, such as objective = {{script = "train.py"}}')
    return found


def parsed(path: Path) -> dict[str, Any]:
    """The fields of a file as they are written there.

    Raises:
        ConfigError: It cannot be read, or is not what its name says.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"{path}: a file of a sweep ends in {' or '.join(SUFFIXES)}")
    try:
        text = path.read_text(encoding="utf-8-sig")  # as editors on Windows save it
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: it is not UTF-8 text: {error}") from error
    try:
        fields = tomllib.loads(text) if path.suffix == ".toml" else _json(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:  # each of them tells the line
        raise ConfigError(f"{path}: it is not valid {path.suffix[1:].upper()}: {error}") from error
    if not isinstance(fields, dict):
        raise ConfigError(f"{path}: expected an object with the fields of a sweep, not {shown(fields)}")
    return fields


class _Object(list[tuple[str, Any]]):
    """An object of JSON as it is written, with keys that are there twice."""


def _json(text: str) -> Any:
    return _without_twins(json.loads(text, object_pairs_hook=_Object), "")


def _without_twins(value: Any, where: str) -> Any:
    if isinstance(value, _Object):
        found: dict[str, Any] = {}
        for name, one in value:
            place = f"{where}.{name}" if where else name
            if name in found:
                raise ConfigError(f"{place}: it is given twice; leave one out")
            found[name] = _without_twins(one, place)
        return found
    if isinstance(value, list):
        return [_without_twins(one, f"{where}[{place}]") for place, one in enumerate(value)]
    return value


def _as_it_is(value: Any, where: str, folder: Path) -> Any:
    """What `Sweep` itself checks."""
    return value


def _optional(value: Any, where: str, folder: Path) -> Any:
    return None if value == NONE else value


def _space(value: Any, where: str, folder: Path) -> Any:
    return space_of(value, where)


def _part(value: Any, where: str, folder: Path) -> Any:
    """A sampler, pruner, executor or exporter: a name, or a table with one."""
    if value is None or value == NONE:
        return None
    if isinstance(value, Mapping) and "name" not in value:
        raise ConfigError(f'{where}.name is missing, as in {where} = {{name = "..."}}')
    name = value["name"] if isinstance(value, Mapping) else value
    if not isinstance(name, str) or not name:
        field = f"{where}.name" if isinstance(value, Mapping) else where
        raise ConfigError(f"{field}={shown(name)}: expected a name, or a table with a name and options")
    return value


def _executor(value: Any, where: str, folder: Path) -> Any:
    """One executor, or a list of several."""
    return (
        _part(value, where, folder)
        if not isinstance(value, list)
        else [_part(one, f"{where}[{place}]", folder) for place, one in enumerate(value)]
    )


def _parts(value: Any, where: str, folder: Path) -> list[Any]:
    return [
        _at_home(_part(one, f"{where}[{place}]", folder), folder) for place, one in enumerate(_listed(value, where))
    ]


def _at_home(exporter: Any, folder: Path) -> Any:
    """An exporter whose relative paths begin at the folder; a URL is none."""
    if not isinstance(exporter, Mapping):
        return exporter
    return {
        name: str(folder / os.path.expanduser(value))
        if name in PATHS_OF_EXPORTERS and isinstance(value, str) and value and "://" not in value
        else value
        for name, value in exporter.items()
    }


def _retries(value: Any, where: str, folder: Path) -> Any:
    """A number, or a table with the arguments of `Retry`."""
    if not isinstance(value, Mapping):
        return value
    for name in value:
        if name not in Retry.__struct_fields__:
            known = Retry.__struct_fields__
            raise ConfigError(
                f"{where}.{name}: there is no such field{did_you_mean(name, known)}; there are: {', '.join(known)}"
            )
    fields = dict(value)
    times = fields.get("times", 0)
    if isinstance(times, bool) or not isinstance(times, int) or not 0 <= times <= MOST_TIMES:
        raise ConfigError(f"{where}.times={shown(times)}: expected a whole number from 0 to {MOST_TIMES:,}")
    if "on" in fields:
        fields["on"] = tuple(
            _text(one, f"{where}.on[{place}]") for place, one in enumerate(_listed(fields["on"], f"{where}.on"))
        )
    if fields.get("quarantine") == NONE:
        fields["quarantine"] = None
    try:
        return Retry(**fields)
    except ConfigError as error:
        raise ConfigError(str(error).replace("Retry.", f"{where}.", 1)) from error


def _enqueue(value: Any, where: str, folder: Path) -> list[Any]:
    for place, one in enumerate(_listed(value, where)):
        if not isinstance(one, Mapping):
            raise ConfigError(f"{where}[{place}]={shown(one)}: expected a table of parameters with values")
    return list(value)


def _path(value: Any, where: str, folder: Path) -> str | None:
    if value is None or value == NONE:
        return None
    return str(folder / Path(_text(value, where)).expanduser())


def _history(value: Any, where: str, folder: Path) -> Any:
    """A source, or a table with the arguments of `History`."""
    from asyncsweep.history import History

    if value is None or value == NONE:
        return None
    fields = dict(value) if isinstance(value, Mapping) else {"source": value}
    known = ("source", "outside", "study_name", "ignore")
    for name in fields:
        if name not in known:
            raise ConfigError(
                f"{where}.{name}: there is no such field{did_you_mean(name, known)}; there are: {', '.join(known)}"
            )
    source = fields.get("source")
    if isinstance(source, str) and "://" not in source:
        fields["source"] = _path(source, where, folder)
    elif not isinstance(source, str | list):
        raise ConfigError(f"{where}.source={shown(source)}: expected a path, a storage's URL, or a list of tables")
    return History(**fields)


def _plugins(value: Any, where: str, folder: Path) -> list[Any]:
    from importlib import import_module

    found = []
    for place, one in enumerate(_listed(value, where)):
        name = _text(one, f"{where}[{place}]")
        try:
            found.append(import_module(name))
        except Exception as error:  # whatever the module does when it is imported
            raise ConfigError(
                f"{where}[{place}]={name!r} cannot be imported: {type(error).__name__}: {error}"
            ) from error
    return found


def _stop_when(value: Any, where: str, folder: Path) -> Any:
    from asyncsweep.worker.objective import load as load_object

    if value is None or value == NONE:
        return None
    target = _text(value, where)
    try:
        return load_object(target)
    except ConfigError as error:
        raise ConfigError(str(error).replace("objective=", f"{where}=", 1)) from error
    except Exception as error:  # whatever the module does when it is imported
        raise ConfigError(f"{where}={target!r} cannot be loaded: {type(error).__name__}: {error}") from error


def _listed(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"{where}={shown(value)}: expected a list")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}={shown(value)}: expected a text that is not empty")
    return value


FIELDS: dict[str, Read] = {
    "objective": objective_of,
    "space": _space,
    "direction": _as_it_is,
    "sampler": _part,
    "pruner": _part,
    "executor": _executor,
    "n_trials": _optional,
    "concurrency": _optional,
    "needs": _optional,
    "timeout": _optional,
    "trial_timeout": _optional,
    "grace_s": _as_it_is,
    "retries": _retries,
    "max_failures": _optional,
    "target": _optional,
    "patience": _optional,
    "seed": _optional,
    "enqueue": _enqueue,
    "reproducible": _as_it_is,
    "stop_when": _stop_when,
    "history": _history,
    "directory": _path,
    "fsync": _as_it_is,
    "keep": _as_it_is,
    "exporters": _parts,
    "plugins": _plugins,
}
