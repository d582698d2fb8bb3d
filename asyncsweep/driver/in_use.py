"""Who uses which executor, sampler or pruner: such an object keeps the state of one run, so two at a time would mix them up.

Runs of several threads may claim at the same time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from asyncsweep.errors import ConfigError

# The objects are held, so that no other one can come to have the id of one that is here.
_in_use: dict[int, object] = {}
_claiming = threading.Lock()


@contextmanager
def claimed(**parts: object) -> Iterator[None]:
    """Have these objects, by what they are, for oneself while the context is entered; None stands for no object.

    Raises:
        ConfigError: One of them is in use.
    """
    mine = {id(part): part for part in parts.values() if part is not None}
    with _claiming:
        for kind, part in parts.items():
            if id(part) in _in_use:
                raise ConfigError(f"{kind}={part!r}: this {kind} object is in use by another run; make one for each")
        _in_use.update(mine)
    try:
        yield
    finally:
        with _claiming:
            for key in mine:
                del _in_use[key]
