"""What a viewer wants tried, as the sweep takes it.

A page shows choices as texts, and texts do not tell 3 from "3"; so it names them by their places among the `choices` of their column. The
first of these are the choices that the space declares, and go on as places: the process that runs the sweep knows the values, and the JSON
that leads there cannot carry all of them. Choices that turned up in trials are known here alone. Numbers that JavaScript would round
come as decimal texts.
"""

from __future__ import annotations

import math
import re
from typing import Any

from asyncsweep.cells import number
from asyncsweep.errors import ConfigError
from asyncsweep.space import Domain, Float, Int
from asyncsweep.space.values import shown
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.incoming import Enqueue

_WHOLE = re.compile(r"[+-]?[0-9]{1,100}", re.ASCII)


def command(asked: Enqueue, hub: Hub) -> dict[str, Any]:
    """The fields of the command `enqueue` of `steering.commands`.

    Raises:
        ConfigError: A number or a choice is none.
    """
    space = hub.source.spec.space
    params = {name: _read(name, value, space.get(name), hub) for name, value in asked.params.items()}
    declared = {}
    for name, place in (asked.choices or {}).items():
        if name in space:
            declared[name] = place
        elif name in params:
            raise ConfigError(f"enqueue: {name!r} is in `params` and in `choices`; leave one out")
        else:
            params[name] = hub.columns.choice(name, place)
    return {"params": params, "choices": declared} if declared else {"params": params}


def _read(name: str, value: Any, domain: Domain | None, hub: Hub) -> Any:
    if not isinstance(value, str):
        return value
    kind = hub.columns.type_of(name) if domain is None else {Float: "float", Int: "int"}.get(type(domain), "")
    if kind == "int":
        if not _WHOLE.fullmatch(value):
            raise ConfigError(f"enqueue: parameter {name!r}: {shown(value)} is no whole number")
        return int(value)
    if kind == "float":
        try:
            found = number(value)
        except ConfigError as error:
            raise ConfigError(f"enqueue: parameter {name!r}: {error}") from None
        if not math.isfinite(found):
            raise ConfigError(f"enqueue: parameter {name!r}: {shown(value)} is no finite number")
        return found
    return value
