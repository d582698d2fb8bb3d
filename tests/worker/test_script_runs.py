"""What scripts say to the sweep, and what becomes of it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncsweep.errors import ConfigError
from asyncsweep.wire.messages import (
    ATTR_SET,
    FINISHED,
    PARAM,
    PARAM_ASKED,
    PRUNED,
    REPORTED,
    VERDICT,
    VERDICT_ASKED,
)
from asyncsweep.worker.script import Script
from tests.leaks import has_ended
from tests.worker.script_worker import Ended, ScriptWorker

ROOT = str(Path(__file__).parents[2])
HEAD = "import asyncsweep as sw\n"

Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "train.py").touch()
    return folder


@pytest.fixture(scope="module")
def warm(folder: Path) -> Iterator[ScriptWorker]:
    """A worker for all scripts that need nothing special."""
    worker = ScriptWorker(Script(folder / "train.py", cwd=folder), folder)
    yield worker
    worker.close()


@pytest.fixture
def run(folder: Path, warm: ScriptWorker) -> Run:
    def run(code: str, **params: Any) -> Ended:
        (folder / "train.py").write_text(HEAD + code)
        return warm.run(params)

    return run


@pytest.fixture
def run_with(tmp_path: Path) -> Iterator[Run]:
    """Runs a script in a worker of its own, for each set of options one."""
    workers: dict[str, ScriptWorker] = {}
    (tmp_path / "train.py").touch()

    def run_with(
        code: str, params: dict[str, Any] | None = None, metrics: tuple[str, ...] = ("loss",), **options: Any
    ) -> Ended:
        (tmp_path / "train.py").write_text(HEAD + code)
        key = repr((options, metrics))
        if key not in workers:
            script = Script(tmp_path / "train.py", **{"cwd": tmp_path, **options})
            workers[key] = ScriptWorker(script, tmp_path, metrics, tuple(params or {}))
        return workers[key].run(params)

    yield run_with
    for worker in workers.values():
        worker.close()


# -- the result --------------------------------------------------------------------------------------------------------


def test_what_finish_says_is_the_result(run: Run) -> None:
    ended = run("sw.report(loss=0.5)\nsw.finish(loss=0.25, accuracy=1)\nsw.report(loss=0.75)")
    assert ended.metrics == {"loss": 0.25, "accuracy": 1.0}


def test_the_last_word_of_finish_counts(run: Run) -> None:
    assert run("sw.finish(loss=1)\nsw.finish(loss=2)").metrics == {"loss": 2.0}


def test_without_finish_the_last_report_is_the_result(run: Run) -> None:
    ended = run("for step in range(3):\n    sw.report(loss=step / 2, accuracy=step, step=step)")
    assert ended.metrics == {"loss": 1.0, "accuracy": 2.0}
    assert ended.said == [[REPORTED, step, step / 2, {"accuracy": step}] for step in range(3)]


@pytest.mark.parametrize(
    "call", ["sw.report(0.5, step=3)", "sw.finish(0.5)", "sw.report({'loss': 0.5})", "sw.finish({'loss': 0.5})"]
)
def test_a_metric_may_be_given_by_its_place(run: Run, call: str) -> None:
    assert run(call).metrics == {"loss": 0.5}


def test_a_metric_without_a_name_of_its_own_has_any_name(run_with: Run) -> None:
    ended = run_with("sw.report(accuracy=0.5)\nsw.finish(acc=0.75)", metrics=("value",))
    assert (ended.said[0][2], ended.metrics) == (0.5, {"value": 0.75})


def test_several_metrics_are_all_needed(run_with: Run) -> None:
    metrics = ("loss", "size")
    assert run_with("sw.finish(loss=1, size=2)", metrics=metrics).metrics == {"loss": 1.0, "size": 2.0}
    assert run_with("sw.finish(loss=1)", metrics=metrics).error == (
        "TrialError",
        "finish(): the metric 'size' is missing; it got loss",
    )
    told = "finish(1): one value for 2 metrics; give each by its name: finish(loss=..., size=...)"
    assert run_with("sw.finish(1)", metrics=metrics).error == ("TrialError", told)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("sw.finish(loss='low')", "finish(loss=...): it must be a number, not 'low' (str)"),
        ("sw.finish()", "finish() needs a metric: finish(loss=...)"),
        ("sw.finish(1, loss=1)", "finish(): give a value, or metrics by keyword, not both"),
        ("sw.report()", "report() needs a metric: report(loss=...)"),
    ],
)
def test_what_is_no_metric_is_told(run: Run, call: str, told: str) -> None:
    assert run(call).error == ("TrialError", told)


def test_without_a_metric_the_error_says_where_it_could_come_from(run: Run) -> None:
    kind, message = run("print('done')").error
    assert kind == "TrialError"
    assert message == (
        "train.py ended without a metric: call asyncsweep.finish(loss=...) in it (a process that it starts cannot), or say "
        "where its metric is with Script(metric=...), Script(objective=...) or Script(result_file=...)"
    )


def test_what_was_said_counts_though_the_script_leaves_by_os_exit(run: Run) -> None:
    ended = run("import os\nfor step in range(5):\n    sw.current_trial().report(step, step)\nos._exit(0)")
    assert (len(ended.said), ended.metrics) == (5, {"loss": 4.0})


def test_an_exit_code_fails_the_trial_whatever_it_said_before(run: Run) -> None:
    code = "import sys\nsw.finish(loss=1)\nprint('the disk is full', file=sys.stderr)\nsys.exit(3)"
    assert run(code).error == ("ProgramFailed", "train.py: exit code 3; its last lines:\nthe disk is full")


def test_the_text_of_an_exit_is_in_the_error(run: Run) -> None:
    ended = run("import sys\nprint('much')\nsys.exit('no data')")
    assert ended.error == ("ProgramFailed", "train.py: exit code 1: no data")


def test_an_error_has_its_type_bases_and_traceback_without_our_frames(run: Run) -> None:
    ended = run("def load():\n    raise FileNotFoundError(2, 'No such file', 'data')\n\n\nload()")
    assert ended.error == ("FileNotFoundError", "[Errno 2] No such file: 'data'")
    assert ended.outcome[1][3] == ["OSError"]
    assert ended.traceback.count('File "') == 2 and "asyncsweep" not in ended.traceback


@pytest.mark.parametrize(
    ("code", "kind"), [("def f(:", "SyntaxError"), ("import os\nos.unlink(__file__)\n1/0", "ZeroDivisionError")]
)
def test_a_broken_script_fails_its_trial(run: Run, code: str, kind: str) -> None:
    assert run(code).error[0] == kind


def test_a_script_that_is_gone_fails_its_trial(run: Run, folder: Path, warm: ScriptWorker) -> None:
    (folder / "train.py").unlink(missing_ok=True)
    assert warm.run().error[0] == "FileNotFoundError"
    assert run("sw.finish(loss=1)").metrics == {"loss": 1.0}


def test_it_is_read_for_each_trial(run: Run) -> None:
    assert [run(f"sw.finish(loss={number})").metrics["loss"] for number in (1, 2)] == [1.0, 2.0]


# -- pruning and asking ------------------------------------------------------------------------------------------------


def test_a_pruned_script_ends_silently(run: Run) -> None:
    ended = run("import atexit\natexit.register(print, 'bye')\nsw.report(loss=1)\nraise sw.TrialPruned")
    assert (ended.is_pruned, ended.output) == (True, "bye\n")


def test_optunas_own_pruning_counts_too(run: Run) -> None:
    code = "class TrialPruned(Exception): __module__ = 'optuna.exceptions'\nraise TrialPruned"
    assert run(code).is_pruned


@pytest.mark.parametrize(("prune", "outcome"), [(True, PRUNED), (False, FINISHED)])
def test_a_script_hears_verdicts(tmp_path: Path, prune: bool, outcome: int) -> None:
    (tmp_path / "train.py").write_text(HEAD + "for step in range(3):\n    sw.report(loss=step, step=step)")
    worker = ScriptWorker(Script(tmp_path / "train.py"), tmp_path, verdicts=(2, 1, 1))
    worker.launch()
    said = []
    while not said or said[-1][0] != VERDICT_ASKED:
        said.append(worker.receive() or [])
    worker.send(VERDICT, said[-1][1], 2, prune)
    assert ([message[2] for message in said], worker.end().outcome[0]) == ([0, 1, 2, 2], outcome)
    worker.close()


def test_a_script_asks_for_parameters_and_sets_attributes(folder: Path, warm: ScriptWorker) -> None:
    code = "t = sw.current_trial()\nx = t.suggest_float('x', 0, 1)\nt.set_user_attr('a', [x])\nsw.finish(loss=x)"
    (folder / "train.py").write_text(HEAD + code)
    warm.launch()
    asked = warm.receive() or []
    assert asked[0] == PARAM_ASKED
    warm.send(PARAM, asked[1], "x", 0.5, None)
    ended = warm.end()
    assert (ended.said, ended.metrics) == ([[ATTR_SET, "a", [0.5]]], {"loss": 0.5})


def test_all_threads_of_a_script_know_its_trial(run: Run) -> None:
    code = "import threading\nt = threading.Thread(target=lambda: sw.finish(loss=sw.current_trial().number))\nt.start()\nt.join()"
    assert run(code).outcome[0] == FINISHED


def test_a_process_that_the_script_forks_has_no_trial_to_report_for(run: Run) -> None:
    code = (
        "import os\n"
        "if not os.fork():\n"
        "    for say in (sw.report, sw.finish):\n"
        "        try: say(loss=5)\n"
        "        except sw.TrialError as error: print(str(error)[:30], flush=True)\n"
        "    os._exit(0)\n"
        "os.wait()\nsw.finish(loss=1)"
    )
    ended = run(code)
    assert (ended.metrics, ended.output) == ({"loss": 1.0}, "this process was forked within\n" * 2)


def test_a_sweep_of_itself_is_refused_inside_of_a_script(run: Run) -> None:
    kind, message = run("sw.Script(__file__)").error
    assert kind == "ConfigError" and "start a sweep of itself without end" in message


# -- where the result is -----------------------------------------------------------------------------------------------


def test_a_function_is_called_with_the_parameters_when_the_file_has_run(run_with: Run) -> None:
    code = "def objective(x, y=5):\n    return x + y + z\nz = 10"
    assert run_with(code, {"x": 1}, objective="objective").metrics == {"loss": 16.0}
    assert run_with(
        "async def objective(trial):\n    return trial.params['x']", {"x": 1}, objective="objective"
    ).metrics == {"loss": 1.0}
    code = "def objective(x):\n    raise KeyError('deep')"
    failed = run_with(code, {"x": 1}, objective="objective")
    assert failed.error[0] == "KeyError" and failed.traceback.count('File "') == 1
    told = "objective='objective': train.py has no global of this name when it ends (did you mean 'objektive'?)"
    assert run_with("objektive = 1", {"x": 1}, objective="objective").error == ("TrialError", told)
    assert run_with("def objective(x):\n    return 'low'", {"x": 1}, objective="objective").error[0] == "TrialError"


def test_a_global_variable_is_the_result(run_with: Run) -> None:
    assert run_with("best = 0.5", metric="best").metrics == {"loss": 0.5}
    assert run_with("import sys\nbest = 0.5\nsys.exit()", metric="best").metrics == {"loss": 0.5}
    assert run_with("import numpy\nbest = numpy.float32(0.5)", metric="best").metrics == {"loss": 0.5}
    assert run_with("best = 'x'", metric="best").error == (
        "TrialError",
        "metric='best': it must be a number, not 'x' (str)",
    )


def test_several_global_variables_are_the_result(run_with: Run) -> None:
    ended = run_with("a, b = 1, 2", metrics=("loss", "size"), metric={"loss": "a", "size": "b"})
    assert ended.metrics == {"loss": 1.0, "size": 2.0}


def test_a_metric_without_a_variable_is_told_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    told = "Script.metric='best': where is 'size'? Give each metric of the sweep its global variable: {'loss': 'loss', 'size': 'size'}"
    with pytest.raises(ConfigError) as raised:
        Script(tmp_path / "train.py", metric="best").check((), ("loss", "size"))
    assert str(raised.value) == told


def test_a_file_is_the_result(run_with: Run) -> None:
    code = "import os, pathlib\npathlib.Path(os.path.dirname(out), os.path.basename(out)).write_text('{\"loss\": 0.5}')"
    options = {"args": ["{trial_dir}"], "result_file": "{trial_dir}/metrics.json"}
    assert run_with("import sys\nout = sys.argv[1] + '/metrics.json'\n" + code, **options).metrics == {"loss": 0.5}
    kind, message = run_with("pass", **options).error
    assert kind == "TrialError" and "metrics.json" in message


def test_lines_of_a_file_are_reports(run_with: Run) -> None:
    code = "open('m.jsonl', 'w').write('{\"loss\": 3}\\n{\"loss\": 2}\\n')"
    ended = run_with(code, result_file="m.jsonl")
    assert (ended.metrics, [message[2] for message in ended.said]) == ({"loss": 2.0}, [3.0, 2.0])


# -- its surroundings --------------------------------------------------------------------------------------------------


def test_it_gets_arguments_environment_and_folder(run_with: Run) -> None:
    code = "import os, sys\nprint(sys.argv[1:], os.environ['MODE'], os.path.basename(os.getcwd()))\nsw.finish(loss=0)"
    ended = run_with(code, {"x": 1, "y": 2}, args=["--y", "{y}"], env={"MODE": "fast"}, cwd="{trial_dir}")
    assert ended.output == "['--y', '2', '--x=1'] fast artifacts\n"


def test_preloaded_modules_are_there_and_each_trial_starts_as_they_were(run_with: Run) -> None:
    code = "import sys\nprint('json.tool' in sys.modules)\nimport json\nprint(hasattr(json, 'mark'))\njson.mark = 1\nsw.finish(loss=0)"
    for _ in range(2):
        assert run_with(code, preload=["json.tool"]).output == "True\nFalse\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the threads of others")
def test_no_thread_is_where_scripts_are_forked(run: Run) -> None:
    assert run("import os\nsw.finish(loss=len(os.listdir(f'/proc/{os.getppid()}/task')))").metrics == {"loss": 1.0}


@pytest.mark.parametrize(
    ("preload", "draw"),
    [
        pytest.param("random", "random.random()", id="random"),
        pytest.param("numpy.random", "numpy.random.random()", id="numpy"),
        pytest.param("torch", "torch.rand(1)", id="torch", marks=pytest.mark.deep),
    ],
)
def test_each_trial_has_random_numbers_of_its_own(run_with: Run, preload: str, draw: str) -> None:
    code = f"import {preload}\nsw.finish(loss={draw})"
    assert len({run_with(code, preload=[preload]).metrics["loss"] for _ in range(3)}) == 3


LASTING_THREAD = """
import threading
ended = threading.Thread(target=print)
ended.start()
threading.Thread(target=threading.Event().wait, name="Lasting", daemon=True).start()
"""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"preload": ["no_such_module"]},
            "Script.preload: 'no_such_module' cannot be imported: No module named 'no_such_module'",
        ),
        ({"preload": ["broken"]}, "Script.preload: 'broken' cannot be imported: ZeroDivisionError: division by zero"),
        (
            {"preload": ["threaded"]},
            "Script.preload: 'threaded' has started the thread 'Lasting', which a fork does not have; leave it out",
        ),
        (
            {"patch": {"json:dump_s": repr}},
            "Script.patch: 'json:dump_s': json has no 'dump_s' (did you mean 'dumps'?)",
        ),
        (
            {"patch": {"no_such_module.a:f": repr}},
            "Script.patch: 'no_such_module.a:f': there is no module 'no_such_module', neither beside the script nor installed",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_prepared_keeps_the_worker_from_being_ready(
    tmp_path: Path, options: dict[str, Any], told: str
) -> None:
    (tmp_path / "train.py").touch()
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "threaded.py").write_text(LASTING_THREAD)
    worker = ScriptWorker(Script(tmp_path / "train.py", **{"preload": ["json"], **options}), tmp_path)
    assert worker.fault == ("ConfigError", told)
    worker.close()


# -- hooks -------------------------------------------------------------------------------------------------------------

M = "tests.worker.patched_module"


def hooked(original: Any, *args: Any, **kwargs: Any) -> Any:
    sys.stdout.write(f"hook {original.__name__} {[arg for arg in args if isinstance(arg, int)]} {kwargs}\n")
    return original(*args, **kwargs)


def deeper(original: Any, self: Any, depth: int = 1) -> None:
    original(self, depth=depth + 10)


async def hooked_async(original: Any, self: Any, x: int) -> str:
    return "hooked " + str(await original(self, x))


PATCHES: dict[str, Any] = {
    f"{M}:Model": deeper,
    f"{M}:Model.fit": hooked,
    f"{M}:Model.static": hooked,
    f"{M}:Model.of_class": hooked,
    f"{M}:Model.inherited": hooked,
    f"{M}:Model.wait": hooked_async,
    f"{M}:function": hooked,
}


def test_hooks_are_called_in_the_place_of_what_they_replace(run_with: Run) -> None:
    code = f"""
