"""One run held against an earlier one: each figure's ratio, and whether it is more than what both runs varied by.

A change counts when the ranges of the two figures do not meet. A range of fewer than three samples says little, so it is widened
by how much the machine's speed varied in its run. Peers are shown too, but only ours can be worse: figures of asyncsweep whose
direction is known, by a goal or by the unit. A ratio without a goal is judged by nobody: its two figures are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.harness.cases import Outcome
from benchmarks.harness.figures import OURS, Figure
from benchmarks.harness.results import Results
from benchmarks.harness.tables import shown, table

_FEW = 3
_LESS_IS_BETTER = frozenset(("s", "ms", "us", "bytes", "KB", "MB", "KiB", "MiB", "B"))
_MORE_IS_BETTER = frozenset(("share",))
# What changes from run to run and says nothing about the code.
_PASSING = frozenset(("at", "load_average_before", "load_average_after", "took_s", "peers"))
_RATIO = "x"
_SAME_SPEED = 0.05


@dataclass(frozen=True)
class Change:
    """One figure in both runs.

    Attributes:
        workload: Where it is from.
        old: What it was.
        new: What it is.
        better: 1 when more is better, -1 when less is, 0 when nobody says.
        is_outside: Whether it is more than what both runs varied by.
    """

    workload: str
    old: Figure
    new: Figure
    better: int
    is_outside: bool

    @property
    def ratio(self) -> float | None:
        """New by old; None when the old one is 0."""
        return self.new.median / self.old.median if self.old.median else None

    @property
    def worse_percent(self) -> float:
        """By how much it is worse, in percent of what it was; 0 when it is not, or is not ours to judge."""
        is_ours = self.new.contestant == OURS or not self.new.contestant
        if self.ratio is None or not self.is_outside or not self.better or not is_ours:
            return 0.0
        return max(0.0, (1 - self.ratio if self.better > 0 else self.ratio - 1) * 100)

    @property
    def word(self) -> str:
        if not self.is_outside:
            return ""
        if self.ratio is None or not self.better:
            return "changed"
        return "better" if (self.ratio > 1) == (self.better > 0) else "WORSE"


def show(old: Results, new: Results, fail_over: float | None = None) -> int:
    """Print the comparison; gives the exit status.

    Args:
        old: The earlier run.
        new: The run that is judged.
        fail_over: Percent by which something may be worse; None for any.

    Returns:
        1 when something is worse by more than `fail_over`, beyond what both runs varied by.
    """
    for line in differences(old, new):
        print(line)
    found = changes(old, new)
    for name in dict.fromkeys(change.workload for change in found):
        print(f"\n== {name}")
        of_one = [change for change in found if change.workload == name]
        table(("figure", "old", "range", "new", "range", "unit", "new / old", ""), [_row(change) for change in of_one])
    print(
        "\nA word stands where the ranges of the two do not meet; a range of fewer than three samples is widened by the noise."
    )
    for line in missing(old, new):
        print(line)
    if fail_over is None:
        return 0
    worse = [change for change in found if change.worse_percent > fail_over]
    for change in worse:
        print(
            f"FAILED: {change.workload}: {change.new.label} is worse by {change.worse_percent:.1f} %: "
            f"{shown(change.new.median)} {change.new.unit}, was {shown(change.old.median)}"
        )
    if not worse:
        print(f"Nothing is worse by more than {fail_over:g} %.")
    return int(bool(worse))


def changes(old: Results, new: Results) -> list[Change]:
    """Every figure that both runs have, in the new one's order."""
    return [
        Change(
            name,
            before,
            figure,
            _direction(figure, outcome),
            not _meet(_range(before, old.workloads[name]), _range(figure, outcome)),
        )
        for name, outcome in new.workloads.items()
        if name in old.workloads
        for key, figure in outcome.figures.items()
        if (before := old.workloads[name].figures.get(key)) is not None and before.samples and figure.samples
    ]


def missing(old: Results, new: Results) -> Iterator[str]:
    """What only one of the two has, one line each."""
    for name in dict.fromkeys([*old.workloads, *new.workloads]):
        before = old.workloads[name].figures if name in old.workloads else {}
        now = new.workloads[name].figures if name in new.workloads else {}
        if not before or not now:
            yield f"{name}: {'only the old run has it' if before else 'only the new run has it'}"
            continue
        for key in dict.fromkeys([*before, *now]):
            if key not in now:
                why = _why(key, new.workloads[name])
                yield f"{name}: {before[key].label}: only the old run has it{why}"
            elif key not in before:
                yield f"{name}: {now[key].label}: only the new run has it"


def differences(old: Results, new: Results) -> Iterator[str]:
    """How the settings differ, one line each, and how much faster the machine was."""
    before, now = _flat(old.setting), _flat(new.setting)
    found = False
    for key in dict.fromkeys([*before, *now]):
        if before.get(key) != now.get(key):
            found = True
            yield f"{key.replace('_', ' ')}: {before.get(key, 'not there')} -> {now.get(key, 'not there')}"
    if not found:
        yield "The settings are the same: versions, system, processors."
    speeds = [[second for outcome in run.workloads.values() for second in outcome.noise] for run in (old, new)]
    if all(speeds):
        slower = median(speeds[1]) / median(speeds[0])
        if abs(slower - 1) > _SAME_SPEED:
            yield f"The same pure Python work took {slower:.2f} times as long in the new run: rates are not comparable beyond that."


def _row(change: Change) -> tuple[str, ...]:
    old, new = change.old, change.new
    return (
        new.label,
        shown(old.median),
        f"{shown(old.low)} .. {shown(old.high)}",
        shown(new.median),
        f"{shown(new.low)} .. {shown(new.high)}",
        new.unit,
        "-" if change.ratio is None else f"{change.ratio:.2f}",
        change.word,
    )


def _direction(figure: Figure, outcome: Outcome) -> int:
    for goal in outcome.goals:
        if goal.figure.key == figure.key:
            return -1 if goal.at_most else 1
    if figure.unit == _RATIO:
        return 0
    if figure.unit.endswith("/s") or figure.unit in _MORE_IS_BETTER:
        return 1
    return -1 if figure.unit.partition(" ")[0].partition("/")[0] in _LESS_IS_BETTER else 0


def _range(figure: Figure, outcome: Outcome) -> tuple[float, float]:
    if len(figure.samples) >= _FEW or not outcome.noise:
        return figure.low, figure.high
    middle = median(outcome.noise)
    spread = max(max(outcome.noise) / middle, middle / min(outcome.noise))
    return figure.low / spread, figure.high * spread


def _meet(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _why(key: str, outcome: Outcome) -> str:
    """Why a figure is not there, as far as its case said."""
    for case, reason in {**outcome.failed, **outcome.skipped}.items():
        if key == case or key.startswith(f"{case}_"):
            return f"; {reason}"
    return ""


def _flat(setting: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in setting.items():
        if above or key not in _PASSING:
            found |= _flat(value, f"{above}{key} ") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return found
