"""The space as asyncsweep's domains."""

from __future__ import annotations

from asyncsweep import Categorical, Domain, Float, Int
from benchmarks.peers.shared.space import SPACE, Choice, Real, Whole


def _domain(domain: Real | Whole | Choice) -> Domain:
    if isinstance(domain, Choice):
        return Categorical(domain.options)
    if isinstance(domain, Whole):
        return Int(domain.low, domain.high, log=domain.is_log)
    return Float(domain.low, domain.high, log=domain.is_log, step=domain.step)


DOMAINS = {name: _domain(domain) for name, domain in SPACE.items()}
