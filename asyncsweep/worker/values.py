"""What an objective may report and store: numbers, and MessagePack's own types, not too large, not too deep."""

from __future__ import annotations

import math
from typing import Any

ATTR_LIMIT_BYTES = 2**20
# As for the values of a space; deeper nesting exhausts the recursion of a decoder.
_MAX_DEPTH = 64
MOST_STEP = 2**62
_NAME_LIMIT = 1_000
# Outside these, MessagePack has no integer.
_INT_MIN = -(2**63)
_INT_MAX = 2**64 - 1


def shown(value: Any) -> str:
    """The value for an error message: the first 80 characters of its repr, which may be somebody's, and raise."""
    try:
        return repr(value)[:80]
    except Exception as error:  # of an int with more digits than Python writes, among others
        return f"(a value that cannot be shown: {type(error).__name__})"


def _is_complex(value: Any) -> bool:
    """Whether it is one of NumPy's complex numbers: `float` and `int` take these, and drop a part."""
    return getattr(getattr(value, "dtype", None), "kind", "") == "c"


def real(value: Any) -> float:
    """The value as a float: whatever `float` takes, but no complex number.

    Raises:
        TypeError: It is no number.
        ValueError: It is a text, and of no number.
        OverflowError: It is a whole number beyond all floats.
    """
    if _is_complex(value):
        raise TypeError
    return float(value)


def number_in(value: Any) -> float:
    """The number that is reported.

    Raises:
        TypeError: It is none.
        OverflowError: It is a whole number beyond all floats.
    """
    if type(value) is float:
        return value
    try:
        return real(value)
    except (TypeError, ValueError):
        raise TypeError(f"report(): value must be a number, not {shown(value)} ({type(value).__name__})") from None
    except OverflowError:  # as in Optuna
        raise OverflowError("report(): value does not fit in a float") from None


def check_step(step: Any) -> int:
    """The step of a report.

    Raises:
        TypeError: It is no number.
        ValueError: It is negative or beyond 2**62.
    """
    try:
        if type(step) is not int and _is_complex(step):
            raise TypeError
        number = int(step)
    except (TypeError, ValueError):
        raise TypeError(f"report(): step must be a whole number, not {shown(step)} ({type(step).__name__})") from None
    except OverflowError:  # infinity
        number = -1
    if not 0 <= number <= MOST_STEP:
        raise ValueError(f"report(): step must be between 0 and 2**62, not {shown(step)}")
    return number


def check_attr(key: str, value: Any) -> Any:
    """A user attribute in the form in which it is stored.

    Raises:
        TypeError: The value is not made of None, bool, int, float, str, bytes, lists and dicts with text keys.
        ValueError: It is larger than 1 MiB, nested too deep, or has a text that is no valid Unicode.
    """
    from asyncsweep.wire.stream import pack  # a script that only reports does without

    what = f"set_user_attr({key!r})"
    try:
        value = plain(value)
        size = len(pack((key, value)))
    except TypeError as error:
        raise TypeError(f"{what}: the value cannot be stored: {error}") from None
    except ValueError as error:
        raise ValueError(f"{what}: the value cannot be stored: {error}") from None
    if size > ATTR_LIMIT_BYTES:
        raise ValueError(
            f"{what}: {size} bytes are more than {ATTR_LIMIT_BYTES}: write them to a file and store its path"
        )
    return value


def check_constraint(key: Any, value: Any) -> tuple[str, float]:
    """The name and the value of a constraint.

    Raises:
        TypeError: The value is no number, nor a text of one.
        ValueError: It is NaN, or the name is no valid Unicode text or longer than 1,000 characters.
        OverflowError: It is a whole number beyond all floats.
    """
    name = str(key)
    if len(name) > _NAME_LIMIT:
        raise ValueError(f"set_constraint({name[:80]!r}...): the name has more than {_NAME_LIMIT} characters")
    if not name.isascii() and name != name.encode("utf-8", "ignore").decode():
        raise ValueError(f"set_constraint({name!r:.80}): the name is no valid Unicode text")
    try:
        number = real(value)
    except (TypeError, ValueError):
        raise TypeError(
            f"set_constraint({name!r}): the value must be a number, not {shown(value)} ({type(value).__name__})"
        ) from None
    except OverflowError:  # as in Optuna
        raise OverflowError(f"set_constraint({name!r}): the value does not fit in a float") from None
    if math.isnan(number):
        raise ValueError(f"set_constraint({name!r}): the value is NaN, which neither keeps a constraint nor breaks it")
    return name, number


def plain(value: Any, depth: int = 0) -> Any:
    """The value with Python's own types: subclasses and NumPy's scalars become these, tuples become lists.

    Raises:
        TypeError: It is, or has in it, what MessagePack does not have: another type, a key that is no text, a larger integer.
        ValueError: It is nested too deep, or has a text that is no valid Unicode.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        if not _INT_MIN <= value <= _INT_MAX:
            raise TypeError(f"{shown(value)} does not fit in 64 bits; give it as text or as a float")
        return int(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, (list, tuple, dict)):
        if depth >= _MAX_DEPTH:
            raise ValueError(f"it is nested more than {_MAX_DEPTH} deep")
        if not isinstance(value, dict):
            return [plain(item, depth + 1) for item in value]
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"the dict key {shown(key)} must be a text")
        return {_text(key): plain(item, depth + 1) for key, item in value.items()}
    # NumPy need not be imported to know its numbers.
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        item = value.item()
        if isinstance(item, (bool, int, float)):
            return item
    raise TypeError(f"{shown(value)} is of type {type(value).__name__}")


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{shown(value)} is no valid Unicode text; give it as bytes") from None
    return str.__str__(value)
