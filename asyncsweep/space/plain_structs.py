"""The part of msgspec's structs that domains need, by the standard library. Python 3.10 and later."""

from __future__ import annotations

import dataclasses
from typing import Any

replace = dataclasses.replace


class Struct:
    """A class whose subclasses get their fields from annotations, as msgspec's do: frozen, and with a `__repr__`."""

    def __init_subclass__(cls, *, frozen: bool, kw_only: bool = False, tag: str = "") -> None:
        super().__init_subclass__()
        if not frozen:
            raise TypeError(f"{cls.__name__}: a domain is frozen")
        dataclasses.dataclass(frozen=True, kw_only=kw_only, eq=False)(cls)


def astuple(struct: Any) -> tuple[Any, ...]:
    """The values of its fields."""
    return tuple(getattr(struct, field.name) for field in dataclasses.fields(struct))
