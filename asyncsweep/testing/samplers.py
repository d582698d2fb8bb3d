"""What every sampler must do, as a test suite: subclass it with one fixture.

    class TestSpiral(SamplerSuite):
        @pytest.fixture
        def make(self) -> Callable[[], Sampler]:
            return SpiralSampler

`make` builds a new sampler each time it is called. Where a sampler cannot do everything, the attributes of the suite say so:
nothing is skipped by itself. The suite needs pytest; nothing else of asyncsweep imports this module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import cloudpickle
import pytest

from asyncsweep.core.records import Direction, State
from asyncsweep.hooks.contracts import Sampler, TrialRef
from asyncsweep.space import Categorical, Constant, Domain, Float, Int
from asyncsweep.testing.trials import Rehearsal, told_trial, value_of

EVERY_DOMAIN: Mapping[str, Domain] = {
    "float": Float(-1.0, 1.0),
    "float-narrow": Float(1.0, 1.0 + 1e-12),
    "float-log": Float(1e-6, 1e-1, log=True),
    "float-log-wide": Float(1e-300, 1e300, log=True),
    "float-step": Float(0.0, 1.0, step=0.1),
    "float-one-value": Float(0.5, 0.5),
    "int": Int(-3, 7),
    "int-log": Int(1, 1000, log=True),
    "int-log-small": Int(1, 2, log=True),
    "int-step": Int(2, 20, step=3),
    "int-one-value": Int(4, 4),
    "categorical": Categorical(["a", "b", "c"]),
    "categorical-bool": Categorical([False, True]),
    "categorical-mixed": Categorical([1, True, 1.0, None, "1", [1, 2], {"a": 1}, b"\0"]),
    "categorical-one-choice": Categorical(["only"]),
    "constant": Constant({"a": [1, None]}),
}
"""One domain of every kind, with the bounds at which samplers go wrong."""
SLOPE: Mapping[str, Domain] = {"x": Float(0.0, 1.0), "y": Float(0.0, 1.0)}
"""The space in which a sampler shows that it learns: see `on_slope`."""


def on_slope(params: Mapping[str, Any], direction: Direction) -> float:
    """The value of a trial of `SLOPE`: best at (0, 0) when minimized and at (1, 1) when maximized.

    A value that is not there may not be taken for 0, which would be better than all of them.
    """
    height: float = params["x"] + params["y"]
    return 1 + height if direction == "minimize" else height - 3


class SamplerSuite:
    """Subclass it with a fixture `make`: a function that builds a new sampler, not yet open.

    Attributes:
        space: A space in which a sampler can show what it does. It needs a condition for that test to mean something.
        domains: Domains that the sampler takes, by any names; leave out the kinds that it refuses.
        directions: What the sampler can be opened for: one mapping of metric to direction for each number of directions.
        is_finite: True for a sampler that ends with `SpaceExhausted`.
        uses_seed: False for a sampler that suggests the same whatever the seed.
        takes_asked_parameters: False for a sampler that raises `ConfigError` for parameters that are not in the space.
        learns: False for a sampler whose suggestions do not get better with the values of earlier trials, or that takes no
            `Float`.
        learns_from_history: False for a sampler that learns from its own suggestions alone, not from those of an earlier
            search.
        n_few: The number of trials that it takes for the sampler to use what it learnt.
        n_many: The number of trials of the longest test.
    """

    space: ClassVar[Mapping[str, Any]] = {
        "lr": Float(1e-5, 1e-1, log=True),
        "momentum": Float(0.0, 0.9),
        "depth": Int(1, 64, log=True),
        "width": Int(16, 256, step=16),
        "kind": Categorical(["linear", "tree"]),
        "alpha": Float(0.0, 1.0, when={"kind": "linear"}),
        "leaves": Int(2, 31, when={"kind": "tree"}),
        "epochs": 30,
    }
    domains: ClassVar[Mapping[str, Domain]] = EVERY_DOMAIN
    directions: ClassVar[Sequence[Mapping[str, Direction]]] = (
        {"value": "minimize"},
        {"value": "maximize"},
        {"loss": "minimize", "accuracy": "maximize"},
    )
    is_finite: ClassVar[bool] = False
    uses_seed: ClassVar[bool] = True
    takes_asked_parameters: ClassVar[bool] = True
    learns: ClassVar[bool] = True
    learns_from_history: ClassVar[bool] = True
    n_few: ClassVar[int] = 30
    n_many: ClassVar[int] = 1000

    @pytest.fixture
    def make(self) -> Callable[[], Sampler]:
        """Builds the sampler under test."""
        raise pytest.UsageError("a subclass of SamplerSuite needs a fixture `make`")

    def opened(self, make: Callable[[], Sampler], space: Mapping[str, Any] | None = None, seed: int = 1) -> Rehearsal:
        """A new sampler, open for the suite's space or another one, and its first mapping of directions."""
        return Rehearsal(make(), self.space if space is None else space, self.directions[0], seed)

    def ahead(self, make: Callable[[], Sampler], count: int = 12) -> Rehearsal:
        """A new sampler that was asked for so many trials, and told of none."""
        rehearsal = self.opened(make)
        for number in range(count):
            rehearsal.ask(number)
        return rehearsal

    def climbs(self) -> list[tuple[str, Direction]]:
        """What a sampler that learns is tried with: the metric and the direction of each mapping that has one."""
        return [pair for each in self.directions if self.learns and len(each) == 1 for pair in each.items()]

    def climbed(self, make: Callable[[], Sampler], metric: str, direction: Direction, *, fails: bool) -> float:
        """The mean of x and y in the last quarter of `n_few` trials of `SLOPE`.

        Args:
            make: Builds the sampler.
            metric: The metric.
            direction: Its direction.
            fails: Whether the first trial, which the user puts at the worst place, fails.
        """
        rehearsal = Rehearsal(make(), SLOPE, {metric: direction})
        for number in range(self.n_few):
            is_failure = fails and number == 0
            worst = dict.fromkeys(SLOPE, 1.0 if direction == "minimize" else 0.0)
            params = rehearsal.ask(number, **(worst if is_failure else {}))
            state = State.FAILED if is_failure else State.COMPLETE
            rehearsal.tell(number, state, values={metric: on_slope(params, direction)})
        return _mean([rehearsal.asked[number] for number in range(self.n_few - self.n_few // 4, self.n_few)])

    def asked_for(self, rehearsal: Rehearsal, number: int) -> dict[str, Any]:
        """What the sampler suggests to a running objective that asks for every domain of the suite; it is checked."""
        params = {}
        for name, domain in self.domains.items():
            if isinstance(domain, Constant):
                continue  # nobody has to ask for one
            checked = domain.checked(name)
            value = params[name] = rehearsal.sampler.suggest(TrialRef(number), name, checked)
            assert (name, value, checked.contains(value)) == (name, value, True)
        return params

    def test_it_says_where_it_runs(self, make: Callable[[], Sampler]) -> None:
        assert getattr(make(), "host", "process") in ("inline", "thread", "process")

    def test_every_suggestion_is_within_the_space(self, make: Callable[[], Sampler]) -> None:
        assert self.opened(make).go_on(self.n_few, ends=self.is_finite)

    def test_every_kind_of_domain_is_drawn_from(self, make: Callable[[], Sampler]) -> None:
        for name, domain in self.domains.items():
            assert self.opened(make, {name: domain}).go_on(6, ends=self.is_finite)

    def test_every_mapping_of_directions_is_taken(self, make: Callable[[], Sampler]) -> None:
        for directions in self.directions:
            assert Rehearsal(make(), self.space, directions).go_on(12, ends=self.is_finite)

    def test_an_empty_space_has_no_parameters(self, make: Callable[[], Sampler]) -> None:
        found = self.opened(make, {}).go_on(3, ends=self.is_finite)
        assert found == [{}] * len(found)
        assert found

    def test_constants_are_passed_on_and_not_drawn(self, make: Callable[[], Sampler]) -> None:
        found = self.opened(make, {"a": 1, "b": None}).go_on(3, ends=self.is_finite)
        assert found == [{"a": 1, "b": None}] * len(found)
        assert found

    def test_asks_may_be_ahead_of_tells_and_tells_out_of_order(self, make: Callable[[], Sampler]) -> None:
        rehearsal = self.opened(make)
        for number in range(6):
            rehearsal.ask(number)
        for number in (5, 0, 3, 1):
            rehearsal.tell(number)
        for number in range(6, 10):
            rehearsal.ask(number)
        for number in (9, 2, 4, 6, 7, 8):
            rehearsal.tell(number)
        assert rehearsal.go_on(3, ends=self.is_finite)

    def test_the_same_seed_and_history_give_the_same_suggestions(self, make: Callable[[], Sampler]) -> None:
        one, other = (self.opened(make).go_on(15, ends=self.is_finite) for _ in range(2))
        assert one == other

    def test_another_seed_gives_other_suggestions(self, make: Callable[[], Sampler]) -> None:
        one, other = (self.opened(make, seed=seed).go_on(15, ends=self.is_finite) for seed in (1, 2))
        assert (one != other) == self.uses_seed

    def test_a_retold_sampler_goes_on_and_does_not_begin_again(self, make: Callable[[], Sampler]) -> None:
        rehearsal = self.opened(make)
        first = rehearsal.go_on(10, ends=self.is_finite)
        more = rehearsal.again(make()).go_on(10, ends=self.is_finite)
        assert more
        assert [params for params in more[:3] if params in first[:3]] == []

    def test_a_retold_sampler_leaves_out_trials_that_still_run(self, make: Callable[[], Sampler]) -> None:
        rehearsal = self.opened(make)
        for number in range(8):
            rehearsal.ask(number)
        for number in (0, 1, 4, 6):
            rehearsal.tell(number)
        resumed = rehearsal.again(make())
        if hasattr(resumed.sampler, "pending"):
            for number in (2, 3, 5, 7):
                attrs = rehearsal.attrs[number]
                params = rehearsal.asked[number]
                resumed.sampler.pending(told_trial(number, params, state=State.RUNNING, sampler_attrs=attrs))
        resumed.ask(8)
        for number in (2, 3, 5, 7):
            resumed.tell_of(told_trial(number, rehearsal.asked[number], _values(self.directions[0], rehearsal, number)))
        resumed.tell_of(told_trial(8, resumed.asked[8], state=State.FAILED))
        assert resumed.go_on(3, ends=self.is_finite)

    def test_it_learns_of_trials_that_it_never_asked_for(self, make: Callable[[], Sampler]) -> None:
        stranger = self.opened(make, seed=7)
        strange = stranger.go_on(6, ends=self.is_finite)
        rehearsal = self.opened(make)
        for number, params in zip(range(-1, -len(strange) - 1, -1), strange, strict=True):
            state = State.COMPLETE if number % 3 else State.FAILED
            values = {name: value_of(name, params) for name in self.directions[0]}
            rehearsal.tell_of(told_trial(number, params, values if state == State.COMPLETE else {}, state=state))
        assert rehearsal.go_on(5, ends=self.is_finite)

    @pytest.mark.parametrize("reports", [0, 3])
    @pytest.mark.parametrize("state", [State.FAILED, State.PRUNED, State.CANCELLED])
    def test_trials_without_a_final_value_are_borne(
        self, make: Callable[[], Sampler], state: State, reports: int
    ) -> None:
        rehearsal = self.opened(make)
        for number in range(12):
            rehearsal.ask(number)
            rehearsal.tell(number, State.COMPLETE if number % 3 == 2 else state, reports=reports)
        assert rehearsal.go_on(3, ends=self.is_finite)

    @pytest.mark.parametrize("value", [math.inf, -math.inf])
    def test_infinite_values_are_borne(self, make: Callable[[], Sampler], value: float) -> None:
        rehearsal = self.ahead(make)
        for number in range(12):
            rehearsal.tell(number, values=dict.fromkeys(self.directions[0], value) if number % 4 == 1 else None)
        assert rehearsal.go_on(1, ends=self.is_finite)

    def test_reports_that_are_no_numbers_are_borne(self, make: Callable[[], Sampler]) -> None:
        rehearsal = self.ahead(make)
        odd = [math.nan, math.inf, -math.inf, 0.5]
        for number in range(12):
            state = State.PRUNED if number % 3 == 0 else State.COMPLETE
            rehearsal.tell(number, state, reports=odd[: 1 + number // 3])  # every one is the last of a PRUNED trial
        assert rehearsal.go_on(1, ends=self.is_finite)

    def test_constraints_are_borne(self, make: Callable[[], Sampler]) -> None:
        rehearsal = self.ahead(make)
        for number in range(12):
            constraints = {"memory": (-1.0, 0.0, 0.5, math.inf)[number % 4], "time": -1.0}
            rehearsal.tell(number, State.FAILED if number == 7 else State.COMPLETE, constraints=constraints)
        assert rehearsal.go_on(1, ends=self.is_finite)

    def test_constraints_that_some_trials_lack_are_borne(self, make: Callable[[], Sampler]) -> None:
        rehearsal = self.ahead(make)
        for number in range(12):
            constraints = {"memory": -1.0, "time": 0.5}
            for name in list(constraints)[: number % 3]:
                del constraints[name]
            rehearsal.tell(number, constraints=constraints or None)
        assert rehearsal.go_on(1, ends=self.is_finite)

    def test_attributes_that_the_objective_set_are_borne(self, make: Callable[[], Sampler]) -> None:
        rehearsal = self.ahead(make)
        for number in range(12):
            rehearsal.tell(number, user_attrs={"note": ["a", None], "depth": {"of": 1}} if number % 2 else None)
        assert rehearsal.go_on(1, ends=self.is_finite)

    def test_it_may_be_hurried(self, make: Callable[[], Sampler]) -> None:
        rehearsal = self.opened(make)
        hurry = getattr(rehearsal.sampler, "hurry", None)
        if hurry is None:
            return
        for first, asks in ((0, 12), (12, 2)):
            hurry(asks)
            for number in range(first, first + asks):
                rehearsal.ask(number)
            for number in range(first, first + asks):
                rehearsal.tell(number)
        assert rehearsal.go_on(1, ends=self.is_finite)

    def test_it_finds_what_the_direction_calls_good(self, make: Callable[[], Sampler]) -> None:
        climbs = {direction: metric for metric, direction in self.climbs()}
        if len(climbs) == 2:
            low, high = (self.climbed(make, climbs[each], each, fails=False) for each in sorted(climbs, reverse=True))
            assert low < high, "does it learn from so few trials? see `n_few` and `learns`"

    def test_a_failed_trial_is_not_taken_for_a_good_one(self, make: Callable[[], Sampler]) -> None:
        for metric, direction in self.climbs()[:1]:
            place = self.climbed(make, metric, direction, fails=True)
            # Draws at random give 0.5; what stays near the failed trial is at 1, or at 0 when maximizing.
            assert place < 0.75 if direction == "minimize" else place > 0.25

    def test_it_learns_from_trials_of_an_earlier_search(self, make: Callable[[], Sampler]) -> None:
        climbs = {direction: metric for metric, direction in self.climbs()}
        if len(climbs) < 2 or not self.learns_from_history:
            return
        places: dict[str, float] = {}
        for direction, metric in climbs.items():
            rehearsal = Rehearsal(make(), SLOPE, {metric: direction})
            for at in range(self.n_few):
                params = {"x": (at + 0.5) / self.n_few, "y": (at * 7 % self.n_few + 0.5) / self.n_few}
                rehearsal.tell_of(told_trial(-1 - at, params, {metric: on_slope(params, direction)}))
            # None of these is told, so that it can learn from the earlier ones alone.
            places[direction] = _mean([rehearsal.ask(number) for number in range(self.n_few // 2)])
        assert places["minimize"] < places["maximize"], "see `learns_from_history`"

    def test_it_goes_on_when_all_trials_failed(self, make: Callable[[], Sampler]) -> None:
        rehearsal = self.opened(make)
        for number in range(20):
            rehearsal.ask(number)
            rehearsal.tell(number, State.FAILED)
        assert rehearsal.go_on(3, ends=self.is_finite)

    def test_fixed_parameters_are_kept(self, make: Callable[[], Sampler]) -> None:
        rehearsal = self.opened(make)
        drawn = {name: d for name, d in rehearsal.space.domains.items() if not isinstance(d, Constant)}
        unconditional = {name: domain.grid(2)[-1] for name, domain in drawn.items() if domain.when is None}
        for number, name in enumerate(unconditional):
            assert rehearsal.ask(number, **{name: unconditional[name]})[name] == unconditional[name]
            rehearsal.tell(number)
        number = len(unconditional)
        assert rehearsal.ask(number, **unconditional).items() >= unconditional.items()
        rehearsal.tell(number)
        assert rehearsal.go_on(3, ends=self.is_finite)

    def test_a_fixed_parameter_is_kept_when_its_condition_holds_and_left_out_otherwise(
        self, make: Callable[[], Sampler]
    ) -> None:
        rehearsal = self.opened(make)
        conditional = [(name, domain) for name, domain in rehearsal.space.domains.items() if domain.when is not None]
        for number, (name, domain) in enumerate(3 * conditional):
            value = domain.grid(2)[-1]
            assert rehearsal.ask(number, **{name: value}).get(name, value) == value
            rehearsal.tell(number)

    def test_parameters_that_an_objective_asks_for_are_within_their_domains(self, make: Callable[[], Sampler]) -> None:
        if not self.takes_asked_parameters:
            rehearsal = self.opened(make)
            rehearsal.ask(0)
            with pytest.raises(ValueError, match="extra"):  # a ConfigError is one
                rehearsal.sampler.suggest(TrialRef(0), "extra", Float(0.0, 1.0))
            return
        rehearsal = self.opened(make, {})
        for number in range(6):
            rehearsal.ask(number).update(self.asked_for(rehearsal, number))
            rehearsal.tell(number)

    def test_the_same_seed_gives_an_objective_that_asks_the_same_parameters(self, make: Callable[[], Sampler]) -> None:
        if not (self.takes_asked_parameters and self.uses_seed):
            return
        found: list[list[dict[str, Any]]] = []
        for rehearsal in (self.opened(make, {}) for _ in range(2)):
            found.append([])
            for number in range(3):
                rehearsal.ask(number)
                found[-1].append(self.asked_for(rehearsal, number))
                rehearsal.tell(number)
        assert repr(found[0]) == repr(found[1])  # 1, True and 1.0 are different choices

    def test_what_goes_by_numbers_does_not_depend_on_what_came_before(self, make: Callable[[], Sampler]) -> None:
        if not (self.takes_asked_parameters and getattr(make(), "by_number", False)):
            return
        fresh, experienced = self.opened(make, {}), self.opened(make, {})
        for number in range(5):
            experienced.ask(number)
            self.asked_for(experienced, number)
            experienced.tell(number)
        for rehearsal in (fresh, experienced):
            rehearsal.ask(7)
        assert repr(self.asked_for(fresh, 7)) == repr(self.asked_for(experienced, 7))

    def test_it_goes_to_its_host_before_it_is_opened(self, make: Callable[[], Sampler]) -> None:
        sampler = make()
        if getattr(sampler, "host", "process") == "process":
            # What the sampler host does with the launch message of its parent.
            copy = cloudpickle.loads(cloudpickle.dumps(sampler))
            assert Rehearsal(copy, self.space, self.directions[0]).go_on(3, ends=self.is_finite)

    def test_many_trials_are_no_trouble(self, make: Callable[[], Sampler]) -> None:
        found = self.opened(make).go_on(self.n_many, ends=self.is_finite)
        assert len(found) == self.n_many or self.is_finite


def _values(directions: Mapping[str, Direction], rehearsal: Rehearsal, number: int) -> dict[str, float]:
    return {name: value_of(name, rehearsal.asked[number]) for name in directions}


def _mean(trials: Sequence[Mapping[str, float]]) -> float:
    return sum(sum(params.values()) for params in trials) / sum(map(len, trials))
