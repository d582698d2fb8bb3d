"""What a user says of a program, checked before the first trial."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from asyncsweep.errors import ConfigError
from asyncsweep.worker.arguments import Template, check_apart, escaped
from asyncsweep.worker.program_lines import groups_of
from asyncsweep.worker.program_path import find_program

_STREAMS = {"stdout": ("stdout",), "stderr": ("stderr",), "both": ("stdout", "stderr")}


class Group(NamedTuple):
    """Arguments that go together.

    Attributes:
        templates: The arguments.
        is_optional: Whether they are left out when one of their placeholders has no value.
    """

    templates: tuple[Template, ...]
    is_optional: bool


class Parts(NamedTuple):
    """A `Command`, taken apart.

    Attributes:
        groups: The program and its arguments.
        heard: The streams that are listened to.
        reports: The path of the file that is read while the program writes it.
        result_file: The path of the file that is read at the end.
        cwd: The folder in which it runs.
        variables: What is added to its environment, by name.
        pattern: What is searched for in each line.
        executable: The path of the program; None when only a trial tells.
        name: A short name of it.
    """

    groups: tuple[Group, ...]
    heard: tuple[str, ...]
    reports: Template | None
    result_file: Template | None
    cwd: Template | None
    variables: dict[str, Template]
    pattern: re.Pattern[str] | None
    executable: str | None
    name: str

    @classmethod
    def of(cls, argv: Any, reports: Any, pattern: Any, result_file: Any, cwd: Any, env: Any) -> Parts:
        """What the arguments of a `Command` say.

        Raises:
            ConfigError: One of them is wrong.
        """
        groups = _groups(argv)
        place = None if cwd is None else _absolute(_path("cwd", cwd))
        variables = _variables(env)
        file = _reports(reports)
        if reports is None and pattern is not None:
            raise ConfigError(f"pattern={pattern!r:.200}: with reports=None there is nothing to search it in")
        if reports is None and result_file is None:
            raise ConfigError("reports=None: then result_file= has to say where the metric of a trial is found")
        return cls(
            groups,
            _STREAMS[reports] if reports is not None and file is None else (),
            file,
            None if result_file is None else _path("result_file", result_file),
            place,
            variables,
            _compiled(pattern),
            _executable(groups[0].templates[0], place, variables.get("PATH")),
            groups[0].templates[0].text,
        )

    @property
    def words(self) -> list[str]:
        """The arguments as they were given."""
        return [template.text for group in self.groups for template in group.templates]

    def check(self, names: Sequence[str], metrics: Sequence[str], concurrency: int) -> None:
        """As `Command.check`."""
        paths = [path for path in (self.reports, self.result_file, self.cwd) if path is not None]
        arguments = [template for group in self.groups for template in group.templates]
        for template in (*arguments, *paths, *self.variables.values()):
            template.check(names)
        for path in (self.reports, self.result_file):
            if path is not None:
                check_apart(path, self.cwd, names, concurrency)
        if metrics and self.pattern is not None and self.result_file is None:
            groups_of(self.pattern, metrics)


def _executable(program: Template, cwd: Template | None, path: Template | None) -> str | None:
    folder = None
    if cwd is not None and not cwd.names:
        folder = cwd.fill({})
        if not os.path.isdir(folder):
            raise ConfigError(f"cwd={folder!r:.200}: there is no such folder")
    if any(template is not None and template.names for template in (program, cwd, path)):
        return None
    try:
        return find_program(program.fill({}), folder, None if path is None else path.fill({}))
    except ConfigError as error:
        raise ConfigError(f"argv[0]: {error}") from None


def _groups(argv: Any) -> tuple[Group, ...]:
    if isinstance(argv, (str, bytes)):
        text = os.fsdecode(argv)
        try:
            words = shlex.split(text)
        except ValueError:  # a quote without its end
            words = text.split()
        raise ConfigError(f"argv={text!r:.200}: expected a list, no shell is involved: Command({words!r:.300})")
    if not isinstance(argv, Sequence) or not argv:
        raise ConfigError(f'argv={argv!r:.200}: expected a list of texts such as ["./train.sh", "--lr={{lr}}"]')
    found = []
    for place, given in enumerate(argv):
        where = f"argv[{place}]"
        if not isinstance(given, (list, tuple)):
            found.append(Group((_argument(given, where),), is_optional=False))
        elif not place or not given:
            raise ConfigError(f"{where}={given!r:.200}: " + ("it is empty" if place else "the program is a text"))
        else:
            found.append(Group(tuple(_argument(one, where) for one in given), is_optional=True))
    return tuple(found)


def _argument(given: Any, where: str) -> Template:
    if isinstance(given, os.PathLike):
        given = _escaped(os.fspath(given))
    if not isinstance(given, str):
        raise ConfigError(
            f"{where}={given!r:.200} is of type {type(given).__name__}; expected a text, {str(given)!r:.200}"
        )
    if "\0" in given:
        raise ConfigError(f"{where}={given!r:.200}: no argument of a program can have a NUL character")
    return Template(given, where)


def _escaped(path: Any) -> str:
    """A path that was no text, in which a brace is a brace."""
    return escaped(os.fsdecode(path))


def _reports(given: Any) -> Template | None:
    """The path of the file of reports; None when there is none."""
    if given is None or (isinstance(given, str) and given in _STREAMS):
        return None
    if isinstance(given, os.PathLike) or (isinstance(given, str) and set("/.{") & set(given)):
        return _path("reports", given)
    raise ConfigError(
        f'reports={given!r:.200}: expected "stdout", "stderr", "both", None, or the path of a file such as '
        f'"{{trial_dir}}/log.jsonl" (of one in the same folder, "./log.jsonl")'
    )


def _path(name: str, given: Any) -> Template:
    text = _escaped(given) if isinstance(given, os.PathLike) else given
    if not isinstance(text, str) or not text or "\0" in text:
        raise ConfigError(f"{name}={given!r:.200}: expected a path, with placeholders if you like, or None")
    return Template(text, name)


def _absolute(path: Template) -> Template:
    """The same path for a process that has another working folder."""
    if path.text.startswith(("/", "{")):
        return path
    return Template(os.path.join(_escaped(os.getcwd()), path.text), path.where)


def _variables(env: Any) -> dict[str, Template]:
    if env is not None and not isinstance(env, Mapping):
        raise ConfigError(f"env is of type {type(env).__name__}; expected a dict of texts by name")
    found = {}
    for name, value in (env or {}).items():
        if not isinstance(name, str) or not name or {"=", "\0"} & set(name):
            raise ConfigError(f"env: {name!r:.80} is no name of a variable")
        if not isinstance(value, str) or "\0" in value:  # not shown: it may be a secret
            raise ConfigError(f"env[{name!r}] is {_kind(value)}; expected a text")
        found[name] = Template(value, f"env[{name!r}]")
    return found


def _kind(value: Any) -> str:
    return "a text with a NUL character" if isinstance(value, str) else f"of type {type(value).__name__}"


def _compiled(pattern: Any) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        found = re.compile(pattern)
    except (re.error, TypeError, RecursionError, OverflowError) as error:
        raise ConfigError(f"pattern={pattern!r:.200}: it is no regular expression: {error}") from error
    if not isinstance(found.pattern, str):
        raise ConfigError(f"pattern={pattern!r:.200}: expected a text, not bytes")
    if not found.groups - ("step" in found.groupindex):
        raise ConfigError(
            f"pattern={found.pattern!r:.200}: it has no group for the metric; write one around its number: "
            r'r"loss=(?P<loss>\S+)"'
        )
    return found
