"""The native random sampler."""

from __future__ import annotations

from collections import Counter

from scipy import stats

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.hooks.contracts import Sampler, TrialRef
from asyncsweep.samplers.random import RandomSampler
from asyncsweep.space import Categorical, Float, Int, Space

SPACE = Space(
    {
        "lr": Float(1e-5, 1e-1, log=True),
        "depth": Int(1, 8),
        "epochs": 30,
        "opt": Categorical(["sgd", "adam"]),
        "momentum": Float(0.0, 1.0, when={"opt": "sgd"}),
    }
)


def opened(seed: int = 0, space: Space = SPACE) -> RandomSampler:
    sampler = RandomSampler()
    sampler.open(space, {"value": "minimize"}, seed)
    return sampler


def test_every_value_is_in_its_domain() -> None:
    sampler = opened()
    for number in range(500):
        params = sampler.ask(TrialRef(number))
        assert SPACE.check(params, partial=False) == params


def test_the_values_are_spread_evenly() -> None:
    sampler = opened()
    asked = [sampler.ask(TrialRef(number)) for number in range(8_000)]
    depths = Counter(params["depth"] for params in asked)
    assert sorted(depths) == list(range(1, 9))
    assert stats.chisquare(list(depths.values())).pvalue > 1e-3


def test_the_same_seed_and_number_give_the_same_parameters_in_any_order() -> None:
    forwards, backwards = opened(), opened()
    asked = {number: forwards.ask(TrialRef(number)) for number in range(20)}
    assert asked == {number: backwards.ask(TrialRef(number)) for number in reversed(range(20))}


def test_another_seed_gives_other_parameters() -> None:
    assert opened(1).ask(TrialRef(0)) != opened(2).ask(TrialRef(0))


def test_resuming_goes_on_where_the_sweep_was() -> None:
    whole, resumed = opened(), opened()
    for number in range(5):
        params = whole.ask(TrialRef(number))
        resumed.tell(
            TrialRecord(number, State.COMPLETE, param_names=tuple(params), param_values=tuple(params.values()))
        )
    assert resumed.ask(TrialRef(5)) == whole.ask(TrialRef(5))


def test_a_fixed_parameter_does_not_change_the_others() -> None:
    free = opened().ask(TrialRef(3))
    fixed = opened().ask(TrialRef(3, {"lr": 0.01}))
    assert fixed == {**free, "lr": 0.01}


def test_a_constant_does_not_change_the_draws() -> None:
    without = Space({name: domain for name, domain in SPACE.domains.items() if name != "epochs"})
    assert opened().ask(TrialRef(3)) == {**opened(space=without).ask(TrialRef(3)), "epochs": 30}


def test_a_parameter_asked_for_while_running_depends_on_seed_trial_and_name() -> None:
    domain = Float(0.0, 1.0)
    drawn = [
        opened(seed).suggest(TrialRef(number), name, domain)
        for seed, number, name in [(0, 0, "x"), (1, 0, "x"), (0, 1, "x"), (0, 0, "y"), (0, 0, "x")]
    ]
    assert drawn[0] == drawn[4] and len(set(drawn)) == 4


def test_a_space_of_a_hundred_parameters_has_a_hundred_different_draws() -> None:
    space = Space({f"x{place}": Float(0.0, 1.0) for place in range(100)})
    assert len(set(opened(space=space).ask(TrialRef(0)).values())) == 100


def test_an_empty_space_gives_no_parameters() -> None:
    assert opened(space=Space({})).ask(TrialRef(0)) == {}


def test_the_random_sampler_keeps_the_contract() -> None:
    assert isinstance(RandomSampler(), Sampler) and RandomSampler.host == "inline"
