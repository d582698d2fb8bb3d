"""Values in flat tables: what a CSV cell says, and what it means for a parameter.

Text alone does not tell 1 from "1", or None from nothing. The domain does, and it is known both when a table is written and
when it is read. Where two choices of one domain would be the same text, the one that is a `str` is in JSON's quotes.
"""

from __future__ import annotations

import json
import math
from typing import Any

from asyncsweep.errors import ConfigError
from asyncsweep.space import Constant, Domain, Float, Int
from asyncsweep.space.checks import refusal
from asyncsweep.space.values import plain, shown

ABSENT = object()
"""What a blank cell means for a parameter that has no blank value."""


def cell(value: Any) -> Any:
    """A value for a flat table: lists and dicts as JSON text, bytes as hexadecimal."""
    if isinstance(value, list | dict):
        return json.dumps(json_value(value), ensure_ascii=False)
    return value.hex() if isinstance(value, bytes) else value


def csv_text(value: Any) -> Any:
    """A cell of a CSV file, in which None is not the same as nothing."""
    return "None" if value is None else cell(value)


def json_value(value: Any) -> Any:
    """A value for JSON. NaN and infinity become "NaN", "Infinity", "-Infinity"; bytes hexadecimal."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value


def number(value: Any) -> float:
    """A number of a table, which may be text. NaN and infinity are numbers, a bool is none.

    Raises:
        ConfigError: It is no number.
    """
    try:
        if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
            raise ValueError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"{shown(value)} is no number") from None


def is_blank(value: Any) -> bool:
    """Whether a cell says nothing: None, no text, or NaN."""
    return value is None or (isinstance(value, str) and not value) or (isinstance(value, float) and math.isnan(value))


class Cells:
    """The cells of one parameter.

    Attributes:
        blank: A choice that is blank itself; `ABSENT` when there is none.
    """

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._choices: tuple[Any, ...] = ()
        if isinstance(domain, Constant):
            self._choices = (domain.value,)
        elif not isinstance(domain, Float | Int):
            self._choices = domain.choices
        texts = [str(cell(choice)) for choice in self._choices]
        self._twins = {text for text in texts if texts.count(text) > 1} if len(set(texts)) < len(texts) else set()
        self._meanings: dict[str, list[Any]] = {}
        for choice in self._choices:
            self._meanings.setdefault(self.text(choice), []).append(choice)
        empty = self._meanings.get("", [ABSENT])[0]
        self.blank = next(filter(is_blank, self._choices), empty)

    def text(self, value: Any) -> str:
        """The cell of a value."""
        text = str(cell(value))
        return json.dumps(value, ensure_ascii=False) if isinstance(value, str) and text in self._twins else text

    def from_blank(self, given: Any) -> Any:
        """The value of a blank cell: the choice that is written as nothing, else what was given if it is one, else `blank`."""
        written = self._meanings.get("", ()) if isinstance(given, str) else ()
        if len(written) == 1:
            return written[0]
        return given if self._domain.contains(given) else self.blank

    def from_text(self, text: str) -> Any:
        """The value of a cell of a CSV file that is not blank.

        Raises:
            ConfigError: The domain has no such value, or it may be one of several.
        """
        domain = self._domain
        if isinstance(domain, Float):
            return domain.normalise(self._or_refused(text, number))
        if isinstance(domain, Int):
            return domain.normalise(self._or_refused(text, _whole))
        meanings = self._meanings.get(text)
        if meanings is None:
            return self._like(_parsed(text), text)
        if len(meanings) > 1:
            raise ConfigError(f"{shown(text)} may be {' or '.join(map(shown, meanings))}; give rows instead of text")
        return meanings[0]

    def from_value(self, value: Any) -> Any:
        """The value of a cell that is no text, or may be: of a list of dicts or a data frame.

        Raises:
            ConfigError: The domain has no such value, or it may be one of several.
        """
        domain = self._domain
        known = value if isinstance(domain, Float | Int) else plain(value, "value")
        if domain.contains(known):
            return domain.normalise(known)
        if isinstance(known, str):
            return self.from_text(known)
        if isinstance(domain, Int) and isinstance(known, float) and known.is_integer():
            return domain.normalise(int(known))  # a column with gaps is one of floats in pandas
        return domain.normalise(known) if isinstance(domain, Float | Int) else self._like(known, value)

    def _like(self, value: Any, given: Any) -> Any:
        """The one choice that says the same: 64 for 64.0, True for "true"."""
        found = [choice for choice in self._choices if _says_the_same(choice, value)]
        if len(found) != 1:
            raise ConfigError(refusal(given, self._domain.expected))
        return found[0]

    def _or_refused(self, text: str, read: Any) -> Any:
        try:
            return read(text)
        except (ConfigError, ValueError, OverflowError):
            raise ConfigError(refusal(text, self._domain.expected)) from None


def _says_the_same(choice: Any, value: Any) -> bool:
    numbers = isinstance(choice, int | float) and isinstance(value, int | float)
    if numbers and (isinstance(choice, bool) is not isinstance(value, bool)):
        return False
    return (numbers or type(choice) is type(value)) and bool(choice == value)


def _whole(text: str) -> int | float:
    """An int wherever the number is a whole one."""
    try:
        return int(text) if "_" not in text else math.nan
    except ValueError:
        found = number(text)
        return int(found) if found.is_integer() else found


def _parsed(text: str) -> Any:
    """What a text says as JSON, or in Python's or another program's words for True, False and None."""
    words = {"true": True, "false": False, "none": None, "null": None}
    if text.strip().lower() in words:
        return words[text.strip().lower()]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
