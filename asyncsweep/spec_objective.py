"""The objective as files and records name it: a text "package.module:function", or a table of a script or a program.

    {"script": "train.py", "args": ["--epochs", "3"], "style": "name=value"}
    {"command": ["./train.sh", "--lr={lr}"], "pattern": "loss=(.*)"}

Relative paths begin at the folder of whoever names them, and there a script or program runs unless `cwd` says otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asyncsweep.errors import ConfigError
from asyncsweep.hooks.nearest import did_you_mean
from asyncsweep.space.values import shown
from asyncsweep.worker.objective import load

SCRIPT_FIELDS = ("script", "args", "style", "objective", "metric", "result_file", "cwd", "env", "preload", "patch")
COMMAND_FIELDS = ("command", "reports", "pattern", "result_file", "cwd", "env")


# What stands for an absolute path.
_FOLDERS = ("{trial_dir}", "{checkpoint_dir}")


def objective_of(value: Any, where: str, folder: Path) -> Any:
    """What a `Sweep` takes.

    Args:
        value: A text or a table.
        where: What to call it in an error.
        folder: Where relative paths begin.

    Raises:
        ConfigError: It is neither, or a field of it is wrong.
    """
    if isinstance(value, str):
        if ":" not in value:
            raise ConfigError(
                f'{where}={shown(value)}: a text must have the form "package.module:function"; a script is '
                f'{{script = "train.py"}}, a program {{command = ["./train.sh", "--lr={{lr}}"]}}'
            )
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(
            f'{where}={shown(value)}: expected "package.module:function", or a table of a script or command'
        )
    kinds = [kind for kind in ("script", "command") if kind in value]
    if len(kinds) != 1:
        raise ConfigError(
            f"{where}: expected one of script and command in it, there {'are both' if kinds else 'is none'}"
        )
    known = SCRIPT_FIELDS if kinds == ["script"] else COMMAND_FIELDS
    fields: dict[str, Any] = {}
    for name, one in value.items():
        if name not in known:
            raise ConfigError(
                f"{where}.{name}: there is no such field{did_you_mean(name, known)}; there are: {_listed(known)}"
            )
        fields[name] = one
    try:
        return _script(fields, where, folder) if "script" in fields else _command(fields, where, folder)
    except ConfigError as error:
        text = str(error)
        raise ConfigError(text if text.startswith(f"{where}.") else f"{where}: {text}") from error


def _script(fields: dict[str, Any], where: str, folder: Path) -> Any:
    from asyncsweep.worker.script import Script

    path = _below(fields.pop("script"), f"{where}.script", folder)
    patch = fields.get("patch")
    if isinstance(patch, Mapping):
        fields["patch"] = {target: _function(hook, f"{where}.patch[{target!r}]") for target, hook in patch.items()}
    return Script(path, **_at_home(fields, where, folder))


def _command(fields: dict[str, Any], where: str, folder: Path) -> Any:
    from asyncsweep.worker.command import Command

    argv = fields.pop("command")
    if fields.get("reports") == "none":  # TOML has no null
        fields["reports"] = None
    return Command(argv, **_at_home(fields, where, folder))


def _at_home(fields: dict[str, Any], where: str, folder: Path) -> dict[str, Any]:
    """With the working directory, which is the folder where nothing else is said."""
    home = str(folder).replace("{", "{{").replace("}", "}}")  # it may have placeholders
    if "cwd" in fields:
        return {**fields, "cwd": _below(fields["cwd"], f"{where}.cwd", Path(home))}
    return fields if folder == Path.cwd() else {**fields, "cwd": home}


def _function(target: Any, where: str) -> Any:
    if not isinstance(target, str):
        raise ConfigError(f'{where}={shown(target)}: expected a text such as "package.module:function"')
    try:
        return load(target)
    except ConfigError as error:
        raise ConfigError(str(error).replace("objective=", f"{where}=", 1)) from error
    except Exception as error:  # whatever the user's module does when it is imported
        raise ConfigError(f"{where}={target!r} cannot be imported: {type(error).__name__}: {error}") from error


def _below(path: Any, where: str, folder: Path) -> str:
    if not isinstance(path, str) or not path:
        raise ConfigError(f"{where}={shown(path)}: expected a path as text")
    if path.startswith(_FOLDERS):
        return path
    return os.path.join(folder, os.path.expanduser(path))


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)
