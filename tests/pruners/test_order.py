"""`RunningPercentile` against numpy, `RunningTop` against a sorted list."""

from __future__ import annotations

import math
import struct
import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asyncsweep.pruners.order import RunningPercentile, RunningTop

numbers = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1.0, 0.1, math.inf, -math.inf, math.nan]))


def bits(number: float) -> bytes:
    return b"nan" if math.isnan(number) else struct.pack("<d", number + 0.0)  # numpy sorts -0.0 and 0.0 as it likes


@settings(max_examples=400, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=30), st.one_of(st.sampled_from([0, 25, 50.0, 100]), st.floats(0, 100)))
@example([1.0, math.inf], 50.0)
@example([math.inf], 50.0)
@example([3.0, 1.0, 2.0], 100)
def test_every_value_equals_numpys_nanpercentile_bit_by_bit(added: list[float], percentile: float) -> None:
    running = RunningPercentile(percentile)
    ours, numpys = [], []
    for size, number in enumerate(added, start=1):
        running.add(number)
        ours.append(bits(running.value))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)  # "All-NaN slice"
            numpys.append(bits(float(np.nanpercentile(np.array(added[:size]), percentile))))
    assert ours == numpys


def test_nans_are_counted_but_do_not_move_the_value() -> None:
    running = RunningPercentile(50.0)
    for number in (1.0, math.nan, 3.0):
        running.add(number)
    assert (running.count, running.value) == (3, 2.0)


@settings(max_examples=400, deadline=None)
@given(
    st.integers(2, 5),
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 50), st.sampled_from([-math.inf, -1.0, -0.0, 0.0, 0.5, math.inf]))
    ),
)
@example(2, [(True, 0, 1.0), (True, 0, 2.0), (False, 0, 0.0), (True, 0, 1.0), (True, 0, 3.0), (False, 0, 0.0)])
def test_the_last_of_the_top_equals_that_of_a_sorted_list(factor: int, moves: list[tuple[bool, int, float]]) -> None:
    running = RunningTop(factor)
    numbers: list[float] = []
    ours, theirs = [], []
    for is_added, place, number in moves:
        if is_added:
            numbers.append(number)
            running.add(number)
        elif numbers:
            running.remove(numbers.pop(place % len(numbers)))
        if numbers:
            ours.append((running.count, running.last))
            theirs.append((len(numbers), sorted(numbers)[max(len(numbers) // factor, 1) - 1]))
    assert ours == theirs


def test_an_empty_top_has_no_last_number() -> None:
    running = RunningTop(2)
    running.add(1.0)
    running.remove(1.0)
    with pytest.raises(IndexError):
        _ = running.last


def test_a_number_that_was_taken_out_can_be_added_again() -> None:
    running = RunningTop(2)
    running.add(1.0)
    running.remove(1.0)
    running.add(1.0)
    assert (running.count, running.last) == (1, 1.0)
