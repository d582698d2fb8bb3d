"""`SamplerSuite` finds what it is about: each faulty sampler, right but for one thing, fails the test of that thing."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from asyncsweep.core.records import State
from asyncsweep.errors import SpaceExhausted
from asyncsweep.hooks.contracts import FinishedTrial, Params, TrialRef
from asyncsweep.samplers.random import RandomSampler
from asyncsweep.space import Domain, Space
from asyncsweep.testing import SamplerSuite


class Nowhere(RandomSampler):
    host = "cloud"  # type: ignore[assignment]  # the fault


class AboveTheTop(RandomSampler):
    def ask(self, trial: TrialRef) -> Params:
        params = super().ask(trial)
        return {**params, "momentum": params["momentum"] + 0.5} if "momentum" in params else params


class WithoutConstants(RandomSampler):
    def ask(self, trial: TrialRef) -> Params:
        return {name: value for name, value in super().ask(trial).items() if value is not None}


class OnlyNumbers(RandomSampler):
    def ask(self, trial: TrialRef) -> Params:
        return {name: float(value) if type(value) is bool else value for name, value in super().ask(trial).items()}


class OneDirection(RandomSampler):
    def open(self, space: Space, directions: Any, seed: int) -> None:
        assert len(directions) == 1
        super().open(space, directions, seed)


class NeedsParameters(RandomSampler):
    def open(self, space: Space, directions: Any, seed: int) -> None:
        assert len(space) > 0
        super().open(space, directions, seed)


class InStep(RandomSampler):
    """Takes it for granted that the last trial that it suggested is told of next."""

    def ask(self, trial: TrialRef) -> Params:
        self._last = trial.number
        return super().ask(trial)

    def tell(self, trial: FinishedTrial) -> None:
        assert trial.number < 0 or trial.number == getattr(self, "_last", trial.number)


class Unseeded(RandomSampler):
    opened = 0

    def open(self, space: Space, directions: Any, seed: int) -> None:
        Unseeded.opened += 1
        super().open(space, directions, Unseeded.opened)


class OneSeed(RandomSampler):
    def open(self, space: Space, directions: Any, seed: int) -> None:
        super().open(space, directions, 0)


class BeginsAgain(RandomSampler):
    """Counts its own asks instead of the trials."""

    def ask(self, trial: TrialRef) -> Params:
        self._count = getattr(self, "_count", -1) + 1
        return super().ask(TrialRef(self._count, trial.fixed))


class KnowsItsOwn(RandomSampler):
    def tell(self, trial: FinishedTrial) -> None:
        assert trial.number >= 0


class WantsValues(RandomSampler):
    def tell(self, trial: FinishedTrial) -> None:
        if trial.state is not State.CANCELLED:
            assert trial.metrics


class NeedsSuccess(RandomSampler):
    failed = 0

    def tell(self, trial: FinishedTrial) -> None:
        self.failed += trial.state is State.FAILED
        assert self.failed < 20


class IgnoresFixed(RandomSampler):
    def ask(self, trial: TrialRef) -> Params:
        return super().ask(TrialRef(trial.number))


class SuggestsBeyond(RandomSampler):
    def suggest(self, trial: TrialRef, name: str, domain: Domain) -> Any:
        return str(super().suggest(trial, name, domain))


class HoldsAFile(RandomSampler):
    host = "process"

    def __init__(self) -> None:
        self._numbers = (number for number in range(3))


class TiresOut(RandomSampler):
    def ask(self, trial: TrialRef) -> Params:
        if trial.number > 900:
            raise SpaceExhausted
        return super().ask(trial)


class TupleAttrs(RandomSampler):
    def attrs(self, trial: int) -> dict[str, Any]:
        return {"place": (trial, 1)}


class ForgetsThoseThatRun(RandomSampler):
    def pending(self, trial: FinishedTrial) -> None:
        raise KeyError(trial.number)


class HatesConstraints(RandomSampler):
    def tell(self, trial: FinishedTrial) -> None:
        assert not trial.constraints


class WantsEveryConstraint(RandomSampler):
    def tell(self, trial: FinishedTrial) -> None:
        assert trial.constraints is None or len(trial.constraints) == 2


class HatesAttributes(RandomSampler):
    def tell(self, trial: FinishedTrial) -> None:
        assert not trial.user_attrs


class WantsFiniteValues(RandomSampler):
    def tell(self, trial: FinishedTrial) -> None:
        assert all(map(math.isfinite, trial.metrics.values()))


class WantsFiniteReports(RandomSampler):
    def tell(self, trial: FinishedTrial) -> None:
        assert all(math.isfinite(value) for _, value in trial.reports)


class CannotHurry(RandomSampler):
    def hurry(self, asks: int) -> None:
        raise RuntimeError(asks)


class WantsTheParentFixed(RandomSampler):
    def ask(self, trial: TrialRef) -> Params:
        parents = [parent for name in trial.fixed for parent in self._space.domains[name].when or {}]
        assert all(parent in trial.fixed for parent in parents)
        return super().ask(trial)


class AddsToTheFixed(RandomSampler):
    def ask(self, trial: TrialRef) -> Params:
        params = super().ask(trial)
        if isinstance(trial.fixed, dict):
            trial.fixed.update(params)
        return params


class AsksTheClock(RandomSampler):
    def suggest(self, trial: TrialRef, name: str, domain: Domain) -> Any:
        return domain.from_unit(random.random())


class CountsSuggestions(RandomSampler):
    count = 0

    def suggest(self, trial: TrialRef, name: str, domain: Domain) -> Any:
        self.count += 1
        return super().suggest(TrialRef(self.count), name, domain)


class Climber(RandomSampler):
    """A right one that learns: it stays near the best trial so far, ever closer."""

    by_number = False

    def open(self, space: Space, directions: Any, seed: int) -> None:
        super().open(space, directions, seed)
        (self._metric, direction), *_ = directions.items()
        self._sign = -1.0 if direction == "maximize" else 1.0
        self._best: tuple[float, dict[str, Any]] = (math.inf, {})

    def ask(self, trial: TrialRef) -> Params:
        known, draws = self._best[1], random.Random(trial.number)
        near = {name: known[name] for name in self._space.names if name in known and draws.random() > 0.9**trial.number}
        return super().ask(TrialRef(trial.number, {**near, **trial.fixed}))

    def tell(self, trial: FinishedTrial) -> None:
        loss = self._loss(trial)
        if loss < self._best[0]:
            self._best = loss, trial.params

    def _loss(self, trial: FinishedTrial) -> float:
        return self._sign * trial.metrics.get(self._metric, self._sign * math.inf)


class AlwaysMinimizes(Climber):
    def open(self, space: Space, directions: Any, seed: int) -> None:
        super().open(space, dict.fromkeys(directions, "minimize"), seed)


class AlwaysMaximizes(Climber):
    def open(self, space: Space, directions: Any, seed: int) -> None:
        super().open(space, dict.fromkeys(directions, "maximize"), seed)


class LovesFailure(Climber):
    def _loss(self, trial: FinishedTrial) -> float:
        return super()._loss(trial) if trial.metrics else -math.inf


class TakesNothingForZero(Climber):
    def _loss(self, trial: FinishedTrial) -> float:
        return super()._loss(trial) if trial.metrics else 0.0


class ForgetsTheEarlier(Climber):
    def tell(self, trial: FinishedTrial) -> None:
        if trial.number >= 0:
            super().tell(trial)


FAULTS: list[tuple[Callable[[], RandomSampler], str, tuple[Any, ...]]] = [
    (Nowhere, "it_says_where_it_runs", ()),
    (AboveTheTop, "every_suggestion_is_within_the_space", ()),
    (TupleAttrs, "every_suggestion_is_within_the_space", ()),
    (OnlyNumbers, "every_kind_of_domain_is_drawn_from", ()),
    (OneDirection, "every_mapping_of_directions_is_taken", ()),
    (NeedsParameters, "an_empty_space_has_no_parameters", ()),
    (WithoutConstants, "constants_are_passed_on_and_not_drawn", ()),
    (InStep, "asks_may_be_ahead_of_tells_and_tells_out_of_order", ()),
    (Unseeded, "the_same_seed_and_history_give_the_same_suggestions", ()),
    (OneSeed, "another_seed_gives_other_suggestions", ()),
    (BeginsAgain, "a_retold_sampler_goes_on_and_does_not_begin_again", ()),
    (ForgetsThoseThatRun, "a_retold_sampler_leaves_out_trials_that_still_run", ()),
    (KnowsItsOwn, "it_learns_of_trials_that_it_never_asked_for", ()),
    (WantsValues, "trials_without_a_final_value_are_borne", (State.FAILED, 0)),
    (HatesConstraints, "constraints_are_borne", ()),
    (WantsEveryConstraint, "constraints_that_some_trials_lack_are_borne", ()),
    (HatesAttributes, "attributes_that_the_objective_set_are_borne", ()),
    (WantsFiniteValues, "infinite_values_are_borne", (math.inf,)),
    (WantsFiniteValues, "infinite_values_are_borne", (-math.inf,)),
    (WantsFiniteReports, "reports_that_are_no_numbers_are_borne", ()),
    (CannotHurry, "it_may_be_hurried", ()),
    (AlwaysMinimizes, "it_finds_what_the_direction_calls_good", ()),
    (AlwaysMaximizes, "it_finds_what_the_direction_calls_good", ()),
    (LovesFailure, "a_failed_trial_is_not_taken_for_a_good_one", ()),
    (TakesNothingForZero, "a_failed_trial_is_not_taken_for_a_good_one", ()),
    (ForgetsTheEarlier, "it_learns_from_trials_of_an_earlier_search", ()),
    (NeedsSuccess, "it_goes_on_when_all_trials_failed", ()),
    (IgnoresFixed, "fixed_parameters_are_kept", ()),
    (AddsToTheFixed, "fixed_parameters_are_kept", ()),
    (WantsTheParentFixed, "a_fixed_parameter_is_kept_when_its_condition_holds_and_left_out_otherwise", ()),
    (AsksTheClock, "the_same_seed_gives_an_objective_that_asks_the_same_parameters", ()),
    (CountsSuggestions, "what_goes_by_numbers_does_not_depend_on_what_came_before", ()),
    (SuggestsBeyond, "parameters_that_an_objective_asks_for_are_within_their_domains", ()),
    (HoldsAFile, "it_goes_to_its_host_before_it_is_opened", ()),
    (TiresOut, "many_trials_are_no_trouble", ()),
]


@pytest.mark.parametrize(("faulty", "test", "arguments"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS])  # type: ignore[attr-defined]  # classes have names
def test_a_planted_fault_fails_its_test(faulty: Callable[[], Any], test: str, arguments: tuple[Any, ...]) -> None:
    check = getattr(SamplerSuite(), f"test_{test}")
    right = Climber if Climber in getattr(faulty, "__mro__", ()) else RandomSampler
    check(right, *arguments)  # what is not faulty passes
    with pytest.raises(Exception):  # noqa: B017, PT011  whichever way the fault shows
        check(faulty, *arguments)


def test_every_test_of_the_suite_has_a_fault_that_it_catches() -> None:
    assert {f"test_{test}" for _, test, _ in FAULTS} == {
        name for name in vars(SamplerSuite) if name.startswith("test_")
    }
