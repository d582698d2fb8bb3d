"""Domains from text, as the command line gives them. Nothing is evaluated.

    uniform(-10, 10)    uniform(0, 1, step=0.25)    log_uniform(1e-4, 1e-1)
    int_uniform(3, 15)  int_uniform(0, 8, step=2)   int_log_uniform(1, 1000)
    categorical(a, b, 3)      also a JSON list: [32, 64]
    anything else             a constant: a number, true, false, null, a JSON object, "quoted" or a bare word

Inside `categorical(...)` and for constants: what reads as a number is one (007 and 1.2.3 do not: they are words); true,
false, null and Python's True, False, None are values; a word in quotes, or with none of `()[]{},"'` in it, is text.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

from asyncsweep.errors import ConfigError
from asyncsweep.space.domains import Categorical, Constant, Domain, Float, Int
from asyncsweep.space.values import shown

# Bounds the work that hostile text can cause.
MAX_CHARACTERS = 100_000

_CALL = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*\((.*)\)", re.DOTALL)
_OPTION = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", re.DOTALL)
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(inf|infinity|nan)", re.IGNORECASE)
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_EXAMPLES = "uniform(-10, 10), log_uniform(1e-4, 1e-1), int_uniform(3, 15), int_log_uniform(1, 1000), categorical(a, b)"


def parse_domain(text: str, name: str | None = None) -> Domain:
    """The domain that the text describes, checked; see the head of this module for the forms.

    Args:
        text: What the user wrote.
        name: The parameter's name, for the errors.

    Raises:
        ConfigError: The text has none of the forms, or describes a bad domain.
    """
    what = "domain" if name is None else f"parameter {name!r}"
    if not isinstance(text, str):
        raise ConfigError(f"{what}: {shown(text)} is of type {type(text).__name__}; give text such as {_EXAMPLES}")
    text = text.strip()
    if not text:
        raise ConfigError(f"{what}: the text is empty; give one such as {_EXAMPLES}")
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{what}: the text has {len(text)} characters; give at most {MAX_CHARACTERS}")
    what = f"{what}: {shown(text)}"
    try:
        domain = _parse(text)
    except ConfigError as error:
        raise ConfigError(f"{what}: {error}") from error
    return domain.checked(what)


def _parse(text: str) -> Domain:
    call = _CALL.fullmatch(text)
    if call is None:
        value = _value(text)
        return Categorical(value) if isinstance(value, list) else Constant(value)
    name, inside = call.groups()
    read = _FORMS.get(name)
    if read is None:
        near = difflib.get_close_matches(name, _FORMS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(f"{name} is unknown; {hint}there are: {', '.join(_FORMS)}; quote it if it is text")
    return read(_split(inside))


def _range(
    kind: Callable[..., Domain], number: Callable[[str, str], float], *, log: bool
) -> Callable[[list[str]], Domain]:
    def read(arguments: list[str]) -> Domain:
        options: dict[str, Any] = {}
        while arguments and (option := _OPTION.fullmatch(arguments[-1])):
            key, text = option.groups()
            if key != "step" or log:
                accepted = "there are no options" if log else "the only option is step"
                raise ConfigError(f"option {key} is unknown; {accepted}")
            if key in options:
                raise ConfigError(f"option {key} is given twice; leave one out")
            options[key] = number(text, key)
            arguments = arguments[:-1]
        if len(arguments) != 2:
            raise ConfigError(f"it has {len(arguments)} values; give two, low and high")
        low, high = (number(text, field) for text, field in zip(arguments, ("low", "high"), strict=True))
        return kind(low, high, log=log, **options)

    return read


def _categorical(arguments: list[str]) -> Domain:
    return Categorical([_value(argument) for argument in arguments])


def _split(text: str) -> list[str]:
    """The parts between commas that are neither in quotes nor in brackets."""
    if not text.strip():
        return []
    parts: list[str] = []
    open_brackets: list[str] = []
    quote = ""
    start = 0
    escaped = False
    for index, character in enumerate(text):
        if quote:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == quote:
                quote = ""
        elif character in "\"'":
            quote = character
        elif character in _CLOSING:
            open_brackets.append(_CLOSING[character])
        elif open_brackets and character == open_brackets[-1]:
            open_brackets.pop()
        elif character in ")]}":
            raise ConfigError(f"{character} closes nothing; quote it if it is text")
        elif character == "," and not open_brackets:
            parts.append(text[start:index])
            start = index + 1
    if quote or open_brackets:
        raise ConfigError(f"{quote or open_brackets[-1]} is missing at the end; close it")
    parts.append(text[start:])
    stripped = [part.strip() for part in parts]
    if not all(stripped):
        raise ConfigError("there is nothing between two commas or at an end; leave the comma out or give a value")
    return stripped


def _value(text: str) -> Any:
    if text[0] in '[{"':
        return _json(text)
    if text[0] == "'":
        return _single_quoted(text)
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text, "number")
    if _NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        return _real(text, "number")
    if any(character in "()[]{},\"'" for character in text) or not text.isprintable():
        raise ConfigError(f"{shown(text)} is neither a value nor a word; put it in double quotes if it is text")
    return text


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=lambda number: _real(number, "number"))
    except RecursionError as error:
        raise ConfigError("the JSON is nested too deep; give a flatter value") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{shown(text)} is not valid JSON ({error}); mend it, or quote it if it is text") from error
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"the JSON holds an integer with too many digits ({error}); stay within 64 bits") from error


def _refuse_constant(word: str) -> NoReturn:
    raise ConfigError(f"{word} is not finite; give a finite number, or quote it if it is text")


def _single_quoted(text: str) -> str:
    inside = text[1:-1]
    if len(text) < 2 or text[-1] != "'" or "'" in inside or "\\" in inside:
        raise ConfigError(f"{shown(text)} is not text in single quotes; put it in double quotes, as JSON has it")
    return inside


def _integer(text: str, field: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ConfigError(f"{field}={shown(text)} is not an integer; give one such as 16")
    if len(text) > 20:
        raise ConfigError(f"{field}={shown(text)} is beyond 64 bits; give a smaller integer")
    return int(text)


def _real(text: str, field: str) -> float:
    if not _NUMBER.fullmatch(text) and not _NOT_FINITE.fullmatch(text):
        raise ConfigError(f"{field}={shown(text)} is not a number; give one such as 0.5 or 1e-4")
    number = float(text)
    if not math.isfinite(number):
        raise ConfigError(f"{field}={shown(text)} is not finite; give a finite number, or quote it if it is text")
    return number


_FORMS: dict[str, Callable[[list[str]], Domain]] = {
    "uniform": _range(Float, _real, log=False),
    "log_uniform": _range(Float, _real, log=True),
    "int_uniform": _range(Int, _integer, log=False),
    "int_log_uniform": _range(Int, _integer, log=True),
    "categorical": _categorical,
}
