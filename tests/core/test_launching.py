"""When an attempt is launched to a worker that is busy, and what becomes of it there."""

from __future__ import annotations

from collections import deque

import pytest

from asyncsweep.core import events as ev
from asyncsweep.core.effects import Ask, Effect, Kill, Launch, Publish, TakeBack, TrialDropped
from asyncsweep.core.invariants import state_of
from asyncsweep.core.launching import LEAST_GAP_S
from asyncsweep.core.machine import Machine
from asyncsweep.core.records import State
from asyncsweep.core.snapshot import freeze
from asyncsweep.testing.events import (
    Bench,
    failed,
    finished,
    killed,
    launch_failed,
    pruned,
    spec,
    started,
    suggested,
    taken_back,
    worker_joined,
    worker_lost,
)


def orders(effects: list[Effect]) -> list[Effect]:
    """What executors are told."""
    return [effect for effect in effects if isinstance(effect, Launch | TakeBack | Kill)]


def busy(launch_s: float = 0.5, trial_s: float = 1.0, ahead: int = 1, **settings: object) -> Bench:
    """Workers v and w have run a trial each, of this length; trials 2 and 3 run, and 4 and 5 are asked for where some wait ahead."""
    bench = Bench(
        spec(**{"n_trials": 100, "concurrency": 2, **settings}),
        worker_joined("v", 1, ahead),
        worker_joined("w", 1, ahead),
    )
    bench.send(ev.Unpaused(), after_s=500.0)
    bench.send(suggested(0), suggested(1))
    bench.send(started(0), after_s=launch_s)
    bench.send(started(1))
    bench.send(finished(0), after_s=trial_s)
    bench.send(finished(1))
    bench.send(suggested(2), suggested(3))
    bench.send(started(2), started(3))
    return bench


def two_wait(**settings: object) -> Bench:
    """Trials 2 and 3 run at v and w, trial 4 waits at v and trial 5 at w."""
    bench = busy(**settings)
    bench.send(suggested(4), suggested(5))
    assert bench.machine.life.slots.queues == {"v": {(4, 1): None}, "w": {(5, 1): None}}
    return bench


# -- when -----------------------------------------------------------------------------------------------------------------


def test_a_busy_worker_gets_its_next_trial_where_launches_take_a_notable_share_of_a_trial() -> None:
    bench = busy()
    assert orders(bench.send(suggested(4))) == [Launch(4, 1, "v")]
    assert bench.trial(4).state is State.WAITING


def test_nothing_is_launched_ahead_of_long_trials() -> None:
    bench = busy(launch_s=0.5, trial_s=60.0)
    assert list(bench.watch.ledger.asks) == []


@pytest.mark.parametrize(("trial_s", "n_asked"), [(90 * LEAST_GAP_S, 2), (110 * LEAST_GAP_S, 0)])
def test_a_launch_that_seems_to_take_no_time_takes_what_waking_a_process_takes(trial_s: float, n_asked: int) -> None:
    assert len(busy(launch_s=0.0, trial_s=trial_s).watch.ledger.asks) == n_asked


def test_nothing_is_launched_ahead_before_a_trial_ended() -> None:
    bench = Bench(spec(n_trials=100, concurrency=2), worker_joined("v", 2, 2))
    bench.send(suggested(0), suggested(1), started(0), started(1), after_s=5.0)
    assert list(bench.watch.ledger.asks) == []


def test_nothing_is_launched_ahead_where_no_worker_takes_it() -> None:
    assert list(busy(ahead=0).watch.ledger.asks) == []


def test_trials_one_at_a_time_and_sweeps_with_a_window_have_nothing_launched_ahead() -> None:
    bench = Bench(spec(n_trials=100, concurrency=1), worker_joined("v", 1, 1))
    bench.send(suggested(0), started(0), finished(0), suggested(1), started(1), after_s=1.0)
    assert list(bench.watch.ledger.asks) == []
    assert list(busy(reproducible=50).watch.ledger.asks) == []


def test_a_free_slot_goes_before_a_place_ahead() -> None:
    bench = busy()
    bench.send(worker_joined("u", 1, 1))
    assert orders(bench.send(suggested(4))) == [Launch(4, 1, "u")]


def test_a_place_is_taken_again_when_what_waited_there_has_begun() -> None:
    bench = two_wait()
    assert orders(bench.send(finished(2))) == []
    assert bench.trial(4).state is State.WAITING
    assert orders(bench.send(suggested(6))) == [Launch(6, 1, "v")]
    bench.send(started(4))
    assert bench.trial(4).state is State.RUNNING


def test_when_trials_take_longer_again_nothing_more_is_launched_ahead() -> None:
    bench = two_wait()
    bench.send(finished(2), after_s=1000.0)
    bench.send(started(4))
    assert not bench.machine.course.launching.is_slow
    assert orders(bench.send(*map(suggested, bench.watch.ledger.asks))) == []


def test_time_limits_count_from_the_start() -> None:
    bench = two_wait(trial_timeout=3.0)
    assert (4, 1) not in bench.watch.ledger.timers
    bench.send(finished(2), started(4))
    assert (4, 1) in bench.watch.ledger.timers


