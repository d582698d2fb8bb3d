"""What a new sampler hears of a sweep that has begun."""

from __future__ import annotations

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.search.retelling import Script


def final(number: int) -> TrialRecord:
    return TrialRecord(number, State.COMPLETE, 1, param_names=("x",), param_values=(0.5,))


def running(number: int) -> TrialRecord:
    return TrialRecord(number, State.RUNNING, 1, param_names=("x",), param_values=(0.5,))


def asked(number: int) -> TrialRecord:
    return TrialRecord(number)


def steps(script: Script) -> list[str]:
    return [f"{what} {trial.number}" for what, trial in script]


def test_what_is_final_is_told_and_what_runs_is_pending() -> None:
    script = Script([final(-1), final(-2)], [final(0), running(1), asked(2), final(3)], 0)
    assert steps(script) == ["tell -1", "tell -2", "tell 0", "pending 1", "tell 3"]


def test_with_a_window_each_ask_comes_after_what_it_knew() -> None:
    script = Script([final(-1)], [final(0), final(1), running(2), running(3)], 2)
    assert steps(script) == ["tell -1", "ask 0", "ask 1", "tell 0", "ask 2", "tell 1", "ask 3"]


def test_with_a_window_it_ends_before_the_first_trial_that_was_not_asked_for() -> None:
    assert steps(Script([], [final(0), asked(1), asked(2)], 2)) == ["ask 0"]


def test_with_a_window_what_waits_for_its_answer_is_asked_again() -> None:
    assert steps(Script([], [final(0), asked(1), asked(2)], 2, {1}.__contains__)) == ["ask 0", "ask 1"]


def test_with_a_window_a_trial_that_ended_without_parameters_is_asked_for_again() -> None:
    failed = TrialRecord(0, State.FAILED)
    assert steps(Script([], [failed, running(1)], 1)) == ["ask 0", "tell 0", "ask 1"]


def test_what_happens_while_it_is_gone_through_is_in_it() -> None:
    trials = [final(0), running(1)]
    script = Script([], trials, 0)
    heard = []
    for what, trial in script:
        heard.append((what, trial.number))
        if trial.number == 0:
            trials[1].state = State.COMPLETE
            trials.append(final(2))
    assert heard == [("tell", 0), ("tell", 1), ("tell", 2)]


def test_it_covers_what_it_has_not_come_to() -> None:
    script = Script([final(-1), final(-2)], [final(0), running(1), final(2)], 0)
    went = iter(script)
    next(went)
    assert [script.covers(number) for number in (-1, -2, 0, 1, 2)] == [False, True, True, True, True]
    next(went), next(went), next(went)
    assert [script.covers(number) for number in (-1, -2, 0, 1, 2)] == [False, False, False, False, True]


def test_with_a_window_it_covers_every_end() -> None:
    script = Script([], [final(0), running(1)], 1)
    list(script)
    assert script.covers(0) and script.covers(1)
