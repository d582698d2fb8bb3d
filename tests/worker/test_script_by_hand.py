"""`report` and `finish` where no script of a sweep runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from asyncsweep.errors import TrialError
from asyncsweep.worker.current import CURRENT, current_trial, finish, report
from asyncsweep.worker.trial import Trial
from tests.worker.test_trial import Port

BY_HAND = """
import asyncsweep
for step in range(3):
    asyncsweep.report(loss=step, step=step)
    asyncsweep.finish(loss=step)
try:
    asyncsweep.current_trial()
except asyncsweep.TrialError as error:
    print(error)
"""


def test_a_script_that_is_run_by_hand_is_warned_once() -> None:
    done = subprocess.run([sys.executable, "-c", BY_HAND], capture_output=True, text=True, timeout=50, check=True)
    told = [line for line in done.stderr.splitlines() if "UserWarning" in line]
    assert told == [
        f"<string>:{line}: UserWarning: asyncsweep.{name}() does nothing here: no sweep runs this process"
        for line, name in ((4, "report"), (5, "finish"))
    ]
    assert done.stdout.startswith("no trial runs here")


@pytest.fixture
def trial() -> Iterator[Trial]:
    trial = Trial(Port(), 3, 1, {}, ("value",), None)
    token = CURRENT.set(trial)
    yield trial
    CURRENT.reset(token)


def test_an_objective_returns_its_value(trial: Trial) -> None:
    with pytest.raises(
        TrialError, match="finish\\(\\) is for scripts: this objective is a function, so return the value"
    ):
        finish(0.5)


@pytest.mark.parametrize(
    "call", [current_trial, lambda: report(0.5), lambda: finish(0.5)], ids=["trial", "report", "finish"]
)
def test_a_thread_that_lost_its_trial_is_told(trial: Trial, call: Callable[[], None]) -> None:
    told: list[str] = []

    def run() -> None:
        try:
            call()
        except TrialError as error:
            told.append(str(error)[:18])

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert told == ["no trial runs here"]


def test_a_report_takes_a_number_or_one_keyword_of_any_name(trial: Trial) -> None:
    report(0.5)
    report(accuracy=0.25, step=7)
    report({"value": 0.125, "size": 3})
    assert trial._port.said == [(0, 0.5, None), (7, 0.25, None), (8, 0.125, {"size": 3.0})]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (
            {"ASYNCSWEEP_WORKER": "ab"},
            "this process was started by a trial: report from the process that runs the script",
        ),
        (
            {"ASYNCSWEEP_WORKER": "ab", "ASYNCSWEEP_PROGRAM": "cd"},
            'this process is one of a Command, which reports by what it prints, such as {"loss": 0.1}',
        ),
    ],
    ids=["script", "command"],
)
def test_a_process_that_a_trial_started_is_told_who_has_to_report(variables: dict[str, str], told: str) -> None:
    code = "import asyncsweep.worker.current as current\ncurrent.report(loss=1)"
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=50, check=True
    )
    assert told in done.stderr
