"""What a command line means by its target: a script, a program, a function, or a file that has all of it.

What is made of it is what files of sweeps have as their `objective`, so that it can be recorded and built again.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from asyncsweep.cli.options import PROGRAM_NAMES, pairs
from asyncsweep.cli.words import Words
from asyncsweep.errors import ConfigError
from asyncsweep.specfile import NONE, SUFFIXES

_FOR_SCRIPTS = ("style", "objective", "metrics", "result_file", "cwd", "env", "preload")
_FOR_COMMANDS = ("reports", "pattern", "result_file", "cwd", "env")
_OPTION_OF = {"metrics": "--metric", "result_file": "--result-file"}
_FUNCTION = re.compile(r"[\w.]+:[\w.]+")
OVERRIDES = "name=value"


class Target(NamedTuple):
    """What shall be evaluated.

    Attributes:
        objective: As a file of a sweep has it: a text, or a table.
        name: What to call a sweep of it.
        spec: The file that describes the sweep; then `objective` is None.
    """

    objective: Any
    name: str
    spec: Path | None = None


def target_of(words: Words, options: Mapping[str, Any]) -> Target:
    """The target of a command line.

    Args:
        words: The command line; the target is its first place, or the program behind "--".
        options: Our options by their names.

    Raises:
        ConfigError: There is none, or an option is not for it.
    """
    if not words.places:
        if not words.rest:
            raise ConfigError(
                "name what is to be run: a script (train.py), a function (package.module:function), a file of a sweep "
                "(sweep.toml), or after -- a program with its arguments (-- ./train.sh --lr={lr})"
            )
        return _command(words.rest, options)
    target = words.places[0]
    path = Path(target)
    if path.suffix in SUFFIXES and not _FUNCTION.fullmatch(target):
        _refuse(options, PROGRAM_NAMES, f"{target} has that in its objective")
        _refuse_rest(words, f"{target} has the arguments in its objective")
        return Target(None, path.stem, path)
    if path.suffix == ".py":
        return _script(target, words, options)
    if _FUNCTION.fullmatch(target):
        if target.split(":")[0].endswith(".py"):
            file, _, name = target.partition(":")
            raise ConfigError(
                f"{target}: for a function of a script say {file} --objective {name}, or {file[:-3]}:{name}"
            )
        _refuse(options, PROGRAM_NAMES, f"{target} is a function, and that is for scripts and programs")
        _refuse_rest(words, f"{target} is a function, which has no arguments but its parameters")
        return Target(target, "-".join(re.split(r"[.:]", target)[-2:]))
    raise ConfigError(_unknown(target))


def _script(target: str, words: Words, options: Mapping[str, Any]) -> Target:
    if not Path(target).is_file():
        raise ConfigError(f"{target}: there is no such file")
    _refuse(
        options,
        [name for name in PROGRAM_NAMES if name not in _FOR_SCRIPTS],
        f"{target} is a script, and that is for programs",
    )
    table: dict[str, Any] = {"script": target, "args": list(words.rest or ())}
    style = options["style"] or _style(words)
    if style:
        table["style"] = style
    table.update(_given(options, ("objective", "result_file", "cwd")))
    if options["metrics"]:
        table["metric"] = _metric(options["metrics"])
    if options["env"]:
        table["env"] = pairs("--env", options["env"], lambda text, name: text)
    if options["preload"]:
        table["preload"] = list(options["preload"])
    return Target(table, Path(target).stem)


def _command(argv: list[str], options: Mapping[str, Any]) -> Target:
    program = argv[0]
    _refuse(
        options,
        [name for name in PROGRAM_NAMES if name not in _FOR_COMMANDS],
        f"{program} is a program, and that is for scripts",
    )
    table: dict[str, Any] = {"command": argv, **_given(options, ("reports", "pattern", "result_file", "cwd"))}
    if options["env"]:
        table["env"] = pairs("--env", options["env"], lambda text, name: text)
    if table.get("reports") == NONE:
        table["reports"] = None
    # "python train.py" is better called by what runs than by what runs it.
    named = next((word for word in argv[1:2] if Path(word).suffix), program)
    return Target(table, Path(named).stem)


def _given(options: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: options[name] for name in names if options[name] is not None}


def _style(words: Words) -> str | None:
    """The style in which the parameters were written; the script's default where nothing tells."""
    kinds = {given.is_override for given in words.parameters}
    if kinds == {True, False}:
        raise ConfigError(
            f"{words.parameters[0].word} and {words.parameters[-1].word}: a script gets all parameters in one style; write all as "
            "--name or all as name=, or choose by --style"
        )
    return OVERRIDES if kinds == {True} else None


def _metric(texts: tuple[str, ...]) -> Any:
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0]
    return pairs("--metric", texts, lambda text, metric: text)


def _refuse(options: Mapping[str, Any], names: Iterable[str], why: str) -> None:
    for name in names:
        if options[name] not in (None, ()):
            raise ConfigError(f"{_OPTION_OF.get(name, f'--{name}')}: {why}; leave it out")


def _refuse_rest(words: Words, why: str) -> None:
    if words.rest:
        raise ConfigError(f"-- {words.rest[0]}: {why}")


def _unknown(target: str) -> str:
    path = Path(target)
    if Path(f"{target}.py").is_file():
        return f"{target}: it is neither a script nor a function; is it {target}.py, or a function {target}:NAME?"
    if path.is_dir():
        return f"{target} is a folder; to go on with the sweep in it: asyncsweep resume {target}"
    if path.is_file() or shutil.which(target):
        return f"{target}: to run a program, name it after --: asyncsweep run ... -- {target}"
    return (
        f"{target}: expected a script (train.py), a function (package.module:function), a file of a sweep (sweep.toml), or after "
        "-- a program"
    )