# -- what goes wrong ------------------------------------------------------------------------------------------------------


def test_what_waited_at_a_lost_worker_is_launched_elsewhere_as_the_same_attempt_and_has_not_failed() -> None:
    bench = two_wait()
    bench.send(finished(3), started(5))
    assert orders(bench.send(worker_lost("v"))) == [Launch(4, 1, "w")]
    assert (bench.trial(2).state, bench.trial(4).failures) == (State.FAILED, ())


def test_the_retry_of_what_ran_at_a_lost_worker_goes_before_what_waited_there() -> None:
    bench = two_wait(retries=1)
    bench.send(worker_lost("v"))
    assert list(bench.machine.life.waiting) == [2, 4]


def test_a_start_that_is_heard_before_the_end_of_the_other_frees_no_slot_twice() -> None:
    bench = two_wait()
    bench.send(started(4))
    assert bench.trial(4).state is State.RUNNING
    assert orders(bench.send(*map(suggested, list(bench.watch.ledger.asks)))) == []
    assert bench.machine.life.slots.n_free == 0
    bench.send(finished(2))
    assert bench.machine.life.slots.jobs["v"] == {(4, 1): None}


def test_a_launch_ahead_that_fails_gives_its_place_back() -> None:
    bench = two_wait()
    bench.send(launch_failed(4))
    assert bench.trial(4).state is State.FAILED
    assert orders(bench.send(suggested(6))) == [Launch(6, 1, "v")]


def test_an_executor_may_give_back_unasked() -> None:
    bench = two_wait()
    assert orders(bench.send(taken_back(5))) == [Launch(5, 1, "w")]


def test_what_is_given_back_with_deadly_parameters_is_not_launched_again() -> None:
    bench = two_wait()
    for number in range(3):
        bench.machine.life.deaths[b"{'x': 0.5}"] = number + 1
        bench.watch._deaths["[0.5]"] = number + 1
    bench.send(taken_back(5))
    assert bench.trial(5).error is not None and bench.trial(5).error.type == "Quarantined"


# -- taken back -----------------------------------------------------------------------------------------------------------


def test_what_waits_is_asked_back_when_another_slot_idles() -> None:
    bench = two_wait(n_trials=6)
    assert orders(bench.send(finished(2))) == []
    bench.send(started(4))
    assert orders(bench.send(finished(4))) == [TakeBack(5, 1)]
    assert orders(bench.send(taken_back(5))) == [Launch(5, 1, "v")]


def test_no_more_is_asked_back_than_slots_idle() -> None:
    bench = two_wait(n_trials=6)
    assert orders(bench.send(worker_joined("u", 1, 1))) == [TakeBack(4, 1)]
    assert orders(bench.send(ev.Unpaused())) == []
    assert orders(bench.send(worker_joined("t", 1, 1))) == [TakeBack(5, 1)]


def test_what_begins_instead_of_being_given_back_has_the_next_one_asked_back() -> None:
    bench = two_wait(n_trials=6)
    bench.send(worker_joined("u", 1, 1))
    assert TakeBack(5, 1) in bench.send(started(4))
    assert bench.send(taken_back(4)) == []  # it came too late


def test_a_pause_asks_back_all_that_waits_and_what_comes_back_waits_for_the_end_of_the_pause() -> None:
    bench = two_wait()
    assert orders(bench.send(ev.Paused())) == [TakeBack(5, 1), TakeBack(4, 1)]
    assert orders(bench.send(taken_back(5), taken_back(4), finished(2))) == []
    assert orders(bench.send(ev.Unpaused())) == [Launch(4, 1, "v"), Launch(5, 1, "w")]


def test_a_stop_asks_back_all_that_waits_and_what_never_began_vanishes() -> None:
    bench = two_wait()
    assert orders(bench.send(ev.StopRequested("enough"))) == [TakeBack(5, 1), TakeBack(4, 1)]
    effects = bench.send(taken_back(5), taken_back(4))
    assert [e.update.trial for e in effects if isinstance(e, Publish) and isinstance(e.update, TrialDropped)] == [5, 4]
    assert len(bench.machine.trials) == 4


def test_what_begins_after_a_stop_runs_to_its_end() -> None:
    bench = two_wait()
    bench.send(ev.StopRequested("enough"), taken_back(5), finished(2), started(4))
    assert (bench.trial(4).state, len(bench.machine.trials)) == (State.RUNNING, 5)


def test_a_stop_now_kills_what_waits() -> None:
    bench = two_wait()
    kills = orders(bench.send(ev.StopRequested("enough", now=True)))
    assert [(kill.trial, type(kill)) for kill in kills] == [(n, Kill) for n in (2, 3, 4, 5)]  # type: ignore[attr-defined]


def test_what_is_cancelled_while_it_waits_is_killed_and_gives_its_place_back() -> None:
    bench = two_wait()
    assert orders(bench.send(ev.TrialCancelled(4))) == [Kill(4, 1, "cancelled", 5.0)]
    bench.send(killed(4))
    assert bench.trial(4).state is State.CANCELLED
    assert orders(bench.send(suggested(6))) == [Launch(6, 1, "v")]


