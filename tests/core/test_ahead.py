"""How many suggestions are fetched before a slot needs them."""

from __future__ import annotations

from asyncsweep.core import events as ev
from asyncsweep.core.ahead import MOST_PER_SLOT, NOTABLE
from asyncsweep.core.effects import (
    Ask,
    Launch,
    Publish,
    SweepStopping,
    SweepUnpaused,
    Tell,
    TrialDropped,
    TrialFinished,
    TrialSuggested,
)
from asyncsweep.core.records import State
from asyncsweep.testing.events import (
    Bench,
    finished,
    slots_changed,
    spec,
    started,
    suggested,
    worker_joined,
    worker_lost,
)


def busy(slots: int = 2, duration_s: float = 1.0, **settings: object) -> Bench:
    """All slots but one run trials; that one is free since trial 0 ended, and trial `slots` is asked for."""
    bench = Bench(spec(**{"n_trials": 100, "concurrency": slots, **settings}))
    bench.send(worker_joined("w", slots), after_s=1000.0)
    bench.send(*map(suggested, range(slots)))
    bench.send(*map(started, range(slots)))
    bench.send(finished(0), after_s=duration_s)
    return bench


def ahead_by_one() -> Bench:
    """Trials 1 and 2 run in both slots, trial 3 is fetched ahead and waits."""
    bench = busy()
    bench.send(suggested(2), after_s=0.5)
    bench.send(started(2), suggested(3))
    return bench


def ahead_by_two() -> Bench:
    """Trials 2 and 3 run in both slots, trials 4 and 5 are fetched ahead and wait."""
    bench = busy()
    bench.send(finished(1))
    bench.send(suggested(2), after_s=0.5)
    bench.send(*map(suggested, (3, 4, 5)), started(2), started(3))
    return bench


def launched(trial: int, at: float = 1001.5) -> list[object]:
    """The effects of the answer for a trial that a slot waits for."""
    return [Publish(TrialSuggested(at=at, trial=trial, params={"x": 0.5})), Launch(trial, 1, "w")]


def ended(trial: int, state: State = State.COMPLETE, at: float = 1001.5) -> list[object]:
    metrics = {"value": 0.0} if state is State.COMPLETE else {}
    return [Tell(trial), Publish(TrialFinished(at=at, trial=trial, state=state, metrics=metrics))]


# -- when it grows --------------------------------------------------------------------------------------------------------


def test_a_slot_that_idled_notably_has_one_more_trial_fetched() -> None:
    assert busy().send(suggested(2), after_s=0.5) == [*launched(2), Ask(3)]


def test_nothing_is_fetched_ahead_of_a_sampler_that_answers_at_once() -> None:
    assert busy().send(suggested(2)) == launched(2, at=1001.0)


def test_nothing_is_fetched_ahead_while_waits_are_short_beside_the_trials() -> None:
    bench = busy(duration_s=100.0)
    assert bench.send(suggested(2), after_s=0.75 * NOTABLE * 100.0) == launched(2, at=bench.machine.at)


def test_the_share_that_is_notable_is_one_of_the_trials_durations() -> None:
    bench = busy(duration_s=100.0)
    assert bench.send(suggested(2), after_s=1.25 * NOTABLE * 100.0)[-1] == Ask(3)


def test_trials_one_at_a_time_have_nothing_fetched_ahead() -> None:
    assert busy(slots=1).send(suggested(1), after_s=0.5) == launched(1)


def test_nothing_is_fetched_ahead_before_a_trial_ended() -> None:
    bench = Bench(spec(n_trials=100, concurrency=2), worker_joined("w", 2))
    assert bench.send(suggested(0), after_s=50.0) == launched(0, at=50.0)


def test_a_new_duration_counts_for_a_fifth() -> None:
    bench = busy()
    bench.send(suggested(2), started(2))
    bench.send(finished(1), after_s=10.0)  # ran for 11 s, so the average is 3 s
    bench.send(suggested(3), after_s=2.75 * NOTABLE)
    bench.send(started(3), finished(2))  # ran for 10.03 s: 4.4 s
    assert bench.watch.ledger.asks == {4: None}
    assert bench.send(suggested(4), after_s=4.6 * NOTABLE)[-1] == Ask(5)


def test_the_durations_of_external_trials_do_not_count() -> None:
    bench = busy()
    bench.send(ev.ExternalAsked(), suggested(3), ev.Paused())
    bench.send(finished(3), after_s=10_000.0)
    bench.send(ev.Unpaused())
    assert bench.send(suggested(2), after_s=2 * NOTABLE)[-1] == Ask(4)


def test_a_trial_that_never_ran_has_no_duration() -> None:
    bench = busy()
    bench.send(ev.Paused(), suggested(2), ev.TrialCancelled(2), ev.Unpaused())
    assert bench.send(suggested(3), after_s=2 * NOTABLE)[-1] == Ask(4)


