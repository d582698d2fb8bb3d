"""`parse_domain`: domains from text, without evaluating any of it."""

import builtins
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncsweep.errors import ConfigError
from asyncsweep.space import Categorical, Constant, Domain, Float, Int, parse_domain

NAMES = [
    "uniform",
    "log_uniform",
    "int_uniform",
    "int_log_uniform",
    "categorical",
    "range",
    "int",
    "tag",
    "eval",
    "__import__",
]
hostile = st.text() | st.builds(
    lambda name, arguments: f"{name}({','.join(arguments)})",
    st.sampled_from(NAMES),
    st.lists(st.text(alphabet="01-+.e_inf nat'\"[]{}()=,\\step", max_size=12) | st.text(max_size=5), max_size=4),
)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("uniform(-10, 10)", Float(-10, 10)),
        ("uniform(0,1,step=0.25)", Float(0, 1, step=0.25)),
        (" uniform ( .5 , +1.5e0 ) ", Float(0.5, 1.5)),
        ("log_uniform(1e-4, 1e-1)", Float(1e-4, 1e-1, log=True)),
        ("int_uniform(3, 15)", Int(3, 15)),
        ("int_uniform(-8, 8, step = 4)", Int(-8, 8, step=4)),
        ("int_log_uniform(1, 1000)", Int(1, 1000, log=True)),
        ("categorical(a, b, 3)", Categorical(["a", "b", 3])),
        ("categorical(resnet18)", Categorical(["resnet18"])),
        ('categorical(true, True, 1, 1.0, null, "true")', None),
        ('categorical(\'a, b\', "c\\")", [1, 2], {"k": [3]})', Categorical(["a, b", 'c")', [1, 2], {"k": [3]}])),
        ("[32, 64]", Categorical([32, 64])),
        ('["a", [1, 2], null]', Categorical(["a", [1, 2], None])),
        ("30", Constant(30)),
        ("-5", Constant(-5)),
        ("1e-3", Constant(1e-3)),
        ("1.", Constant(1.0)),
        ("false", Constant(False)),
        ("None", Constant(None)),
        ("adam", Constant("adam")),
        ("s3://bucket/some path", Constant("s3://bucket/some path")),
        ("007", Constant("007")),
        ("1.2.3", Constant("1.2.3")),
        ('"3"', Constant("3")),
        ("'uniform(0, 1)'", Constant("uniform(0, 1)")),
        ('{"a": [1, true]}', Constant({"a": [1, True]})),
    ],
)
def test_text_gives_the_domain(text, domain):
    if domain is None:
        with pytest.raises(ConfigError, match="choices 0 and 1 are both True"):
            parse_domain(text)
    else:
        assert parse_domain(text) == domain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text is empty; give one such as uniform"),
        ("  ", "the text is empty"),
        (3, "3 is of type int; give text such as uniform"),
        (None, "None is of type NoneType"),
        ("x" * 100_001, "the text has 100001 characters; give at most 100000"),
        ("uniforn(0, 1)", "uniforn is unknown; did you mean uniform"),
        ("print(1)", "print is unknown; .*there are: uniform, log_uniform"),
        ("uniform()", "it has 0 values; give two, low and high"),
        ("uniform(1)", "it has 1 values"),
        ("uniform(1, 2, 3)", "it has 3 values"),
        ("uniform(1,, 2)", "nothing between two commas"),
        ("uniform(1, 2,)", "nothing between two commas or at an end"),
        ("uniform(a, 2)", "low='a' is not a number"),
        ("uniform(0, __import__('os'))", 'high="__import__.*" is not a number'),
        ("uniform(1+1, 3)", r"low='1\+1' is not a number"),
        ("uniform(0, 1_000)", "high='1_000' is not a number"),
        ("uniform(0, \u0663)", "is not a number"),
        ("uniform(0, inf)", "high='inf' is not finite"),
        ("uniform(NaN, 1)", "low='NaN' is not finite"),
        ("uniform(0, 1e999)", "high='1e999' is not finite"),
        ("uniform(5, 1)", r"^domain: 'uniform\(5, 1\)': Float: low=5\.0 is greater than high=1\.0"),
        ("log_uniform(0, 1)", "log=True needs low > 0"),
        ("uniform(0, 1, step=0.3)", "the nearest `high` that fits is 0.9"),
        ("uniform(0, 1, step=x)", "step='x' is not a number"),
        ("uniform(0, 1, stop=1)", "option stop is unknown; the only option is step"),
        ("uniform(0, 1, step=1, step=1)", "option step is given twice"),
        ("log_uniform(1, 2, step=1)", "option step is unknown; there are no options"),
        ("uniform(step=1, 0, 1)", "it has 3 values"),
        ("int_uniform(1.5, 3)", "low='1.5' is not an integer"),
        ("int_uniform(1, 1e3)", "high='1e3' is not an integer"),
        (f"int_uniform(1, {'9' * 5000})", "is beyond 64 bits"),
        ("int_uniform(0, 9, step=2)", "step=2 does not divide"),
        ("categorical()", r"choices=\[\] is empty"),
        ("categorical(a, a)", "choices 0 and 1 are both 'a'"),
        ("categorical(a, (b)", r"\) is missing at the end"),
        ("categorical(a, b))", r"\) closes nothing"),
        ("categorical([1, 2)", r"\) closes nothing|\] is missing"),
        ("categorical('a, b)", "' is missing at the end"),
        ("categorical(it's)", "' is missing at the end"),
        ("categorical(f(x))", "'f\\(x\\)' is neither a value nor a word"),
        ("categorical('a'b')", "is missing at the end"),
        ("categorical('a''b')", "is not text in single quotes"),
        ("uniform(0, 1) + 1", "is neither a value nor a word; put it in double quotes"),
        ("a, (b", "'a, \\(b' is neither a value nor a word"),
        ("lambda: 0\n", None),
        ("a\nb", "is neither a value nor a word"),
        ("'", "is not text in single quotes"),
        ("[]", r"choices=\[\] is empty"),
        ("[1, 2", "is not valid JSON"),
        ("[1, NaN]", "NaN is not finite"),
        ("[1, 1e999]", "number='1e999' is not finite"),
        ("[1, 1]", "choices 0 and 1 are both 1"),
        ("[" * 90_000, "nested too deep|not valid JSON"),
        (f"[{'9' * 5000}]", "too many digits"),
        (f"[{2**64}]", "does not fit in 64 bits"),
        ('{"a": }', "is not valid JSON"),
        ('"\\ud800"', "is not valid Unicode"),
        ("9" * 5000, "is beyond 64 bits"),
        ("nan", "number='nan' is not finite; give a finite number, or quote it if it is text"),
    ],
)
def test_bad_text_is_refused_with_the_value_and_the_mend(text, message):
    if message is None:
        assert parse_domain(text) == Constant("lambda: 0")
    else:
        with pytest.raises(ConfigError, match=message):
            parse_domain(text)


