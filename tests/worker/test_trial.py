"""The trial as the objective sees it, on a port that keeps what it is told."""

from __future__ import annotations

from typing import Any

import pytest

from asyncsweep.errors import TrialError, TrialPruned
from asyncsweep.worker.current import current_trial
from asyncsweep.worker.port import Steps
from asyncsweep.worker.trial import Trial


class Port:
    def __init__(self, prune: bool = False) -> None:
        self.said: list[Any] = []
        self.prune = prune

    def report(self, step: int, value: float, metrics: dict[str, float] | None) -> None:
        self.said.append((step, value, metrics))

    def verdict(self, step: int) -> bool:
        self.said.append(step)
        return self.prune

    async def verdict_async(self, step: int) -> bool:
        return self.verdict(step)

    def suggest(self, name: str, domain: dict[str, Any]) -> Any:
        self.said.append((name, domain))
        return 3

    async def suggest_async(self, name: str, domain: dict[str, Any]) -> Any:
        return self.suggest(name, domain)

    def set_attr(self, key: str, value: Any) -> None:
        self.said.append((key, value))


@pytest.fixture
def port() -> Port:
    return Port()


def trial_on(port: Port, verdicts: Steps | None = None, **params: Any) -> Trial:
    return Trial(port, 4, 1, params, ("loss",), verdicts)


def test_steps_count_on_when_they_are_left_out(port: Port) -> None:
    trial = trial_on(port)
    trial.report(0.5)
    trial.report(0.25, 7)
    trial.report(0.125)
    assert port.said == [(0, 0.5, None), (7, 0.25, None), (8, 0.125, None)]


def test_the_first_report_of_a_step_stands(port: Port) -> None:
    trial = trial_on(port)
    trial.report(0.5, 3)
    trial.report(0.25, 3)
    assert port.said == [(3, 0.5, None)]


def test_a_mapping_reports_the_first_metric_and_further_ones(port: Port) -> None:
    trial_on(port).report({"accuracy": 0.5, "loss": 1}, 0)
    assert port.said == [(0, 1.0, {"accuracy": 0.5})]


@pytest.mark.parametrize(
    ("value", "step", "error"),
    [
        ("high", 0, TypeError),
        (None, 0, TypeError),
        (0.5, "first", TypeError),
        (0.5, -1, ValueError),
        (0.5, 2**62 + 1, ValueError),
        ({"accuracy": 1.0}, 0, ValueError),
        ({"loss": 1.0, "\ud800": 1.0}, 0, TrialError),
        ({"loss": 1.0, "m" * 1001: 1.0}, 0, TrialError),
    ],
)
def test_a_wrong_report_is_refused(port: Port, value: Any, step: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        trial_on(port).report(value, step)
    assert port.said == []


def test_without_a_pruner_nobody_is_asked(port: Port) -> None:
    trial = trial_on(port)
    trial.report(0.5)
    assert trial.should_prune() is False
    assert port.said == [(0, 0.5, None)]


def test_before_the_first_report_nobody_is_asked(port: Port) -> None:
    assert trial_on(port, Steps(0, 1)).should_prune() is False
    assert port.said == []


def test_the_pruner_is_asked_only_where_a_verdict_is_possible() -> None:
    port = Port(prune=True)
    trial = trial_on(port, Steps(2, 3))
    verdicts = []
    for step in range(7):
        trial.report(0.0, step)
        verdicts.append(trial.should_prune())
    assert verdicts == [False, False, True, False, False, True, False]


def test_report_or_prune_raises_when_the_pruner_says_so() -> None:
    with pytest.raises(TrialPruned, match="pruned at step 2"):
        trial_on(Port(prune=True), Steps(0, 1)).report_or_prune(0.5, 2)


def test_a_suggestion_is_asked_for_once(port: Port) -> None:
    trial = trial_on(port)
    assert [trial.suggest_int("n", 1, 5), trial.suggest_int("n", 1, 5)] == [3, 3]
    assert port.said == [("n", {"type": "int", "low": 1, "high": 5, "step": 1, "log": False})]
    assert trial.params == {"n": 3}


def test_a_parameter_of_the_space_is_not_asked_for(port: Port) -> None:
    assert trial_on(port, n=2).suggest_int("n", 1, 5) == 2
    assert port.said == []


def test_one_name_with_two_domains_is_a_trial_error(port: Port) -> None:
    trial = trial_on(port)
    trial.suggest_int("n", 1, 5)
    with pytest.raises(TrialError, match="now asked for from"):
        trial.suggest_int("n", 1, 6)


@pytest.mark.parametrize(
    ("value", "ask"),
    [
        (6, lambda trial: trial.suggest_int("p", 1, 5)),
        (2.5, lambda trial: trial.suggest_int("p", 1, 5)),
        (0.5, lambda trial: trial.suggest_float("p", 1, 5)),
        (float("nan"), lambda trial: trial.suggest_float("p", 1, 5)),
        ("adam", lambda trial: trial.suggest_float("p", 1, 5)),
        ("adam", lambda trial: trial.suggest_categorical("p", ["sgd"])),
    ],
)
def test_a_value_of_the_space_outside_of_the_asked_domain_is_a_trial_error(port: Port, value: Any, ask: Any) -> None:
    trial = trial_on(port, p=value)
    for _ in range(2):
        with pytest.raises(TrialError, match="not in the domain that is asked for"):
            ask(trial)


@pytest.mark.parametrize(
    ("value", "choices"),
    [("adam", ["sgd", "adam"]), ([1, 2], [(1, 2), (3, 4)]), (None, [None, 1]), ({"a": 1}, [{"a": 1}])],
)
def test_a_choice_of_the_space_among_the_asked_ones_is_given(port: Port, value: Any, choices: list[Any]) -> None:
    given = trial_on(port, p=value).suggest_categorical("p", choices)
    assert given in choices and (list(given) if isinstance(given, tuple) else given) == value


@pytest.mark.parametrize(("name", "error"), [(5, TypeError), ("\ud800", TrialError)])
def test_a_name_that_cannot_be_stored_is_refused(port: Port, name: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        trial_on(port).suggest_float(name, 0, 1)
    assert port.said == []


def test_outside_of_an_objective_there_is_no_trial() -> None:
    with pytest.raises(TrialError, match="no trial runs here"):
        current_trial()
