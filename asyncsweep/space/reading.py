"""Values in text: how the parts of a list are told apart, and what each of them is. Nothing is evaluated.

What reads as a number is one (007 and 1.2.3 do not: they are words); true, false, null and Python's True, False, None are values;
a text in quotes, or with none of `()[]{},"'` in it, is text. Lists and objects are JSON; in a list, words need no quotes.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from asyncsweep.errors import ConfigError
from asyncsweep.space.values import INT_MAX, INT_MIN, shown

_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(inf|infinity|nan)", re.IGNORECASE)
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def split(text: str) -> list[str]:
    """The parts between commas that are neither in quotes nor in brackets, stripped; none of an empty text.

    Raises:
        ConfigError: Quotes or brackets do not match, or there is nothing between two commas.
    """
    if not text.strip():
        return []
    parts = [part.strip() for part in _between_commas(text)]
    if not all(parts):
        raise ConfigError("there is nothing between two commas or at an end; leave the comma out or give a value")
    return parts


def _between_commas(text: str) -> list[str]:
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
    return [*parts, text[start:]]


def is_list(text: str) -> bool:
    """Whether the text is several values with commas between them, or what was meant to be that."""
    try:
        return len(_between_commas(text)) > 1
    except ConfigError:
        return False  # whoever reads it as a value tells the fault


def value_of(text: str) -> Any:
    """The value that a text is; it is not empty.

    Raises:
        ConfigError: It is none.
    """
    if text[0] == "[":
        return _list_of(text)
    if text[0] in '{"':
        return _json_of(text)
    if text[0] == "'":
        return _single_quoted(text)
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return integer(text, "number")
    if _NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        return real(text, "number")
    if any(character in "()[]{},\"'" for character in text) or not text.isprintable():
        raise ConfigError(f"{shown(text)} is neither a value nor a word; put it in double quotes if it is text")
    return text


def as_written(texts: list[str]) -> list[Any]:
    """The values that texts are, for a program: all are texts where one of them would be printed otherwise than it was written.

    What is in quotes or brackets is the value that it is all the same.

    Raises:
        ConfigError: A text is no value.
    """
    if not any(_changes(text) for text in texts):
        return [value_of(text) for text in texts]
    return [value_of(text) if text[0] in "\"'[{" else text for text in texts]


def _changes(text: str) -> bool:
    """Whether the value of a text is a number or a word that no program would be given in this spelling."""
    if _INTEGER.fullmatch(text):
        return len(text) > 20 or not INT_MIN <= int(text) <= INT_MAX or str(int(text)) != text
    if _NOT_FINITE.fullmatch(text) or (_NUMBER.fullmatch(text) and not math.isfinite(float(text))):
        return True
    value = value_of(text)
    printed = "null" if value is None else str(value)  # as `worker/arguments.py` has it
    return (value is None or isinstance(value, bool | float)) and printed != text


def items(text: str) -> list[str]:
    """The texts of what is in a list, as `split` gives them.

    Raises:
        ConfigError: It is no list.
    """
    if text[-1] != "]":
        value_of(text)  # this tells the fault
    return split(text[1:-1])


def _list_of(text: str) -> Any:
    """A JSON list, in which words need no quotes; in lists within it they do."""
    try:
        return _json_of(text)
    except ConfigError as error:
        if not isinstance(error.__cause__, json.JSONDecodeError):
            raise
        parts = _between_commas(text[1:-1]) if text[-1] == "]" and is_list(text[1:-1]) else [text[1:-1]]
        words = [part.strip() for part in parts]
        if text[-1] != "]" or len(text) == 2 or not all(words) or any(word[0] in "[({" for word in words):
            raise
        return [value_of(word) for word in words]


def _json_of(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=lambda number: real(number, "number"))
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


def integer(text: str, field: str) -> int:
    """The whole number that a text is; `field` names it in the error.

    Raises:
        ConfigError: It is none, or beyond 64 bits.
    """
    if not _INTEGER.fullmatch(text):
        raise ConfigError(f"{field}={shown(text)} is not an integer; give one such as 16")
    if len(text) > 20:
        raise ConfigError(f"{field}={shown(text)} is beyond 64 bits; give a smaller integer")
    return int(text)


def real(text: str, field: str) -> float:
    """The number that a text is; `field` names it in the error.

    Raises:
        ConfigError: It is none, or not finite.
    """
    if not _NUMBER.fullmatch(text) and not _NOT_FINITE.fullmatch(text):
        raise ConfigError(f"{field}={shown(text)} is not a number; give one such as 0.5 or 1e-4")
    number = float(text)
    if not math.isfinite(number):
        raise ConfigError(f"{field}={shown(text)} is not finite; give a finite number, or quote it if it is text")
    return number
