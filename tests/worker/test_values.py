"""Attributes that an objective may store."""

from __future__ import annotations

from typing import Any

import pytest

from asyncsweep.worker.values import ATTR_LIMIT_BYTES, check_attr
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
