"""The sweeps whose journals are recorded. What is recorded stays; a new story is a new file."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

import asyncsweep as sw
from asyncsweep.core import events as ev
from asyncsweep.core.events import EVENTS, Event, Kept, Snapshot
from asyncsweep.core.machine import Machine
from asyncsweep.core.records import ErrorInfo
from asyncsweep.core.snapshot import freeze
from asyncsweep.journal import format as layout
from asyncsweep.journal.writer import NAME
from asyncsweep.testing.events import (
    Bench,
    adopted,
    attr_set,
    constraint_set,
    failed,
    finished,
    judged,
    param_asked,
    param_suggested,
    reported,
    series_reported,
    series_up_for_verdict,
    spec,
    started,
    suggested,
    taken_back,
    used,
    worker_joined,
)
from tests.core.worlds import random_world


def odd_values() -> bytes:
    """Everything that a value may be, at its edges; the last trial still runs."""
    values = {
        "none": None,
        "yes": True,
        "text": "n\u00e4me \U0001f600 \x1b[31m\x00",
        "bytes": b"\x00\xff",
        "deep": [{"a": [1.5]}],
    }
    space = {"x": sw.Float(0.0, 1.0), **{name: sw.Categorical([value, 0]) for name, value in values.items()}}
    bench = Bench(spec(space=space, n_trials=4, n_history=1, seed=2**32 - 1))
    bench.send(adopted(-0.0, x=5e-324), worker_joined("w\u00f6rker", 2))
    bench.send(suggested(0, {"attr": [2**63 - 1, -(2**63), math.nan]}, x=0.1 + 0.2, **values), started(0), after_s=0.1)
    for step, value in enumerate((math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308)):
        bench.send(reported(0, step, value, more=-value))
    bench.send(series_reported(0, (6, -math.inf), (2**62 - 1, -0.0), (3, 1.0)))
    bench.send(reported(0, 2**62, 1.0), attr_set(0, "k\u00e9y", {"big": 2**64 - 1, "raw": b"\xc3\x28"}))
    bench.send(constraint_set(0, "c", -math.inf), finished(0, -0.0, nan=math.nan, inf=math.inf))
    bench.send(
        suggested(1, x=-0.0, **values), started(1), failed(1, error=ErrorInfo("E", "\u2028" * 3, "tr\u00e4ce", ("B",)))
    )
    bench.send(
        suggested(2, x=1.0), started(2), param_asked(2, "late", sw.Int(1, 2**62)), param_suggested(2, "late", 2**62)
    )
    return _encoded(bench.journal)


def ahead() -> bytes:
    """Trials that wait at busy workers: begun there, taken back, killed and lost."""
    bench = Bench(spec(n_trials=9, concurrency=2), worker_joined("v", 1, 1), worker_joined("w", 1, 1))
    bench.send(suggested(0), suggested(1), started(0), started(1), after_s=0.5)
    bench.send(finished(0), suggested(2), suggested(3), suggested(4), started(2), after_s=0.25)
    bench.send(ev.Paused(), taken_back(4), taken_back(3), ev.Unpaused(), finished(2), after_s=0.25)
    bench.send(
        started(3), suggested(5), ev.TrialCancelled(4), ev.WorkerLost("v", "gone"), ev.Killed(4, 1), after_s=0.25
    )
    return _encoded(bench.journal)


def resources() -> bytes:
    """Workers that offer more and less, also while trials run; what the trials use; the last one still runs."""
    bench = Bench(spec(n_trials=6, concurrency=0, needs={"gpus": 1.0, "labels": {"zone": "a"}}))
    bench.send(
        worker_joined("poor", 4, cpus=8), worker_joined("rich", 2, 2, gpus=2.0, labels={"zone": "a"}, host="höst")
    )
    bench.send(suggested(0), suggested(1), started(0), started(1), used(0, gpu_memory_gib=0.5), after_s=0.5)
    bench.send(
        used(0, gpu_memory_gib=-0.0, gpu_utilisation=math.nan), finished(0), ev.SlotsChanged("rich", 1), after_s=0.5
    )
    bench.send(*map(suggested, bench.watch.ledger.asks), after_s=0.5)
    bench.send(finished(1), ev.SlotsChanged("rich", 3), after_s=0.5)
    bench.send(*map(suggested, bench.watch.ledger.asks), after_s=0.5)
    bench.send(*map(started, bench.watch.ledger.launched), after_s=0.5)
    bench.send(ev.SlotsChanged("rich", 0), *map(finished, (2, 3)), ev.WorkerLost("rich", "drained"), after_s=0.5)
    return _encoded(bench.journal)


def verdicts() -> bytes:
    """Reports that came with the question for a verdict; the last one has no answer yet."""
    bench = Bench(spec(n_trials=3), worker_joined("w", 2), suggested(0), started(0), suggested(1), started(1))
    bench.send(series_up_for_verdict(0, 1, (1, 0.5)), judged(0, 1, False, attrs={"completed_rung_0": 0.5}), after_s=0.5)
    bench.send(series_up_for_verdict(1, 4, (1, 1.5), (4, math.nan), (4, 1.0)), judged(1, 4, True), after_s=0.5)
    bench.send(ev.Pruned(1, 1), series_up_for_verdict(0, 4, (2, -math.inf), (4, -0.0)), after_s=0.5)
    return _encoded(bench.journal)


def snapshot() -> bytes:
    """A journal that begins with a snapshot of a random world, and goes on."""
    events = random_world(8, keep_states=False).bench.journal
    half = len(events) // 2
    machine = Machine()
    for event in events[:half]:
        machine.handle(event)
    return _encoded([*freeze(machine), *events[half:]])


def worlds() -> list[bytes]:
    """Random worlds in which everything goes wrong: as many as it takes to have every event but those of a snapshot."""
    found = [random_world(seed, keep_states=False).bench.journal for seed in range(300)]
    missing = {kind: None for kind in EVENTS if kind not in (Kept, Snapshot)}
    chosen = []
    while missing:
        best = max(found, key=lambda events: len({type(event) for event in events if type(event) in missing}))
        chosen.append(_encoded(best))
        for event in best:
            missing.pop(type(event), None)
    return chosen


def tpe() -> bytes:
    """TPE and the median pruner, with a failure that is tried again."""

    async def objective(trial: sw.Trial) -> float:
        for step in range(4):
            trial.report(trial.params["x"] * step, step)
            if await trial.should_prune_async():
                raise sw.TrialPruned
        trial.set_user_attr("note", {"n": trial.number})
        trial.set_constraint("small", trial.params["x"] - 0.9)
        if trial.number == 3 and trial.attempt == 1:
            return math.nan  # fails without a traceback, which would have the paths of the machine that recorded it
        return float(trial.params["x"])

    return _run(
        objective,
        {"x": sw.Float(0, 1), "opt": sw.Categorical(["sgd", "adam"]), "m": sw.Float(0, 1, when={"opt": "sgd"}), "n": 3},
        sampler={"name": "tpe", "n_startup_trials": 4, "host": "thread"},
        pruner={"name": "median", "n_startup_trials": 2},
        n_trials=14,
        concurrency=2,
        retries=sw.Retry(times=1, on=(sw.TrialError,), backoff_s=(0.001, 0.01)),
    )


def reproducible() -> bytes:
    """A window of 2, with ASHA's attributes."""

    async def objective(trial: sw.Trial) -> float:
        for step in range(1, 10):
            trial.report((trial.params["x"] - 0.3) ** 2 + 1 / step, step)
            if await trial.should_prune_async():
                raise sw.TrialPruned
        return float(trial.params["x"])

    space = {"x": sw.Float(0, 1), "y": sw.Int(1, 100, log=True)}
    return _run(objective, space, sampler="sobol", pruner="asha", n_trials=12, concurrency=2, reproducible=2)


