"""`Float` and `Int`: what is refused, what is contained, what a number in [0, 1) becomes."""

import math
import pickle
import statistics
from fractions import Fraction

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncsweep.errors import ConfigError
from asyncsweep.space import Domain, Float, Int, Space

BELOW_ONE = math.nextafter(1.0, 0.0)
units = st.floats(0.0, 1.0, exclude_max=True)
moderate = st.floats(-1e9, 1e9)
integers = st.integers(-(2**63), 2**63 - 1)


def checked(domain: Domain) -> Domain:
    return Space({"x": domain}).domains["x"]


@st.composite
def float_domains(draw: st.DrawFn) -> Float:
    kind = draw(st.sampled_from(["plain", "log", "step"]))
    if kind == "step":
        low, step = draw(st.floats(-1e3, 1e3)), draw(st.sampled_from([0.1, 0.25, 1 / 3, 1.0, 7.3, 1e-3]))
        return Float(low, low + draw(st.integers(0, 10_000)) * step, step=step)
    bounds = st.floats(min_value=5e-324, allow_infinity=False) if kind == "log" else moderate
    low, high = sorted([draw(bounds), draw(bounds)])
    return Float(low, high, log=kind == "log")


@st.composite
def int_domains(draw: st.DrawFn) -> Int:
    kind = draw(st.sampled_from(["plain", "log", "step"]))
    if kind == "step":
        low, step = draw(st.integers(-(2**40), 2**40)), draw(st.integers(1, 2**20))
        return Int(low, low + draw(st.integers(0, 2**20)) * step, step=step)
    bounds = st.integers(1, 2**63 - 1) if kind == "log" else integers
    low, high = sorted([draw(bounds), draw(bounds)])
    return Int(low, high, log=kind == "log")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((5.0, 1.0), {}, r"low=5\.0 is greater than high=1\.0; swap them"),
        ((0.0, 1.0), {"log": True}, r"log=True needs low > 0, but low=0\.0"),
        ((-1.0, 1.0), {"log": True}, r"log=True needs low > 0, but low=-1\.0"),
        ((0.5, 1.0), {"log": True, "step": 0.5}, r"log=True and step=0\.5 exclude each other"),
        ((math.nan, 1.0), {}, "low=nan is not finite"),
        ((0.0, math.inf), {}, "high=inf is not finite"),
        ((True, 2.0), {}, "low=True is of type bool; give a number"),
        ((np.True_, 2.0), {}, "is of type bool; give a number"),
        (("0", 1.0), {}, "low='0' is of type str; give a number"),
        ((0.0, None), {}, "high=None is of type NoneType; give a number"),
        ((0.0, 1j), {}, "high=1j is of type complex; give a number"),
        ((0.0, np.zeros(2)), {}, "is of type ndarray; give a number"),
        ((0, 10**400), {}, "does not fit in a float"),
        ((-1.7e308, 1.7e308), {}, "high - low overflows"),
        ((0.0, 1.0), {"step": 0.0}, r"step=0\.0 is not positive"),
        ((0.0, 1.0), {"step": -0.1}, r"step=-0\.1 is not positive"),
        ((0.0, 1.0), {"step": math.nan}, "step=nan is not finite"),
        ((0.0, 1.0), {"step": True}, "step=True is of type bool"),
        ((0.0, 1.0), {"step": 0.3}, r"does not divide high - low .* nearest `high` that fits is 0\.9$"),
        ((0.0, 1.0), {"step": 3.0}, r"nearest `high` that fits is 3\.0$"),
        ((0.0, 123.45672), {"step": 1e-4}, r"nearest `high` that fits is 123\.4567$"),
        ((1e16, 2e16), {"step": 1.0}, "drowns in float rounding"),
        ((0.0, 1e300), {"step": 1e-300}, "drowns in float rounding"),
        ((0.1, 1.0), {"log": 1}, "log=1 is of type int; give True or False"),
        ((0.1, 1.0), {"log": "yes"}, "log='yes' is of type str"),
    ],
)
def test_bad_float_is_refused_with_the_parameter_the_value_and_the_mend(arguments, options, message):
    domain = Float(*arguments, **options)
    with pytest.raises(ConfigError, match=f"^parameter 'x': Float: .*{message}"):
        Space({"x": domain})


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((5, 1), {}, "low=5 is greater than high=1; swap them"),
        ((0, 8), {"log": True}, "log=True needs low >= 1, but low=0"),
        ((1, 9), {"log": True, "step": 2}, "log=True and step=2 exclude each other"),
        ((0, 8), {"step": 0}, "step=0 is not positive"),
        ((0, 8), {"step": -2}, "step=-2 is not positive"),
        ((0, 9), {"step": 2}, r"step=2 does not divide high - low \(low=0, high=9\); .* fits is 8$"),
        ((0, 11), {"step": 4}, "nearest `high` that fits is 12$"),
        ((0, 3), {"step": 10}, "nearest `high` that fits is 10$"),
        ((2**63 - 4, 2**63 - 1), {"step": 2}, f"nearest `high` that fits is {2**63 - 2}$"),
        ((2**63 - 8, 2**63 - 1), {"step": 4}, f"nearest `high` that fits is {2**63 - 4}$"),
        ((1.0, 8), {}, "low=1.0 is of type float; give an int, or use Float"),
        ((1, True), {}, "high=True is of type bool; give an int$"),
        ((1, "8"), {}, "high='8' is of type str; give an int$"),
        ((1, None), {}, "high=None is of type NoneType"),
        ((0, 2**63), {}, "high=9223372036854775808 is beyond 64 bits"),
        ((-(2**63) - 1, 0), {}, "low=-9223372036854775809 is beyond 64 bits"),
        ((0, 8), {"step": 2.0}, "step=2.0 is of type float"),
        ((1, 8), {"log": None}, "log=None is of type NoneType"),
    ],
)
def test_bad_int_is_refused_with_the_parameter_the_value_and_the_mend(arguments, options, message):
    domain = Int(*arguments, **options)
    with pytest.raises(ConfigError, match=f"^parameter 'x': Int: .*{message}"):
        Space({"x": domain})


