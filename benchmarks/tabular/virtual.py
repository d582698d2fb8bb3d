"""A search of objectives that are known as learning curves, in virtual time: by plain Optuna, and by a simulated sweep.

Both see the same trials take the same time, one step after another, as many at a time as they are told. Optuna's side is what its
documentation says of ask and tell; ours is `asyncsweep.testing.simulate`, which is the real driver, sampler and pruner.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, count
from typing import Any, NamedTuple

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from asyncsweep import Float, Int, State
from asyncsweep.testing import Curve, simulate

Objective = Callable[[dict[str, Any]], Curve]
Space = Mapping[str, Float | Int]


class Ran(NamedTuple):
    """A trial that has ended.

    Attributes:
        params: Its parameters.
        value: What it returned; None when it was pruned.
        n_steps: How many steps it took; one at least.
        began_at: In virtual seconds.
    """

    params: dict[str, Any]
    value: float | None
    n_steps: int
    began_at: float


class Settings(NamedTuple):
    """What both searches have in common.

    Attributes:
        space: Floats and integers, which are not logarithmic.
        objective: What a trial would report and return; `step_s` has a number for each step.
        n_trials: How many trials there are.
        parallel: How many at a time.
        seed: Of the sweep, and of Optuna's sampler if it is made with it.
    """

    space: Space
    objective: Objective
    n_trials: int
    parallel: int
    seed: int

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The space, as Optuna's."""
        return {
            name: IntDistribution(domain.low, domain.high)
            if isinstance(domain, Int)
            else FloatDistribution(domain.low, domain.high, log=domain.log)
            for name, domain in self.space.items()
        }


def by_optuna(
    settings: Settings, sampler: optuna.samplers.BaseSampler, pruner: optuna.pruners.BasePruner | None = None
) -> list[Ran]:
    """Plain Optuna's trials, by number: a free machine asks, and is told of what happens in the order in which it does."""
    # Hyperband draws a trial's bracket from the name of the study; a sweep has this one.
    study = optuna.create_study(
        study_name=f"asyncsweep-{settings.seed}", sampler=sampler, pruner=pruner or optuna.pruners.NopPruner()
    )
    distributions = settings.distributions
    # Of two steps that end at once the one that was begun first comes first.
    order, now = count(), 0.0
    running: list[tuple[float, int, optuna.Trial, Curve, int, float]] = []
    ran: dict[int, Ran] = {}

    def begin() -> None:
        trial = study.ask(distributions)
        curve = settings.objective(trial.params)
        heapq.heappush(running, (now + _pauses(curve)[0], next(order), trial, curve, 0, now))

    for _ in range(min(settings.parallel, settings.n_trials)):
        begin()
    while running:
        now, _, trial, curve, step, began_at = heapq.heappop(running)
        pauses, value = _pauses(curve), None
        if curve.values:
            trial.report(curve.values[step], step)
        if curve.values and trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
        elif step + 1 < len(pauses):
            heapq.heappush(running, (now + pauses[step + 1], next(order), trial, curve, step + 1, began_at))
            continue
        else:
            value = returned(curve)
            study.tell(trial, value)
        ran[trial.number] = Ran(trial.params, value, step + 1, began_at)
        if len(study.trials) < settings.n_trials:
            begin()
    return [ran[number] for number in sorted(ran)]


def by_sweep(settings: Settings, sampler: Any, pruner: Any = None) -> list[Ran]:
    """A sweep's trials, by number."""
    found = simulate(
        settings.space,
        settings.objective,
        sampler=sampler,
        pruner=pruner,
        n_trials=settings.n_trials,
        concurrency=settings.parallel,
        seed=settings.seed,
    )
    return [
        Ran(
            trial.params,
            trial.metrics["value"] if trial.state == State.COMPLETE else None,
            max(1, sum(1 for _ in trial.reports)),
            trial.started_at - found.began_at,
        )
        for trial in found.result.trials
    ]


def differing(ours: Sequence[Ran], theirs: Sequence[Ran]) -> int:
    """How many trials have other parameters, another value, or ended after another step."""
    pairs = zip(ours, theirs, strict=True)
    return sum(one[:3] != other[:3] for one, other in pairs)


class Ended(NamedTuple):
    """The end of a step: when, and what the trial returned, if it returned then."""

    at: float
    value: float | None


def steps(settings: Settings, trials: Sequence[Ran]) -> list[Ended]:
    """The ends of all steps of all trials, in order."""
    ended = []
    for trial in trials:
        ends = list(accumulate(_pauses(settings.objective(trial.params))[: trial.n_steps], initial=trial.began_at))[1:]
        ended += [Ended(at, None) for at in ends[:-1]] + [Ended(ends[-1], trial.value)]
    return sorted(ended, key=lambda end: end.at)


def returned(curve: Curve) -> float:
    """What a trial with this curve returns."""
    assert curve.value is None or isinstance(curve.value, float)
    return curve.values[-1] if curve.value is None else curve.value


def _pauses(curve: Curve) -> Sequence[float]:
    assert not isinstance(curve.step_s, float)
    return curve.step_s
