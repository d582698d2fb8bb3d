"""R7: a journal replayed by another process is the same sweep, and its samplers suggest the same next, whatever PYTHONHASHSEED."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from asyncsweep.core.events import Event
from asyncsweep.journal import format as layout
from asyncsweep.space import Categorical, Float, Int
from asyncsweep.testing.events import (
    Bench,
    failed,
    finished,
    judged,
    pruned,
    reported,
    spec,
    started,
    suggested,
    verdict_asked,
    worker_joined,
)
from tests.core.worlds import random_world

HASH_SEEDS = ("0", "1", "12345")
SPACE = {"lr": Float(1e-5, 1e-1, log=True), "depth": Int(1, 8), "opt": Categorical(("sgd", "adam", "lion"))}

# Tells of each journal in a folder: the state after its replay, and what new samplers suggest next.
REPLAY = """
import hashlib, json, sys
from pathlib import Path
from asyncsweep.core.invariants import state_of
from asyncsweep.driver.replay import replay
from asyncsweep.hooks.registry import Registry
from asyncsweep.journal import format as layout
from asyncsweep.search.parts import Setting, desk_of
from asyncsweep.search.retelling import Script
from asyncsweep.space import Space

def next_of(machine, sampler):
    spec = machine.spec
    desk = desk_of(Setting(Space(spec.space), spec.directions, spec.seed, 0), sampler, None)
    for what, trial in Script(machine.history, machine.trials, 0):
        fault = getattr(desk, what)(trial)
        assert fault is None, fault
    return [desk.ask(len(machine.trials) + ahead, None).params for ahead in range(2)]

registry = Registry()
n_tpe = int(sys.argv[2])
for path in sorted(Path(sys.argv[1]).iterdir()):
    machine = replay(layout.decode(path.read_bytes(), str(path)).events, str(path))
    state = hashlib.sha256(repr(state_of(machine)).encode()).hexdigest()
    suggested = {}
    if path.name.startswith("worked"):
        for name in ("random", "sobol", "grid"):
            suggested[name] = next_of(machine, registry.build("sampler", name, {"points": 3} if name == "grid" else {}))
        if n_tpe:
            n_tpe -= 1
            suggested["tpe"] = next_of(machine, registry.build("sampler", "tpe", {"n_startup_trials": 3}))
    print(json.dumps([path.name, state, suggested]))
"""


def worked(seed: int) -> list[Event]:
    """A sweep that a process left in its middle: trials of all endings, and two that run."""
    draw = Random(seed)
    bench = Bench(spec(space=SPACE, n_trials=30, concurrency=2, seed=seed), worker_joined("w", 2))
    for trial in range(8 + seed % 5):
        params = {
            "lr": 10 ** draw.uniform(-5, -1),
            "depth": draw.randint(1, 8),
            "opt": draw.choice(SPACE["opt"].choices),
        }
        bench.send(suggested(trial, **params), started(trial), after_s=draw.random())
        bench.send(reported(trial, 0, draw.random()), verdict_asked(trial, 0))
        ending = draw.randrange(6)
        bench.send(judged(trial, 0, ending == 0))
        end = pruned(trial) if ending == 0 else failed(trial) if ending == 1 else finished(trial, draw.random())
        bench.send(end, after_s=draw.random())
    asked = list(bench.watch.ledger.asks)
    for trial in asked:
        bench.send(suggested(trial, lr=0.01, depth=3, opt="sgd"), started(trial))
    return bench.journal


def told(folder: Path, hash_seed: str, n_tpe: int) -> list[Any]:
    """What a process with this hash seed finds in every journal."""
    answer = subprocess.run(
        [sys.executable, "-c", REPLAY, str(folder), str(n_tpe)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in answer.stdout.splitlines()]


def put(folder: Path, n: int) -> Path:
    """Journals of sweeps where everything goes wrong, and as many of sweeps as they should be."""
    for seed in range(n // 2):
        for kind, events in (("world", random_world(seed, keep_states=False).bench.journal), ("worked", worked(seed))):
            (folder / f"{kind}-{seed}").write_bytes(layout.beginning() + b"".join(map(layout.encode, events)))
    return folder


def check(folder: Path, n: int, n_tpe: int) -> None:
    first, *others = (told(put(folder, n), hash_seed, n_tpe) for hash_seed in HASH_SEEDS)
    assert len(first) == n
    assert len({json.dumps(suggestions) for name, _, suggestions in first if name.startswith("worked")}) == n // 2
    for other in others:
        assert other == first


def test_a_replay_and_the_next_suggestions_are_the_same_under_every_hash_seed(tmp_path: Path) -> None:
    check(tmp_path, 20, n_tpe=1)


@pytest.mark.deep
@pytest.mark.timeout(300)
def test_200_replays_and_the_next_suggestions_are_the_same_under_every_hash_seed(tmp_path: Path) -> None:
    check(tmp_path, 200, n_tpe=10)
