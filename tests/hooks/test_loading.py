"""Finding plugins: each entry point is loaded by itself, and a broken one is one warning."""

from __future__ import annotations

import pytest

from asyncsweep.errors import ConfigError, PluginError
from asyncsweep.hooks.installed import BUILT_IN, PluginWarning
from asyncsweep.hooks.registry import Registry

from .conftest import Install

SAMPLER = """
class Spiral:
    def open(self, space, directions, seed): ...
    def ask(self, trial): ...
    def tell(self, trial): ...
    def suggest(self, trial, name, domain): ...

@hookimpl
def asyncsweep_samplers():
    return {"spiral": Spiral}
"""


def broken_registry(install: Install, code: str, **more: str | bytes) -> Registry:
    """A registry with one broken plugin, "broken 1.0"."""
    install("broken", code, **more)
    with pytest.warns(PluginWarning):
        return Registry()


def error_of(registry: Registry) -> str:
    return next(row.error for row in registry.describe() if row.status == "broken" and row.distribution == "broken")


def test_an_installed_distribution_brings_its_sampler(install: Install) -> None:
    install("spiral", SAMPLER)
    assert type(Registry().build("sampler", "spiral")).__name__ == "Spiral"


def test_the_built_in_plugins_come_through_the_same_hooks(install: Install) -> None:
    rows = [row for row in Registry().describe() if row.kind == "plugin"]
    assert [(row.distribution, f"asyncsweep.{row.name}.plugin") for row in rows] == [
        ("asyncsweep", m) for m in BUILT_IN
    ]


def test_the_registry_names_every_kind_that_ships() -> None:
    registry = Registry()
    assert {"random", "grid", "sobol", "tpe"} <= set(registry.names("sampler"))
    assert {"nop", "median", "percentile"} <= set(registry.names("pruner"))
    assert {"inline", "thread", "process"} <= set(registry.names("executor"))
    assert {"jsonl"} <= set(registry.names("exporter"))


def test_a_broken_plugin_is_one_warning_with_distribution_version_and_cause(install: Install) -> None:
    install("broken", "1 / 0", version="2.5")
    with pytest.warns() as caught:
        Registry()
    assert [str(warning.message) for warning in caught] == [
        "a plugin is left out: broken 2.5 cannot be loaded: ZeroDivisionError: division by zero"
    ]


def test_a_broken_plugin_keeps_no_other_from_loading(install: Install) -> None:
    install("spiral", SAMPLER)
    assert "spiral" in broken_registry(install, "1 / 0").names("sampler")


def test_a_plugin_that_exits_at_import_is_broken(install: Install) -> None:
    assert "SystemExit: 3" in error_of(broken_registry(install, "raise SystemExit(3)"))


def test_a_name_that_a_broken_plugin_might_hold_is_a_plugin_error_with_its_cause(install: Install) -> None:
    registry = broken_registry(install, "1 / 0")
    with pytest.raises(PluginError, match=r"no sampler 'x'.*broken 1\.0 cannot be loaded: ZeroDivisionError") as caught:
        registry.find("sampler", "x")
    cause = caught.value.__cause__
    assert cause is not None
    assert isinstance(cause.__cause__, ZeroDivisionError)


def test_a_broken_plugin_does_not_touch_names_that_are_there(install: Install) -> None:
    assert broken_registry(install, "1 / 0").find("sampler", "random").name == "random"


