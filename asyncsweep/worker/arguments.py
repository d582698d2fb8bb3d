"""Parameters as the arguments of a program: `--lr=0.1`, `lr=0.1`, or wherever a placeholder says.

No shell ever sees them. What a program gets is what the parameter is, character for character: texts as they are, numbers,
True and False as Python writes them, None as `null`, which parsers of arguments know (those of Lightning and Hydra, JSON, YAML) and
none reads as a text for `None`; lists and dicts as JSON, bytes as they are (`os.fsdecode`). In the style of Hydra, "name=value", a
value is written so that Hydra's parser reads the same value of the same type.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from asyncsweep.errors import ConfigError, TrialError

STYLES = ("--name=value", "--name value", "name=value")

# What a placeholder may name besides the parameters.
OWN_NAMES = ("trial", "attempt", "trial_dir", "checkpoint_dir")
# Of these no two trials have the same; they may well have the same attempt and parameters.
_OF_ONE_TRIAL = ("trial", "trial_dir", "checkpoint_dir")

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
# As Hydra and Lightning have them: model.lr, +db@source, a-b. What has other characters was hardly meant as one.
_COULD_BE_A_NAME = re.compile(r"[+~]*[A-Za-z_][\w.@/:$-]*")
# What Hydra reads as the text that it is, unless it is a number or one of its words.
_HYDRA_PLAIN = re.compile(r"[A-Za-z_/.][A-Za-z0-9_./+@%-]*")
_HYDRA_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_HYDRA_WORDS = ("true", "false", "null")


class HasParams(Protocol):
    """What `values_of` needs of a trial."""

    number: int
    attempt: int
    params: dict[str, Any]

    @property
    def checkpoint_dir(self) -> os.PathLike[str]: ...

    @property
    def dir(self) -> os.PathLike[str]: ...


def arguments(params: Mapping[str, Any], style: str) -> list[str]:
    """The arguments that a program gets for its parameters, in their order; constants are parameters too.

    Args:
        params: The parameters by name; a name may hold dots.
        style: One of `STYLES`. With "--name value" each parameter is two arguments.

    Raises:
        ConfigError: There is no such style.
        TrialError: A value or name cannot be written as an argument.
    """
    check_style(style)
    found: list[str] = []
    for name, value in params.items():
        is_hydras = style == "name=value"
        text = _hydra(value, name) if is_hydras else text_of(value)
        if "=" in name and style != "--name value":
            raise TrialError(f'the parameter {name!r} cannot be an argument in the style "{style}": it has a "=" in it')
        if "\0" in text or "\0" in name:
            raise TrialError(
                f"the parameter {name!r} has a NUL character in it, which no argument of a program can have"
            )
        if style == "--name value":
            found += [f"--{name}", text]
        else:
            found.append(f"{name}={text}" if is_hydras else f"--{name}={text}")
    return found


def check_style(style: str) -> None:
    """Do nothing, unless there is no such style.

    Raises:
        ConfigError: There is none.
    """
    if style not in STYLES:
        accepted = ", ".join(f'"{known}"' for known in STYLES)
        raise ConfigError(f"style={style!r}: expected one of {accepted}")


def text_of(value: Any) -> str:
    """A value as the text that a program is given."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return os.fsdecode(value)
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, ensure_ascii=False, default=text_of)
    return "null" if value is None else str(value)


def json_of(params: Mapping[str, Any]) -> str:
    """Parameters as one line of JSON in ASCII; NaN and infinity as Python's `json` reads and writes them."""
    return json.dumps(dict(params), default=text_of)


def escaped(path: str) -> str:
    """The text of a template that is this path, in which a brace is a brace."""
    return path.replace("{", "{{").replace("}", "}}")


