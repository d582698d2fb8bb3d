"""`Categorical` and `Constant`: plain values, told apart by type and value."""

import enum
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncsweep.errors import ConfigError
from asyncsweep.space import Categorical, Constant, Domain, Space

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(codec="utf-8"))
    | st.binary()
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=6,
)
units = st.floats(0.0, 1.0, exclude_max=True)


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Size(enum.Enum):
    BIG = 1


def checked(domain: Domain) -> Domain:
    return Space({"x": domain}).domains["x"]


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


@st.composite
def categoricals(draw: st.DrawFn) -> Categorical:
    kept: list[object] = []
    for value in draw(st.lists(values, min_size=1, max_size=5)):
        if not kept or not Categorical(kept).contains(value):
            kept.append(value)
    return checked(Categorical(kept))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ([], r"choices=\[\] is empty; give at least one value"),
        (["a", "b", "a"], "choices 0 and 2 are both 'a'; leave one out"),
        ([math.nan, float("nan")], "choices 0 and 1 are both nan"),
        ([[1, 2], (1, 2)], r"choices 0 and 1 are both \[1, 2\]"),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], "choices 0 and 1 are both"),
        ([0.0, -0.0], "choices 0 and 1 are both -0.0"),
        ("sgd", "choices='sgd' is of type str; give a list"),
        (b"ab", "is of type bytes; give a list"),
        ({"a": 1}, "is of type dict; give a list"),
        ({1, 2}, "is of type set, which has no order; give a list"),
        (frozenset({1}), "is of type frozenset, which has no order; give a list"),
        (3, "choices=3 is of type int; give a list"),
        (None, "choices=None is of type NoneType"),
        (iter([1]), "is of type list_iterator; give a list"),
        (list, "is of type type; give a list"),
        (np.array(1), "is of type ndarray; give a list"),
        ([1, object()], "choice 1: .* is of type object, which cannot be stored"),
        ([{1, 2}], "choice 0: .* is of type set, which cannot be stored"),
        ([len], "choice 0: .* or a name that the objective looks up"),
        ([1j], "is of type complex"),
        ([Size.BIG], "is of type Size"),
        ([np.zeros(2)], "is of type ndarray"),
        ([np.datetime64("2020-01-01")], "is of type datetime64"),
        ([2**64], "choice 0: 18446744073709551616 does not fit in 64 bits"),
        ([[{"a": [-(2**63) - 1]}]], "does not fit in 64 bits"),
        (["\ud800"], "is not valid Unicode text; give it as bytes"),
        ([{1: 2}], "the dict key 1 is of type int; give a str"),
        ([{"\ud800": 2}], "is not valid Unicode text"),
        ([nested(70)], "nested more than 64 deep"),
    ],
)
def test_bad_choices_are_refused_with_the_parameter_the_value_and_the_mend(choices, message):
    domain = Categorical(choices)
    with pytest.raises(ConfigError, match=f"^parameter 'x': Categorical: .*{message}"):
        Space({"x": domain})


def test_choice_that_contains_itself_is_refused():
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ConfigError, match="nested more than 64 deep"):
        Space({"x": Categorical([loop])})


def test_one_true_and_one_as_a_float_are_three_choices():
    assert [repr(choice) for choice in checked(Categorical([1, True, 1.0])).choices] == ["1", "True", "1.0"]


@pytest.mark.parametrize(
    ("choice", "others"), [(1, [True, 1.0]), (True, [1, 1.0]), (1.0, [1, True]), ([1], [[True], [1.0]])]
)
def test_contains_tells_one_from_true(choice, others):
    domain = Categorical([choice])
    assert [domain.contains(value) for value in [choice, *others]] == [True, False, False]


def test_contains_tells_nested_values_apart():
    domain = Categorical([{"layers": [1, {"on": True}]}])
    assert [domain.contains({"layers": [1, {"on": on}]}) for on in (True, 1, 1.0)] == [True, False, False]


def test_nan_is_one_choice():
    assert Categorical([math.nan, 0.0]).contains(float("nan"))


def test_text_is_not_its_bytes():
    assert not Categorical([b"a"]).contains("a")


def test_tuple_stands_for_the_list_that_it_becomes():
    domain = checked(Categorical([(32, (64,)), {"a": (1,)}]))
    assert domain.choices == ([32, [64]], {"a": [1]})
    assert domain.contains((32, (64,)))


