"""The pruners that ship pass the suite that everybody's pruners have to pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from asyncsweep.hooks.contracts import Pruner
from asyncsweep.hooks.registry import Registry
from asyncsweep.testing import PrunerSuite


def building(name: str, **options: object) -> Callable[[], Pruner]:
    registry = Registry()
    return lambda: registry.build("pruner", name, options)


class TestNop(PrunerSuite):
    prunes = False

    @pytest.fixture
    def make(self) -> Callable[[], Pruner]:
        return building("nop")


class TestMedian(PrunerSuite):
    @pytest.fixture
    def make(self) -> Callable[[], Pruner]:
        return building("median")


class TestMedianAtSomeSteps(PrunerSuite):
    @pytest.fixture
    def make(self) -> Callable[[], Pruner]:
        return building("median", n_startup_trials=3, n_warmup_steps=4, interval_steps=3, n_min_trials=2)


class TestPercentile(PrunerSuite):
    @pytest.fixture
    def make(self) -> Callable[[], Pruner]:
        return building("percentile", percentile=25.0)


@pytest.mark.parametrize("name", ["asha", "successive_halving"])
class TestAsha(PrunerSuite):
    @pytest.fixture
    def make(self, name: str) -> Callable[[], Pruner]:
        return building(name)


class TestHyperband(PrunerSuite):
    ignores_numbers = False

    @pytest.fixture
    def make(self) -> Callable[[], Pruner]:
        return building("hyperband")


class TestThreshold(PrunerSuite):
    compares = False

    @pytest.fixture
    def make(self) -> Callable[[], Pruner]:
        return building("threshold", upper=0.8, n_warmup_steps=5, interval_steps=2)


class TestPatient(PrunerSuite):
    compares = False

    @pytest.fixture
    def make(self) -> Callable[[], Pruner]:
        return building("patient", wrapped_pruner=None, patience=20)


class TestPatientMedian(PrunerSuite):
    @pytest.fixture
    def make(self) -> Callable[[], Pruner]:
        return building("patient", wrapped_pruner="median", patience=2)


class TestNan(PrunerSuite):
    prunes = False

    @pytest.fixture
    def make(self) -> Callable[[], Pruner]:
        return building("nan")
