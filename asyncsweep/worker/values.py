"""What an objective may store with its trial: MessagePack's own types, not too large, not too deep."""

from __future__ import annotations

from typing import Any

from asyncsweep.wire.stream import pack

ATTR_LIMIT_BYTES = 2**20
# As for the values of a space; deeper nesting exhausts the recursion of a decoder.
_MAX_DEPTH = 64


def check_attr(key: str, value: Any) -> None:
    """Refuse a user attribute that the journal cannot hold.

    Raises:
        TypeError: The value is not made of None, bool, int, float, str, bytes, lists and dicts with text keys.
        ValueError: It is larger than 1 MiB, nested too deep, or has a text that is no valid Unicode.
    """
    what = f"set_user_attr({key!r})"
    _check(value, what, 0)
    try:
        size = len(pack((key, value)))
    except (TypeError, OverflowError) as error:
        raise TypeError(f"{what}: the value cannot be stored: {error}") from None
    except ValueError as error:
        raise ValueError(f"{what}: the value cannot be stored: {error}") from None
    if size > ATTR_LIMIT_BYTES:
        raise ValueError(
            f"{what}: {size} bytes are more than {ATTR_LIMIT_BYTES}: write them to a file and store its path"
        )


def _check(value: Any, what: str, depth: int) -> None:
    if isinstance(value, (list, tuple, dict)):
        if depth >= _MAX_DEPTH:
            raise ValueError(f"{what}: the value is nested more than {_MAX_DEPTH} deep")
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, str):
                    raise TypeError(f"{what}: the dict key {key!r:.80} must be a text")
            value = value.values()
        for item in value:
            _check(item, what, depth + 1)
