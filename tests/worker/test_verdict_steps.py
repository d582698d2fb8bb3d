"""Where a worker asks for a verdict."""

from __future__ import annotations

import pytest

from asyncsweep.worker.port import Steps
from asyncsweep.worker.trial import Trial


class Port:
    """Answers as it was told to, and keeps where it was asked."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []

    def report(self, step: int, value: float, metrics: dict[str, float] | None) -> None:
        pass

    def verdict(self, step: int) -> bool:
        self.asked.append(step)
        return self.answers.pop(0) if self.answers else False

    async def verdict_async(self, step: int) -> bool:
        return self.verdict(step)


def trial_on(port: Port, steps: Steps) -> Trial:
    return Trial(port, 0, 1, {}, ("loss",), steps)  # type: ignore[arg-type]


def asked_at(port: Port, steps: Steps, reported: list[int]) -> list[int]:
    trial = trial_on(port, steps)
    for step in reported:
        trial.report(0.0, step)
        trial.should_prune()
    return port.asked


def test_two_numbers_make_steps_without_a_factor() -> None:
    assert Steps(*[2, 3]) == Steps(2, 3, 1)


def test_with_a_factor_there_are_verdicts_at_its_powers() -> None:
    assert asked_at(Port(), Steps(2, 1, 3), list(range(60))) == [2, 6, 18, 54]


def test_a_leap_over_a_power_is_made_up_for_at_the_next_report() -> None:
    assert asked_at(Port(), Steps(2, 1, 3), [1, 5, 17, 18, 17, 900, 901]) == [5, 17, 18, 900]


def test_a_step_that_is_reported_or_asked_about_again_is_not_asked_about_again() -> None:
    assert asked_at(Port(), Steps(2, 1, 3), [2, 2, 1, 3, 2]) == [2]


def test_after_a_verdict_to_stop_every_call_asks_until_the_trial_may_go_on() -> None:
    assert asked_at(Port(True, True, False), Steps(2, 1, 3), [2, 3, 4, 5, 6]) == [2, 3, 4, 6]


def test_a_first_step_of_zero_is_asked_about_once() -> None:
    assert asked_at(Port(), Steps(0, 1, 2), [0, 1, 2, 3]) == [0]


def test_without_a_factor_a_step_is_asked_about_as_often_as_the_objective_asks() -> None:
    assert asked_at(Port(), Steps(1, 2), [0, 1, 1, 2, 3]) == [1, 1, 3]


@pytest.mark.anyio
async def test_the_awaited_form_asks_in_the_same_places() -> None:
    port = Port(False, True)
    trial = trial_on(port, Steps(2, 1, 3))
    verdicts = []
    for step in range(9):
        trial.report(0.0, step)
        verdicts.append(await trial.should_prune_async())
    assert (port.asked, verdicts.index(True)) == ([2, 6, 7], 6)
