"""The random numbers without a generator: uniform, independent, and the same for ever."""

from __future__ import annotations

import numpy as np
from scipy import stats

from asyncsweep.samplers import counter

# Fixed seeds make these tests certain; the levels are such that a good source passes nearly always, a bad one never.
LEVEL = 1e-3


def units(seed: int, trials: range, place: int = 0) -> np.ndarray:
    key = counter.key(seed)
    return np.array([(counter.words(key, trial, 8)[place] >> 11) * counter.SCALE for trial in trials])


def test_the_numbers_are_uniform() -> None:
    assert stats.kstest(units(1, range(20_000)), "uniform").pvalue > LEVEL


def test_every_bit_is_as_often_set_as_not() -> None:
    key = counter.key(1)
    words = np.array([counter.words(key, trial, 8) for trial in range(5_000)], dtype=np.uint64).ravel()
    shares = np.array([((words >> np.uint64(bit)) & np.uint64(1)).mean() for bit in range(64)])
    assert np.abs(shares - 0.5).max() < 5 * 0.5 / np.sqrt(len(words))


def test_successive_trials_are_independent() -> None:
    numbers = units(2, range(20_001))
    table, *_ = np.histogram2d(numbers[:-1], numbers[1:], bins=10, range=[[0, 1], [0, 1]])
    assert stats.chi2_contingency(table).pvalue > LEVEL


def test_the_numbers_of_one_trial_are_independent() -> None:
    table, *_ = np.histogram2d(units(3, range(20_000), 0), units(3, range(20_000), 1), bins=10, range=[[0, 1], [0, 1]])
    assert stats.chi2_contingency(table).pvalue > LEVEL


def test_neighbouring_seeds_are_independent() -> None:
    table, *_ = np.histogram2d(units(4, range(20_000)), units(5, range(20_000)), bins=10, range=[[0, 1], [0, 1]])
    assert stats.chi2_contingency(table).pvalue > LEVEL


def test_named_numbers_are_uniform_over_trials() -> None:
    key = counter.key(6)
    assert stats.kstest([counter.unit(key, trial, "lr") for trial in range(5_000)], "uniform").pvalue > LEVEL


def test_names_have_different_numbers() -> None:
    key = counter.key(6)
    assert len({counter.unit(key, 0, name) for name in ("", "a", "b", "ab", "ä")}) == 5


def test_many_words_begin_with_the_few() -> None:
    key = counter.key(7)
    assert counter.words(key, 3, 40)[:8] == counter.words(key, 3, 8)


def test_many_words_are_all_different() -> None:
    words = counter.words(counter.key(7), 3, 100)
    assert len(set(words)) == len(words) >= 100


def test_the_numbers_never_change_from_one_version_to_the_next() -> None:
    key = counter.key(42)
    assert (counter.words(key, 7, 1)[0], counter.unit(key, 7, "lr")) == (7205145108673941444, 0.4424223040787679)


def test_a_seed_may_be_any_integer() -> None:
    assert len({counter.key(seed) for seed in (-1, 0, 1, 2**64, 2**200)}) == 5
