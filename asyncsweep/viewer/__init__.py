"""Sweeps in a browser, live: a stream over a websocket, the servers that carry it, and the page that shows it.

source     where the facts come from: `running` a sweep of this process, `following` a sweep's directory
hub        what all viewers of one sweep share: which trials changed, and the messages that say so
session    one viewer's connection, whoever carries it
guard      who may come in
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncsweep.viewer.mounting import asgi
    from asyncsweep.viewer.served import opened

__all__ = ["asgi", "opened"]

_MODULES = {"asgi": "mounting", "opened": "served"}


def __getattr__(name: str) -> object:
    """A public name, when it is used: most who use a part of the viewer mount it nowhere."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
