"""Domains that an objective asks for, brought to the form in which they travel."""

from __future__ import annotations

import enum
import math
import warnings
from typing import Any

import numpy
import optuna
import pytest

from asyncsweep.errors import TrialError
from asyncsweep.worker.domains import (
    NOWHERE,
    choice_domain,
    described,
    distribution_of,
    float_domain,
    has,
    int_domain,
    is_same,
    place_of,
)


class Optimizer(enum.StrEnum):
    ADAM = "adam"


def types_in(domain: dict[str, Any]) -> dict[str, type]:
    return {name: type(value) for name, value in domain.items()}


def test_numbers_of_numpy_become_pythons() -> None:
    number = numpy.float32(0.5)
    domain = float_domain("x", numpy.int64(0), number, number, numpy.bool_(False))
    assert domain == {"type": "float", "low": 0.0, "high": 0.5, "step": 0.5, "log": False}
    assert types_in(domain) == {"type": str, "low": float, "high": float, "step": float, "log": bool}


def test_whole_numbers_of_numpy_become_pythons() -> None:
    domain = int_domain("n", numpy.int32(1), numpy.uint8(9), numpy.int64(2), 0)
    assert domain == {"type": "int", "low": 1, "high": 9, "step": 2, "log": False}
    assert types_in(domain) == {"type": str, "low": int, "high": int, "step": int, "log": bool}


@pytest.mark.parametrize("make", [float_domain, int_domain])
@pytest.mark.parametrize(
    ("low", "high", "step", "what"), [("a", 1, 1, "low"), (0, None, 1, "high"), (0, 1, "x", "step")]
)
def test_what_is_no_number_is_a_trial_error_that_names_it(make: Any, low: Any, high: Any, step: Any, what: str) -> None:
    with pytest.raises(TrialError, match=f"^suggest 'p': {what} must be a "):
        make("p", low, high, step, False)


@pytest.mark.parametrize("high", [2**63, math.inf, 1e300])
def test_a_whole_number_beyond_64_bits_is_a_trial_error(high: Any) -> None:
    with pytest.raises(TrialError, match=r"^suggest 'n': high"):
        int_domain("n", 0, high, 1, False)


FLOAT_RANGES = [
    (0.0, 1.0, 0.3),
    (0.1, 0.7, 0.2),
    (-1.0, 1.0, 0.4),
    (0.0, 0.25, 0.5),
    (1e-3, 1.0, 1e-2),
    (0.5, 0.5, 0.2),
]
INT_RANGES = [(0, 10, 3), (1, 7, 2), (-5, 5, 4), (3, 4, 7), (2, 2, 5)]


@pytest.mark.parametrize(
    ("domain", "text"),
    [
        (float_domain("x", 0, 1, None, False), "Float(0.0, 1.0)"),
        (float_domain("x", 1, 2, None, True), "Float(1.0, 2.0, log=True)"),
        (float_domain("x", 0, 1, 0.25, False), "Float(0.0, 1.0, step=0.25)"),
        (int_domain("n", 1, 9, 1, False), "Int(1, 9)"),
        (int_domain("n", 1, 9, 2, False), "Int(1, 9, step=2)"),
        (choice_domain("c", ["a", None]), "Categorical(['a', None])"),
    ],
)
def test_a_domain_is_described_by_the_call_that_makes_it(domain: dict[str, Any], text: str) -> None:
    assert described(domain) == text


def test_a_domain_of_many_choices_is_described_shortly() -> None:
    assert len(described(choice_domain("c", list(range(1000))))) < 250


