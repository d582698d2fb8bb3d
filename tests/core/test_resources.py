"""What workers offer, held against what trials need; without parameters, so that mutants of it are looked for by these, too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from asyncsweep.core.kept import KeptLaunching
from asyncsweep.core.launching import LEAST_GAP_S, Launching
from asyncsweep.core.records import State, TrialRecord
from asyncsweep.core.resources import refusal, unmet


def offering(resources: Any) -> Any:
    return SimpleNamespace(resources=resources)


def test_each_need_has_to_be_met() -> None:
    assert unmet({}, {}) is None
    assert unmet({"gpus": 1.0}, {"gpus": 1}) is None
    assert unmet({"gpus": 1.0, "cpus": 2.0}, {"gpus": 1, "cpus": 1}) == "cpus=1, and 2 is needed"
    assert unmet({"gpus": 1.0}, {}) == "no gpus, and 1 are needed"
    assert unmet({"cpus": 64.0, "memory_gib": 8.0}, {}) is None
    assert unmet({"gpus": 1.0}, {"gpus": "many"}) == "gpus='many', and 1 is needed"


def test_a_host_is_one_host() -> None:
    assert unmet({"host": "a"}, {"host": "a"}) is None
    assert unmet({"host": "a"}, {"host": "b"}) == "host='b', and 'a' is needed"


def test_labels_have_to_be_there_with_their_values() -> None:
    offered = {"labels": {"zone": "a", "disk": "ssd"}}
    assert unmet({"labels": {"zone": "a"}}, offered) is None
    assert unmet({"labels": {"zone": "b", "disk": "ssd"}}, offered) == (
        "labels={'zone': 'a', 'disk': 'ssd'}, and {'zone': 'b'} is needed"
    )
    assert unmet({"labels": {"zone": "a"}}, {"labels": "a"}) == "labels={}, and {'zone': 'a'} is needed"


def test_needs_are_refused_where_nobody_meets_them() -> None:
    poor, rich, unknown = offering({}), offering({"gpus": 1.0}), object()
    assert refusal({}, {"poor": poor}) is None
    assert refusal({"gpus": 1.0}, {"poor": poor, "rich": rich}) is None
    assert refusal({"gpus": 1.0}, {"poor": poor, "unknown": unknown}) is None
    assert refusal({"gpus": 2.0}, {"poor": poor, "rich": rich}) == (
        "needs={'gpus': 2.0}: no trial could run: executor='poor' offers no gpus, and 2 are needed; "
        "executor='rich' offers gpus=1.0, and 2 is needed"
    )


def test_one_launch_is_timed_at_a_time_and_another_one_when_it_can_start_no_more() -> None:
    launching = Launching()
    waits = TrialRecord(0, State.WAITING, 1, worker="w")
    other = TrialRecord(1, State.WAITING, 1, worker="w")
    launching.launched(waits, 1.0, [waits, other])
    launching.launched(other, 2.0, [waits, other])
    assert launching.timed == (0, 1, 1.0)
    for gone in (
        TrialRecord(0, State.WAITING, 1),
        TrialRecord(0, State.FAILED, 1, worker="w"),
        TrialRecord(0, State.WAITING, 2, worker="w"),
    ):
        launching.timed = 0, 1, 1.0
        launching.launched(other, 3.0, [gone, other])
        assert launching.timed == (1, 1, 3.0)
    launching.timed = 2, 1, 1.0  # it was dropped
    launching.launched(other, 4.0, [waits, other])
    assert launching.timed == (1, 1, 4.0)


def test_a_start_ends_the_timing_of_its_own_launch_alone() -> None:
    launching = Launching()
    launching.timed = 3, 2, 1.0
    for trial, attempt in ((3, 1), (4, 2)):
        launching.started(trial, attempt, 9.0)
        assert (launching.timed, launching.gap_s) == ((3, 2, 1.0), None)
    launching.started(3, 2, 1.5)
    assert (launching.timed, launching.gap_s) == (None, 0.5)


def test_a_snapshot_has_whatever_is_known_of_launches() -> None:
    launching = Launching()
    assert launching.kept() is None
    for gap_s, timed, is_slow in ((0.5, None, False), (None, (0, 1, 1.0), False), (None, None, True)):
        launching.gap_s, launching.timed, launching.is_slow = gap_s, timed, is_slow
        assert launching.kept() == KeptLaunching(gap_s, timed, is_slow)


def test_a_launch_is_thought_to_take_what_it_took_and_never_nothing() -> None:
    launching = Launching()
    launching.restore(KeptLaunching(None, None, True))
    assert (launching.takes_s, launching.is_slow) == (LEAST_GAP_S, True)
    launching.restore(KeptLaunching(0.5, (0, 1, 1.0), False))
    assert (launching.takes_s, launching.gap_s, launching.timed) == (0.5, 0.5, (0, 1, 1.0))
