"""The samplers that ship, registered as everybody's are."""

from __future__ import annotations

from asyncsweep.hooks.specs import hookimpl


@hookimpl
def asyncsweep_samplers() -> dict[str, str]:
    """Named by path, so that nothing is imported before somebody asks for it."""
    return {
        "random": "asyncsweep.samplers.random:RandomSampler",
        "grid": "asyncsweep.samplers.grid:GridSampler",
        "sobol": "asyncsweep.samplers.sobol:SobolSampler",
        "tpe": "asyncsweep.samplers.named:TPESampler",
        "cmaes": "asyncsweep.samplers.named:CmaEsSampler",
        "gp": "asyncsweep.samplers.named:GPSampler",
        "nsgaii": "asyncsweep.samplers.named:NSGAIISampler",
        "nsgaiii": "asyncsweep.samplers.named:NSGAIIISampler",
        "qmc": "asyncsweep.samplers.named:QMCSampler",
        "bruteforce": "asyncsweep.samplers.named:BruteForceSampler",
        "partial-fixed": "asyncsweep.samplers.named:PartialFixedSampler",
    }
