"""Optuna's own distributions make the domains that they describe, though asyncsweep.space never imports optuna."""

import subprocess
import sys
from pathlib import Path

import optuna.distributions as od
import pytest
from hypothesis import given
from hypothesis import strategies as st

import asyncsweep
from asyncsweep.errors import ConfigError
from asyncsweep.space import Categorical, Float, Int, Space


class Derived(od.IntDistribution):
    pass


class FloatDistribution:
    """Another library's class of the same name."""

    low, high, log, step = 0.0, 1.0, False, None


@pytest.mark.parametrize(
    ("distribution", "domain"),
    [
        (od.FloatDistribution(0, 1), Float(0, 1)),
        (od.FloatDistribution(1e-5, 1e-1, log=True), Float(1e-5, 1e-1, log=True)),
        (od.FloatDistribution(0, 0.9, step=0.3), Float(0, 0.9, step=0.3)),
        (od.IntDistribution(1, 8), Int(1, 8)),
        (od.IntDistribution(1, 1000, log=True), Int(1, 1000, log=True)),
        (od.IntDistribution(0, 8, step=4), Int(0, 8, step=4)),
        (od.CategoricalDistribution(["a", 1, True, None]), Categorical(["a", 1, True, None])),
        (Derived(1, 8), Int(1, 8)),
    ],
)
def test_distribution_becomes_the_domain(distribution, domain):
    assert Space({"x": distribution}).domains["x"] == domain


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("name", "arguments", "domain"),
    [
        ("LogUniformDistribution", (1e-3, 1), Float(1e-3, 1, log=True)),
        ("DiscreteUniformDistribution", (0, 1, 0.25), Float(0, 1, step=0.25)),
        ("IntUniformDistribution", (0, 8, 2), Int(0, 8, step=2)),
        ("IntLogUniformDistribution", (1, 8), Int(1, 8, log=True)),
    ],
)
def test_deprecated_distribution_becomes_the_domain(name, arguments, domain):
    assert Space({"x": getattr(od, name)(*arguments)}).domains["x"] == domain


@pytest.mark.filterwarnings("ignore:The distribution is specified by")
@given(st.floats(-100, 100), st.floats(0, 100), st.sampled_from([0.1, 0.25, 0.3, 1 / 3, 2.0]))
def test_every_stepped_distribution_is_accepted(low, span, step):
    distribution = od.FloatDistribution(low, low + span, step=step)
    assert Space({"x": distribution}).domains["x"].high == distribution.high


@pytest.mark.parametrize(
    "distribution",
    [od.FloatDistribution(1e-3, 10, log=True), od.FloatDistribution(0, 1, step=0.1), od.IntDistribution(0, 30, step=3)],
)
def test_points_of_the_domain_are_contained_in_the_distribution(distribution):
    domain = Space({"x": distribution}).domains["x"]
    points = [domain.from_unit(index / 997) for index in range(997)]
    assert all(distribution._contains(distribution.to_internal_repr(point)) for point in points)


@pytest.mark.parametrize(
    ("distribution", "message"),
    [
        (od.CategoricalDistribution(["a", "a"]), "parameter 'x': Categorical: choices 0 and 1 are both 'a'"),
        (od.FloatDistribution(0, float("inf")), "parameter 'x': Float: high=inf is not finite"),
        (od.IntDistribution(0, 2**64), "parameter 'x': Int: high=.* is beyond 64 bits"),
    ],
)
def test_distribution_that_makes_no_domain_is_refused_with_the_parameter(distribution, message):
    with pytest.raises(ConfigError, match=message):
        Space({"x": distribution})


def test_class_of_the_same_name_from_elsewhere_is_no_distribution():
    with pytest.raises(ConfigError, match=r"parameter 'x': .* cannot be stored"):
        Space({"x": FloatDistribution()})


def test_importing_the_space_imports_neither_optuna_nor_numpy():
    code = "import sys, asyncsweep.space; print({'optuna', 'numpy'} & set(sys.modules))"
    root = Path(asyncsweep.__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=30, check=False
    )
    assert (ran.stdout, ran.stderr) == ("set()\n", "")
