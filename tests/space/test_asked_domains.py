"""Domains that an objective asks for while it runs come as bytes; no sampler sees one that was not checked."""

import pickle

import pytest

from asyncsweep.core.events import ParamSuggested, SuggestFailed
from asyncsweep.errors import TrialError
from asyncsweep.executors.values import domain_of
from asyncsweep.search.host import Host
from asyncsweep.search.wire import SUGGEST, Opening
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
    return Host(Opening([], pickle.dumps(Recorder()), None, {}, {"value": "minimize"}, 0, 0, 1))


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
    refused = host.answer([SUGGEST, 3, 1, "lr", BAD_FLOAT])
    assert isinstance(refused, SuggestFailed)
    assert (refused.trial, refused.attempt, refused.name) == (3, 1, "lr")
    assert "suggest 'lr': Float: low=5.0 is greater than high=1.0; swap them" in str(refused.error)


def test_sampler_host_refuses_what_is_no_domain(host):
    refused = host.answer([SUGGEST, 3, 1, "lr", {"type": "uniform", "low": 0, "high": 1}])
    assert "suggest 'lr': Invalid value 'uniform'" in str(refused.error)


def test_sampler_of_the_host_does_not_see_a_bad_domain(host):
    host.answer([SUGGEST, 3, 1, "lr", BAD_FLOAT])
    assert host.desk._sampler.seen == []


def test_sampler_of_the_host_sees_the_normalised_domain(host):
    answer = host.answer([SUGGEST, 3, 1, "lr", WHOLE_FLOAT])
    assert isinstance(answer, ParamSuggested)
    assert repr(host.desk._sampler.seen) == repr([Float(0.0, 1.0, when={"a": ("b",)})])