@pytest.mark.parametrize(
    ("low", "high", "step"), [(0.0, 0.3, 0.1), (0, 0.1 * 3, 0.1), (-1, 1, 0.1), (1e9, 1e9 + 0.3, 0.1)]
)
def test_step_that_divides_but_for_rounding_is_taken(low, high, step):
    assert checked(Float(low, high, step=step)).cardinality == round((high - low) / step) + 1


def test_the_high_that_a_message_proposes_is_accepted():
    with pytest.raises(ConfigError) as refused:
        checked(Float(0.07, 2.0, step=0.11))
    proposed = float(str(refused.value).rsplit(" ", 1)[1])
    assert checked(Float(0.07, proposed, step=0.11)).high == pytest.approx(2.05)


def test_options_are_keyword_only():
    with pytest.raises(TypeError, match="Extra positional arguments"):
        Float(0.1, 1.0, True)


@pytest.mark.parametrize("kind", [Float, Int])
def test_missing_bound_is_a_type_error_of_the_call(kind):
    with pytest.raises(TypeError, match="Missing required argument 'high'"):
        kind(1)


def test_bounds_from_numpy_become_python_numbers():
    domains = [checked(Float(np.float32(0.5), np.int64(2))), checked(Int(np.int32(1), np.uint8(8), step=np.int16(7)))]
    assert [[type(domain.low), type(domain.high)] for domain in domains] == [[float, float], [int, int]]


def test_int_bounds_of_a_float_become_floats():
    domain = checked(Float(0, 1, step=1))
    assert repr((domain.low, domain.high, domain.step)) == "(0.0, 1.0, 1.0)"


@pytest.mark.parametrize(
    "domain", [Float(2, 2), Float(2, 2, log=True), Float(2, 2, step=0.1), Int(3, 3), Int(3, 3, step=5)]
)
def test_equal_bounds_make_a_single_value(domain):
    assert (domain.single, domain.cardinality, domain.from_unit(0.7), domain.grid(5)) == (
        True,
        1,
        domain.low,
        [domain.low],
    )


@pytest.mark.parametrize(
    ("domain", "cardinality"),
    [
        (Float(0, 1), None),
        (Float(1, 2, log=True), None),
        (Float(0, 1, step=0.1), 11),
        (Int(-3, 3), 7),
        (Int(0, 8, step=4), 3),
    ],
)
def test_cardinality_counts_the_values(domain, cardinality):
    assert domain.cardinality == cardinality


@pytest.mark.parametrize("value", [0, 0.0, 1, 0.5, np.float32(0.5), Fraction(1, 3)])
def test_float_contains_numbers_in_range(value):
    assert Float(0, 1).contains(value)


@pytest.mark.parametrize("value", [True, False, np.True_, "0.5", None, math.nan, math.inf, -0.01, 1.01, 10**400, [0.5]])
def test_float_contains_nothing_else(value):
    assert not Float(0, 1).contains(value)


def test_float_with_step_contains_the_points_alone():
    domain = Float(0, 1, step=0.1)
    assert [value for value in (0.3, 0.1 * 3, 0.25, 0.30001) if domain.contains(value)] == [0.3, 0.1 * 3]