@pytest.mark.parametrize("given_choices", [range(3), (0, 1, 2), np.arange(3), {0: "a", 1: "b", 2: "c"}.values()])
def test_any_sized_ordered_collection_gives_choices(given_choices):
    assert len(checked(Categorical(given_choices)).choices) == 3


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int64(3), 3),
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.True_, True),
        (np.str_("a"), "a"),
        (Colour.RED, "red"),
        (Level.LOW, 1),
    ],
)
def test_numpy_scalars_and_subclasses_become_plain_values(value, plain):
    choice = checked(Categorical([value])).choices[0]
    assert (type(choice), choice) == (type(plain), plain)


def test_normalise_gives_the_plain_choice():
    domain = Categorical([[1, 2], 3, "red"])
    assert [domain.normalise(value) for value in ((1, 2), np.int64(3), Colour.RED)] == [[1, 2], 3, "red"]


def test_normalise_refuses_with_the_choices():
    with pytest.raises(ConfigError, match=r"True \(bool\) is not accepted; give one of \[1, 'a'\]"):
        Categorical([1, "a"]).normalise(True)


@given(categoricals(), units)
def test_from_unit_gives_a_choice(domain, u):
    assert domain.contains(domain.from_unit(u))


def test_every_choice_has_the_same_share():
    domain = Categorical(["a", "b", "c"])
    values = [domain.from_unit((index + 0.5) / 300) for index in range(300)]
    assert [values.count(choice) for choice in domain.choices] == [100, 100, 100]


def test_from_unit_of_one_is_the_last_choice():
    assert Categorical(["a", "b", "c"]).from_unit(1.0) == "c"


@pytest.mark.parametrize(("n", "points"), [(9, list("abcde")), (5, list("abcde")), (3, list("ace")), (1, ["c"])])
def test_grid_is_all_choices_or_a_spread_of_them(n, points):
    assert Categorical(list("abcde")).grid(n) == points


@pytest.mark.parametrize(("domain", "single"), [(Categorical(["a"]), True), (Categorical(["a", "b"]), False)])
def test_one_choice_is_single(domain, single):
    assert (domain.single, domain.cardinality == 1) == (single, single)


@given(categoricals())
def test_msgpack_gives_equal_choices_back(domain):
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(domain), type=Domain) == domain


@pytest.mark.parametrize(("one", "other"), [([1], [True]), ([1], [1.0]), ([[0]], [[False]]), (["a", "b"], ["b", "a"])])
def test_choices_that_differ_make_domains_that_differ(one, other):
    assert Categorical(one) != Categorical(other)


def test_equal_domains_of_unhashable_choices_have_equal_hashes():
    assert hash(Categorical([[1], {"a": math.nan}])) == hash(Categorical([(1,), {"a": float("nan")}]))


@given(values)
def test_constant_survives_msgpack(value):
    constant = checked(Constant(value))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(constant), type=Domain) == constant


def test_constant_gives_its_value_everywhere():
    constant = checked(Constant((1, 2)))
    assert (constant.from_unit(0.3), constant.grid(4), constant.normalise((1, 2))) == ([1, 2], [[1, 2]], [1, 2])
    assert (constant.single, constant.cardinality) == (True, 1)


def test_constant_contains_its_value_alone():
    assert [Constant(30).contains(value) for value in (30, 30.0, True)] == [True, False, False]


def test_constant_takes_a_numpy_scalar_for_its_value():
    assert type(Constant(30).normalise(np.int64(30))) is int


def test_constant_is_not_the_choice_of_the_same_values():
    assert Constant([1]) != Categorical([1])


def test_constant_refuses_another_value():
    with pytest.raises(ConfigError, match=r"31 \(int\) is not accepted; give the constant 30"):
        Constant(30).normalise(31)


def test_constant_that_cannot_be_stored_is_refused():
    constant = Constant(object())
    with pytest.raises(ConfigError, match=r"^parameter 'x': Constant: .* is of type object, which cannot be stored"):
        Space({"x": constant})


def test_change_of_the_list_of_choices_does_not_reach_the_space():
    choices = ["a", "b"]
    domain = checked(Categorical(choices))
    choices.clear()
    assert domain.choices == ("a", "b")
