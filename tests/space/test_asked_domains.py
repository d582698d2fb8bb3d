"""Domains that an objective asks for while it runs come as bytes; no sampler sees one that was not checked."""

import pickle

import msgspec
import pytest

from asyncsweep.errors import TrialError
from asyncsweep.executors.values import domain_of
from asyncsweep.samplers.host import PARAM_SUGGESTED, SUGGEST, SUGGEST_FAILED, Host
from asyncsweep.space import Float

BAD_FLOAT = {"type": "float", "low": 5.0, "high": 1.0}
WHOLE_FLOAT = {"type": "float", "low": 0, "high": 1, "when": {"a": "b"}}


class Recorder:
    """A sampler that suggests the lower bound."""

    def __init__(self):
        self.seen = []

    def open(self, space, directions, seed):
        pass

    def suggest(self, trial, name, domain):
        self.seen.append(domain)
        return domain.low


@pytest.fixture
def host():
    return Host(pickle.dumps(Recorder()), None, msgspec.msgpack.encode({}), {"value": "minimize"}, 0, "sweep")


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        (BAD_FLOAT, r"^suggest 'lr': Float: low=5\.0 is greater than high=1\.0; swap them"),
        ({"type": "int", "low": 2**70, "high": 2**71}, "^suggest 'lr': Int: low=.* is beyond 64 bits"),
        ({"type": "categorical", "choices": []}, "^suggest 'lr': Categorical: .* give at least one value"),
        ({"type": "float", "low": "a", "high": 1}, "^suggest 'lr': Expected `float`, got `str`"),
        ({"type": "uniform", "low": 0, "high": 1}, "^suggest 'lr': Invalid value 'uniform'"),
    ],
)
def test_bad_domain_of_an_objective_is_a_trial_error_that_names_the_parameter(domain, message):
    with pytest.raises(TrialError, match=message):
        domain_of("lr", domain)


def test_domain_of_an_objective_is_normalised():
    assert repr(domain_of("lr", WHOLE_FLOAT)) == repr(Float(0.0, 1.0, when={"a": ("b",)}))


def test_sampler_host_refuses_a_bad_domain_with_the_parameter(host):
    tag, trial, attempt, name, error = host.answer([SUGGEST, 3, 1, "lr", BAD_FLOAT])
    assert (tag, trial, attempt, name) == (SUGGEST_FAILED, 3, 1, "lr")
    assert "suggest 'lr': Float: low=5.0 is greater than high=1.0; swap them" in str(error)


def test_sampler_of_the_host_does_not_see_a_bad_domain(host):
    host.answer([SUGGEST, 3, 1, "lr", BAD_FLOAT])
    assert host._sampler.seen == []


def test_sampler_of_the_host_sees_the_normalised_domain(host):
    answer = host.answer([SUGGEST, 3, 1, "lr", WHOLE_FLOAT])
    assert (answer[0], repr(host._sampler.seen)) == (PARAM_SUGGESTED, repr([Float(0.0, 1.0, when={"a": ("b",)})]))
