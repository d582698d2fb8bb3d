"""Trials of another sweep of ours: from its directory, also while it runs or after it was killed, or from its result.

Only that sweep's own trials count, not what it took from an earlier one in its turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path

from asyncsweep.core.records import Direction, State, TrialRecord
from asyncsweep.driver.replay import Replaying
from asyncsweep.errors import ConfigError
from asyncsweep.history.admission import Candidate
from asyncsweep.hooks.nearest import did_you_mean
from asyncsweep.journal import journal


def of_directory(path: Path) -> tuple[Mapping[str, Direction], list[TrialRecord]]:
    """The directions and trials of the journal in a directory; no lock is taken.

    Raises:
        ConfigError: There is no sweep.
        JournalError: The journal is damaged, or is of a newer version.
    """
    replaying = Replaying(str(path / journal.NAME))
    journal.read(path, take=replaying.take)
    machine = replaying.machine
    if not machine.seq:
        raise ConfigError("that sweep never began; name another directory")
    return machine.spec.directions, machine.trials


def check_directions(
    theirs: Mapping[str, Direction], trials: Iterable[TrialRecord], ours: Mapping[str, Direction]
) -> None:
    """See that the earlier sweep measured what the new one does.

    Raises:
        ConfigError: A metric was never recorded, or went the other way.
    """
    for name, direction in ours.items():
        if theirs.get(name, direction) != direction:
            raise ConfigError(f"that sweep had to {theirs[name]} the metric {name!r}, this one has to {direction} it")
        if name not in theirs and not any(name in t.metric_names for t in trials if t.state is State.COMPLETE):
            raise ConfigError(
                f"that sweep has no metric {name!r}{did_you_mean(name, theirs)}; its metrics: {', '.join(theirs)}; "
                f"name this sweep's metrics in the same way: direction={{...}}"
            )


def candidates(trials: Iterable[TrialRecord], ignore: Set[str]) -> Iterator[Candidate]:
    """The trials in their order."""
    for trial in trials:
        if trial.param_names is None:
            yield Candidate(f"trial {trial.number}", trial.state, None)  # the sampler failed, say
            continue
        reports: dict[int, float] = {}
        for step, value in trial.reports:
            reports.setdefault(step, value)  # of several reports at one step the first counts, as in Optuna
        yield Candidate(
            f"trial {trial.number}",
            trial.state,
            {name: value for name, value in trial.params.items() if name not in ignore},
            trial.metrics,
            reports,
            trial.constraints,
        )
