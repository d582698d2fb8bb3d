"""`parse_domain`: what Hydra writes, lists without brackets, and domains that are made of others."""

import pytest

from asyncsweep.errors import ConfigError
from asyncsweep.space import Categorical, Constant, Float, Int, parse_domain


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("log_uniform(0.001, 0.1)", Float(0.001, 0.1, log=True)),  # the predecessor took it for uniform
        ("1,2,3", Categorical([1, 2, 3])),
        ("a, b", Categorical(["a", "b"])),
        ("'a, b', c", Categorical(["a, b", "c"])),
        ("[1,2],[3]", Categorical([[1, 2], [3]])),
        ("[sgd, adam, 3]", Categorical(["sgd", "adam", 3])),
        ("[ 'a b' , c]", Categorical(["a b", "c"])),
        ("choice(a, b)", Categorical(["a", "b"])),
        ("interval(0, 1)", Float(0, 1)),
        ("interval(start=-1, end=1)", Float(-1, 1)),
        ("range(10)", Int(0, 9)),
        ("range(1,10)", Int(1, 9)),
        ("range(1, 10, 2)", Int(1, 9, step=2)),
        ("range(1, 9, 2)", Int(1, 7, step=2)),
        ("range(1, 2)", Int(1, 1)),
        ("range(1, 3, 5)", Int(1, 1)),
        ("range(start=1,stop=10,step=3)", Int(1, 7, step=3)),
        ("range(stop=3)", Int(0, 2)),
        ("range(0, 1, 0.25)", Float(0, 0.75, step=0.25)),
        ("range(0, 1.1, 0.1)", Float(0, 1.0, step=0.1)),
        ("range(0.5, 3)", Float(0.5, 2.5, step=1.0)),
        ("range(0, 0.5)", Float(0, 0)),
        ("int(interval(1, 10))", Int(1, 10)),
        ("int(tag(log, interval(1, 10)))", Int(1, 10, log=True)),
        ("int(uniform(0, 8, step=2))", Int(0, 8, step=2)),
        ("int(range(1, 4))", Int(1, 3)),
        ("int(choice(1.0, 2))", Categorical([1, 2])),
        ("int(3.0)", Constant(3)),
        ("float(range(1, 4))", Float(1, 3, step=1.0)),
        ("float(int_log_uniform(1, 8))", Float(1, 8, log=True)),
        ("float(1, 2)", None),
        ("float(choice(1, 2))", Categorical([1.0, 2.0])),
        ("tag(log, interval(1e-4,1e-1))", Float(1e-4, 1e-1, log=True)),
        ("tag(log, int(interval(1,100)))", Int(1, 100, log=True)),
        ("tag(log, range(1, 100))", Int(1, 99, log=True)),
    ],
)
def test_what_hydra_writes_gives_the_domain(text, domain):
    if domain is None:
        with pytest.raises(ConfigError, match=r"float\(\.\.\.\) needs one domain"):
            parse_domain(text)
    else:
        assert parse_domain(text) == domain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,,2", "there is nothing between two commas"),
        ("1,", "there is nothing between two commas or at an end"),
        ("1, 1", "choices 0 and 1 are both 1"),
        ("uniform(0,1), uniform(2,3)", "neither a value nor a word"),
        ("[a, [b]]", "is not valid JSON"),
        ("[a, ]", "is not valid JSON"),
        ("range()", "it has no end; give range"),
        ("range(5, 5)", "start=5 is not below stop=5, so that the range is empty"),
        ("range(10, 1, -1)", "step=-1 is not above 0; .* swap start and stop"),
        ("range(0, 1, 0)", "step=0 is not above 0"),
        ("range(a, 1)", "start='a' is not a number"),
        ("range(1, 2, 3, 4)", "it has 4 values; there are only start, stop, step"),
        ("range(stop=1, 2)", "'2' comes after a named one"),
        ("range(1, start=2)", "start is given twice"),
        ("range(1, end=2)", "option end is unknown; there are start, stop, step"),
        ("range(1e-300, 1e300, 1e-300)", "step=1e-300 is too small for a range"),
        ("interval(1)", "it has 1 values; give two, start and end"),
        ("interval(0, 1, 2)", "there are only start, end"),
        ("int(interval(0.5, 2))", "low=0.5 is not a whole number"),
        ("int(choice(a, b))", "choice='a' is not a number"),
        ("int(true)", "value=True is not a number"),
        ("tag(log, choice(1, 2))", "needs a range of numbers"),
        ("tag(slow, interval(1, 2))", "the tag 'slow' is unknown; there is: log"),
        ("tag(log)", "tag needs a tag and a range"),
        ("tag(log, interval(0, 1))", "log=True needs low > 0"),
        ("tag(log, range(1, 9, 2))", "step=2 exclude each other"),
        ("shuffle(1, 2)", "shuffle.* of Hydra is not understood: the sampler decides about the order"),
        ("glob(*)", "glob.* is not understood: name the choices"),
        ("intervl(0, 1)", "did you mean interval"),
        ("int(" * 50 + "1" + ")" * 50, "nested more than 8 deep"),
    ],
)
def test_a_bad_one_is_refused_with_the_value_and_the_mend(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_domain(text)


def test_the_error_has_the_whole_text_and_the_name():
    with pytest.raises(ConfigError, match=r"^parameter 'x': 'range\(5, 5\)': start=5"):
        parse_domain("range(5, 5)", "x")
