"""Attributes that an objective may store, and numbers that it may report."""

from __future__ import annotations

from typing import Any

import pytest

from asyncsweep.worker.values import ATTR_LIMIT_BYTES, check_attr, check_step, number_in
from tests.objectives import nested


@pytest.mark.parametrize(
    "value", [None, True, 2**64 - 1, -1.5, "ä", b"\xff", [1, [2]], {"a": {"b": (1,)}}, nested(60)], ids=repr
)
def test_plain_values_are_accepted(value: Any) -> None:
    check_attr("key", value)


@pytest.mark.parametrize("value", [object(), {1: 2}, [{None: 1}], 1j, 2**64])
def test_other_types_are_type_errors(value: Any) -> None:
    with pytest.raises(TypeError, match=r"set_user_attr\('key'\)"):
        check_attr("key", value)


@pytest.mark.parametrize("value", ["\ud800", b"x" * ATTR_LIMIT_BYTES, nested(100)], ids=["surrogate", "large", "deep"])
def test_too_large_too_deep_or_no_unicode_are_value_errors(value: Any) -> None:
    with pytest.raises(ValueError, match=r"set_user_attr\('key'\)"):
        check_attr("key", value)


def test_a_reported_value_beyond_all_floats_is_an_overflow_that_says_so() -> None:
    with pytest.raises(OverflowError, match=r"^report\(\): value does not fit in a float$"):
        number_in(10**400)


@pytest.mark.parametrize("step", [-1, 2**62 + 1, float("inf")])
def test_a_step_out_of_range_is_a_value_error(step: float) -> None:
    with pytest.raises(ValueError, match=r"^report\(\): step must be between 0 and 2\*\*62, not "):
        check_step(step)
