"""The invariants, in worlds where nobody can be relied on; and that each world ends once everyone behaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from asyncsweep.core import events as ev
from asyncsweep.core.invariants import Watch
from asyncsweep.core.machine import Machine
from asyncsweep.testing.events import Bench, finished, spec, started, suggested, worker_joined
from tests.core.worlds import ACTIONS, World, digest, random_world, some_spec

DEEP = os.environ.get("ASYNCSWEEP_DEEP") == "1"
ROOT = Path(__file__).parent.parent.parent
PICK = st.integers(0, 7)
ROLL = st.integers(0, 99)


class Opened(RuleBasedStateMachine):
    """A world that was opened with some settings; at the end everyone behaves, and the journal is replayed."""

    @initialize(pick=st.integers(0, 29), roll=ROLL, slots=PICK)
    def open(self, pick: int, roll: int, slots: int) -> None:
        self.world = World(some_spec(pick, roll))
        self.world.join(0, slots)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.drain()
            self.world.replay()


def rule_of(action: str) -> object:
    def do(self: Opened, pick: int, roll: int) -> None:
        self.world.act(action, pick, roll)

    do.__name__ = action
    return rule(pick=PICK, roll=ROLL)(do)


Worlds = type("Worlds", (Opened,), {action: rule_of(action) for action in ACTIONS})
TestEveryWorldKeepsTheInvariantsAndEnds = Worlds.TestCase  # type: ignore[attr-defined]
TestEveryWorldKeepsTheInvariantsAndEnds.settings = settings(
    max_examples=10_000 if DEEP else 300,
    stateful_step_count=100 if DEEP else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestEveryWorldKeepsTheInvariantsAndEnds = pytest.mark.timeout(7200 if DEEP else 180)(
    TestEveryWorldKeepsTheInvariantsAndEnds
)


def test_the_actions_send_every_kind_of_event() -> None:
    sent = {type(event) for seed in range(120) for event in random_world(seed).bench.journal}
    assert sent == set(ev.EVENTS) - {ev.Kept, ev.Snapshot}


def test_replaying_the_bytes_of_a_journal_gives_equal_states_and_effects_at_each_event() -> None:
    for seed in range(20):
        random_world(seed).replay()


def test_effects_do_not_depend_on_the_seed_of_hashes() -> None:
    program = (
        "from tests.core.worlds import digest, random_world\n"
        "print(digest([effects for seed in range(8) for effects in random_world(seed).bench.effects]))"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
            timeout=50,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    here = digest([effects for seed in range(8) for effects in random_world(seed).bench.effects])
    assert digests == {here + "\n"}


def test_a_watch_begins_before_the_first_event() -> None:
    machine = Machine()
    machine.handle(ev.SweepOpened(spec(), seq=1))
    with pytest.raises(ValueError, match="before its machine's first event"):
        Watch(machine)


# -- whatever workers send ------------------------------------------------------------------------------------------------

SMALL = st.integers(-2, 4)
INTEGERS = st.one_of(SMALL, SMALL, st.integers(-(2**63), 2**64 - 1))
NUMBERS = st.one_of(st.floats(), st.integers(-(2**63), 2**64 - 1))
TEXTS = st.one_of(st.sampled_from(["x", "value", "y"]), st.text(max_size=5))
THINGS = st.recursive(
    st.one_of(st.none(), st.booleans(), INTEGERS, NUMBERS, TEXTS, st.binary(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
METRICS = st.one_of(st.dictionaries(TEXTS, NUMBERS, max_size=3), THINGS)
DOMAINS = st.one_of(
    st.sampled_from([{"type": "float", "low": 0, "high": 1}, {"type": "int", "low": 1, "high": 3}]), THINGS
)
ERRORS = st.one_of(st.tuples(TEXTS, TEXTS, TEXTS), THINGS)
FIELDS = {
    ev.Started: (),
    ev.ParamAsked: (TEXTS, DOMAINS),
    ev.Reported: (st.one_of(INTEGERS, THINGS), NUMBERS, METRICS),
    ev.SeriesReported: (st.lists(st.tuples(st.one_of(INTEGERS, THINGS), NUMBERS), max_size=4),),
    ev.VerdictAsked: (st.one_of(INTEGERS, THINGS),),
    ev.SeriesUpForVerdict: (
        st.one_of(INTEGERS, THINGS),
        st.lists(st.tuples(st.one_of(INTEGERS, THINGS), NUMBERS), max_size=4),
    ),
    ev.AttrSet: (TEXTS, THINGS),
    ev.ConstraintSet: (TEXTS, NUMBERS),
    ev.Used: (METRICS,),
    ev.Finished: (METRICS,),
    ev.Pruned: (),
    ev.Failed: (ERRORS,),
}
MESSAGES = st.one_of(
    *(
        st.tuples(st.just(kind), st.tuples(st.just(kind.__struct_config__.tag), INTEGERS, INTEGERS, *fields))
        for kind, fields in FIELDS.items()
    )
)


def test_every_message_of_workers_is_among_the_random_ones() -> None:
    assert tuple(FIELDS) == ev.WORKER_EVENTS


@settings(max_examples=5_000 if DEEP else 200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MESSAGES, max_size=30))
def test_no_decodable_stream_of_worker_messages_makes_the_machine_raise(
    messages: list[tuple[type[ev.Event], tuple[object, ...]]],
) -> None:
    bench = Bench(spec(n_trials=6, retries=1, trial_timeout=5.0), worker_joined("w", 4), suggested(0), suggested(1))
    bench.send(started(0), suggested(2), started(2), finished(2))
    for kind, message in messages:
        try:
            event = msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=kind)
        except (msgspec.ValidationError, ValueError):
            continue
        bench.send(event)
