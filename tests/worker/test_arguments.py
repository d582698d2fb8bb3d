"""Parameters as arguments: each style, each type, placeholders, and Hydra's own parser."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from asyncsweep.errors import ConfigError, TrialError
from asyncsweep.worker.arguments import STYLES, Template, arguments, check_apart, json_of, values_of
from tests.worker.attempts import Attempt

VALUES = {
    "lr": 1e-5, "n": 3, "on": True, "off": False, "none": None, "text": "a b", "list": [1, "ü", None], "dict": {"k": [0.5]},
    "bytes": b"\xff", "model.depth": -1, "empty": "",
}  # fmt: skip


def test_the_first_style_has_name_and_value_in_one_argument() -> None:
    assert arguments(VALUES, "--name=value") == [
        "--lr=1e-05", "--n=3", "--on=True", "--off=False", "--none=null", "--text=a b", '--list=[1, "ü", null]',
        '--dict={"k": [0.5]}', "--bytes=\udcff", "--model.depth=-1", "--empty=",
    ]  # fmt: skip


def test_the_second_style_has_name_and_value_in_two_arguments() -> None:
    assert arguments({"lr": 1e-5, "x": "-a"}, "--name value") == ["--lr", "1e-05", "--x", "-a"]


def test_the_third_style_is_hydras() -> None:
    assert arguments(VALUES, "name=value") == [
        "lr=1e-05", "n=3", "on=true", "off=false", "none=null", "text='a b'", "list=[1,'ü',null]", "dict={k:[0.5]}",
        "bytes='\udcff'", "model.depth=-1", "empty=''",
    ]  # fmt: skip


def test_plain_texts_have_no_quotes_in_hydras_style() -> None:
    assert arguments({"path": "/data/a-b_1.csv", "opt": "sgd"}, "name=value") == ["path=/data/a-b_1.csv", "opt=sgd"]


def test_an_unknown_style_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r'style=.--lr.*expected one of "--name=value", "--name value", "name=value"'):
        arguments({}, "--lr")


@pytest.mark.parametrize("style", STYLES)
def test_a_nul_character_is_an_error_that_names_the_parameter(style: str) -> None:
    with pytest.raises(TrialError, match="parameter 'x' has a NUL character"):
        arguments({"x": "a\0b"}, style)


@pytest.mark.parametrize("style", ["--name=value", "name=value"])
def test_a_name_that_would_shift_the_value_is_an_error(style: str) -> None:
    with pytest.raises(TrialError, match="parameter 'a=b' cannot be an argument"):
        arguments({"a=b": 1}, style)


@pytest.mark.parametrize("value", ["???", {"a b": 1}, {"1": 1}, {"true": 1}], ids=repr)
def test_what_hydra_cannot_be_told_is_an_error_that_names_the_parameter(value: Any) -> None:
    with pytest.raises(TrialError, match=r"the parameter 'x'.*Hydra"):
        arguments({"x": value}, "name=value")


def hydra_values() -> list[Any]:
    draw = random.Random(7)
    alphabet = "ab'\"\\${}[](),:= \n\t1.-é~@#;|&<>*?!`\u202e"
    texts = ["".join(draw.choices(alphabet, k=draw.randint(1, 9))) for _ in range(300)]
    texts += [
        "",
        " ",
        "'",
        '"',
        "\\",
        "\\'",
        "\\\\",
        "it's",
        "${x}",
        "\\${x}",
        "\\\\${oc.env:HOME}",
        "true",
        "Null",
        "1",
        "1e-3",
    ]
    texts += ["nan", "-inf", "1_000", "a,b", "f(x)", "choice(1,2)", "[1]", "{a:1}", "~x", "+x", "$(touch canary)"]
    others = [
        True,
        False,
        None,
        3,
        -4,
        0.1,
        1e-5,
        1e22,
        [1, "a b", None, [True, "'"]],
        {"a": 1, "b-c.d": ["x y"]},
        [],
        {},
    ]
    return [*texts, *others]


def test_hydra_reads_the_very_value_and_omegaconf_gives_it_back() -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    parser = OverridesParser.create()
    for value in hydra_values():
        (argument,) = arguments({"group.x": value}, "name=value")
        override = parser.parse_override(argument)
        config = OmegaConf.create({"group": {}})
        OmegaConf.update(config, "group.x", override.value(), merge=True)
        assert not override.is_sweep_override(), argument
        read = OmegaConf.to_container(config, resolve=True)["group"]["x"]  # type: ignore[index, call-overload]
        assert (type(read), read) == (type(value), value), argument


def test_json_is_ascii_and_has_all_parameters() -> None:
    text = json_of(VALUES)
    assert text.isascii()
    assert json.loads(text) == {**VALUES, "bytes": "\udcff"}


def test_a_placeholder_stands_for_a_value_and_doubled_braces_for_braces() -> None:
    template = Template("--{model.lr}={{{model.lr}}}{n}}}", "argv[1]")
    assert template.names == ("model.lr", "n")
    assert template.fill({"model.lr": "1", "n": "{n}"}) == "--1={1}{n}}"


@pytest.mark.parametrize("text", ["{", "a}b", "{}", "{a{b}}", "{{}"])
def test_a_brace_that_stands_alone_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^argv\[1\]=.* at character \d; write \{name\}.*\{\{ and \}\} for braces$"):
        Template(text, "argv[1]")


def test_there_are_no_attributes_and_no_formats_in_a_placeholder() -> None:
    template = Template("{trial.__class__}{x!r:>9}", "cwd")
    assert template.names == ("trial.__class__", "x!r:>9")
    with pytest.raises(TrialError, match=r"there is no parameter 'trial\.__class__' in this trial; it has 'x'"):
        template.fill({"x": "1"})


def test_an_unknown_placeholder_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"no parameter 'learning_rte' \(did you mean \{learning_rate\}\?\)"):
        Template("{learning_rte}", "argv[1]").check(["learning_rate"])


def test_what_every_trial_has_is_no_unknown_placeholder() -> None:
    Template("{lr}{trial}{attempt}{trial_dir}{checkpoint_dir}", "argv[1]").check(["lr"])


def test_the_values_are_the_parameters_and_what_every_trial_has(tmp_path: Path) -> None:
    values = values_of(Attempt({"lr": 0.5, "attempt": "mine"}, folder=tmp_path))
    assert Template("{lr} {trial} {attempt}", "").fill(values) == "0.5 3 mine"
    assert values["trial_dir"] == str(tmp_path / "3/artifacts")
    assert values["checkpoint_dir"] == str(tmp_path / "3/checkpoint")


def test_folders_are_made_when_a_placeholder_asks_for_them(tmp_path: Path) -> None:
    values = values_of(Attempt(folder=tmp_path))
    Template("{trial}", "").fill(values)
    assert list(tmp_path.iterdir()) == []
    assert Path(Template("{trial_dir}", "").fill(values)).is_dir()


@pytest.mark.parametrize("text", ["print({'loss': i})", "awk {print $1}", "f{lr!r}"])
def test_what_was_hardly_meant_as_a_placeholder_is_told_how_braces_are_written(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"^argv\[2\]=.*: write \{\{ and \}\} for braces; \{.*\} stands for a parameter"
    ):
        Template(text, "argv[2]").check(["lr"])


@pytest.mark.parametrize(
    ("path", "cwd", "is_apart"),
    [
        ("metrics.json", None, False),
        ("{lr}/{attempt}.json", None, False),
        ("{trial}.json", None, True),
        ("{trial_dir}/m.json", "/tmp", True),
        ("{checkpoint_dir}/m.json", None, True),
        ("metrics.json", "/tmp/{lr}", False),
        ("metrics.json", "{trial_dir}", True),
        ("/tmp/metrics.json", "{trial_dir}", False),
        ("{number}.json", None, False),
    ],
)
def test_trials_that_run_at_a_time_need_a_file_each(path: str, cwd: str | None, is_apart: bool) -> None:
    file, folder = Template(path, "Script.result_file"), None if cwd is None else Template(cwd, "Script.cwd")
    check_apart(file, folder, ["lr", "number"], 1)
    if is_apart:
        check_apart(file, folder, ["lr", "number"], 3)
    else:
        with pytest.raises(
            ConfigError, match=r"3 trials run at a time.*give each a file of its own by result_file=\"\{trial_dir\}/"
        ):
            check_apart(file, folder, ["lr", "number"], 3)


def test_a_parameter_that_is_called_trial_makes_no_file_of_a_trials_own() -> None:
    with pytest.raises(ConfigError, match="2 trials run at a time"):
        check_apart(Template("{trial}.json", "reports"), None, ["trial"], 2)