@pytest.mark.parametrize("text", ["", "uniform(5, 1)", "uniform(a, 1)", "x" * 100_001, None])
def test_bad_text_is_refused_with_the_parameter_when_it_is_known(text):
    with pytest.raises(ConfigError, match=r"^parameter 'lr': "):
        parse_domain(text, "lr")


def test_the_domain_of_a_text_is_normalised():
    assert parse_domain("categorical(a, b)").choices == ("a", "b")


@given(hostile)
@example("[" * 5000)
@example("uniform(" * 50)
@example("\ud800")
@example("0" * 20_000 + "x")
def test_hostile_text_gives_a_domain_or_a_config_error(text):
    try:
        domain = parse_domain(text)
    except ConfigError:
        return
    assert isinstance(domain, Domain)


@given(hostile)
def test_nothing_is_evaluated(text):
    def refuse(*arguments, **options):
        raise AssertionError(f"evaluated: {arguments!r}")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("eval", "exec", "compile"):
            patch.setattr(builtins, name, refuse)
        try:
            parse_domain(text)
        except ConfigError:
            return


def test_call_inside_text_stays_text(tmp_path):
    trace = tmp_path / "trace"
    assert parse_domain(f"""categorical("__import__('pathlib').Path('{trace}').touch()", b)""").cardinality == 2
    assert not trace.exists()


@given(st.floats(-1e300, 1e300), st.floats(0, 1e300))
def test_bounds_are_read_exactly(low, span):
    high = low + span
    assert parse_domain(f"uniform({low!r}, {high!r})") == Float(low, high)


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_are_read_exactly(value):
    assert parse_domain(f"int_uniform({value}, {value})") == Int(value, value)


def test_digits_are_read_in_linear_time_and_to_the_nearest_float():
    assert math.isclose(parse_domain("0." + "3" * 50_000).value, 1 / 3)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("7e3", Constant("7e3")),
        ("1.10", Constant("1.10")),
        (".5", Constant(".5")),
        ("+5", Constant("+5")),
        ("-0", Constant("-0")),
        ("true", Constant("true")),
        ("None", Constant("None")),
        ("inf", Constant("inf")),
        ("1e999", Constant("1e999")),
        ("9" * 30, Constant("9" * 30)),
        (str(2**64), Constant(str(2**64))),
        ("[1.10, 1.20]", Categorical(["1.10", "1.20"])),
        ("1.10, 1.1", Categorical(["1.10", "1.1"])),
        ("choice(true, false)", Categorical(["true", "false"])),
        ('[1.10, "a", sgd, 2, [1.10]]', Categorical(["1.10", "a", "sgd", "2", [1.1]])),
        ("0.1", Constant(0.1)),
        ("30", Constant(30)),
        ("True", Constant(True)),
        ("null", Constant(None)),
        ("[null, 3]", Categorical([None, 3])),
        ('["a", [1, 2], null]', Categorical(["a", [1, 2], None])),
        ("uniform(.5, 1e0)", Float(0.5, 1.0)),
        ("int(interval(1, 3))", Int(1, 3)),
    ],
    ids=str,
)
def test_constants_and_choices_are_as_written_for_a_program(text, domain):
    assert parse_domain(text, for_program=True) == domain


@pytest.mark.parametrize("text", ["[]", "[1, 2", "[1,, 2]", "a(b)", "[", '["a]', "'", "a, (b", "[1] [2]", "[" * 90_000])
def test_what_is_no_value_is_none_for_a_program_either(text):
    with pytest.raises(ConfigError):
        parse_domain(text, for_program=True)


def test_an_empty_text_says_how_a_value_without_characters_is_written():
    with pytest.raises(ConfigError, match="or '\"\"' for a value without characters"):
        parse_domain("", "name")
    assert parse_domain('""') == Constant("")
