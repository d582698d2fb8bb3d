"""Which end of a script is which: results from several sources, pruning in disguise, secrets that it learned, signals."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncsweep.worker.script import Script
from tests.worker.script_worker import Ended, ScriptWorker

HEAD = "import os, signal, sys\nimport asyncsweep as sw\n"

Run = Callable[..., Ended]


SOURCES: dict[str, dict[str, Any]] = {
    "": {},
    "file": {"result_file": "none.json"},
    "metric": {"metric": "none"},
    "objective": {"objective": "none"},
}


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ScriptWorker]]:
    """A worker for each source of results."""
    found = {}
    for name, source in SOURCES.items():
        folder = tmp_path_factory.mktemp("ends")
        (folder / "train.py").touch()
        found[name] = ScriptWorker(Script(folder / "train.py", cwd=folder, **source), folder)
    yield found
    for worker in found.values():
        worker.close()


@pytest.fixture
def run(workers: dict[str, ScriptWorker]) -> Run:
    def run(code: str, source: str = "") -> Ended:
        Path(workers[source].script.path).write_text(HEAD + code)
        return workers[source].run()

    return run


# -- the result's sources ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["file", "metric", "objective"])
def test_finish_wins_over_what_was_asked_for(run: Run, source: str) -> None:
    assert run("sw.report(loss=1)\nsw.finish(loss=2)", source).metrics == {"loss": 2.0}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("file", "none.json"),
        ("metric", "metric='none': train.py has no global of this name"),
        ("objective", "objective='none': train.py has no global of this name"),
    ],
)
def test_a_report_does_not_win_over_what_was_asked_for(run: Run, source: str, told: str) -> None:
    assert told in run("sw.report(loss=1)", source).error[1]


def test_a_report_is_no_result_where_a_script_left_before_its_metric_could_be_looked_for(run: Run) -> None:
    told = "train.py ended before its metric='none' could be looked for: it left by os._exit"
    assert run("sw.report(loss=1)\nos._exit(0)", "metric").error == ("TrialError", told)


def test_finish_wins_over_what_the_objective_that_calls_it_returns(run: Run) -> None:
    code = "def none(trial):\n    sw.finish(loss=1)\n    return 'done'"
    assert run(code, "objective").metrics == {"loss": 1.0}


# -- pruning -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    raise sw.TrialPruned\nexcept Exception:\n    sys.exit(1)",
        "try:\n    raise sw.TrialPruned\nexcept Exception:\n    sw.finish(loss=1)\n    sys.exit('failed')",
        "try:\n    raise sw.TrialPruned\nexcept Exception:\n    sw.finish(loss=1)\n    sys.exit('')",
        "sw.report(loss=1)\ntry:\n    raise sw.TrialPruned\nexcept sw.TrialPruned:\n    sys.exit()",
        "try:\n    raise sw.TrialPruned\nexcept sw.TrialPruned as error:\n    raise RuntimeError('no luck') from error",
    ],
    ids=["exit code", "text", "empty text", "silent exit", "cause"],
)
def test_a_script_that_ends_because_it_is_pruned_is_pruned(run: Run, code: str) -> None:
    assert run(code).is_pruned


@pytest.mark.parametrize("source", ["file", "metric", "objective"])
def test_nothing_is_looked_for_after_a_pruned_script(run: Run, source: str) -> None:
    assert run("try:\n    raise sw.TrialPruned\nexcept sw.TrialPruned:\n    sys.exit()", source).is_pruned


def test_a_pruned_script_that_has_a_result_and_exits_well_is_finished(run: Run) -> None:
    code = "try:\n    raise sw.TrialPruned\nexcept sw.TrialPruned:\n    sw.finish(loss=1)\n    sys.exit()"
    assert run(code).metrics == {"loss": 1.0}


def test_an_exit_that_has_nothing_to_do_with_pruning_fails(run: Run) -> None:
    code = "try:\n    raise sw.TrialPruned\nexcept sw.TrialPruned:\n    pass\nsys.exit(3)"
    assert run(code).error[1] == "train.py: exit code 3"


# -- secrets -----------------------------------------------------------------------------------------------------------

TOKEN = "tok-" + "0123456789" * 2
LEARN = f"os.environ['SOME_API_TOKEN'] = {TOKEN!r}\nprint('got', os.environ['SOME_API_TOKEN'], flush=True)\n"


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (f"sys.exit('bad token {TOKEN}')", "train.py: exit code 1: bad token ***"),
        ("os._exit(4)", "train.py: exit code 4; its last lines:\ngot ***"),
        (f"del os.environ['SOME_API_TOKEN']\nraise ValueError('bad {TOKEN}')", "bad ***"),
    ],
    ids=["exit", "os._exit", "exception"],
)
def test_a_secret_that_a_script_adds_to_its_environment_is_told_to_nobody(tmp_path: Path, end: str, told: str) -> None:
    (tmp_path / "train.py").write_text(HEAD + LEARN + end)
    worker = ScriptWorker(Script(tmp_path / "train.py"), tmp_path)
    ended = worker.run()
    worker.close()
    assert (ended.error[1], TOKEN in repr(ended), ended.output.splitlines()[0]) == (told, False, "got " + "*" * 24)


def test_a_secret_that_a_killed_script_printed_is_in_no_log(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(HEAD + LEARN + "os.kill(os.getpid(), signal.SIGKILL)")
    worker = ScriptWorker(Script(tmp_path / "train.py"), tmp_path)
    ended = worker.run()
    worker.close()
    log = (tmp_path / "trials" / "1" / "attempt-1.log").read_text()
    assert (ended.outcome, ended.output, log) == ([], "", "got " + "*" * 24 + "\n")


# -- signals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_a_worker_that_is_to_end_says_so_before_the_outcome(tmp_path: Path, number: signal.Signals) -> None:
    code = f"signal.signal({int(number)}, signal.SIG_IGN)\nos.killpg(0, {int(number)})\nsw.finish(loss=1)"
    (tmp_path / "train.py").write_text(HEAD + code)
    worker = ScriptWorker(Script(tmp_path / "train.py"), tmp_path)
    assert (worker.run().metrics, worker.leaves) == ({"loss": 1.0}, True)
    assert worker.process.wait(20) == -number
    worker.close()


def test_a_worker_that_stays_says_nothing_of_the_kind(run: Run, workers: dict[str, ScriptWorker]) -> None:
    assert run("sw.finish(loss=1)").metrics == {"loss": 1.0}
    assert not any(worker.leaves for worker in workers.values())


# -- what is beside the script -----------------------------------------------------------------------------------------

STANDARD = ("resource", "csv", "select", "datetime")


def test_modules_beside_the_script_may_be_called_like_standard_ones(tmp_path: Path) -> None:
    for name in STANDARD:
        (tmp_path / f"{name}.py").write_text("IS_OWN = 1")
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "__init__.py").write_text("")
    (tmp_path / "json" / "decoder.py").write_text("IS_OWN = 1")
    (tmp_path / "uses.py").write_text("from csv import IS_OWN")
    code = "import json.decoder, uses\nn = json.decoder.IS_OWN + uses.IS_OWN\n"
    code += "".join(f"import {name}\nn += {name}.IS_OWN\n" for name in STANDARD)
    (tmp_path / "train.py").write_text(HEAD + code + "sw.finish(loss=n)")
    worker = ScriptWorker(Script(tmp_path / "train.py", preload=["uses"]), tmp_path)
    assert [worker.run().metrics for _ in range(2)] == [{"loss": 6.0}] * 2
    (tmp_path / "struct.py").write_text("IS_OWN = 1")
    (tmp_path / "train.py").write_text(HEAD + "import struct\nsw.finish(loss=struct.IS_OWN)")
    assert worker.run().metrics == {"loss": 1.0}
    worker.close()


def test_modules_that_python_starts_with_and_ours_stay(tmp_path: Path) -> None:
    for name in ("os", "time", "asyncsweep", "codecs"):
        (tmp_path / f"{name}.py").write_text("1 / 0")
    (tmp_path / "threading").mkdir()  # without an __init__.py it hides nothing
    (tmp_path / "train.py").write_text(
        HEAD + "import codecs, threading, time\nthreading.Lock\nsw.finish(loss=time.time() > 0)"
    )
    worker = ScriptWorker(Script(tmp_path / "train.py"), tmp_path)
    assert worker.run().metrics == {"loss": 1.0}
    worker.close()
