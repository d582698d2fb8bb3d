"""The pruner that does nothing."""

from __future__ import annotations

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.hooks.contracts import Pruner
from asyncsweep.pruners.nop import NopPruner


def test_the_nop_pruner_never_stops_a_trial() -> None:
    pruner = NopPruner()
    pruner.open("minimize", 0, "sweep")
    pruner.finish(TrialRecord(0, state=State.COMPLETE))
    pruner.report(1, 0, float("nan"))
    assert not pruner.judge(1, 0)


def test_no_worker_has_to_ask_the_nop_pruner() -> None:
    assert NopPruner().verdict_steps() is None


def test_the_nop_pruner_keeps_the_contract() -> None:
    assert isinstance(NopPruner(), Pruner) and NopPruner.host == "inline"
