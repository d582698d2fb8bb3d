"""Values become places for nevergrad, and come back."""

from __future__ import annotations

import pytest
from asyncsweep_nevergrad.places import Places

from asyncsweep import Categorical, Float, Int, Space

pytestmark = pytest.mark.filterwarnings("ignore")  # nevergrad's own

VALUES = [
    (Float(-1.0, 3.0), 0.5, 0.375),
    (Float(1e-4, 1.0, log=True), 1e-2, 0.5),
    (Float(0.0, 1.0, step=0.25), 0.75, 3),
    (Int(-3, 7), 2, 5),
    (Int(2, 20, step=3), 11, 3),
    (Categorical([1, True, 1.0]), True, 1),
]


@pytest.mark.parametrize(("domain", "value", "place"), VALUES, ids=[str(domain) for domain, _, _ in VALUES])
def test_a_value_has_its_place_and_comes_back(domain: object, value: object, place: float) -> None:
    places = Places(Space({"x": domain}))
    found = places.places({"x": value}, {})
    assert found["x"] == pytest.approx(place)
    back = places.params(found)["x"]
    assert (type(back), back) == (type(value), pytest.approx(value))


@pytest.mark.parametrize(("place", "value"), [(0.0, 1), (1.0, 8), (-0.1, 1), (1.1, 8)])
def test_places_beyond_the_ends_are_the_ends(place: float, value: int) -> None:
    assert Places(Space({"x": Int(1, 8, log=True)})).params({"x": place}) == {"x": value}


def test_what_has_one_value_is_not_shown_to_nevergrad() -> None:
    places = Places(Space({"a": 1, "b": Categorical(["only"]), "c": Int(2, 2), "d": Float(0.0, 1.0)}))
    assert places.names == ("d",)
    assert places.params({"d": 0.5}) == {"a": 1, "b": "only", "c": 2, "d": 0.5}


def test_an_inactive_parameter_keeps_its_place_and_is_left_out() -> None:
    places = Places(Space({"kind": Categorical(["a", "b"]), "x": Float(0.0, 1.0, when={"kind": "a"})}))
    assert places.places({"kind": "b"}, {"kind": 0, "x": 0.25}) == {"kind": 1, "x": 0.25}
    assert places.params({"kind": 1, "x": 0.25}) == {"kind": "b"}


def test_steps_and_categories_are_discrete_for_nevergrad() -> None:
    shown = Places(Space({"n": Int(1, 8), "x": Float(0.0, 1.0), "c": Categorical(["a", "b"])})).parametrization()
    kinds = {name: type(parameter).__name__ for name, parameter in shown._content.items()}
    assert kinds == {"n": "Scalar", "x": "Scalar", "c": "Choice"}
    assert (shown["n"].integer, shown["x"].integer) == (True, False)
