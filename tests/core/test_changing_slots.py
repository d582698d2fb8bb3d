"""Workers that come to have more slots, or fewer, what they offer, and what attempts use."""

from __future__ import annotations

from typing import Any

import pytest

from asyncsweep.core import events as ev
from asyncsweep.core.effects import Ask, Effect, Launch, PluginFailed, Publish, TakeBack, TrialUsage
from asyncsweep.core.invariants import state_of
from asyncsweep.core.machine import Machine
from asyncsweep.core.resources import unmet
from asyncsweep.core.snapshot import freeze
from asyncsweep.testing.events import (
    Bench,
    failed,
    finished,
    slots_changed,
    spec,
    started,
    suggested,
    used,
    worker_joined,
    worker_lost,
)


def orders(effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if isinstance(effect, Launch | TakeBack | Ask)]


def running(slots: int = 2, **settings: Any) -> Bench:
    """One worker with as many trials as it has slots."""
    bench = Bench(spec(**{"n_trials": 50, "concurrency": slots, **settings}), worker_joined("w", slots))
    for number in range(slots):
        bench.send(suggested(number), started(number))
    return bench


def free(bench: Bench) -> int:
    return bench.machine.life.slots.n_free


# -- more and fewer -------------------------------------------------------------------------------------------------------


def test_more_slots_are_filled() -> None:
    assert orders(running().send(slots_changed("w", 4))) == [Ask(2), Ask(3)]


def test_with_fewer_slots_what_runs_goes_on_and_nothing_follows_until_there_is_room() -> None:
    bench = running(3)
    assert bench.send(slots_changed("w", 1)) == []
    assert orders(bench.send(finished(0))) == []
    assert orders(bench.send(finished(1))) == []
    assert orders(bench.send(finished(2))) == [Ask(3)]


def test_free_slots_are_the_first_to_go() -> None:
    bench = running(3)
    bench.send(finished(0))
    assert free(bench) == 1
    bench.send(slots_changed("w", 2))
    assert free(bench) == 0
    assert orders(bench.send(finished(1))) == []  # trial 3, which was asked for before, takes it
    assert free(bench) == 1


def test_slots_that_come_back_are_first_those_of_what_runs_beyond_them() -> None:
    bench = running(3)
    bench.send(slots_changed("w", 1))
    assert orders(bench.send(slots_changed("w", 3))) == []
    assert orders(bench.send(slots_changed("w", 4))) == [Ask(3)]


def test_a_worker_that_leaves_gives_back_what_waits_there() -> None:
    bench = Bench(spec(n_trials=50, concurrency=2), worker_joined("v", 1, 1), worker_joined("w", 1, 1))
    bench.send(suggested(0), suggested(1), started(0), started(1), finished(0), suggested(2), started(2), after_s=0.5)
    bench.send(*map(suggested, list(bench.watch.ledger.asks)))
    (waiting,) = bench.machine.life.slots.queues["v"]
    assert orders(bench.send(slots_changed("v", 0))) == [TakeBack(*waiting)]
    bench.send(finished(2), ev.TakenBack(*waiting), worker_lost("v", "left"))
    assert bench.trial(waiting[0]).failures == ()


def test_a_new_slot_is_that_of_what_waits_at_its_worker() -> None:
    bench = Bench(spec(n_trials=50, concurrency=2), worker_joined("v", 1, 1), worker_joined("w", 1))
    bench.send(suggested(0), suggested(1), started(0), started(1), finished(1), suggested(2), started(2), after_s=0.5)
    bench.send(*map(suggested, list(bench.watch.ledger.asks)))
    (waiting,) = bench.machine.life.slots.queues["v"]
    bench.send(slots_changed("v", 2))
    assert bench.machine.life.slots.jobs["v"] == {(0, 1): None, waiting: None}


def test_a_snapshot_knows_slots_that_are_beyond_those_offered() -> None:
    bench = running(3)
    bench.send(slots_changed("w", 1), finished(0))
    other = Machine()
    for event in freeze(bench.machine):
        other.handle(event)
    assert state_of(other) == state_of(bench.machine)


# -- concurrency left out -------------------------------------------------------------------------------------------------


def test_without_concurrency_as_many_trials_run_as_there_are_slots() -> None:
    bench = Bench(spec(n_trials=50, concurrency=0), worker_joined("v", 2), worker_joined("w", 3))
    assert (len(bench.watch.ledger.asks), bench.machine.concurrency) == (5, 5)
    bench.send(worker_lost("v"))
    assert bench.machine.concurrency == 3