def test_what_is_cancelled_while_it_waits_ends_with_its_worker() -> None:
    bench = two_wait()
    bench.send(ev.TrialCancelled(4), worker_lost("v"))
    assert bench.trial(4).state is State.CANCELLED


def test_what_could_not_be_launched_while_it_was_to_be_killed_does_not_come_back_with_the_loss_of_its_worker() -> None:
    bench = two_wait()
    bench.send(ev.TrialCancelled(4), launch_failed(4))
    assert bench.trial(4).state is State.CANCELLED
    bench.send(worker_lost("v"))
    assert bench.trial(4).state is State.CANCELLED and bench.machine.life.waiting == deque()


def test_what_is_killed_is_not_given_back_too() -> None:
    bench = two_wait()
    bench.send(ev.TrialCancelled(4))
    stale = bench.machine.stale
    assert (bench.send(taken_back(4)), bench.machine.stale) == ([], stale + 1)


def test_a_new_process_tries_again_what_waited_as_what_may_have_run() -> None:
    bench = two_wait()
    bench.send(ev.Reopened(spec(n_trials=100, concurrency=2)))
    assert orders(bench.send(worker_joined("x", 3))) == [Launch(n, 2, "x") for n in (2, 3, 4)]


# -- measuring ------------------------------------------------------------------------------------------------------------


def test_a_new_gap_counts_for_a_fifth_and_launches_ahead_are_not_timed() -> None:
    bench = busy(launch_s=0.5)
    launching = bench.machine.course.launching
    assert (launching.gap_s, launching.timed) == (pytest.approx(0.4), None)  # 0.5 s, then 0 s
    bench.send(suggested(4), suggested(5))
    bench.send(finished(2), after_s=7.0)
    bench.send(started(4), after_s=7.0)
    assert launching.gap_s == pytest.approx(0.4)


def test_a_launch_that_is_taken_back_is_not_timed() -> None:
    bench = Bench(spec(n_trials=100, concurrency=2), worker_joined("v", 1, 1))
    bench.send(suggested(0))
    assert bench.machine.course.launching.timed == (0, 1, 0.0)
    bench.send(taken_back(0), after_s=50.0)
    assert bench.machine.course.launching.timed == (0, 1, 50.0)


def test_the_next_launch_is_timed_when_the_one_that_was_has_failed() -> None:
    bench = Bench(spec(n_trials=100, concurrency=2), worker_joined("v", 1, 1))
    bench.send(suggested(0), launch_failed(0))
    bench.send(suggested(1), after_s=2.0)
    bench.send(started(1), after_s=0.25)
    assert bench.machine.course.launching.gap_s == 0.25


def test_a_snapshot_knows_what_waits_and_how_long_launches_take() -> None:
    bench = two_wait()
    bench.send(ev.TrialCancelled(4), worker_joined("u", 1, 1), failed(3))
    other = Machine()
    for event in freeze(bench.machine):
        other.handle(event)
    assert state_of(other) == state_of(bench.machine)


def test_a_place_ahead_is_asked_for_where_one_is_free() -> None:
    bench = busy()
    assert [effect for effect in bench.send(suggested(4)) if isinstance(effect, Ask)] == []
    assert len(bench.watch.ledger.asks) == 1


def test_what_is_fetched_early_is_counted_when_all_has_been_launched_that_can_be() -> None:
    """A launch to a busy worker may show that more is to be fetched; that is asked for at once, not with the next event."""
    bench = Bench(spec(n_trials=None, concurrency=3, retries=1), worker_joined("v", 2, 2))
    bench.send(suggested(1), after_s=0.5)
    bench.send(started(1), pruned(1), after_s=0.5)
    bench.send(suggested(0), after_s=0.5)
    bench.send(worker_joined("w", 2, 2), suggested(3), suggested(2), after_s=0.5)
    bench.send(worker_lost("v"), after_s=0.25)  # its two go to w: one into the free slot, one behind it
    assert bench.machine.life.slots.queues.keys() == {"w"}
    assert bench.send(pruned(1)) == []


def test_launches_to_busy_workers_count_among_those_after_which_less_is_fetched_early() -> None:
    bench = Bench(spec(n_trials=100, concurrency=2), worker_joined("v", 1, 1), worker_joined("w", 1, 1))
    bench.send(suggested(0), suggested(1), after_s=0.5)
    bench.send(started(0), started(1), after_s=0.5)
    bench.send(finished(0), finished(1), after_s=1.0)
    bench.send(suggested(2), suggested(3), after_s=0.5)
    bench.send(started(2), started(3), after_s=0.5)
    ahead = bench.machine.course.ahead
    assert (ahead.depth, ahead._calm) == (2, 0)
    bench.send(suggested(4), suggested(5))
    assert bench.machine.life.slots.queues == {"v": {(4, 1): None}, "w": {(5, 1): None}}
    assert ahead._calm == 2
