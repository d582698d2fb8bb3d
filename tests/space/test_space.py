"""`Space`: names, order, conditions, the walk, the check of what users give."""

import pickle

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncsweep.errors import ConfigError
from asyncsweep.space import Categorical, Constant, Domain, Float, Int, Space

SGD_ONLY = {"opt": "sgd"}


def conditional() -> Space:
    return Space(
        {
            "opt": Categorical(["sgd", "adam"]),
            "momentum": Float(0, 1, when=SGD_ONLY),
            "nesterov": Categorical([True, False], when={"momentum": 0.5}),
            "beta": Float(0, 1, when={"opt": ["adam", "sgd"]}),
            "warmup": Constant(10, when=SGD_ONLY),
        }
    )


def draw_from(**values):
    return lambda name, domain: values[name]


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
domains = (
    st.builds(lambda low, span: Float(low, low + span), st.floats(-1e6, 1e6), st.floats(0, 1e6))
    | st.builds(lambda low, span: Int(low, low + span), st.integers(-100, 100), st.integers(0, 100))
    | st.builds(Categorical, st.lists(texts, min_size=1, max_size=4, unique=True))
    | st.builds(Constant, st.none() | st.booleans() | st.integers(-5, 5) | st.lists(st.booleans(), max_size=3))
)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Spaces in which a parameter may exist only for some values of an earlier one."""
    kept: dict[str, Domain] = {}
    for name, domain in draw(st.dictionaries(texts, domains, max_size=6)).items():
        if kept and draw(st.booleans()):
            parent = draw(st.sampled_from(list(kept)))
            units = draw(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=3))
            domain = msgspec.structs.replace(domain, when={parent: [kept[parent].from_unit(u) for u in units]})
        kept[name] = domain
    return Space(kept)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ([("lr", 1)], r"space=\[\('lr', 1\)\] is of type list; give a dict"),
        (None, "space=None is of type NoneType"),
        ({3: Float(0, 1)}, "the parameter name 3 is of type int; give a str"),
        ({"": Float(0, 1)}, "a parameter name is empty"),
        ({"\ud800": Float(0, 1)}, "a parameter name: .* is not valid Unicode"),
        ({"lr": object()}, "parameter 'lr': Constant: .* is of type object, which cannot be stored"),
        ({"lr": print}, "parameter 'lr': .* a name that the objective looks up"),
        ({"lr": Float}, r"parameter 'lr': Float is the class; call it, as in Float\(\.\.\.\)"),
        ({"lr": (1e-5, 1e-1)}, r"parameter 'lr': the tuple .* give Float\(low, high\)"),
        ({"lr": {1, 2}}, "parameter 'lr': .* is of type set"),
        ({"lr": 2**64}, "parameter 'lr': .* does not fit in 64 bits"),
    ],
)
def test_bad_space_is_refused_with_the_parameter_and_the_mend(mapping, message):
    with pytest.raises(ConfigError, match=message):
        Space(mapping)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (
            {"opt": Categorical(["sgd"]), "lr": Float(0, 1, when={"opy": "sgd"})},
            "parameter 'lr': when: parameter 'opy' is unknown; did you mean 'opt'\\? there are: 'opt'",
        ),
        ({"lr": Float(0, 1, when=SGD_ONLY)}, "parameter 'lr': when: parameter 'opt' is unknown; there are: none"),
        (
            {"lr": Float(0, 1, when=SGD_ONLY), "opt": Categorical(["sgd"])},
            "parameter 'lr': when names 'opt', which comes later; declare it first",
        ),
        ({"lr": Float(0, 1, when={"lr": 0.5})}, "parameter 'lr': when names the parameter itself"),
        (
            {"opt": Categorical(["sgd", "adam"]), "lr": Float(0, 1, when={"opt": "agd"})},
            r"parameter 'lr': when\['opt'\] can never hold: 'agd' .* give one of \['sgd', 'adam'\]",
        ),
        ({"n": Int(1, 8), "lr": Float(0, 1, when={"n": [8, 9]})}, r"when\['n'\] can never hold: 9 "),
        ({"n": Int(0, 1), "lr": Float(0, 1, when={"n": True})}, r"when\['n'\] can never hold: True \(bool\)"),
        ({"n": 30, "lr": Float(0, 1, when={"n": 31})}, "give the constant 30"),
    ],
)
def test_bad_condition_is_refused_with_the_parameter_and_the_mend(mapping, message):
    with pytest.raises(ConfigError, match=message):
        Space(mapping)


BAD_DOMAINS = {
    "float with low above high": (Float(5, 1), "low=5.0 is greater than high=1.0", "swap them"),
    "int with low above high": (Int(5, 1), "low=5 is greater than high=1", "swap them"),
    "float of nan": (Float(0, float("nan")), "high=nan", "give a finite number"),
    "float without end": (Float(0, float("inf")), "high=inf", "give a finite number"),
    "float of text": (Float("a", 1), "low='a' is of type str", "give a number"),
    "int of a float": (Int(1.5, 3), "low=1.5 is of type float", "give an int, or use Float"),
    "int beyond 64 bits": (Int(0, 2**63), "high=9223372036854775808", "stay within"),
    "log float from zero": (Float(0, 1, log=True), "low=0.0", "raise `low` above 0 or leave out `log`"),
    "log int from zero": (Int(0, 8, log=True), "low=0", "raise `low` to 1 or leave out `log`"),
    "log that is no bool": (Float(1, 2, log="yes"), "log='yes'", "give True or False"),
    "float step that does not divide": (Float(0, 1, step=0.3), "step=0.3", "the nearest `high` that fits is 0.9"),
    "int step that does not divide": (Int(0, 9, step=2), "step=2", "the nearest `high` that fits is 8"),
    "float step below zero": (Float(0, 1, step=-0.5), "step=-0.5", "give a step above 0 or leave it out"),
    "int step of zero": (Int(0, 9, step=0), "step=0", "give a step of at least 1"),
    "float step with log": (Float(1, 2, log=True, step=0.5), "step=0.5", "leave one out"),
    "no choices": (Categorical([]), "choices=[]", "give at least one value"),
    "choices of text": (Categorical("sgd"), "choices='sgd'", "give a list"),
    "choice given twice": (Categorical(["a", "a"]), "'a'", "leave one out"),
    "choice that cannot be stored": (Categorical([1j]), "1j", "give None, bool, int, float, str, bytes"),
    "constant that cannot be stored": (Constant(1j), "1j", "give None, bool, int, float, str, bytes"),
    "condition of text": (Int(0, 1, when="sgd"), "when='sgd'", "give a dict"),
}


@pytest.mark.parametrize(("domain", "value", "mend"), BAD_DOMAINS.values(), ids=BAD_DOMAINS.keys())
def test_bad_domain_is_refused_with_the_parameter_the_value_and_the_mend(domain, value, mend):
    with pytest.raises(ConfigError) as refused:
        Space({"good": Float(0, 1), "lr": domain})
    message = str(refused.value)
    assert (message.startswith("parameter 'lr': "), value in message, mend in message) == (True, True, True), message


def test_plain_values_become_constants():
    space = Space({"epochs": 30, "name": "x", "none": None, "on": True, "layers": [1, {"a": 2}], "n": np.int64(3)})
    assert list(space.domains.values()) == [Constant(v) for v in (30, "x", None, True, [1, {"a": 2}], 3)]


def test_order_is_the_declared_one():
    assert Space({"b": 1, "a": Float(0, 1), "c": 2}).names == ("b", "a", "c")


def test_empty_space_has_no_parameters():
    assert (len(Space({})), Space({}).walk(draw_from())) == (0, {})


def test_in_and_len_speak_of_names():
    space = conditional()
    assert ("opt" in space, "lr" in space, len(space)) == (True, False, 5)


def test_condition_on_a_float_takes_an_int():
    space = Space({"p": Float(0, 1), "q": Int(0, 1, when={"p": 1})})
    assert space.walk(draw_from(p=1.0, q=0)) == {"p": 1.0, "q": 0}


def test_spaces_with_equal_parameters_in_one_order_are_equal():
    assert Space({"a": 1, "b": Float(0, 1)}) == Space({"a": Constant(1), "b": Float(0.0, 1.0)})


@pytest.mark.parametrize(
    "other", [Space({"b": 2, "a": 1}), Space({"a": 1}), Space({"a": True, "b": 2}), {"a": 1, "b": 2}]
)
def test_spaces_that_differ_are_not_equal(other):
    assert Space({"a": 1, "b": 2}) != other


@given(spaces())
def test_spec_survives_msgpack(space):
    spec = msgspec.msgpack.decode(msgspec.msgpack.encode(space.domains), type=dict[str, Domain])
    assert Space.from_spec(spec) == space


def test_spec_survives_pickle():
    assert pickle.loads(pickle.dumps(conditional())) == conditional()


@given(spaces(), st.randoms(use_true_random=False))
def test_walk_gives_what_check_accepts(space, random):
    params = space.walk(lambda name, domain: domain.from_unit(random.random()))
    assert space.check(params, partial=False) == params


@given(spaces(), st.randoms(use_true_random=False))
def test_walk_gives_exactly_the_active_parameters_in_order(space, random):
    params = space.walk(lambda name, domain: domain.from_unit(random.random()))
    assert list(params) == [name for name in space.names if space.is_active(name, params)]


def test_walk_draws_in_order_and_puts_constants_in_place():
    asked = []
    space = Space({"a": Int(0, 9), "b": "fixed", "c": Int(0, 9)})
    params = space.walk(lambda name, domain: asked.append((name, domain)) or len(asked))
    assert (list(params.items()), asked) == (
        [("a", 1), ("b", "fixed"), ("c", 2)],
        [("a", Int(0, 9)), ("c", Int(0, 9))],
    )


def test_walks_do_not_share_their_result():
    space = Space({"a": Int(0, 9), "b": 1})
    space.walk(draw_from(a=1))["b"] = 2
    assert space.walk(draw_from(a=3)) == {"a": 3, "b": 1}


def test_walk_takes_fixed_values_instead_of_drawing():
    space = Space({"a": Int(0, 9), "b": 1, "c": Int(0, 9)})
    assert space.walk(draw_from(a=5), {"c": 7, "b": 99}) == {"a": 5, "b": 1, "c": 7}


@pytest.mark.parametrize(
    ("drawn", "params"),
    [
        ({"opt": "adam", "beta": 0.1}, {"opt": "adam", "beta": 0.1}),
        ({"opt": "sgd", "momentum": 0.1, "beta": 0.1}, {"opt": "sgd", "momentum": 0.1, "beta": 0.1, "warmup": 10}),
        (
            {"opt": "sgd", "momentum": 0.5, "nesterov": True, "beta": 0.1},
            {"opt": "sgd", "momentum": 0.5, "nesterov": True, "beta": 0.1, "warmup": 10},
        ),
    ],
)
def test_walk_leaves_inactive_parameters_out(drawn, params):
    assert list(conditional().walk(draw_from(**drawn)).items()) == list(params.items())


def test_walk_passes_over_a_fixed_value_of_an_inactive_parameter():
    assert conditional().walk(draw_from(beta=0.1), {"opt": "adam", "momentum": 0.3}) == {"opt": "adam", "beta": 0.1}


def test_condition_tells_true_from_one():
    space = Space({"flag": Categorical([1, True]), "x": Int(0, 1, when={"flag": True})})
    assert [space.walk(draw_from(flag=flag, x=0)) for flag in (1, True)] == [{"flag": 1}, {"flag": True, "x": 0}]


def test_all_conditions_have_to_hold():
    space = Space({"a": Int(0, 1), "b": Int(0, 1), "c": Constant("both", when={"a": 1, "b": 1})})
    walks = [space.walk(draw_from(a=a, b=b)) for a, b in ((0, 1), (1, 0), (1, 1))]
    assert ["c" in params for params in walks] == [False, False, True]


@pytest.mark.parametrize(
    ("name", "params", "active"),
    [
        ("opt", {}, True),
        ("momentum", {"opt": "sgd"}, True),
        ("momentum", {"opt": "adam"}, False),
        ("momentum", {}, False),
        ("nesterov", {"opt": "sgd", "momentum": 0.5}, True),
        ("nesterov", {"opt": "adam", "momentum": 0.5}, False),
    ],
)
def test_parameter_is_active_when_its_parents_are_and_allow_it(name, params, active):
    assert conditional().is_active(name, params) is active


def test_condition_on_a_constant_needs_no_value_given():
    assert Space({"mode": "fast", "n": Int(0, 1, when={"mode": "fast"})}).is_active("n", {})


def test_is_active_of_an_unknown_name_is_refused():
    with pytest.raises(ConfigError, match="parameter 'momentun' is unknown; did you mean 'momentum'"):
        conditional().is_active("momentun", {})


def test_check_normalises_and_orders():
    space = Space({"lr": Float(0, 4), "layers": Categorical([[1, 2], [3]]), "n": Int(0, 9), "epochs": 30})
    checked = space.check({"n": np.int64(3), "epochs": 30, "layers": (1, 2), "lr": 1})
    assert repr(checked) == "{'lr': 1.0, 'layers': [1, 2], 'n': 3, 'epochs': 30}"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"optt": "sgd"}, "parameter 'optt' is unknown; did you mean 'opt'"),
        ({3: "sgd"}, "parameter 3 is unknown; there are: 'opt', 'momentum'"),
        ({"opt": "agd"}, r"parameter 'opt': 'agd' \(str\) is not accepted; give one of \['sgd', 'adam'\]"),
        ({"beta": True}, r"parameter 'beta': True \(bool\) is not accepted; give a number from 0\.0 to 1\.0"),
        ({"warmup": 11}, r"parameter 'warmup': 11 \(int\) is not accepted; give the constant 10"),
        (
            {"momentum": 0.3, "opt": "adam"},
            "parameter 'momentum': 0.3 is given, but it exists only when 'opt' is 'sgd', not 'adam'; leave it out",
        ),
        (
            {"nesterov": True, "opt": "adam"},
            "parameter 'nesterov': True is given, but it depends on 'momentum', and it exists only when 'opt' is 'sgd'",
        ),
        ({"warmup": 10, "opt": "adam"}, "parameter 'warmup': 10 is given, but it exists only when"),
        ([("opt", "sgd")], "is of type list; give a dict"),
    ],
)
def test_check_refuses_with_the_parameter_the_value_and_what_is_accepted(params, message):
    with pytest.raises(ConfigError, match=message):
        conditional().check(params)


def test_partial_check_takes_a_condition_on_a_missing_parameter_as_open():
    assert conditional().check({"nesterov": True}) == {"nesterov": True}


def test_partial_check_does_not_add_constants():
    assert Space({"a": Int(0, 9), "b": 1}).check({"a": 2}) == {"a": 2}


def test_full_check_adds_the_active_constants():
    params = {"opt": "sgd", "momentum": 0.1, "beta": 0.5}
    assert conditional().check(params, partial=False) == {**params, "warmup": 10}


def test_full_check_names_a_missing_parameter():
    with pytest.raises(ConfigError, match=r"parameter 'beta' is missing; give a number from 0\.0 to 1\.0"):
        conditional().check({"opt": "adam"}, partial=False)


def test_full_check_asks_for_no_inactive_parameter():
    assert conditional().check({"opt": "adam", "beta": 1}, partial=False) == {"opt": "adam", "beta": 1.0}


@given(spaces(), st.data())
def test_a_point_of_the_unit_cube_gives_what_a_walk_to_it_gives(space, data):
    point = data.draw(
        st.lists(st.floats(0, 1, exclude_max=True), min_size=space.dimensions, max_size=space.dimensions + 2)
    )
    drawn = [name for name, domain in space.domains.items() if not isinstance(domain, Constant)]
    walked = space.walk(lambda name, domain: domain.from_unit(point[drawn.index(name)]))
    assert space.at(point) == walked
    assert list(space.at(point)) == list(walked)
    fixed = dict(list(walked.items())[:1])
    assert space.at([0.0] * len(point), fixed) == space.walk(lambda name, domain: domain.from_unit(0.0), fixed)
