"""`RunningPercentile` against numpy."""

from __future__ import annotations

import math
import struct
import warnings

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asyncsweep.pruners.order import RunningPercentile

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