@pytest.mark.parametrize("value", [1, 8, np.int64(3)])
def test_int_contains_integers_in_range(value):
    assert Int(1, 8).contains(value)


@pytest.mark.parametrize("value", [True, 0, 9, 3.0, 3.5, "3", None, math.nan, np.True_, np.float64(3.0)])
def test_int_contains_nothing_else(value):
    assert not Int(1, 8).contains(value)


def test_int_with_step_contains_the_points_alone():
    assert [value for value in range(-5, 12) if Int(1, 10, step=3).contains(value)] == [1, 4, 7, 10]


def test_normalise_gives_the_python_type():
    values = [Float(0, 4).normalise(3), Float(0, 4).normalise(np.float32(0.5)), Int(0, 4).normalise(np.int8(2))]
    assert [(type(value), value) for value in values] == [(float, 3.0), (float, 0.5), (int, 2)]


@pytest.mark.parametrize(
    ("domain", "value", "message"),
    [
        (
            Float(0.0, 1.0, step=0.5),
            0.4,
            r"0\.4 \(float\) is not accepted; give a number from 0\.0 to 1\.0 in steps of 0\.5",
        ),
        (Int(1, 8), 3.0, r"3\.0 \(float\) is not accepted; give an integer from 1 to 8"),
    ],
)
def test_normalise_refuses_with_what_is_accepted(domain, value, message):
    with pytest.raises(ConfigError, match=message):
        domain.normalise(value)


@given(float_domains() | int_domains(), units)
@example(Float(5e-324, 1.7976931348623157e308, log=True), BELOW_ONE)
@example(Float(0.1, 0.7, step=0.1), BELOW_ONE)
@example(Int(-(2**63), 2**63 - 1), BELOW_ONE)
@example(Int(2**63 - 2, 2**63 - 1, log=True), BELOW_ONE)
def test_from_unit_stays_in_the_domain(domain, u):
    assert domain.contains(domain.from_unit(u))


@given(float_domains() | int_domains())
def test_from_unit_of_zero_is_low(domain):
    assert domain.from_unit(0.0) == domain.low


@given(float_domains() | int_domains())
@example(Float(5.3e-72, 1.7976931348623157e308, log=True))
def test_from_unit_of_one_does_not_pass_high(domain):
    assert domain.contains(domain.from_unit(1.0))


@given(float_domains() | int_domains(), units, units)
def test_from_unit_never_falls_as_u_rises(domain, one, other):
    first, second = sorted([one, other])
    assert domain.from_unit(first) <= domain.from_unit(second)


def test_log_float_at_the_middle_is_the_geometric_mean():
    assert Float(1e-4, 1e-2, log=True).from_unit(0.5) == pytest.approx(1e-3)


@pytest.mark.parametrize("domain", [Int(-2, 2), Int(0, 8, step=2), Float(0, 0.4, step=0.1)])
def test_every_point_has_the_same_share(domain):
    values = [domain.from_unit((index + 0.5) / 1000) for index in range(1000)]
    assert [values.count(point) for point in domain.grid(5)] == [200] * 5


def test_log_int_shares_follow_the_logarithm_between_half_integers():
    domain = Int(1, 4, log=True)
    values = [domain.from_unit((index + 0.5) / 100_000) for index in range(100_000)]
    shares = [math.log((k + 0.5) / (k - 0.5)) / math.log(4.5 / 0.5) for k in range(1, 5)]
    assert [values.count(k) / 100_000 for k in range(1, 5)] == pytest.approx(shares, abs=2e-5)


