"""The shuffled order without a list."""

from __future__ import annotations

import pytest

from asyncsweep.samplers.permutation import Permutation


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 16, 17, 100, 1000])
def test_every_number_comes_up_once(size: int) -> None:
    order = Permutation(size, 0)
    assert sorted(order[number] for number in range(size)) == list(range(size))


def test_another_seed_gives_another_order() -> None:
    orders = {tuple(Permutation(20, seed)[number] for number in range(20)) for seed in range(10)}
    assert len(orders) == 10


def test_the_first_number_may_go_anywhere() -> None:
    assert {Permutation(10, seed)[0] for seed in range(300)} == set(range(10))


def test_a_size_beyond_64_bits_is_no_matter() -> None:
    size = 10**100
    assert 0 <= Permutation(size, 0)[size - 1] < size
