"""Counts beside those that were accepted: what has grown, by how much, and what to do about it.

Every count has an allowance for what it was seen to vary by. Between 30 runs, half of them beside two busy loops and all on a busy
machine, events, writes, bytes on the link, system calls and what a worker runs were the same each time; the journal's bytes differed by
one mark in a sweep (16 bytes: 0.03 % of a count), the controller's calls and instructions by what the end of a sync costs (0.06 %),
memory blocks by 2.9 %.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("counts.json")

Counts = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Kind:
    """One count.

    Attributes:
        label: For people.
        allowed: How much more than the accepted count it may be, as a share of it.
        least: The same, as a number: the larger of the two counts.
    """

    label: str
    allowed: float
    least: float


KINDS = {
    "events": Kind("events", 0.001, 0.001),
    "journal_writes": Kind("writes of the journal", 0.002, 0.01),
    "journal_bytes": Kind("bytes of the journal", 0.001, 0.3),
    "link_bytes": Kind("bytes on the link", 0.001, 0.2),
    "blocks": Kind("memory blocks that stay", 0.05, 0.8),
    "calls": Kind("calls, controller", 0.002, 0.3),
    "instructions": Kind("instructions, controller", 0.001, 3.0),
    "worker_calls": Kind("calls, worker", 0.002, 0.3),
    "worker_instructions": Kind("instructions, worker", 0.001, 1.0),
    "syscalls": Kind("system calls, controller", 0.01, 0.2),
    "worker_syscalls": Kind("system calls, worker", 0.01, 0.2),
}


@dataclass(frozen=True)
class Verdict:
    """One count beside the accepted one.

    Attributes:
        case, name: Which.
        measured: What it is now; None when it is not counted here.
        accepted: What it was; None when it was not counted.
    """

    case: str
    name: str
    measured: float | None
    accepted: float | None

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    @property
    def change(self) -> float:
        """By how much it has grown: a share of what was accepted."""
        assert self.measured is not None and self.accepted is not None
        return (self.measured - self.accepted) / self.accepted if self.accepted else float(self.measured > 0)

    @property
    def word(self) -> str:
        """ "worse", "better", "same", "new" or "skipped"."""
        if self.measured is None:
            return "skipped"
        if self.accepted is None:
            return "new"
        allowed = max(self.kind.allowed * self.accepted, self.kind.least)
        difference = self.measured - self.accepted
        return "worse" if difference > allowed else "better" if difference < -allowed else "same"


def judge(measured: Counts, accepted: Mapping[str, Mapping[str, float]]) -> list[Verdict]:
    """Every count of either side, in the order of the cases and of `KINDS`."""
    return [
        Verdict(case, name, measured.get(case, {}).get(name), accepted.get(case, {}).get(name))
        for case in dict.fromkeys([*measured, *accepted])
        for name in KINDS
        if name in measured.get(case, {}) or name in accepted.get(case, {})
    ]


def load(python: str, file: Path) -> dict[str, Any] | None:
    """What was accepted for a minor version of Python, as "3.11"; None when nothing was."""
    if not file.exists():
        return None
    found: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")).get(python)
    return found


def store(python: str, content: Mapping[str, Any], file: Path) -> None:
    """Accept counts for a minor version of Python; those of others stay."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    known[python] = content
    ordered = dict(sorted(known.items(), key=lambda entry: tuple(map(int, entry[0].split(".")))))
    file.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")


def shown(value: float | None) -> str:
    """A count for people: no more digits than say something."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 10_000 else f"{value:,.2f}".rstrip("0").rstrip(".")