def test_without_concurrency_suggestions_are_fetched_ahead_for_the_slots_that_there_are() -> None:
    bench = Bench(spec(n_trials=500, concurrency=0), worker_joined("w", 2))
    for _ in range(12):
        for trial in list(bench.watch.ledger.asks)[:2]:
            bench.send(suggested(trial), after_s=5.0)
        launched = list(bench.watch.ledger.launched)
        bench.send(*map(started, launched))
        n_ahead = len(bench.watch.ledger.asks)
        bench.send(*map(finished, launched), after_s=0.25)
    assert n_ahead == 8


# -- needs ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needs", "offered", "why"),
    [
        ({}, {}, None),
        ({"gpus": 1.0}, {"gpus": 1}, None),
        ({"gpus": 2.0}, {"gpus": 1}, "gpus=1, and 2 is needed"),
        ({"gpus": 1.0}, {"cpus": 8}, "no gpus, and 1 are needed"),
        ({"cpus": 64.0, "memory_gib": 8.0}, {}, None),
        ({"cpus": 64.0}, {"cpus": 8}, "cpus=8, and 64 is needed"),
        ({"tpus": 1.0}, {"gpus": 8}, "no tpus, and 1 are needed"),
        ({"host": "a"}, {"host": "a"}, None),
        ({"host": "a"}, {"host": "b"}, "host='b', and 'a' is needed"),
        ({"host": "a"}, {}, "host=None, and 'a' is needed"),
        ({"labels": {"zone": "a"}}, {"labels": {"zone": "a", "disk": "ssd"}}, None),
        ({"labels": {"zone": "a"}}, {"labels": {"zone": "b"}}, "labels={'zone': 'b'}, and {'zone': 'a'} is needed"),
        ({"labels": {"zone": "a"}}, {}, "labels={}, and {'zone': 'a'} is needed"),
        ({"gpus": 0.1 * 3}, {"gpus": 0.3}, None),
        ({"gpus": 0.3}, {"gpus": 0.29999}, "gpus=0.29999, and 0.3 is needed"),
        ({"gpus": 1.0}, {"gpus": "many"}, "gpus='many', and 1 is needed"),
    ],
)
def test_what_is_offered_is_held_against_what_is_needed(needs: Any, offered: Any, why: str | None) -> None:
    assert unmet(needs, offered) == why


def test_nothing_is_launched_where_the_needs_are_not_met_and_that_is_told_while_nothing_else_is_there() -> None:
    bench = Bench(spec(n_trials=50, concurrency=0, needs={"gpus": 1.0}))
    (told,) = bench.send(worker_joined("poor", 4, 4))
    assert isinstance(told, Publish) and isinstance(told.update, PluginFailed)
    assert told.update.error.message == "worker 'poor' offers no gpus, and 1 are needed: nothing is launched there"
    assert orders(bench.send(worker_joined("rich", 1, gpus=1))) == [Ask(0)]
    assert bench.send(worker_joined("poor too", 4)) == []
    assert orders(bench.send(suggested(0))) == [Launch(0, 1, "rich")]
    assert bench.send(slots_changed("poor", 8)) == []
    assert bench.send(worker_lost("poor")) == []


# -- usage ----------------------------------------------------------------------------------------------------------------


def test_of_what_an_attempt_uses_the_newest_counts_and_is_shown() -> None:
    bench = running(1)
    bench.send(used(0, gpu_memory_gib=1.0, gpu_utilisation=0.5))
    (shown,) = bench.send(used(0, gpu_memory_gib=2.0), after_s=1.0)
    usage = {"gpu_memory_gib": 2.0, "gpu_utilisation": 0.5}
    assert shown == Publish(TrialUsage(at=1.0, trial=0, usage=usage))
    bench.send(finished(0))
    assert bench.trial(0).usage == usage


def test_a_new_attempt_has_used_nothing_and_a_late_word_changes_nothing() -> None:
    bench = running(1, retries=1)
    bench.send(used(0, gpus=1.0), failed(0))
    assert bench.trial(0).usage is None
    bench.send(started(0, attempt=2))
    assert (bench.send(used(0, attempt=1, gpus=1.0)), bench.trial(0).usage) == ([], None)
