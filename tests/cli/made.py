"""Sweeps' folders made without running anything, for the tests of commands that only look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asyncsweep.core import events as ev
from asyncsweep.core.records import ErrorInfo
from asyncsweep.journal import format as layout
from asyncsweep.journal.writer import NAME
from asyncsweep.testing.events import Bench, failed, finished, reported, spec, started, suggested, worker_joined


def put(directory: Path, events: list[ev.Event], more: bytes = b"") -> Path:
    """A folder with a journal of these events."""
    directory.mkdir(parents=True, exist_ok=True)
    data = layout.beginning() + b"".join(map(layout.encode, events)) + layout.mark(0)
    (directory / NAME).write_bytes(data + more)
    return directory


def ended(n_trials: int = 2, **settings: Any) -> Bench:
    """A sweep whose trials have the values 0, 1, ..., all of them reported."""
    bench = Bench(spec(n_trials=n_trials, **settings), worker_joined())
    for number in range(n_trials):
        bench.send(suggested(number, x=number / n_trials), started(number), reported(number, 0, 9.0), after_s=1)
        bench.send(finished(number, float(number)), after_s=1)
    return bench


def open_still(**settings: Any) -> Bench:
    """A sweep of three trials: one COMPLETE, one FAILED, one that runs."""
    bench = Bench(spec(n_trials=3, **settings), worker_joined())
    bench.send(suggested(0, x=0.25), started(0), finished(0, 0.5))
    bench.send(suggested(1, x=0.5), started(1), failed(1, error=ErrorInfo("ValueError", "too large")))
    bench.send(suggested(2, x=0.75), started(2))
    return bench
