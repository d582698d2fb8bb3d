"""The workload that measures how soon a script begins, with a module that takes no time."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from benchmarks.starting.scripts import Scripts


def test_a_script_in_a_warm_worker_begins_before_it_ends(tmp_path: Path) -> None:
    with closing(Scripts(tmp_path, "json", 2)) as scripts:
        found = scripts.trials()
    assert len(found) == 2
    assert all(0 < first < end for first, end in found)