def define_by_run() -> bytes:
    """Two directions, parameters asked for on the way, enqueued ones, and an earlier search."""

    async def objective(trial: sw.Trial) -> dict[str, float]:
        width = await trial.suggest_int_async("width", 1, 16)
        kind = await trial.suggest_categorical_async("kind", ["a", "b"])
        rate = await trial.suggest_float_async(f"rate_{kind}", 1e-4, 1.0, log=True)
        return {"loss": rate * width, "size": float(width), "extra": 1.0}

    return _run(
        objective,
        {},
        direction={"loss": "minimize", "size": "maximize"},
        sampler="random",
        n_trials=6,
        enqueue=[{"width": 3}],
    )


STORIES: dict[str, Callable[[], bytes | list[bytes]]] = {
    "world": worlds,
    "odd-values": odd_values,
    "snapshot": snapshot,
    "tpe": tpe,
    "reproducible": reproducible,
    "define-by-run": define_by_run,
    "ahead": ahead,
    "resources": resources,
    "verdicts": verdicts,
}


def _encoded(events: list[Event]) -> bytes:
    return layout.beginning() + b"".join(map(layout.encode, events)) + layout.mark(0)


def _run(objective: Any, space: Any, **settings: Any) -> bytes:
    """The journal of a real sweep."""
    with tempfile.TemporaryDirectory() as directory:
        anyio.run(sw.Sweep(objective, space, seed=1, directory=directory, **settings).run)
        return (Path(directory) / NAME).read_bytes()
