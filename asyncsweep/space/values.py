"""Plain values: what a choice, a constant or a condition may be, and when two of them are the same.

A value has to survive MessagePack and come back equal, because it goes into the journal and to the workers. So it is
made of None, bool, int, float, str, bytes, list and dict with text keys, and is brought to exactly these types once,
when its domain is checked: tuples become lists, subclasses and NumPy scalars become the Python type.

Python's `==` takes 1, True and 1.0 for one value. For a search space they are three: they are printed, stored and
passed on differently. `same` and `identity` compare type and value, at every depth; NaN is the same as NaN.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from asyncsweep.errors import ConfigError
from asyncsweep.space.structs import Struct, astuple

# Outside these, MessagePack has no integer.
INT_MIN = -(2**63)
INT_MAX = 2**64 - 1
# Deeper nesting is refused here, before it exhausts the recursion of a decoder.
MAX_DEPTH = 64

PLAIN = "None, bool, int, float, str, bytes, or lists and dicts (with text keys) of these"


def shown(value: object, limit: int = 80) -> str:
    """The value for an error message: its repr, shortened to about `limit` characters."""
    try:
        text = repr(value)
    except Exception as error:  # somebody's own, or of an int with more digits than Python writes
        text = f"(a value that cannot be shown: {type(error).__name__})"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def plain(value: Any, what: str, depth: int = 0) -> Any:
    """The value in MessagePack's own types.

    Args:
        value: What the user gave.
        what: What to call it in the error, such as "parameter 'lr': Constant".
        depth: How many containers it lies in.

    Raises:
        ConfigError: The value would not survive MessagePack.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, what)
    if isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            raise ConfigError(f"{what}: {shown(value)} does not fit in 64 bits; give it as text or as a float")
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, bytes):
        return bytes(value)
    if depth >= MAX_DEPTH and isinstance(value, (list, tuple, dict)):
        raise ConfigError(f"{what}: nested more than {MAX_DEPTH} deep; give a flatter value or a name for it")
    if isinstance(value, (list, tuple)):
        return [plain(item, what, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_key(key, what): plain(item, what, depth + 1) for key, item in value.items()}
    item = unwrapped(value)
    if item is not value and isinstance(item, (bool, int, float)):
        return plain(item, what, depth)
    raise ConfigError(
        f"{what}: {shown(value)} is of type {type(value).__name__}, which cannot be stored; give {PLAIN}, "
        "or a name that the objective looks up"
    )


def unwrapped(value: object) -> object:
    """NumPy's scalars, and its arrays without dimensions, as the Python number in them; all else as it is.

    Of a float32 Python's own number can be compared with every float.
    """
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        return value.item()  # type: ignore[attr-defined]  # whatever has NumPy's shape has this
    return value


def _text(value: str, what: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"{what}: {shown(value)} is not valid Unicode text; give it as bytes") from error
    return str.__str__(value)


def _key(key: Any, what: str) -> str:
    if not isinstance(key, str):
        raise ConfigError(f"{what}: the dict key {shown(key)} is of type {type(key).__name__}; give a str")
    return _text(key, what)


def identity(value: Any) -> Hashable:
    """A hashable stand-in: two plain values are the same when their identities are equal."""
    kind = type(value)
    if kind is list or kind is tuple:
        return list, tuple(identity(item) for item in value)
    if kind is dict:
        return kind, frozenset((key, identity(item)) for key, item in value.items())
    if value != value:
        return kind, "NaN"
    return kind, value


def same(one: Any, other: Any) -> bool:
    """Whether two values agree in type and value, at every depth. A tuple is taken for the list that it becomes."""
    if isinstance(one, (list, tuple, dict)) and isinstance(other, (list, tuple, dict)):
        return identity(one) == identity(other)
    if type(one) is not type(other):
        return False
    return bool(one == other or (one != one and other != other))


def equal(self: Struct, other: object) -> bool:
    """`__eq__` of a domain: the same type, and all fields the same in type and value once they are normalised."""
    return type(self) is type(other) and _fields(self) == _fields(other)


def fingerprint(self: Struct) -> int:
    """`__hash__` of a domain, which agrees with `equal`."""
    return hash(_fields(self))


def _fields(domain: Any) -> Hashable:
    try:
        return identity(astuple(domain.checked("")))
    except ConfigError:
        return identity(astuple(domain))  # a bad domain has no normal form; it is what it was given
