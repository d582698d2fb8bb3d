"""The sampler passes the suite that everybody's samplers have to pass, with optimizers of different kinds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from asyncsweep_nevergrad.sampler import NevergradSampler

from asyncsweep.testing import SamplerSuite

pytestmark = pytest.mark.filterwarnings("ignore")  # nevergrad's and its optimizers' own, of which there are many


class TestNGOpt(SamplerSuite):
    learns_from_history = False  # what it picks for so few points makes nothing of those that it did not ask for
    n_many = 200

    @pytest.fixture
    def make(self) -> Callable[[], NevergradSampler]:
        return lambda: NevergradSampler("NGOpt", budget=200)


class TestTwoPointsDE(SamplerSuite):
    n_few = 120

    @pytest.fixture
    def make(self) -> Callable[[], NevergradSampler]:
        return lambda: NevergradSampler("TwoPointsDE", budget=1000, num_workers=4)


class TestSequential(SamplerSuite):
    """An optimizer that has to be told of a point before it gives the next."""

    n_many = 100

    @pytest.fixture
    def make(self) -> Callable[[], NevergradSampler]:
        return lambda: NevergradSampler("Cobyla", budget=100)