def test_each_slot_that_idles_has_one_more_trial_fetched() -> None:
    bench = busy()
    bench.send(finished(1))
    assert bench.send(suggested(2), after_s=0.5) == [*launched(2), Ask(4)]
    assert bench.send(suggested(3)) == [*launched(3), Ask(5)]


def test_the_wait_is_counted_from_when_the_first_slot_was_free() -> None:
    bench = busy()
    bench.send(finished(1), after_s=0.5)
    assert bench.send(suggested(2)) == [*launched(2), Ask(4)]


def test_a_wait_that_ended_is_not_counted_again() -> None:
    bench = busy()
    bench.send(suggested(2))
    bench.send(started(2))
    bench.send(finished(1), after_s=50.0)
    assert bench.send(suggested(3)) == launched(3, at=1051.0)


def test_at_most_four_trials_for_each_slot_are_fetched_ahead() -> None:
    slots = 3
    bench = Bench(spec(n_trials=100, concurrency=slots), worker_joined("w", slots))
    for _ in range(8):  # all slots idle, and only what they need is answered
        for trial in list(bench.watch.ledger.asks)[:slots]:
            bench.send(suggested(trial), after_s=5.0)
        running = list(bench.watch.ledger.launched)
        bench.send(*map(started, running))
        n_ahead = len(bench.watch.ledger.asks)
        bench.send(*map(finished, running), after_s=0.25)
    assert (n_ahead, MOST_PER_SLOT) == (4 * slots, 4)


def test_a_short_wait_has_no_further_trial_fetched_where_some_are() -> None:
    bench = ahead_by_one()
    assert bench.send(finished(1))[-1] == Ask(4)
    assert bench.send(started(3), finished(2))[-1] == Ask(5)
    assert bench.send(suggested(4), after_s=0.5 * NOTABLE) == launched(4, at=bench.machine.at)


# -- what is fetched ------------------------------------------------------------------------------------------------------


def test_what_was_fetched_ahead_takes_the_next_free_slot_and_the_next_is_fetched() -> None:
    assert ahead_by_one().send(finished(1)) == [*ended(1), Launch(3, 1, "w"), Ask(4)]


def test_what_was_fetched_ahead_waits_while_no_slot_is_free() -> None:
    bench = busy()
    bench.send(suggested(2), after_s=0.5)
    assert bench.send(suggested(3)) == [Publish(TrialSuggested(at=1001.5, trial=3, params={"x": 0.5}))]


def test_no_more_is_fetched_ahead_than_the_budget_has() -> None:
    assert busy(n_trials=3).send(suggested(2), after_s=0.5) == launched(2)


def test_the_last_of_the_budget_may_be_fetched_ahead() -> None:
    assert busy(n_trials=4).send(suggested(2), after_s=0.5) == [*launched(2), Ask(3)]


def test_nothing_is_fetched_ahead_while_the_sweep_is_paused() -> None:
    bench = ahead_by_one()
    bench.send(ev.Paused())
    assert bench.send(finished(1)) == ended(1)


def test_the_time_of_a_pause_is_not_counted_as_a_wait() -> None:
    bench = busy()
    bench.send(ev.Paused())
    bench.send(suggested(2), after_s=100.0)
    assert bench.send(ev.Unpaused()) == [Publish(SweepUnpaused(at=1101.0)), Launch(2, 1, "w")]


def test_a_wait_after_a_pause_is_counted_from_its_end() -> None:
    bench = busy()
    bench.send(ev.Paused())
    bench.send(ev.Unpaused(), after_s=100.0)
    assert bench.send(suggested(2)) == launched(2, at=1101.0)


def test_a_stop_takes_back_what_was_fetched_ahead() -> None:
    stopping = Publish(SweepStopping(at=1001.5, reason="enough"))
    assert ahead_by_one().send(ev.StopRequested("enough")) == [stopping, Publish(TrialDropped(at=1001.5, trial=3))]


def test_a_stop_takes_back_what_is_being_fetched_ahead() -> None:
    bench = busy()
    bench.send(suggested(2), after_s=0.5)
    stopping = Publish(SweepStopping(at=1001.5, reason="enough"))
    assert bench.send(ev.StopRequested("enough")) == [stopping, Publish(TrialDropped(at=1001.5, trial=3))]


def test_a_new_process_begins_without_fetching_ahead() -> None:
    bench = ahead_by_one()
    bench.send(ev.Reopened(spec(n_trials=100, concurrency=2)))
    assert bench.send(worker_joined("v", 2)) == [Launch(1, 2, "v"), Launch(2, 2, "v")]
    bench.send(started(1, attempt=2), started(2, attempt=2))
    assert bench.send(finished(1, attempt=2)) == [*ended(1), Launch(3, 1, "v")]


