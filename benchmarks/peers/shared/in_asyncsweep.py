"""The space as asyncsweep's domains."""

from __future__ import annotations

from asyncsweep import Categorical, Domain, Float, Int
from benchmarks.peers.shared.space import SPACE, Choice, Real, Whole


def domain_of(domain: Real | Whole | Choice) -> Domain:
    """One parameter as ours."""
    if isinstance(domain, Choice):
        return Categorical(domain.options)
    if isinstance(domain, Whole):
        return Int(domain.low, domain.high, log=domain.is_log)
    return Float(domain.low, domain.high, log=domain.is_log, step=domain.step)


DOMAINS = {name: domain_of(domain) for name, domain in SPACE.items()}
