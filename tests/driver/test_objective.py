"""The objective as the sweep holds it."""

from __future__ import annotations

import functools
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from asyncsweep.driver.objective import Objective, pickled
from asyncsweep.errors import ConfigError
from asyncsweep.samplers.random import RandomSampler
from asyncsweep.space import Categorical, Float, Space
from tests.small_objectives import square, square_by_name

SPACE = Space({"x": Float(0.0, 1.0)})


def test_an_async_function_is_known_as_one() -> None:
    partial = functools.partial(square)
    assert [Objective(given, SPACE).is_async for given in (square, partial, square_by_name)] == [True, True, False]


def test_what_a_text_names_is_not_imported_to_look_at_it() -> None:
    assert Objective("tests.small_objectives:square", SPACE).is_async is None


def test_a_text_is_loaded_for_an_executor_of_this_process() -> None:
    assert Objective("tests.small_objectives:square", SPACE).here().function is square


def test_a_text_that_cannot_be_imported_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"objective='tests\.no_such:f' cannot be imported: No module"):
        Objective("tests.no_such:f", SPACE).here()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("raise ValueError('at import')", "cannot be imported: ValueError: at import"),
        (
            "import sys; sys.exit('at import')",
            r"to import raises_at_import ended the process \(SystemExit: at import\)",
        ),
    ],
    ids=["raises", "exits"],
)
def test_a_text_whose_module_raises_is_a_config_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, text: str
) -> None:
    (tmp_path / "raises_at_import.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=text) as caught:
        Objective("raises_at_import:f", SPACE).here()
    assert isinstance(caught.value.__cause__, ValueError | SystemExit)


def test_a_text_that_names_something_of_the_script_travels_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "mine", square_by_name, raising=False)
    objective = Objective("__main__:mine", SPACE)
    spec = objective.packed(("value",), remote=True)
    assert (objective.name, spec.target, cloudpickle.loads(spec.pickled)) == ("__main__:mine", "", square_by_name)


def test_a_text_may_name_a_module_that_was_made_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("made_by_hand")
    module.f = square  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made_by_hand", module)
    assert Objective("made_by_hand:f", SPACE).here().function is square


def test_a_text_without_such_a_name_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"tests\.small_objectives has no 'nothing'"):
        Objective("tests.small_objectives:nothing", SPACE).here()


@pytest.mark.parametrize("text", ["", "a", "a:", ":b", "a b:c", "a:b-c", "a..b:c"])
def test_a_text_of_another_form_is_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError, match="must have the form"):
        Objective(text, SPACE)


def test_the_journal_calls_it_by_module_and_name() -> None:
    class Instance:
        def __call__(self, x: float) -> float:
            return x

    names = [Objective(given, SPACE).name for given in (square, Instance())]
    assert names == ["tests.small_objectives:square", f"{__name__}:{Instance.__qualname__}"]


def test_a_function_travels_by_value_and_a_text_by_name() -> None:
    by_value = Objective(square_by_name, SPACE).packed(("value",), remote=True)
    by_name = Objective("tests.small_objectives:square", SPACE).packed(("value",), remote=True)
    assert (by_value.target, cloudpickle.loads(by_value.pickled)) == ("", square_by_name)
    assert (by_name.target, by_name.pickled) == ("tests.small_objectives:square", b"")


def test_nothing_is_pickled_for_an_executor_of_this_process() -> None:
    unpicklable: Any = lambda x, _file=open: x  # noqa: E731
    assert Objective(unpicklable, SPACE).packed(("value",), remote=False).pickled == b""


def test_what_cannot_be_pickled_is_a_config_error_that_says_what_to_do() -> None:
    generator = (n for n in range(3))
    with pytest.raises(ConfigError, match=r"sampler=.* cannot be sent to another process .*make what it uses inside"):
        pickled("sampler", generator)


def test_a_conditional_parameter_needs_a_default() -> None:
    space = Space({"opt": Categorical(["sgd", "adam"]), "momentum": Float(0.0, 1.0, when={"opt": "sgd"})})
    with pytest.raises(ConfigError, match="the parameter 'momentum' has a condition"):
        Objective(lambda opt, momentum: 0.0, space)
    assert Objective(lambda opt, momentum=0.0: momentum, space).is_async is False


def test_an_object_of_a_module_that_no_other_process_finds_travels_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("loaded_from_a_hub")
    exec("class Sampler:\n    found = 7", vars(module))  # noqa: S102  there is no file to import it from
    monkeypatch.setitem(sys.modules, module.__name__, module)
    data = pickled("sampler", module.Sampler())
    monkeypatch.delitem(sys.modules, module.__name__)
    assert pickle.loads(data).found == 7


def test_an_object_of_a_module_that_can_be_imported_travels_by_name() -> None:
    assert b"asyncsweep.samplers.random" in pickled("sampler", RandomSampler())
    assert len(pickled("sampler", RandomSampler())) < 200