def test_uniform_float_has_the_mean_of_its_range():
    domain = Float(-3, 5)
    assert statistics.fmean(domain.from_unit((index + 0.5) / 100) for index in range(100)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("domain", "n", "points"),
    [
        (Float(0, 1), 5, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (Float(0, 1), 1, [0.5]),
        (Float(1, 100, log=True), 3, [1.0, pytest.approx(10.0), 100.0]),
        (Float(0, 1, step=0.5), 9, [0.0, 0.5, 1.0]),
        (Float(0, 1, step=0.25), 3, [0.0, 0.5, 1.0]),
        (Int(1, 4), 4, [1, 2, 3, 4]),
        (Int(0, 10), 3, [0, 5, 10]),
        (Int(0, 10), 4, [0, 3, 7, 10]),
        (Int(0, 10), 1, [5]),
        (Int(0, 8, step=2), 2, [0, 8]),
        (Int(1, 1000, log=True), 4, [1, 10, 100, 1000]),
        (Int(1, 1000, log=True), 1, [32]),
        (Int(1, 5, log=True), 4, [1, 2, 3, 5]),
    ],
)
def test_grid_spreads_points_over_the_range(domain, n, points):
    assert domain.grid(n) == points


@given(float_domains() | int_domains(), st.integers(1, 50))
@example(Int(1, 6, log=True), 5)
def test_grid_is_in_the_domain_rising_and_no_longer_than_asked(domain, n):
    points = domain.grid(n)
    assert 1 <= len(points) <= n
    assert all(map(domain.contains, points))
    assert points == sorted(set(points))


@pytest.mark.parametrize("n", [0, -1, True, 2.0])
def test_grid_of_no_points_is_refused(n):
    with pytest.raises(ConfigError, match="give at least 1 point"):
        Int(1, 4).grid(n)


@pytest.mark.parametrize("domain", [Float(0, 1), Int(0, 1)])
def test_domains_cannot_be_changed(domain):
    with pytest.raises(AttributeError):
        domain.low = 5


@given(float_domains() | int_domains())
def test_msgpack_gives_an_equal_domain_back(domain):
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(domain), type=Domain) == domain


def test_pickle_gives_an_equal_domain_back():
    domain = Float(0.1, 1.0, log=True, when={"opt": "sgd"})
    assert pickle.loads(pickle.dumps(domain)) == domain


def test_msgpack_gives_the_fields_of_a_checked_domain_back():
    domain = checked(Float(0, 1, step=0.5))
    assert repr(msgspec.msgpack.decode(msgspec.msgpack.encode(domain), type=Domain)) == repr(domain)


def test_bad_domain_in_a_spec_is_refused_with_the_parameter():
    packed = msgspec.msgpack.encode({"x": {"type": "float", "low": 2, "high": 1}})
    spec = msgspec.msgpack.decode(packed, type=dict[str, Domain])
    with pytest.raises(ConfigError, match=r"^parameter 'x': Float: low=2\.0 is greater than high=1\.0; swap them"):
        Space.from_spec(spec)


def test_wrong_type_in_a_message_is_refused_with_its_place():
    packed = msgspec.msgpack.encode({"x": {"type": "float", "low": "2", "high": 1}})
    with pytest.raises(msgspec.ValidationError, match=r"Expected `float`, got `str` - at `\$\[\.\.\.\]\.low`"):
        msgspec.msgpack.decode(packed, type=dict[str, Domain])


@given(float_domains() | int_domains())
def test_check_of_a_checked_domain_changes_nothing(domain):
    once = domain.checked("x")
    assert repr(once.checked("x")) == repr(once)


def test_domain_equals_its_checked_self():
    given = [Float(0, 1, when={"a": 1}), Int(np.int8(0), 4, step=np.int8(2))]
    assert [checked_domain.checked("x") for checked_domain in given] == given


def test_bad_domain_equals_one_of_the_same_arguments_alone():
    assert [Float(5, 1) == other for other in (Float(5, 1), Float(5, 2), Float(1, 5))] == [True, False, False]


def test_bad_domains_of_the_same_arguments_have_equal_hashes():
    assert hash(Float(math.nan, "a")) == hash(Float(float("nan"), "a"))


def test_equal_domains_have_equal_hashes():
    assert hash(Float(0, 1, when={"a": [1]})) == hash(Float(0.0, 1.0, when={"a": 1}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Float(0, 1), Int(0, 1)),
        (Float(1, 2), Float(1, 2, log=True)),
        (Int(0, 1, when={"a": 1}), Int(0, 1, when={"a": True})),
    ],
)
def test_domains_that_differ_are_not_equal(one, other):
    assert one != other


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("sgd", r"when='sgd' is of type str; give a dict such as \{\"optimizer\": \"sgd\"\}"),
        ({"": 1}, "when has the key ''"),
        ({3: 1}, "when has the key 3"),
        ({"a": []}, r"when\['a'\] allows no value"),
        ({"a": [{1, 2}]}, r"when\['a'\]: .*cannot be stored"),
    ],
)
def test_bad_condition_is_refused(when, message):
    domain = Float(0, 1, when=when)
    with pytest.raises(ConfigError, match=f"^parameter 'x': Float: {message}"):
        Space({"x": domain})


def test_condition_is_kept_as_tuples_of_allowed_values():
    domain = Float(0, 1, when={"a": "x", "b": [1, (2,)], "c": None}).checked("x")
    assert domain.when == {"a": ("x",), "b": (1, [2]), "c": (None,)}


def test_empty_condition_is_none():
    assert checked(Int(0, 1, when={})).when is None
