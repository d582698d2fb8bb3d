"""A machine that was frozen and thawed is the machine it was."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import msgspec
import pytest

from asyncsweep.core import events as ev
from asyncsweep.core.invariants import state_of
from asyncsweep.core.machine import Machine
from asyncsweep.core.records import PastTrial, State
from asyncsweep.core.snapshot import AT_A_TIME, REPORTS_AT_A_TIME, freeze, halves
from asyncsweep.errors import InvalidTransition
from asyncsweep.space import Float
from asyncsweep.testing.events import Bench, finished, reported, spec, started, suggested, worker_joined
from tests.core.worlds import ANY_EVENT, random_world

DECODER: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(ANY_EVENT)


def thawed(machine: Machine) -> Machine:
    """Another machine, through bytes."""
    other = Machine()
    for event in freeze(machine):
        read = DECODER.decode(msgspec.msgpack.encode(event))
        other.check(read)
        assert other.handle(read) == []
    return other


def replayed(events: list[ev.Event]) -> Machine:
    machine = Machine()
    for event in events:
        machine.check(event)
        machine.handle(event)
    return machine


@pytest.mark.parametrize("seed", range(60))
def test_at_any_event_it_has_the_same_state_and_goes_on_with_the_same_effects(seed: int) -> None:
    bench = random_world(seed, keep_states=False).bench
    events = bench.journal
    cut = Random(seed).randrange(1, len(events) + 1)
    machine = replayed(events[:cut])
    other = thawed(machine)
    assert state_of(other) == state_of(machine)
    for event, effects in zip(events[cut:], bench.effects[cut:], strict=True):
        other.check(event)
        assert repr(other.handle(event)) == repr(effects)
    assert state_of(other) == state_of(replayed(events))


def test_a_snapshot_of_a_thawed_machine_is_the_snapshot_that_it_came_from() -> None:
    machine = random_world(3).machine
    first = [msgspec.msgpack.encode(event) for event in freeze(machine)]
    assert [msgspec.msgpack.encode(event) for event in freeze(thawed(machine))] == first


def test_the_trials_come_in_groups_and_history_before_them() -> None:
    bench = Bench(spec(n_trials=AT_A_TIME + 1), ev.Adopted(PastTrial({"x": 0.5}, State.FAILED)), worker_joined("w"))
    for number in range(AT_A_TIME + 1):
        bench.send(suggested(number), started(number), finished(number, 1.0))
    kept = list(freeze(bench.machine))
    assert [type(event) for event in kept] == [ev.Kept, ev.Kept, ev.Kept, ev.Snapshot]
    groups = [[trial.number for trial in event.trials.trials] for event in kept[:-1]]
    assert groups == [[-1], list(range(AT_A_TIME)), [AT_A_TIME]]


def test_what_changes_after_it_was_made_is_not_in_it() -> None:
    bench = Bench(spec(), worker_joined("w"), suggested(0), started(0), reported(0, 1, 0.5))
    before = state_of(bench.machine)
    kept = freeze(bench.machine)
    bench.send(reported(0, 2, 0.25), finished(0, 1.0), suggested(1))
    other = Machine()
    for event in kept:
        other.handle(event)
    assert state_of(other) == before


def test_every_value_that_a_report_can_have_is_in_it() -> None:
    values = (math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308)
    bench = Bench(spec(), worker_joined("w"), suggested(0), started(0))
    bench.send(*(reported(0, step, value) for step, value in enumerate(values)))
    assert repr(list(thawed(bench.machine).trials[0].reports)) == repr(list(enumerate(values)))


def test_names_and_domains_are_shared_again() -> None:
    bench = Bench(spec(space={}, n_trials=3, concurrency=2), worker_joined("w", 2))
    for number in (0, 1):
        bench.send(suggested(number, x=0.5))
    bench.send(started(0), started(1))
    for number in (0, 1):
        bench.send(ev.ParamAsked(number, 1, "y", Float(0.0, 1.0)), ev.ParamSuggested(number, 1, "y", 0.5))
    first, second = thawed(bench.machine).trials[:2]
    assert first.param_names is second.param_names
    assert first.domains is second.domains
    assert first.domains == {"y": Float(0.0, 1.0)}


@pytest.mark.parametrize("kind", [ev.Kept, ev.Snapshot])
def test_it_stands_at_the_beginning_alone(kind: type[ev.Event]) -> None:
    bench = Bench(spec())
    event = next(event for event in freeze(random_world(1).machine) if type(event) is kind)
    with pytest.raises(InvalidTransition, match="a snapshot stands at the beginning"):
        bench.machine.check(event)


def test_it_knows_the_settings() -> None:
    settings = spec(n_trials=7)
    *_, snapshot = freeze(Bench(settings).machine)
    assert isinstance(snapshot, ev.Snapshot)
    assert snapshot.spec == settings


def test_an_answer_that_comes_before_it_is_encoded_is_not_in_it() -> None:
    bench = Bench(spec(n_trials=9, concurrency=3), worker_joined("w", 3))
    before = state_of(bench.machine)
    kept = freeze(bench.machine)
    bench.send(ev.SpaceExhausted(1))
    other = Machine()
    for event in kept:
        other.handle(event)
    assert state_of(other) == before


def test_trials_with_many_reports_are_in_groups_of_fewer() -> None:
    bench = Bench(spec(n_trials=3), worker_joined("w"))
    for number in range(3):
        bench.send(suggested(number), started(number))
        bench.send(*(reported(number, step, 0.5) for step in range(REPORTS_AT_A_TIME // 2)), finished(number, 1.0))
    groups = [len(event.trials.trials) for event in freeze(bench.machine) if isinstance(event, ev.Kept)]
    assert groups == [2, 1]


def test_an_event_can_be_halved() -> None:
    machine = random_world(4).machine
    assert len(machine.trials) > 1
    whole = next(event for event in freeze(machine) if isinstance(event, ev.Kept))
    halved = halves(whole)
    assert [len(half.trials.trials) > 0 for half in halved] == [True, True]
    first, second = Machine(), Machine()
    first.handle(whole)
    for half in halved:
        second.handle(half)
    assert repr(first.trials) == repr(second.trials)
