"""From a name to an object: unknown names, conflicts, wrong options, classes that do not keep their word."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pytest

from asyncsweep.errors import ConfigError, PluginError
from asyncsweep.hooks.registry import Registry
from asyncsweep.hooks.specs import hookimpl

from .conftest import Install


class Plain:
    """A pruner without options."""

    def open(self, direction: str, seed: int, sweep: str) -> None: ...
    def report(self, trial: int, step: int, value: float) -> None: ...
    def restart(self, trial: int) -> None: ...

    def judge(self, trial: int, step: int) -> bool:
        return False

    def finish(self, trial: object) -> None: ...


class Optioned(Plain):
    def __init__(self, n_startup_trials: int, *, warmup: int = 0) -> None:
        self.options = (n_startup_trials, warmup)


class Open(Plain):
    def __init__(self, **options: Any) -> None:
        if "bad" in options:
            raise ConfigError("pruner.bad: is bad")


class Raising(Plain):
    def __init__(self) -> None:
        raise KeyError("lost")


class Pruners:
    """A plugin with these pruners."""

    def __init__(self, **pruners: Any) -> None:
        self.pruners = pruners

    @hookimpl
    def asyncsweep_pruners(self) -> Mapping[str, Any]:
        return self.pruners


@pytest.fixture
def built_in() -> Registry:
    return Registry()


def test_an_object_is_built_with_its_options() -> None:
    made = Registry([Pruners(mine=Optioned)]).build("pruner", "mine", {"n_startup_trials": 3, "warmup": 1})
    assert isinstance(made, Optioned)
    assert made.options == (3, 1)


def test_a_class_named_by_path_is_imported_only_when_it_is_built(install: Install) -> None:
    module = install("plain", "from pathlib import Path as Plain", entry_points="")
    registry = Registry([Pruners(plain=f"{module}:Plain.home.__self__")])
    assert registry.find("pruner", "plain").path == f"{module}:Plain.home.__self__"
    assert module not in sys.modules
    with pytest.raises(PluginError, match="is no pruner"):
        registry.build("pruner", "plain")
    assert module in sys.modules


def test_an_unknown_name_is_answered_with_the_nearest_and_the_installed_ones(built_in: Registry) -> None:
    with pytest.raises(
        ConfigError, match=r"^pruner: .*'medain' \(did you mean 'median'\?\); installed: asha, hyperband, median"
    ):
        built_in.find("pruner", "medain")


def test_a_name_in_capitals_is_answered_with_the_one_in_small_letters(built_in: Registry) -> None:
    with pytest.raises(ConfigError, match="did you mean 'tpe'"):
        built_in.find("sampler", "TPE")


def test_an_unknown_qualified_name_is_answered_with_the_nearest_qualified_one(built_in: Registry) -> None:
    with pytest.raises(ConfigError, match="did you mean 'asyncsweep/tpe'"):
        built_in.find("sampler", "asyncsweeep/tpe")


def test_a_name_that_is_not_text_is_a_config_error(built_in: Registry) -> None:
    with pytest.raises(ConfigError, match="sampler: expected a name, got 3"):
        built_in.find("sampler", 3)  # type: ignore[arg-type]


def test_two_plugins_with_one_name_are_no_error_until_it_is_asked_for() -> None:
    registry = Registry([Pruners(median=Plain)])
    assert registry.find("pruner", "nop").source.distribution == "asyncsweep"


def test_asking_for_a_name_with_two_owners_is_a_config_error_that_tells_the_way_out() -> None:
    registry = Registry([Pruners(median=Plain)])
    with pytest.raises(
        ConfigError, match=r"pruners \(asyncsweep .* and .*; write 'asyncsweep/median' or 'given/median'"
    ):
        registry.find("pruner", "median")


def test_the_distribution_before_the_name_decides_between_two_owners() -> None:
    registry = Registry([Pruners(median=Plain)])
    assert registry.find("pruner", "given/median").target is Plain


def test_the_distribution_in_a_name_may_be_spelt_as_package_indexes_allow(install: Install) -> None:
    install("Spiral.Search", "@hookimpl\ndef asyncsweep_pruners(): return {'spiral': int}")
    assert Registry().find("pruner", "spiral_search/spiral").source.distribution == "Spiral.Search"


def test_two_entry_points_of_one_distribution_with_one_name_point_to_the_environment_variable(install: Install) -> None:
    hook = "@hookimpl\ndef asyncsweep_pruners(): return {'spiral': int}"
    one, two = install("one", hook, entry_points=""), install("two", hook, entry_points="")
    install("both", entry_points=f"[asyncsweep]\na = {one}\nb = {two}\n")
    with pytest.raises(ConfigError, match=r"a \(both 1\.0\) and b \(both 1\.0\); choose one .* ASYNCSWEEP_PLUGINS"):
        Registry().find("pruner", "both/spiral")


def test_a_wrong_option_is_answered_with_its_path_the_nearest_and_the_accepted_ones() -> None:
    registry = Registry([Pruners(mine=Optioned)])
    with pytest.raises(
        ConfigError,
        match=r"^pruner\.n_startup_trial: .*\(did you mean 'n_startup_trials'\?\); accepted: n_startup_trials, warmup$",
    ):
        registry.build("pruner", "mine", {"n_startup_trial": 3})


def test_an_option_for_a_class_without_options_says_that_none_are_accepted() -> None:
    with pytest.raises(ConfigError, match=r"pruner\.x: .*accepted: none"):
        Registry([Pruners(mine=Plain)]).build("pruner", "mine", {"x": 3})


def test_a_missing_option_is_named_with_its_path() -> None:
    with pytest.raises(ConfigError, match=r"pruner\.n_startup_trials: .* needs this option"):
        Registry([Pruners(mine=Optioned)]).build("pruner", "mine")


def test_an_option_whose_name_is_not_text_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="pruner: the name of an option is a string, got 3"):
        Registry([Pruners(mine=Open)]).build("pruner", "mine", {3: 3})  # type: ignore[call-overload]


def test_options_can_be_checked_without_building() -> None:
    offer = Registry([Pruners(mine=Raising)]).find("pruner", "mine")
    with pytest.raises(ConfigError, match=r"pruner\.x"):
        offer.check_options({"x": 1})
    offer.check_options({})


def test_a_class_that_takes_any_option_decides_itself() -> None:
    registry = Registry([Pruners(mine=Open)])
    assert isinstance(registry.build("pruner", "mine", {"anything": 1}), Open)
    with pytest.raises(ConfigError, match=r"^pruner\.bad: is bad$"):
        registry.build("pruner", "mine", {"bad": 1})


def test_a_class_that_raises_is_a_plugin_error_with_its_cause() -> None:
    with pytest.raises(PluginError, match=r"pruner 'mine' of Pruners \(given\) could not be built: KeyError") as caught:
        Registry([Pruners(mine=Raising)]).build("pruner", "mine")
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_object_that_lacks_methods_is_a_plugin_error_that_names_them() -> None:
    with pytest.raises(PluginError, match="is no pruner: object lacks finish, judge, open, report"):
        Registry([Pruners(mine=object)]).build("pruner", "mine")


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        (3, "3 is not a class"),
        (print, "is not a class"),
        ("math:pi", "3.14.* is not a class"),
        ("math", "'math' is not of the form 'package.module:Class'"),
        ("math:", "'math:' is not of the form 'package.module:Class'"),
        ("math:nothing", "math:nothing cannot be imported: AttributeError"),
        ("no_such_module:Class", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
def test_what_is_no_class_is_a_plugin_error_when_it_is_asked_for(target: Any, complaint: str) -> None:
    registry = Registry([Pruners(mine=target)])
    with pytest.raises(PluginError, match=complaint):
        registry.build("pruner", "mine")
