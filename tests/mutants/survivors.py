"""Reads survivors.md: which mutants nothing finds, and why that is no gap."""

from __future__ import annotations

from pathlib import Path

LIST = Path(__file__).with_name("survivors.md")


def explained() -> dict[str, str]:
    """The reason for each survivor, by the mutant's name. A line is "- `name`: reason"."""
    reasons = {}
    for line in LIST.read_text().splitlines():
        if line.startswith("- `"):
            name, _, reason = line.removeprefix("- `").partition("`: ")
            reasons[name] = reason
    return reasons
