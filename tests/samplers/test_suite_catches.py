"""`SamplerSuite` finds what it is about: each faulty sampler, right but for one thing, fails the test of that thing."""

from __future__ import annotations

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
    (NeedsSuccess, "it_goes_on_when_all_trials_failed", ()),
    (IgnoresFixed, "fixed_parameters_are_kept", ()),
    (SuggestsBeyond, "parameters_that_an_objective_asks_for_are_within_their_domains", ()),
    (HoldsAFile, "it_goes_to_its_host_before_it_is_opened", ()),
    (TiresOut, "many_trials_are_no_trouble", ()),
]


@pytest.mark.parametrize(("faulty", "test", "arguments"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS])  # type: ignore[attr-defined]  # classes have names
def test_a_planted_fault_fails_its_test(faulty: Callable[[], Any], test: str, arguments: tuple[Any, ...]) -> None:
    check = getattr(SamplerSuite(), f"test_{test}")
    check(RandomSampler, *arguments)  # what is not faulty passes
    with pytest.raises(Exception):  # noqa: B017, PT011  whichever way the fault shows
        check(faulty, *arguments)


def test_every_test_of_the_suite_has_a_fault_that_it_catches() -> None:
    assert {f"test_{test}" for _, test, _ in FAULTS} == {
        name for name in vars(SamplerSuite) if name.startswith("test_")
    }
