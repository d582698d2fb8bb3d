"""What the callbacks of all libraries share."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from asyncsweep.errors import TrialError
from asyncsweep.integrations.reporting import Reporter
from asyncsweep.worker.current import CURRENT
from tests.integrations.trials import noted

INTEGRATIONS = Path(__file__).parents[2] / "asyncsweep" / "integrations"


def test_a_monitored_metric_is_reported_as_the_value() -> None:
    trial, notes = noted()
    assert not Reporter("loss", trial).report({"loss": 0.5, "accuracy": 0.9}, 3)
    assert (notes.reports, notes.further) == ([(3, 0.5)], [None])


def test_several_metrics_are_reported_by_their_names() -> None:
    trial, notes = noted(metrics=("loss",))
    Reporter(["loss", "accuracy"], trial).report({"loss": 0.5, "accuracy": 0.9}, 0)
    assert (notes.reports, notes.further) == ([(0, 0.5)], [{"accuracy": 0.9}])


def test_a_hopeless_trial_is_told_to_end() -> None:
    trial, _ = noted(stop_at=1)
    reporter = Reporter("loss", trial)
    assert [reporter.report({"loss": 1.0}, step) for step in range(2)] == [False, True]


def test_a_metric_that_is_not_there_is_answered_with_those_that_are() -> None:
    trial, _ = noted()
    with pytest.raises(TrialError) as caught:
        Reporter("val_los", trial).report({"val_loss": 1.0, "accuracy": 0.9}, 0)
    assert str(caught.value) == (
        "monitor='val_los': there is no such metric; there are 'val_loss', 'accuracy'; did you mean 'val_loss'?"
    )


def test_where_there_is_no_metric_at_all_the_error_says_what_to_do() -> None:
    trial, _ = noted()
    with pytest.raises(TrialError, match=r"there is none; log it$"):
        Reporter("loss", trial).report({}, 0, "log it")


def test_a_callback_that_outlives_a_trial_reports_to_the_next_one() -> None:
    reporter = Reporter("loss")
    reports = []
    for _ in range(2):
        trial, notes = noted()
        token = CURRENT.set(trial)
        reporter.report({"loss": 0.5}, 0)
        CURRENT.reset(token)
        reports.append(notes.reports)
    assert reports == [[(0, 0.5)], [(0, 0.5)]]


def test_every_third_step_is_due_when_every_is_three() -> None:
    reporter = Reporter("loss", every=3)
    assert [step for step in range(9) if reporter.is_due(step)] == [2, 5, 8]


def test_without_a_trial_one_warning_is_all_that_comes_of_it() -> None:
    reporter = Reporter("loss")
    with pytest.warns(UserWarning, match="no asyncsweep trial runs here") as caught:
        assert [reporter.report({}, step) for step in range(2)] == [False, False]
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"monitor": ""}, "monitor='': expected the name of a metric, it is empty"),
        ({"monitor": []}, r"monitor=\[\]: expected the name of a metric, it is empty"),
        ({"monitor": 3}, "monitor=3: expected the name of a metric, or a list of names"),
        ({"monitor": "loss", "every": 0}, "every=0: expected a whole number of steps, from 1"),
    ],
    ids=["no name", "no names", "a number", "every"],
)
def test_a_wrong_argument_is_refused_before_the_training(arguments: dict[str, Any], error: str) -> None:
    with pytest.raises((TypeError, ValueError), match=error):
        Reporter(**arguments)


LIBRARIES = {
    "asyncsweep.integrations": set(),
    "asyncsweep.integrations.lightgbm": set(),
    "asyncsweep.integrations.xgboost": {"xgboost"},
}


@pytest.mark.parametrize(
    "module", [pytest.param(module, marks=[pytest.mark.deep] * bool(LIBRARIES[module])) for module in LIBRARIES]
)
def test_an_integration_imports_its_own_library_and_nothing_of_the_sweep(module: str) -> None:
    code = f"import sys, json, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    modules = set(json.loads(done.stdout))
    heavy = {"lightgbm", "keras", "lightning", "pytorch_lightning", "torch", "xgboost"}
    own = {name.split(".")[1] for name in modules if name.startswith("asyncsweep.")}
    assert (heavy & modules, own <= {"errors", "integrations", "wire", "worker"}) == (LIBRARIES[module], True)


def test_an_integration_whose_library_is_missing_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules.update({'lightning': None, 'pytorch_lightning': None}); import asyncsweep.integrations.lightning"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert done.stderr.splitlines()[-1] == (
        "ImportError: asyncsweep.integrations.lightning needs Lightning: pip install lightning"
    )
