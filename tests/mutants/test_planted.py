"""Each fault planted by hand is found by its invariant in random worlds, and an unchanged core has none."""

from __future__ import annotations

import pytest

from asyncsweep.core.invariants import INVARIANTS
from tests.mutants.laboratory import CORE, probe_all
from tests.mutants.planted import FAULTS, SHOWN_BY


@pytest.mark.timeout(180)
def test_each_planted_fault_is_found_by_its_invariant() -> None:
    found = probe_all([(fault.file, fault.source, *fault.how) for fault in FAULTS])
    missed = {
        fault.name: (fault.found_by, names)
        for fault, names in zip(FAULTS, found, strict=True)
        if (fault.found_by not in names.splitlines() if fault.found_by else not names)
    }
    assert missed == {}


def test_every_world_that_is_named_is_a_faults() -> None:
    assert set(SHOWN_BY) - {fault.name for fault in FAULTS} == set()


@pytest.mark.deep
def test_nothing_is_found_in_an_unchanged_core() -> None:
    assert probe_all([("machine.py", (CORE / "machine.py").read_text(), "hunt")]) == [""]


def test_every_invariant_is_broken_by_a_planted_fault() -> None:
    assert {fault.found_by for fault in FAULTS} - {""} == set(INVARIANTS)
