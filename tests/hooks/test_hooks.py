"""Every hook is called, with what its docstring says, and one plugin's exception stays its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import asyncsweep
from asyncsweep.core.effects import SweepPaused, Update
from asyncsweep.core.records import SweepSpec
from asyncsweep.errors import ConfigError, PluginError
from asyncsweep.hooks.plugins import HOOKS
from asyncsweep.hooks.registry import Registry
from asyncsweep.hooks.specs import hookimpl

from .conftest import Install

SPEC = SweepSpec(space={}, directions={"value": "minimize"})
UPDATES = [SweepPaused(at=1.0)]


def plugin(**hooks: Any) -> ModuleType:
    """A module with these hooks."""
    module = ModuleType("plugin_of_the_test")
    for name, function in hooks.items():
        setattr(module, name, hookimpl(function))
    return module


@pytest.fixture
def built_in() -> Registry:
    return Registry()


@pytest.mark.parametrize("kind", ["sampler", "pruner", "executor", "exporter"])
def test_a_mapping_hook_registers_its_names(kind: Any) -> None:
    registry = Registry([plugin(**{f"asyncsweep_{kind}s": lambda: {"mine": dict}})])
    assert registry.find(kind, "mine").load() is dict


def test_a_mapping_hook_may_return_none(built_in: Registry) -> None:
    registry = Registry([plugin(asyncsweep_samplers=lambda: None)])
    assert registry.names("sampler") == built_in.names("sampler")


def test_asyncsweep_check_sees_the_spec_and_its_complaints_carry_the_plugins_name() -> None:
    seen = []

    def check(spec: SweepSpec) -> list[str]:
        seen.append(spec)
        return ["too many trials"]

    assert Registry([plugin(asyncsweep_check=check)]).check(SPEC) == ["plugin_of_the_test (given): too many trials"]
    assert seen == [SPEC]


def test_a_check_without_complaints_accepts_the_sweep() -> None:
    assert Registry([plugin(asyncsweep_check=lambda spec: None)]).check(SPEC) == []


def test_a_check_that_raises_is_a_plugin_error_that_names_the_plugin() -> None:
    def check(spec: SweepSpec) -> list[str]:
        raise KeyError("lost")

    with pytest.raises(PluginError, match=r"plugin_of_the_test \(given\): asyncsweep_check raised KeyError"):
        Registry([plugin(asyncsweep_check=check)]).check(SPEC)


@pytest.mark.parametrize("answer", ["a text", [3]])
def test_a_check_that_returns_no_list_of_texts_is_a_plugin_error(answer: object) -> None:
    with pytest.raises(PluginError, match=r"asyncsweep_check returned .*, not a list of texts"):
        Registry([plugin(asyncsweep_check=lambda spec: answer)]).check(SPEC)


def test_asyncsweep_on_updates_sees_the_batch() -> None:
    seen: list[Sequence[Update]] = []

    def on_updates(updates: Sequence[Update]) -> None:
        seen.append(updates)

    assert Registry([plugin(asyncsweep_on_updates=on_updates)]).on_updates(UPDATES) == []
    assert seen == [UPDATES]


def test_a_listener_that_raises_is_reported_and_the_others_still_hear() -> None:
    seen: list[str] = []
    error = ValueError("broken")

    def raising(updates: Sequence[Update]) -> None:
        raise error

    one, two, three = (
        plugin(asyncsweep_on_updates=function)
        for function in (lambda updates: seen.append("first"), raising, lambda updates: seen.append("last"))
    )
    assert Registry([one, two, three]).on_updates(UPDATES) == [("plugin_of_the_test (given)", error)]
    assert sorted(seen) == ["first", "last"]


def test_a_hook_may_leave_out_its_argument() -> None:
    seen: list[str] = []
    Registry([plugin(asyncsweep_on_updates=lambda: seen.append("called"))]).on_updates(UPDATES)
    assert seen == ["called"]


def test_nobody_listens_to_the_built_in_registry(built_in: Registry) -> None:
    assert not built_in.listens


def test_a_registry_listens_when_a_plugin_does() -> None:
    assert Registry([plugin(asyncsweep_on_updates=lambda updates: None)]).listens


def test_asyncsweep_finished_sees_the_result() -> None:
    seen: list[object] = []

    def finished(result: object) -> None:
        seen.append(result)

    assert Registry([plugin(asyncsweep_finished=finished)]).finished("the result") == []
    assert seen == ["the result"]


def test_a_raising_asyncsweep_finished_is_reported() -> None:
    error = ValueError("broken")

    def finished(result: object) -> None:
        raise error

    registry = Registry([plugin(asyncsweep_finished=finished)])
    assert registry.finished(None) == [("plugin_of_the_test (given)", error)]


def test_every_hook_has_a_test() -> None:
    mapping_hooks = {f"asyncsweep_{kind}s" for kind in ("sampler", "pruner", "executor", "exporter")}
    tests = " ".join(name for name in globals() if name.startswith("test_"))
    assert {hook for hook in HOOKS if hook not in tests} == mapping_hooks


def test_the_marker_is_public() -> None:
    assert asyncsweep.hookimpl is hookimpl


def test_plugins_of_one_sweep_are_not_those_of_the_next(built_in: Registry) -> None:
    Registry([plugin(asyncsweep_samplers=lambda: {"mine": dict})])
    assert "mine" not in built_in.names("sampler")


def test_a_given_module_that_its_entry_point_brought_already_counts_once(install: Install) -> None:
    module = install("spiral", "@hookimpl\ndef asyncsweep_samplers(): return {'spiral': dict}")
    registry = Registry([__import__(module)])
    assert registry.find("sampler", "spiral").source.distribution == "spiral"


def test_an_object_with_methods_is_a_plugin() -> None:
    class Plugin:
        @hookimpl
        def asyncsweep_samplers(self) -> Mapping[str, type]:
            return {"mine": dict}

    assert "mine" in Registry([Plugin()]).names("sampler")


@pytest.mark.parametrize(
    ("plugins", "complaint"),
    [
        (3, "plugins: expected a sequence of modules or objects, got 3"),
        ("my_plugin", "plugins: expected a sequence of modules or objects, got 'my_plugin'"),
        ([None], "plugins: .*None is no plugin"),
        (["my_plugin"], "plugins: .*'my_plugin' is no plugin"),
        ([dict], "plugins: .*is a class; a plugin is a module or an object"),
        ([SimpleNamespace(asyncsweep_samplers=dict)], "asyncsweep_samplers is not marked"),
        ([plugin(asyncsweep_finish=lambda: None)], r"no hook 'asyncsweep_finish' \(did you mean 'asyncsweep_finished'"),
    ],
)
def test_what_is_no_plugin_is_a_config_error(plugins: Any, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Registry(plugins)


def test_describe_tells_of_every_name_whether_it_works() -> None:
    hooks = {"fine": dict, "median": dict, "gone": "no_such_module:Class"}
    rows = Registry([plugin(asyncsweep_pruners=lambda: hooks)]).describe()
    assert [tuple(row)[:6] for row in rows if row.distribution == "given"] == [
        ("plugin", "plugin_of_the_test", "given", "", "", "ok"),
        ("pruner", "fine", "given", "", "builtins:dict", "ok"),
        ("pruner", "median", "given", "", "builtins:dict", "conflict"),
        ("pruner", "gone", "given", "", "no_such_module:Class", "broken"),
    ]
    assert "ModuleNotFoundError" in next(row.error for row in rows if row.name == "gone")
