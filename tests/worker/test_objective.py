"""What can be an objective, and with what it is called."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from asyncsweep.errors import ConfigError
from asyncsweep.worker.objective import Call, load


class Loaded:
    def __call__(self, lr: float) -> float:
        return lr


class LoadedAsync:
    async def __call__(self, lr: float) -> float:
        return lr


async def coroutine(lr: float) -> float:
    return lr


@pytest.mark.parametrize(
    ("objective", "keywords"),
    [
        (lambda lr: 0, ("lr",)),
        (lambda depth, lr: 0, ("depth", "lr")),
        (lambda lr, other=1: 0, ("lr",)),
        (lambda **params: 0, ("lr", "depth", "base", "exp")),
        (lambda trial: 0, None),
        (lambda trial, other=1: 0, None),
        (lambda depth=1: 0, ("depth",)),
        (Loaded, ("lr",)),
        (Loaded(), ("lr",)),
        (pow, ("base", "exp")),
    ],
)
def test_parameters_are_passed_by_name_where_the_space_has_them(
    objective: Callable[..., Any], keywords: tuple[str, ...] | None
) -> None:
    assert Call(objective, ["lr", "depth", "base", "exp"]).keywords == keywords


@pytest.mark.parametrize(
    ("objective", "complaint"),
    [
        (lambda lr, momentum: 0, "asks for momentum, which the space does not have"),
        (lambda: 0, "takes no parameter"),
        (5, "must be callable"),
        (abs, "is built into Python and takes no `trial`; wrap it in a function of its own"),
        (math.sin, "is built into Python"),
    ],
)
def test_an_objective_that_cannot_be_called_is_a_config_error(objective: Any, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Call(objective, ["lr", "depth"])


def test_a_conditional_parameter_needs_a_default() -> None:
    with pytest.raises(ConfigError, match="'depth' has a condition"):
        Call(lambda depth: 0, ["lr", "depth"], ["lr"])


@pytest.mark.parametrize(
    ("objective", "is_async"), [(Loaded, False), (LoadedAsync, True), (LoadedAsync(), True), (coroutine, True)]
)
def test_a_coroutine_function_is_known_in_every_form(objective: Any, is_async: bool) -> None:
    assert Call(objective, ["lr"]).is_async is is_async


def test_a_class_is_built_once() -> None:
    call = Call(Loaded, ["lr"])
    call.build()
    built = call.function
    call.build()
    assert isinstance(built, Loaded) and call.function is built


@pytest.mark.parametrize("target", ["module", "module:", ":function", "tests.objectives:nobody"])
def test_a_target_that_names_nothing_is_a_config_error(target: str) -> None:
    with pytest.raises(ConfigError):
        load(target)
