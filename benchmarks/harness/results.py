"""The JSON of a run: what was measured where, every repetition of it.

{"format": 1, "setting": {...}, "workloads": {name: {
    "figures": {key: {label, unit, contestant, does_less, samples, median, low, high}},
    "goals": [{figure, at_least or at_most, measured, met}],
    "failed": {case: why}, "skipped": {case: why}, "notes": [...], "noise": [seconds...], "loads": [...]}}}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.cases import Outcome
from benchmarks.harness.figures import Figure, Goal

FORMAT = 1


@dataclass(frozen=True)
class Results:
    """One run.

    Attributes:
        setting: Where and with what it was measured; see `setting.py`.
        workloads: Name to what came of it, in the order in which they ran.
    """

    setting: dict[str, Any]
    workloads: dict[str, Outcome]

    @property
    def has_failures(self) -> bool:
        return any(outcome.failed for outcome in self.workloads.values())


def write(results: Results, file: Path) -> None:
    """Write a run as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(as_json(results), indent=1) + "\n", encoding="utf-8")


def read(file: Path) -> Results:
    """Read a run.

    Raises:
        ValueError: The file is none, or of another format; the message names it.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: {error}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(f"{file} is no JSON of this harness, format {FORMAT}")
    return Results(found["setting"], {name: _outcome(one) for name, one in found["workloads"].items()})


def as_json(results: Results) -> dict[str, Any]:
    """What `write` writes."""
    workloads = {
        name: {
            "figures": {key: figure.as_json() for key, figure in outcome.figures.items()},
            "goals": [goal.as_json() for goal in outcome.goals],
            "failed": outcome.failed,
            "skipped": outcome.skipped,
            "notes": outcome.notes,
            "noise": outcome.noise,
            "loads": outcome.loads,
        }
        for name, outcome in results.workloads.items()
    }
    return {"format": FORMAT, "setting": results.setting, "workloads": workloads}


def _outcome(found: dict[str, Any]) -> Outcome:
    figures = {key: Figure.from_json(key, one) for key, one in found["figures"].items()}
    return Outcome(
        figures=figures,
        goals=[Goal.from_json(one, figures) for one in found["goals"]],
        failed=found["failed"],
        skipped=found["skipped"],
        notes=found["notes"],
        noise=found["noise"],
        loads=found["loads"],
    )
