"""What every sampler must do, as a test suite: subclass it with one fixture.

    class TestSpiral(SamplerSuite):
        @pytest.fixture
        def make(self) -> Callable[[], Sampler]:
            return SpiralSampler

`make` builds a new sampler each time it is called. Where a sampler cannot do everything, the attributes of the suite say so:
nothing is skipped by itself. The suite needs pytest; nothing else of asyncsweep imports this module.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import cloudpickle
import pytest

from asyncsweep.core.records import Direction, State, TrialRecord
from asyncsweep.errors import SpaceExhausted
from asyncsweep.hooks.contracts import Sampler, TrialRef
from asyncsweep.space import Categorical, Constant, Domain, Float, Int, Space
from asyncsweep.testing.trials import journaled, told_trial

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


class Rehearsal:
    """A sampler that is open, asked and told as a sweep would; what it suggests is checked.

    Attributes:
        sampler: The sampler.
        space: The sweep's space.
        trials: The final trials, in the order of their ends.
        asked: What was suggested, by the trial's number.
        attrs: The sampler's attributes of these trials.
    """

    def __init__(
        self, sampler: Sampler, space: Mapping[str, Any], directions: Mapping[str, Direction], seed: int = 1
    ) -> None:
        self.sampler = sampler
        self.space = Space(space)
        self.trials: list[TrialRecord] = []
        self.asked: dict[int, dict[str, Any]] = {}
        self.attrs: dict[int, dict[str, Any] | None] = {}
        self._directions = directions
        sampler.open(self.space, directions, seed)

    def ask(self, number: int, **fixed: Any) -> dict[str, Any]:
        """What the sampler suggests for a trial: every active parameter, each within its domain."""
        params = self.sampler.ask(TrialRef(number, fixed))
        assert self.space.check(params, partial=False) == params  # raises for what is missing, inactive or out of range
        self.asked[number] = params
        self.attrs[number] = journaled(self.sampler.attrs(number)) if hasattr(self.sampler, "attrs") else None
        return params

    def tell(self, number: int, state: State = State.COMPLETE, *, reports: int = 0) -> None:
        """The trial is final; COMPLETE trials have a value for each direction, PRUNED ones that of their last report."""
        params = self.asked[number]
        values = {name: value_of(name, params) for name in self._directions}
        has_value = state == State.COMPLETE or (state == State.PRUNED and reports > 0)
        self.tell_of(
            told_trial(
                number,
                params,
                values if has_value else {},
                state=state,
                reports=[(step, next(iter(values.values()))) for step in range(reports)],
                sampler_attrs=self.attrs[number],
            )
        )

    def tell_of(self, trial: TrialRecord) -> None:
        """A trial that was perhaps never asked for is final."""
        self.trials.append(trial)
        self.sampler.tell(trial)

    def go_on(self, count: int, *, ends: bool = False) -> list[dict[str, Any]]:
        """Ask for the next trials and tell of each before the next; where the space `ends`, there may be fewer."""
        found = []
        for number in range(len(self.asked), len(self.asked) + count):
            try:
                found.append(self.ask(number))
            except SpaceExhausted:
                assert ends, "a sampler that is not `is_finite` said that the space is exhausted"
                break
            self.tell(number)
        return found

    def again(self, sampler: Sampler) -> Rehearsal:
        """A resumed sweep: another sampler, opened as this one was and told of the final trials in order."""
        resumed = Rehearsal(sampler, self.space.domains, self._directions)
        for trial in sorted(self.trials, key=lambda trial: (trial.number >= 0, abs(trial.number))):
            resumed.tell_of(trial)
        resumed.asked.update(self.asked)
        return resumed


def value_of(metric: str, params: Mapping[str, Any]) -> float:
    """A number in [0, 1) that depends on the parameters alone."""
    return zlib.crc32(repr((metric, sorted(params.items()))).encode()) / 2**32


class SamplerSuite:
    """Subclass it with a fixture `make`: a function that builds a new sampler, not yet open.

    Attributes:
        space: A space in which a sampler can show what it does. It needs a condition for that test to mean something.
        domains: Domains that the sampler takes, by any names; leave out the kinds that it refuses.
        directions: What the sampler can be opened for: one mapping of metric to direction for each number of directions.
        is_finite: True for a sampler that ends with `SpaceExhausted`.
        uses_seed: False for a sampler that suggests the same whatever the seed.
        takes_asked_parameters: False for a sampler that raises `ConfigError` for parameters that are not in the space.
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
    n_few: ClassVar[int] = 30
    n_many: ClassVar[int] = 1000

    @pytest.fixture
    def make(self) -> Callable[[], Sampler]:
        """Builds the sampler under test."""
        raise pytest.UsageError("a subclass of SamplerSuite needs a fixture `make`")

    def opened(self, make: Callable[[], Sampler], space: Mapping[str, Any] | None = None, seed: int = 1) -> Rehearsal:
        """A new sampler, open for the suite's space or another one, and its first mapping of directions."""
        return Rehearsal(make(), self.space if space is None else space, self.directions[0], seed)

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

    def test_parameters_that_an_objective_asks_for_are_within_their_domains(self, make: Callable[[], Sampler]) -> None:
        if not self.takes_asked_parameters:
            rehearsal = self.opened(make)
            rehearsal.ask(0)
            with pytest.raises(ValueError, match="extra"):  # a ConfigError is one
                rehearsal.sampler.suggest(TrialRef(0), "extra", Float(0.0, 1.0))
            return
        rehearsal = self.opened(make, {})
        for number in range(6):
            params = rehearsal.ask(number)
            for name, domain in self.domains.items():
                if isinstance(domain, Constant):
                    continue  # nobody has to ask for one
                checked = domain.checked(name)
                value = params[name] = rehearsal.sampler.suggest(TrialRef(number), name, checked)
                assert (name, value, checked.contains(value)) == (name, value, True)
            rehearsal.tell(number)

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
