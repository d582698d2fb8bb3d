"""The Sobol' sequence: the known one when unscrambled, as evenly spread when scrambled."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

from asyncsweep.errors import ConfigError, SpaceExhausted
from asyncsweep.hooks.contracts import Sampler, TrialRef
from asyncsweep.samplers.sobol import SobolSampler
from asyncsweep.samplers.sobol_directions import direction_numbers
from asyncsweep.space import Categorical, Float, Int, Space

SPACE = Space({"lr": Float(1e-5, 1e-1, log=True), "depth": Int(1, 8), "k": 3, "opt": Categorical(["sgd", "adam"])})


def opened(space: Space = SPACE, seed: int = 0, *, scramble: bool = True) -> SobolSampler:
    sampler = SobolSampler(scramble=scramble)
    sampler.open(space, {"value": "minimize"}, seed)
    return sampler


def points(dimensions: int, count: int, seed: int = 0, *, scramble: bool = True) -> np.ndarray:
    sampler = opened(Space({f"x{d}": Float(0.0, 1.0) for d in range(dimensions)}), seed, scramble=scramble)
    return np.array([list(sampler.ask(TrialRef(number)).values()) for number in range(count)])


def test_the_unscrambled_sequence_equals_scipys_in_the_first_21_dimensions() -> None:
    assert np.array_equal(points(21, 1024, scramble=False), qmc.Sobol(21, scramble=False).random(1024))


@pytest.mark.parametrize("scramble", [False, True])
def test_every_block_of_a_power_of_two_is_a_permutation_in_each_of_60_dimensions(scramble: bool) -> None:
    asked = points(60, 192, scramble=scramble)
    for block in (asked[:64], asked[64:128], asked[128:]):
        assert all(sorted(column) == list(range(64)) for column in (block * 64).astype(int).T)


@pytest.mark.parametrize("seed", range(5))
def test_the_first_two_dimensions_fill_every_elementary_interval_once(seed: int) -> None:
    asked = points(2, 64, seed)
    for bits in range(7):
        cells = np.floor(asked * [2**bits, 2 ** (6 - bits)]).astype(int)
        assert len({tuple(cell) for cell in cells}) == 64


def test_each_scrambled_point_alone_is_uniform_over_seeds() -> None:
    firsts = [points(1, 1, seed)[0, 0] for seed in range(2_000)]
    assert stats.kstest(firsts, "uniform").pvalue > 1e-3


def test_a_smooth_integral_is_far_more_exact_than_at_random() -> None:
    errors = [abs(np.prod(points(5, 1024, seed) * 2, axis=1).mean() - 1) for seed in range(5)]
    at_random = [
        abs(np.prod(np.random.default_rng(seed).random((1024, 5)) * 2, axis=1).mean() - 1) for seed in range(20)
    ]
    assert np.mean(errors) < np.mean(at_random) / 5


def test_the_same_seed_and_number_give_the_same_parameters_in_any_order() -> None:
    forwards, backwards = opened(), opened()
    asked = {number: forwards.ask(TrialRef(number)) for number in range(20)}
    assert asked == {number: backwards.ask(TrialRef(number)) for number in reversed(range(20))}


def test_another_seed_gives_other_parameters() -> None:
    assert opened(seed=1).ask(TrialRef(0)) != opened(seed=2).ask(TrialRef(0))


def test_every_value_is_in_its_domain() -> None:
    sampler = opened()
    for number in range(256):
        params = sampler.ask(TrialRef(number))
        assert SPACE.check(params, partial=False) == params


def test_a_fixed_parameter_does_not_change_the_others() -> None:
    assert opened().ask(TrialRef(5, {"depth": 2})) == {**opened().ask(TrialRef(5)), "depth": 2}


def test_a_constant_does_not_change_the_points() -> None:
    without = Space({name: domain for name, domain in SPACE.domains.items() if name != "k"})
    assert opened().ask(TrialRef(5)) == {**opened(without).ask(TrialRef(5)), "k": 3}


def test_a_parameter_asked_for_while_running_is_in_its_domain() -> None:
    assert 0.0 <= opened().suggest(TrialRef(0), "dropout", Float(0.0, 0.5)) <= 0.5


def test_the_sequence_ends_after_two_to_the_32_points() -> None:
    sampler = opened()
    assert sampler.ask(TrialRef(2**32 - 1))
    with pytest.raises(SpaceExhausted, match=r"2\*\*32 points"):
        sampler.ask(TrialRef(2**32))


def test_direction_numbers_of_a_thousand_dimensions_are_all_different() -> None:
    assert all(one != other for one, other in pairwise(sorted(direction_numbers(1000))))


def test_an_empty_space_gives_no_parameters() -> None:
    assert opened(Space({})).ask(TrialRef(1)) == {}


def test_the_sobol_sampler_keeps_the_contract() -> None:
    assert isinstance(SobolSampler(), Sampler) and SobolSampler.host == "inline"


def test_scramble_must_be_a_bool() -> None:
    with pytest.raises(ConfigError, match=r"sampler\.scramble: expected True or False, got 1"):
        SobolSampler(scramble=1)  # type: ignore[arg-type]
