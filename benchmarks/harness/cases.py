"""What is measured, and in which order: everything once to warm up, then repetition by repetition every case once.

So a minute in which the machine is busy slows all contestants, and ratios are taken within a repetition. Between two cases a fixed
piece of pure Python work is timed: how much that varied is how much the machine did.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Protocol, TypeVar

from benchmarks.harness.contestants import Answer, Contestant, TakesNoPart
from benchmarks.harness.figures import OURS, Figure, Goal

_T = TypeVar("_T")
_NOISE_ROUNDS = 100_000
QUICK_NOTE = "--quick: samples this small say little."


@dataclass(frozen=True)
class Case:
    """One thing that is measured once in each repetition.

    Attributes:
        key: Its name in JSON.
        label: Its name for people.
        unit: What its figures are in.
        measure: Gives figure name to value, "" for the only one: a figure's key is `key_name`, with
            underscores for spaces, its label "label, name".
        contestant: Whose case it is.
        does_less: What the contestant leaves out; an `Answer` may say it instead.
        units: Units of figures by name, where they differ from `unit`.
        most_repetitions: It is measured in so many repetitions at most, the first ones; 0 for all.
    """

    key: str
    label: str
    unit: str
    measure: Callable[[], Mapping[str, float]]
    contestant: str = OURS
    does_less: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    most_repetitions: int = 0


@dataclass(frozen=True)
class Options:
    """How a workload is to be run.

    Attributes:
        folder: Where it may write; each round has one of its own.
        contestants: Those whose environments are there: asyncsweep, the peers that were chosen, and `raw`.
        quick: To see that it works, not how fast.
        backend: The event loop of sweeps, "asyncio" or "trio".
        is_warm_up: This round does not count.
        cleanup: Called when the round is over.
        remarks: Notes on what was measured, for measures to add to.
        extra: What `--set NAME=VALUE` said, for workloads that have options of their own.
    """

    folder: Path
    contestants: Sequence[Contestant] = ()
    quick: bool = False
    backend: str = "asyncio"
    is_warm_up: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)
    cleanup: ExitStack = field(default_factory=ExitStack)
    remarks: list[str] = field(default_factory=list)

    def pick(self, full: _T, quick: _T, warm_up: _T | None = None) -> _T:
        """One of the sizes; `quick` warms up, too, where nothing else is given."""
        if self.is_warm_up:
            return quick if warm_up is None else warm_up
        return quick if self.quick else full

    def taking_part(self, workload: str) -> list[Contestant]:
        """The contestants that have an adapter for a workload, in order."""
        return [contestant for contestant in self.contestants if workload in contestant.workloads]


class Workload(Protocol):
    """A set of cases, and what their figures are held against."""

    @property
    def name(self) -> str: ...
    @property
    def about(self) -> str: ...
    @property
    def notes(self) -> Sequence[str]: ...
    @property
    def default_repetitions(self) -> int: ...

    def cases(self, options: Options) -> list[Case]:
        """What is measured, in order. What is made here is not timed."""

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        """Add ratios to the figures, and give the goals. Cases may have failed: their figures are not there."""


@dataclass
class Outcome:
    """What came of one workload.

    Attributes:
        figures: Key to figure; ratios come last.
        goals: What should hold.
        failed: Case key, or "peer NAME", to one line that says why it has no figures.
        skipped: Case key to why it was not measured, which is no failure.
        notes: For people.
        noise: Seconds of the same pure Python work, between the cases.
        loads: The load average of a minute, between the cases.
        owners: Figure key to the key of the case that it is from.
    """

    figures: dict[str, Figure] = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    noise: list[float] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)

    @property
    def noise_line(self) -> str:
        """How much the machine's speed varied."""
        if not self.noise:
            return "nothing was timed between the cases"
        middle = median(self.noise)
        return f"the same pure Python work took {min(self.noise) / middle:.2f} .. {max(self.noise) / middle:.2f} of its median"