def test_a_broken_plugin_of_another_distribution_is_not_blamed_for_a_qualified_name(install: Install) -> None:
    with pytest.raises(ConfigError):
        broken_registry(install, "1 / 0").find("sampler", "asyncsweep/x")


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("", "nothing in it is marked with @asyncsweep.hookimpl"),
        ("def asyncsweep_samplers(): return {}", "asyncsweep_samplers is not marked with @asyncsweep.hookimpl"),
        (
            "@hookimpl\ndef asyncsweep_smaplers(): ...",
            r"no hook 'asyncsweep_smaplers' \(did you mean 'asyncsweep_samplers'",
        ),
        ("@hookimpl\ndef asyncsweep_check(sweep): ...", r"asyncsweep_check.*\s.*\s.*'sweep'"),
        ("@hookimpl\nasync def asyncsweep_on_updates(updates): ...", "asyncsweep_on_updates is an `async def`"),
        ("@hookimpl(wrapper=True)\ndef asyncsweep_check(spec): return (yield)", "asyncsweep_check is a hook wrapper"),
        (
            "@hookimpl\ndef asyncsweep_samplers(): raise OSError('gone')",
            r"asyncsweep_samplers\(\) raised OSError: gone",
        ),
        ("@hookimpl\ndef asyncsweep_pruners(): return 3", r"asyncsweep_pruners\(\) returned 3 instead of a mapping"),
        ("@hookimpl\ndef asyncsweep_executors(): return {4: int}", r"asyncsweep_executors\(\) holds the name 4"),
        (
            "@hookimpl\ndef asyncsweep_executors(): return {'a/b': int}",
            r"asyncsweep_executors\(\) holds the name 'a/b'",
        ),
    ],
    ids=["empty", "unmarked", "misspelt", "argument", "async", "wrapper", "raises", "mapping", "number", "slash"],
)
def test_a_module_that_is_no_proper_plugin_is_broken_and_says_why(install: Install, code: str, complaint: str) -> None:
    registry = broken_registry(install, code)
    with pytest.raises(PluginError, match=complaint):
        registry.find("sampler", "x")


@pytest.mark.parametrize(
    "text", [b"[asyncsweep]\nno equals sign\n", b"[asyncsweep]\nx = \xff\n", b"[asyncsweep]\nx = \n"]
)
def test_a_malformed_entry_point_is_broken_and_the_others_load(install: Install, text: bytes) -> None:
    install("spiral", SAMPLER)
    registry = broken_registry(install, "", entry_points=text)
    assert error_of(registry)
    assert "spiral" in registry.names("sampler")


def test_entry_points_of_other_groups_are_not_loaded(install: Install) -> None:
    other, spiral = install("other", "1 / 0", entry_points=""), install("spiral", SAMPLER, entry_points="")
    groups = f"[console_scripts]\nasyncsweep = {other}\n[asyncsweep]\nspiral = {spiral}\n[more]\nx = {other}\n"
    install("mixed", entry_points=groups)
    assert [row.name for row in Registry().describe() if row.distribution == "mixed"] == ["spiral", "spiral"]


def test_a_second_copy_of_a_distribution_is_hidden_by_the_first(
    install: Install, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("spiral", SAMPLER)
    monkeypatch.syspath_prepend(f"{tmp_path}/.")  # the same folder once more
    assert Registry().find("sampler", "spiral").source.distribution == "spiral"


def test_off_leaves_out_every_plugin_but_the_built_in_ones(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("spiral", "1 / 0")
    monkeypatch.setenv("ASYNCSWEEP_PLUGINS", "off")
    registry = Registry()
    assert [row.distribution for row in registry.describe() if row.status == "off"] == ["spiral"]
    assert "random" in registry.names("sampler")


def test_a_list_selects_plugins_by_distribution(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("spiral-search", SAMPLER)
    install("broken", "1 / 0")
    monkeypatch.setenv("ASYNCSWEEP_PLUGINS", "Spiral_Search, ")
    assert "spiral" in Registry().names("sampler")


def test_a_name_that_is_missing_tells_which_plugins_are_switched_off(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("spiral", SAMPLER)
    monkeypatch.setenv("ASYNCSWEEP_PLUGINS", "off")
    with pytest.raises(ConfigError, match=r"switched off by ASYNCSWEEP_PLUGINS: spiral 1\.0"):
        Registry().find("sampler", "spiral")


def test_a_list_that_names_an_absent_plugin_is_a_warning(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("spiral", SAMPLER)
    monkeypatch.setenv("ASYNCSWEEP_PLUGINS", "spiral,spirla")
    with pytest.warns(PluginWarning, match=r"'spirla', which is not installed \(did you mean 'spiral'\?\)"):
        Registry()