def test_a_sweep_with_a_window_has_nothing_fetched_ahead() -> None:
    assert busy(reproducible=10).send(suggested(2), after_s=0.5) == launched(2)


# -- what the user wants next ---------------------------------------------------------------------------------------------


def test_what_the_user_wants_next_is_asked_for_though_enough_was_fetched() -> None:
    assert ahead_by_one().send(ev.Enqueued({"x": 0.1})) == [Ask(4, {"x": 0.1})]


def test_what_the_user_wants_next_goes_before_what_was_fetched_ahead() -> None:
    bench = ahead_by_one()
    bench.send(ev.Enqueued({"x": 0.1}), suggested(4))
    assert bench.send(finished(1)) == [*ended(1), Launch(4, 1, "w")]


def test_what_the_user_wants_next_keeps_its_order() -> None:
    bench = ahead_by_two()
    bench.send(ev.Enqueued({"x": 0.1}), ev.Enqueued({"x": 0.2}))
    assert bench.send(finished(2)) == [*ended(2), Launch(4, 1, "w"), Ask(7, {"x": 0.2})]
    bench.send(suggested(6), suggested(7))
    assert bench.send(finished(3)) == [*ended(3), Launch(6, 1, "w")]
    bench.send(started(4), started(6))
    assert bench.send(finished(4)) == [*ended(4), Launch(7, 1, "w"), Ask(8)]
    assert bench.send(finished(6)) == [*ended(6), Launch(5, 1, "w"), Ask(9)]


# -- when it shrinks ------------------------------------------------------------------------------------------------------


def calm(bench: Bench, n_trials: int, first: int = 2) -> list[int]:
    """So many trials end one by one, and every ask is answered at once; gives how many trials wait after each."""
    waiting = []
    for trial in range(first, first + n_trials):
        bench.send(finished(trial))
        bench.send(*map(suggested, bench.watch.ledger.asks))
        bench.send(*(started(number) for number in list(bench.watch.ledger.launched)))
        waiting.append(len(bench.machine.life.waiting))
    return waiting


def test_what_was_always_left_over_is_given_up_after_four_trials_for_each_slot() -> None:
    bench = ahead_by_two()
    bench.send(*(started(number) for number in list(bench.watch.ledger.launched)))
    assert calm(bench, 9) == [2, 2, 2, 2, 2, 2, 2, 1, 1]


def test_what_is_needed_now_and_then_is_kept() -> None:
    assert calm(ahead_by_one(), 20, first=1) == [1] * 20


def test_what_was_not_always_left_over_is_kept() -> None:
    bench = ahead_by_two()
    calm(bench, 5)
    bench.send(finished(7), finished(8), started(9), started(10))  # nothing is left over
    bench.send(*map(suggested, bench.watch.ledger.asks))
    assert calm(bench, 6, first=9) == [2] * 6


def test_more_is_given_up_after_as_many_trials_again() -> None:
    bench = busy()
    bench.send(finished(1))
    bench.send(suggested(2), after_s=0.5)
    bench.send(suggested(3), started(2), started(3), finished(2), finished(3))
    bench.send(suggested(4), after_s=0.5)
    bench.send(*map(suggested, (5, 6, 7, 8, 9)), started(4), started(5))
    assert calm(bench, 20, first=4) == [*[4] * 7, *[3] * 8, *[2] * 5]


def test_a_notable_wait_begins_the_count_of_calm_trials_anew() -> None:
    bench = ahead_by_two()
    assert calm(bench, 5) == [2] * 5
    bench.send(finished(7), finished(8), started(9), started(10), finished(9), finished(10))
    bench.send(*map(suggested, bench.watch.ledger.asks), after_s=5.0)
    bench.send(*(started(number) for number in list(bench.watch.ledger.launched)))
    bench.send(*map(suggested, bench.watch.ledger.asks))
    assert calm(bench, 9, first=11) == [*[4] * 7, 3, 3]


def test_the_first_trial_of_a_calm_time_counts_as_the_others_do() -> None:
    bench = busy()
    bench.send(finished(1))
    bench.send(suggested(2), after_s=0.5)
    bench.send(suggested(3), suggested(4), started(2), started(3), finished(2), started(4))  # nothing was left over
    bench.send(*map(suggested, bench.watch.ledger.asks))
    assert calm(bench, 7, first=3) == [2] * 7


def test_of_more_slots_more_trials_are_fetched_at_most() -> None:
    bench = Bench(spec(n_trials=100, concurrency=0), worker_joined("v", 2), worker_joined("w", 2))
    ahead = bench.machine.course.ahead
    counts = [ahead._slots]
    for event in (slots_changed("w", 3), slots_changed("v", 1), worker_lost("w")):
        bench.send(event)
        counts.append(ahead._slots)
    assert counts == [4, 5, 4, 1]
