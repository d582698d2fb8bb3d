"""No sweep starts while a worker or a sampler host loads the user's code.

A module that starts a sweep when it is imported would be imported by the workers of that sweep, which would start one each, and so
on without end. What an objective does when it is called is its own affair: it may run a sweep inside of a trial.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from asyncsweep.errors import ConfigError

# Of this process and what it forks, for all of its threads.
_LOADING = threading.Event()


@contextmanager
def loading() -> Iterator[None]:
    """The block loads what the controller sent."""
    _LOADING.set()
    try:
        yield
    finally:
        _LOADING.clear()


def refuse_while_loading() -> None:
    """Do nothing, unless something is being loaded.

    Raises:
        ConfigError: It is.
    """
    if _LOADING.is_set():
        raise ConfigError(
            "a sweep is started while a worker or sampler host imports the module of the objective, sampler or pruner, which "
            'would go on without end: put the start of the sweep under `if __name__ == "__main__":`'
        )
