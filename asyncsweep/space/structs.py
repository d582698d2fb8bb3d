"""What domains are made of: msgspec's structs, or where there is none, plain ones that do the same.

There is none on the hosts of a remote executor, which have nothing but Python: a module may have a space beside its objective, and is
imported there for the objective's sake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from msgspec import Struct
    from msgspec.structs import astuple, replace
else:
    try:
        from msgspec import Struct
        from msgspec.structs import astuple, replace
    except ModuleNotFoundError as error:
        if error.name != "msgspec":
            raise
        from asyncsweep.space.plain_structs import Struct, astuple, replace

__all__ = ["Struct", "astuple", "replace", "stored_bytes"]


def stored_bytes(values: Any) -> int:
    """How much a record of these values takes; 0 without msgspec, where nothing is stored."""
    try:
        import msgspec
    except ModuleNotFoundError:
        return 0
    return len(msgspec.msgpack.encode(values))