def contested(
    contestant: Contestant,
    workload: str,
    key: str,
    label: str,
    unit: str,
    names: Mapping[str, str],
    **arguments: Any,
) -> Case:
    """A case that calls an adapter.

    Args:
        contestant: Whose adapter.
        workload: The name of the adapter's function.
        key: Of the case.
        label: Of the case.
        unit: Of the figures.
        names: Figure name to the adapter's name for it: `{"": "trials_per_s"}`.
        arguments: For the adapter.
    """

    def measure() -> Mapping[str, float]:
        return contestant.call(workload, **arguments).taking(names)

    return Case(key, label, unit, measure, contestant.name, contestant.less.get(workload, ""))


def run(
    workload: Workload,
    options: Options,
    repetitions: int,
    tell: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Run a workload: warm up, measure, compare.

    Args:
        workload: What.
        options: How.
        repetitions: How many samples each figure gets.
        tell: Called with a line for people before each case.
    """
    outcome = Outcome(notes=[*workload.notes, *([QUICK_NOTE] if options.quick else [])])
    try:
        with _round(replace(options, remarks=[]), "warm-up", is_warm_up=True) as how:
            line = f"{workload.name}, warm-up"
            _repeat(workload.cases(how), Outcome(), 0, lambda label: tell(f"{line}: {label}"))
        with _round(options, "measured", is_warm_up=False) as how:
            cases = workload.cases(how)
            for repetition in range(repetitions):
                at = f"{workload.name}, {repetition + 1} of {repetitions}"
                _repeat(cases, outcome, repetition, lambda label, at=at: tell(f"{at}: {label}"))  # type: ignore[misc]
    except Exception as error:  # it cannot even begin; other workloads can
        outcome.failed[workload.name] = _in_a_line(error)
    outcome.notes += options.remarks
    outcome.goals = workload.compare(outcome.figures)
    return outcome


def _repeat(cases: Sequence[Case], outcome: Outcome, repetition: int, tell: Callable[[str], None]) -> None:
    for case in cases:
        if case.key in outcome.failed or case.key in outcome.skipped:
            continue
        if case.most_repetitions and repetition >= case.most_repetitions:
            continue
        tell(case.label)
        gc.collect()
        outcome.loads.append(os.getloadavg()[0])
        outcome.noise.append(_noise_s())
        try:
            sample = case.measure()
        except TakesNoPart as error:
            outcome.skipped[case.key] = str(error)
            _drop(case, outcome)
        except Exception as error:  # one contestant's failure is a line in the table, not the end of all others
            outcome.failed[case.key] = _in_a_line(error)
            _drop(case, outcome)
        else:
            _add(case, sample, outcome)


def _drop(case: Case, outcome: Outcome) -> None:
    """What one repetition lacks is compared with nothing."""
    for key in [key for key, owner in outcome.owners.items() if owner == case.key]:
        del outcome.figures[key], outcome.owners[key]


def _add(case: Case, sample: Mapping[str, float], outcome: Outcome) -> None:
    less = case.does_less or (sample.does_less if isinstance(sample, Answer) else "")
    for name, value in sample.items():
        key = f"{case.key}_{name}".replace(" ", "_") if name else case.key
        label = f"{case.label}, {name}" if name else case.label
        unit = case.units.get(name, case.unit)
        made = outcome.figures.setdefault(key, Figure(key, label, unit, [], case.contestant, less))
        made.samples.append(value)
        outcome.owners[key] = case.key


def _noise_s() -> float:
    began_at = time.perf_counter()
    total = 0
    for number in range(_NOISE_ROUNDS):
        total += number * number % 7
    return time.perf_counter() - began_at


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


@contextmanager
def _round(options: Options, name: str, is_warm_up: bool) -> Iterator[Options]:
    folder = options.folder / name
    folder.mkdir()
    with ExitStack() as cleanup:
        yield replace(options, folder=folder, is_warm_up=is_warm_up, cleanup=cleanup)
