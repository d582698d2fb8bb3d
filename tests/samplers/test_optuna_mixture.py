"""The density that hurried asks are scored by, against Optuna's own."""

from __future__ import annotations

import math

import numpy
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters

from asyncsweep.samplers.optuna_mixture import log_density, normal_cdf

DOMAINS: dict[str, BaseDistribution] = {
    "plain": FloatDistribution(-5.0, 5.0),
    "log": FloatDistribution(1e-5, 1e-1, log=True),
    "stepped": FloatDistribution(0.0, 1.0, step=0.1),
    "int": IntDistribution(1, 100),
    "log int": IntDistribution(1, 1024, log=True),
    "single end": IntDistribution(0, 1),
    "categorical": CategoricalDistribution(["a", "b", "c"]),
}


def fitted(domains: dict[str, BaseDistribution], count: int) -> _ParzenEstimator:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    trials = [study.ask(domains) for _ in range(count)]
    observed = {
        name: numpy.array([domain.to_internal_repr(trial.params[name]) for trial in trials])
        for name, domain in domains.items()
    }
    weights = optuna.samplers._tpe.sampler.default_weights
    return _ParzenEstimator(observed, domains, _ParzenEstimatorParameters(1.0, True, False, weights, True))


@pytest.mark.parametrize("count", [1, 20, 200])
@pytest.mark.parametrize("name", [*DOMAINS, "all"])
def test_differences_of_log_densities_are_optunas(name: str, count: int) -> None:
    """Only differences play a part in what is picked."""
    domains = DOMAINS if name == "all" else {name: DOMAINS[name]}
    estimator = fitted(domains, count)
    samples = estimator.sample(numpy.random.RandomState(0), 100)
    ours = log_density(estimator._mixture_distribution, list(samples.values()))
    theirs = estimator.log_pdf(samples)
    assert numpy.abs(ours - theirs - (ours - theirs).mean()).max() < 1e-3


def test_the_normal_distribution_function_is_exact_to_seven_places_and_bounded() -> None:
    values = numpy.linspace(-12.0, 12.0, 10_001)
    exact = numpy.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in values])
    found = normal_cdf(values)
    assert numpy.abs(found - exact).max() < 3e-8 and found.min() >= 0.0 and found.max() <= 1.0
