"""What `asyncsweep run` was told to run, kept in the sweep's directory, so that `asyncsweep resume DIR` needs no more.

A directory may come from somebody else, and running what it names would hand this account to whoever made it. So the record is
signed with a key of this user's, and one without a valid signature is not used.

Values of variables that look like secrets are not in it; they are taken from the environment, or given again.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from asyncsweep.cli.signing import NoKey, is_signed, signature
from asyncsweep.errors import ConfigError
from asyncsweep.worker.secrets import is_secret_variable

NAME = "objective.json"
_VERSION = 1
_LIMIT_BYTES = 2**20


class Record(NamedTuple):
    """What was run.

    Attributes:
        objective: As a file of a sweep has it.
        folder: Where it was started.
        paths_from: Where relative paths of the objective begin.
        hooks: The fields `stop_when` and `plugins` of the file that described the sweep.
        secret_env: Variables of the objective whose values are not recorded.
    """

    objective: Any
    folder: str
    paths_from: str
    hooks: dict[str, Any]
    secret_env: list[str]


def record_of(objective: Any, paths_from: Path, hooks: dict[str, Any]) -> Record:
    """A record of what is started here and now."""
    hidden: list[str] = []
    if isinstance(objective, dict) and isinstance(objective.get("env"), dict):
        hidden = [name for name in objective["env"] if is_secret_variable(name)]
        shown = {name: value for name, value in objective["env"].items() if name not in hidden}
        objective = {**objective, "env": shown}
    return Record(objective, os.getcwd(), str(paths_from), hooks, hidden)


def write(directory: Path, record: Record) -> None:
    """Keep a record in the sweep's directory.

    Raises:
        NoKey: It cannot be signed.
        OSError: It cannot be written.
    """
    fields = {"version": _VERSION, **record._asdict()}
    document = {**fields, "signature": signature(_bytes(fields), make=True)}
    unfinished = directory / f".{NAME}-{secrets.token_hex(4)}"
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
        os.replace(unfinished, directory / NAME)
    except BaseException:
        with suppress(FileNotFoundError):
            unfinished.unlink()
        raise


def read(directory: Path) -> Record:
    """The record of a sweep that this user started.

    Raises:
        ConfigError: There is none, or it was not made by this user.
    """
    named = f"name the objective: asyncsweep resume {directory} train.py, say"
    try:
        fd = os.open(directory / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            fields = json.loads(file.read(_LIMIT_BYTES))
        claimed = str(fields.pop("signature"))
    except FileNotFoundError:
        raise ConfigError(f"{directory}: what this sweep ran is not recorded; {named}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{directory}: the record of what this sweep ran cannot be read ({error}); {named}"
        ) from error
    try:
        is_ours = is_signed(_bytes(fields), claimed)
    except NoKey as error:
        raise ConfigError(
            f"{directory}: the record of what this sweep ran cannot be checked: {error}; {named}"
        ) from error
    if not is_ours:
        raise ConfigError(f"{directory}: this sweep was recorded elsewhere, so what it names is not run; {named}")
    if fields.pop("version") != _VERSION:
        raise ConfigError(f"{directory}: what this sweep ran was recorded by another version of asyncsweep; {named}")
    return Record(**fields)


def _bytes(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