import asyncio, inspect
from {M} import Base, Model, function
model = Model(depth=3)
print(model.fit(1, y=2), isinstance(model, Base), inspect.signature(Model), Model.fit.__doc__)
print(model.static(3), Model.static(3))
print(Model.of_class(4))
print(model.inherited(5), Base().inherited(6))
print(asyncio.run(model.wait(7)), inspect.iscoroutinefunction(Model.wait))
print(function(8))
sw.finish(loss=0)
"""
    output = run_with(code, patch=PATCHES, env={"PYTHONPATH": ROOT}).output
    assert output.splitlines() == [
        "hook fit [1] {'y': 2}",
        "fit 13 1 2 True (depth: 'int' = 1) -> 'None' Fit.",
        "hook static [3] {}",
        "hook static [3] {}",
        "static 3 static 3",
        "hook of_class [4] {}",
        "Model 4",
        "hook inherited [5] {}",
        "inherited 5 inherited 6",
        "hooked waited 7 True",
        "hook function [8] {}",
        "function 8",
    ]


def test_a_target_that_cannot_be_imported_fails_the_trial(run_with: Run) -> None:
    told = "Script.patch: 'json.nothing:f': its module cannot be imported: No module named 'json.nothing'"
    assert run_with("sw.finish(loss=0)", patch={"json.nothing:f": hooked}).error == ("ConfigError", told)


# -- the end -----------------------------------------------------------------------------------------------------------


def test_a_script_that_is_killed_takes_its_worker_with_it(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import os, signal\nprint('last words', flush=True)\nos.kill(os.getpid(), signal.SIGSEGV)"
    )
    worker = ScriptWorker(Script(tmp_path / "train.py"), tmp_path)
    ended = worker.run()
    assert (ended.outcome, ended.output, worker.process.returncode) == ([], "last words\n", -signal.SIGSEGV)
    worker.close()


def test_a_script_has_its_grace_when_its_worker_is_told_to_end(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\nimport asyncsweep as sw\n"
        "def end(*args):\n    print('saved')\n    sys.exit(5)\n"
        "signal.signal(signal.SIGTERM, end)\nsw.report(loss=1)\ntime.sleep(50)"
    )
    (tmp_path / "train.py").write_text(code)
    worker = ScriptWorker(Script(tmp_path / "train.py"), tmp_path)
    worker.launch()
    assert worker.receive() is not None
    worker.process.terminate()
    ended = worker.end()
    assert ended.error[1].startswith("train.py: exit code 5") and ended.output == "saved\n"
    assert worker.leaves
    assert worker.process.wait(20) == -signal.SIGTERM
    worker.close()


def test_a_script_without_a_handler_ends_by_the_signal_and_so_does_its_worker(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import time\nimport asyncsweep as sw\nsw.report(loss=1)\ntime.sleep(50)")
    worker = ScriptWorker(Script(tmp_path / "train.py"), tmp_path)
    worker.launch()
    assert worker.receive() is not None
    worker.process.terminate()
    assert (worker.end().outcome, worker.process.wait(20)) == ([], -signal.SIGTERM)
    worker.close()


def test_what_a_script_leaves_running_is_ended_before_the_next_trial(run: Run) -> None:
    code = (
        "import subprocess\nleft = subprocess.Popen(['sleep', '50'], start_new_session=True)\nsw.finish(loss=left.pid)"
    )
    assert has_ended(int(run(code).metrics["loss"]), within_s=0)


def test_a_script_ends_with_a_controller_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import os, time\nimport asyncsweep as sw\nsw.report(loss=os.getpid())\ntime.sleep(50)"
    )
    worker = ScriptWorker(Script(tmp_path / "train.py"), tmp_path)
    worker.launch()
    said = worker.receive() or []
    worker._sock.close()
    assert has_ended(int(said[3]), within_s=20) and worker.process.wait(20)
    worker._output.close()