class Template:
    """A text with placeholders: `{name}` stands for the value of a parameter, `{{` and `}}` for braces.

    A name is taken as it is: there are no attributes, indices, or formats in it.

    Args:
        text: The text.
        where: What to call it in an error, such as "argv[2]".

    Attributes:
        text: As the argument.
        where: As the argument.
        names: The names of the placeholders, each once, in their order.

    Raises:
        ConfigError: A brace stands alone, or a name is empty.
    """

    def __init__(self, text: str, where: str) -> None:
        self.text = text
        self.where = where
        names: dict[str, None] = {}
        self._pieces: list[tuple[str, bool]] = []  # (text, False) or (name, True)
        end = 0
        for match in _PLACEHOLDER.finditer(text):
            self._pieces.append((text[end : match.start()], False))
            end = match.end()
            found, name = match[0], match[1]
            if name:
                names[name] = None
                self._pieces.append((name, True))
            elif found in ("{{", "}}"):
                self._pieces.append((found[0], False))
            else:
                raise ConfigError(
                    f"{where}={text!r:.200}: {'an empty placeholder' if found == '{}' else f'a lone {found!r}'} at character "
                    f"{match.start()}; write {{name}} for the value of a parameter, {{{{ and }}}} for braces"
                )
        self._pieces.append((text[end:], False))
        self.names = tuple(names)

    def __repr__(self) -> str:
        return f"Template({self.text!r}, {self.where!r})"

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with the values in their places; `values_of` gives these.

        Raises:
            TrialError: There is no value for a placeholder in this trial.
        """
        try:
            return "".join(values[piece] if is_name else piece for piece, is_name in self._pieces)
        except KeyError as error:
            raise TrialError(
                f"{self.where}={self.text!r:.200}: there is no parameter {error.args[0]!r} in this trial; it has "
                f"{', '.join(map(repr, values)) or 'none'}"
            ) from None

    def check(self, names: Iterable[str]) -> None:
        """Do nothing, unless a placeholder names neither a parameter nor what every trial has.

        Args:
            names: The parameters of the space.

        Raises:
            ConfigError: One does; the message has the nearest name.
        """
        known = dict.fromkeys([*names, *OWN_NAMES])
        for name in self.names:
            if name not in known:
                import difflib  # for errors alone

                if not _COULD_BE_A_NAME.fullmatch(name):
                    raise ConfigError(
                        f"{self.where}={self.text!r:.200}: write {{{{ and }}}} for braces; {{{name}}} stands for a parameter, "
                        f"and there is none of this name"
                    )
                near = difflib.get_close_matches(name, known, n=1)
                meant = f" (did you mean {{{near[0]}}}?)" if near else ""
                raise ConfigError(
                    f"{self.where}={self.text!r:.200}: there is no parameter {name!r}{meant}; placeholders are "
                    f"{', '.join(f'{{{one}}}' for one in known)}; write {{{{ and }}}} for braces"
                )


def check_apart(path: Template, cwd: Template | None, names: Iterable[str], concurrency: int) -> None:
    """Do nothing, unless trials that run at a time would read each other's file.

    Args:
        path: The path of the file.
        cwd: The folder where a relative one begins; None for that of the sweep.
        names: The parameters of the space, which go before what every trial has.
        concurrency: How many trials run at a time.

    Raises:
        ConfigError: They would; the message says how each has one of its own.
    """
    own = set(_OF_ONE_TRIAL).difference(names)
    is_relative = not os.path.isabs(path.text)
    names_in_it = {*path.names, *(cwd.names if cwd is not None and is_relative else ())}
    if concurrency == 1 or own & names_in_it:
        return
    mends = [f'{path.where.rpartition(".")[2]}="{{trial_dir}}/{os.path.basename(path.text) or "metrics.json"}"']
    if is_relative:
        mends.append('cwd="{trial_dir}"')
    raise ConfigError(
        f"{path.where}={path.text!r:.200}: {concurrency} trials run at a time, and would read each other's metrics in it; "
        f"give each a file of its own by {' or '.join(mends)}"
    )


class _Values(dict[str, str]):
    """Values for placeholders; the folders of the trial are made when they are first asked for."""

    def __init__(self, trial: HasParams) -> None:
        super().__init__(trial=str(trial.number), attempt=str(trial.attempt))
        self.update((name, text_of(value)) for name, value in trial.params.items())
        self._trial = trial

    def __missing__(self, name: str) -> str:
        if name == "checkpoint_dir":
            self[name] = os.fspath(self._trial.checkpoint_dir)
        elif name == "trial_dir":
            self[name] = os.fspath(self._trial.dir)
        else:
            raise KeyError(name)
        return self[name]


def values_of(trial: HasParams) -> dict[str, str]:
    """The values for placeholders: every parameter, and `OWN_NAMES`, of which a parameter of the same name goes first.

    `trial` and `attempt` are numbers; `trial_dir` and `checkpoint_dir` are paths of folders, which are made when they are used.
    """
    return _Values(trial)


def _hydra(value: Any, name: str) -> str:
    """A value as Hydra's grammar of overrides has it.

    Raises:
        TrialError: It has no way to write this value.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(_hydra(item, name) for item in value)}]"
    if isinstance(value, dict):
        for key in value:
            if not _HYDRA_KEY.fullmatch(key) or _is_hydras_own(key):
                raise TrialError(
                    f"the parameter {name!r} has the dict key {key!r:.80}, which cannot be written for Hydra: a key has to "
                    f"be letters, digits, '_', '-' and '.', and no number or word of its own"
                )
        return f"{{{','.join(f'{key}:{_hydra(item, name)}' for key, item in value.items())}}}"
    if isinstance(value, (str, bytes)):
        return _hydra_text(text_of(value), name)
    return str(value)


def _hydra_text(text: str, name: str) -> str:
    if text == "???":
        raise TrialError(f"the parameter {name!r} is '???', which stands for a missing value in Hydra's configurations")
    if _HYDRA_PLAIN.fullmatch(text) and not _is_hydras_own(text):
        return text
    # OmegaConf looks up "${...}" wherever it comes from, unless a backslash stands before it; backslashes there count twice.
    text = re.sub(r"(\\*)\$\{", lambda found: f"{found[1]}{found[1]}\\${{", text)
    # Between quotes, backslashes count twice where a quote follows, and nowhere else.
    quoted = re.sub(r"(\\*)('|\Z)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text)
    return f"'{quoted}'"


def _is_hydras_own(text: str) -> bool:
    """Whether Hydra may take a text for a number, a boolean, or null."""
    if text.lower() in _HYDRA_WORDS:
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True
