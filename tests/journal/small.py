"""A small sweep's events, and the bytes of its journal."""

from __future__ import annotations

import functools

import msgspec

from asyncsweep.core.events import Event
from asyncsweep.core.snapshot import freeze
from asyncsweep.journal import format as layout
from asyncsweep.testing.events import Bench, finished, reported, spec, started, suggested, worker_joined


def events() -> list[Event]:
    """Two trials that report once, the second one still running."""
    bench = Bench(spec(n_trials=2), worker_joined())
    bench.send(suggested(0, x=0.25), started(0), reported(0, 0, 1.5), finished(0, 1.0))
    bench.send(suggested(1, x=0.75), started(1), reported(1, 0, 2.5))
    return bench.journal


def opened() -> Event:
    """The first event of a sweep."""
    return events()[0]


def records() -> list[bytes]:
    """The header and each record."""
    return [layout.header(), *map(layout.encode, events())]


def journal() -> bytes:
    return b"".join(records())


def snapshot(seq: int, n_kept: int = 1) -> list[Event]:
    """A snapshot of the event with that number: some `Kept`, and a `Snapshot`."""
    kept, end = _frozen()
    return [msgspec.structs.replace(event, seq=seq) for event in [*[kept] * n_kept, end]]


@functools.cache
def _frozen() -> tuple[Event, ...]:
    bench = Bench(spec(n_trials=2), worker_joined())
    bench.send(suggested(0, x=0.25), started(0), finished(0, 1.0))
    return tuple(freeze(bench.machine))