def quietly(call: Any) -> tuple[Any, bool]:
    """What a call gives, and whether it warned."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return call(), bool(caught)


@pytest.mark.parametrize(("low", "high", "step"), FLOAT_RANGES)
def test_a_range_with_a_step_ends_where_optuna_ends_it(low: float, high: float, step: float) -> None:
    theirs, they_warn = quietly(lambda: optuna.distributions.FloatDistribution(low, high, step=step))
    ours, we_warn = quietly(lambda: float_domain("x", low, high, step, False))
    assert (ours["high"], we_warn) == (theirs.high, they_warn)


@pytest.mark.parametrize(("low", "high", "step"), INT_RANGES)
def test_a_range_of_whole_numbers_with_a_step_ends_where_optuna_ends_it(low: int, high: int, step: int) -> None:
    theirs, they_warn = quietly(lambda: optuna.distributions.IntDistribution(low, high, step=step))
    ours, we_warn = quietly(lambda: int_domain("n", low, high, step, False))
    assert (ours["high"], we_warn) == (theirs.high, they_warn)


@pytest.mark.parametrize(
    ("low", "high", "step"), [(1.0, 0.0, 0.3), (0.0, 1.0, 0.0), (0.0, 1.0, -1.0), (0.0, math.inf, 0.3), (0.0, 1.0, math.nan)]
)  # fmt: skip
def test_a_step_of_no_sense_is_left_to_the_executor(low: float, high: float, step: float) -> None:
    assert repr(float_domain("x", low, high, step, False)["high"]) == repr(high)


@pytest.mark.parametrize("make", [float_domain, int_domain])
def test_a_step_that_goes_with_log_is_left_to_the_executor_without_a_warning(make: Any) -> None:
    domain, warned = quietly(lambda: make("x", 1, 10, 2, True))
    assert (domain["high"], warned) == (10, False)


def test_choices_become_plain_values() -> None:
    domain = choice_domain("c", [None, True, numpy.int64(3), (1, (2,)), Optimizer.ADAM, {"a": numpy.float64(0.5)}])
    assert repr(domain["choices"]) == "[None, True, 3, [1, [2]], 'adam', {'a': 0.5}]"


@pytest.mark.parametrize(
    "choice", [object(), len, {1: 2}, 2**64, "\ud800", numpy.zeros(2)], ids=lambda c: type(c).__name__
)
def test_a_choice_that_cannot_be_stored_is_a_trial_error_that_says_what_to_do(choice: Any) -> None:
    with pytest.raises(TrialError, match=r"^suggest 'c': choice 1, .* cannot be stored: give a name for it"):
        choice_domain("c", ["a", choice])


@pytest.mark.parametrize(
    ("value", "place"),
    [(1, 0), (True, 1), (1.0, 2), (math.nan, 3), ([1, 2], 4), ((1, 2), 4), ("1", NOWHERE), (None, NOWHERE)],
)
def test_a_choice_is_found_by_type_and_value(value: Any, place: int) -> None:
    assert place_of(choice_domain("c", [1, True, 1.0, math.nan, [1, 2]]), value) == place


def test_a_choice_of_another_type_that_is_equal_is_found_too() -> None:
    assert place_of(choice_domain("c", [2.0, 1.0]), 1) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (float_domain("x", 0, 1, None, False), float_domain("x", 0.0, 1.0, None, False), True),
        (float_domain("x", 0, 1, None, False), float_domain("x", 0, 2, None, False), False),
        (float_domain("x", 0, 1, None, False), int_domain("x", 0, 1, 1, False), False),
        (choice_domain("c", [(1,), math.nan]), choice_domain("c", [[1], float("nan")]), True),
        (choice_domain("c", [1, 2]), choice_domain("c", [True, 2]), False),
        (choice_domain("c", [1, 2]), choice_domain("c", [2, 1]), False),
    ],
)
def test_domains_are_the_same_in_type_and_value(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    assert is_same(one, other) is same


@pytest.mark.parametrize(
    ("value", "inside"), [(1, True), (5, True), (2.5, False), (0, False), (6, False), ("2", False)]
)
def test_a_value_of_the_space_is_held_against_the_bounds(value: Any, inside: bool) -> None:
    assert has(int_domain("n", 1, 5, 1, False), value) is inside


@pytest.mark.parametrize(
    ("domain", "theirs"),
    [
        (float_domain("x", 0, 1, 0.25, False), optuna.distributions.FloatDistribution(0, 1, step=0.25)),
        (float_domain("x", 1, 1, None, True), optuna.distributions.FloatDistribution(1, 1, log=True)),
        (int_domain("n", 1, 9, 2, False), optuna.distributions.IntDistribution(1, 9, step=2)),
        (choice_domain("c", ["a", None]), optuna.distributions.CategoricalDistribution(["a", None])),
        (choice_domain("c", ["a"]), optuna.distributions.CategoricalDistribution(["a"])),
    ],
)
def test_a_distribution_has_the_attributes_of_optunas(domain: dict[str, Any], theirs: Any) -> None:
    ours = distribution_of(domain)
    assert (type(ours).__name__, ours._asdict(), ours.single()) == (
        type(theirs).__name__,
        theirs._asdict() | ({"choices": theirs.choices} if hasattr(theirs, "choices") else {}),
        theirs.single(),
    )
