"""Every wrong argument is refused before the first trial, by an error that names it, its value and what is accepted."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy
import optuna
import pytest

import asyncsweep as sw
from asyncsweep.journal.writer import NAME
from asyncsweep.pruners.nop import NopPruner

SPACE = {"x": sw.Float(0.0, 1.0)}


class AsyncStop:
    async def __call__(self, run: sw.SweepRun) -> bool:
        raise AssertionError("no trial may start")


INFINITE = float("inf")
NAN = float("nan")


async def objective(trial: Any) -> float:
    raise AssertionError("no trial may start")


def plain(x: float) -> float:
    raise AssertionError("no trial may start")


def two_metrics(**arguments: Any) -> sw.Sweep:
    return sw.Sweep(objective, SPACE, direction={"a": "minimize", "b": "maximize"}, **arguments)


COUNT = "expected a whole number >= "
SECONDS = "expected seconds, > 0, or None"
SAMPLERS = "installed: bruteforce, cmaes, .*random, sobol, tpe"
WRONG: list[tuple[str, Any, str]] = [
    ("objective", None, "objective=None: it must be callable"),
    ("objective", 5, "objective=5: it must be callable"),
    ("objective", int, "objective=<class 'int'>: it must be callable, a class with __call__"),
    ("objective", "train", r'objective=\'train\': a text must have the form "package\.module:function"'),
    ("objective", "no_such_module:f", "there is no module 'no_such_module' on the path"),
    ("objective", lambda a, b: 1.0, "asks for a, b, which the space does not have; the space has x"),
    ("objective", lambda: 1.0, "it takes no parameter"),
    ("objective", len, "objective len: it is built into Python and takes no `trial`; wrap it in a function of its own"),
    ("objective", "__main__:nobody", "objective='__main__:nobody': __main__ has no 'nobody'"),
    ("space", None, "space=None .* give a dict"),
    ("space", [1], r"space=\[1\] .* give a dict"),
    ("space", {"x": (0, 1)}, r"parameter 'x': the tuple .* give Float\(low, high\)"),
    ("space", {5: 1}, "the parameter name 5 .* give a str"),
    ("space", {"x": sw.Float}, "parameter 'x': Float is the class; call it"),
    ("space", {"x": object()}, "parameter 'x': .* cannot be stored"),
    ("space", {"x": sw.Float(0.0, 1.0, when={"y": 1})}, "parameter 'x': when: parameter 'y' is unknown"),
    ("direction", "max", r'direction=\'max\' .*expected "minimize" or "maximize" \(did you mean \'maximize\'\?\)'),
    ("direction", "Minimise", r"did you mean 'minimize'\?"),
    ("direction", None, 'direction=None: expected "minimize", "maximize", or a mapping'),
    ("direction", {}, "direction={}: expected"),
    ("direction", {"loss": "down"}, "direction='down' of 'loss': expected \"minimize\" or \"maximize\""),
    ("direction", {"x" * 1001: "minimize"}, "a name of 1001 characters; at most 1000 are allowed"),
    ("direction", {5: "minimize"}, "direction: the metric 5 must be named by a text"),
    ("direction", {"a": numpy.array([1, 2])}, r"direction=array\(\[1, 2\]\) of 'a': expected \"minimize\""),
    ("direction", ["minimize"], r"direction=\['minimize'\]: expected"),
    ("sampler", None, rf"sampler=None: expected a name, .*or an object of the contract Sampler; .*{SAMPLERS}"),
    ("exporters", [None], "exporter=None: expected a name, .*installed: .*jsonl"),
    ("sampler", "tpee", rf"no sampler 'tpee' \(did you mean 'tpe'\?\); {SAMPLERS}"),
    ("sampler", "TPESampler", r"no sampler 'TPESampler' \(did you mean 'tpe'\?\)"),
    ("sampler", "CmaEsSampler", r"did you mean 'cmaes'\?"),
    ("sampler", "NSGAIISampler", r"did you mean 'nsgaii'\?"),
    ("pruner", "SuccessiveHalvingPruner", r"did you mean 'successive_halving'\?"),
    ("sampler", {"name": "tpe", "host": []}, r"sampler\.host=\[\]: expected inline, process, thread"),
    ("sampler", {"name": "tpe", "host": None}, r"sampler\.host=None: expected inline, process, thread"),
    ("pruner", sw.pruner("median", host=None), r"pruner\.host=None: expected"),  # type: ignore[arg-type]
    ("sampler", {"nam": "tpe"}, 'a mapping needs a "name"'),
    ("sampler", {"name": 5}, 'a mapping needs a "name"'),
    ("sampler", sw.sampler("grid", shufle=True), r"sampler\.shufle: .* \(did you mean 'shuffle'\?\); accepted: "),
    ("sampler", sw.pruner("median"), r"sampler=pruner\('median'\): that is a pruner, not a sampler"),
    ("sampler", sw.sampler(5), "sampler: expected a name, got 5"),  # type: ignore[arg-type]
    ("sampler", object(), "sampler=<object .* it lacks open, ask, tell, suggest"),
    ("sampler", int, "give an instance, not the class"),
    ("pruner", "medain", r"no pruner 'medain' \(did you mean 'median'\?\); installed: .*median, nan, nop"),
    ("pruner", 5, "pruner=5: expected a name, .* it lacks open, report, restart, judge, finish"),
    ("pruner", sw.pruner("median", n_startup=3), r"pruner\.n_startup: .* \(did you mean 'n_startup_trials'\?\)"),
    ("pruner", sw.pruner("median", n_startup_trials=-1), r"pruner\.n_startup_trials: .*at least 0, got -1"),
    ("pruner", sw.pruner("percentile"), r"pruner\.percentile: .* needs this option"),
    (
        "executor",
        "proces",
        r"no executor 'proces' \(did you mean 'process'\?\); installed: .*gpu, inline, process, .*thread",
    ),
    ("executor", object(), "executor=<object .* it lacks open, launch, kill, answer"),
    ("executor", sw.executor("process", fresh=3), r"executor\.fresh=3: it must be True or False"),
    ("executor", sw.executor("process", frsh=True), r"executor\.frsh: .* \(did you mean 'fresh'\?\)"),
    ("executor", "thread", "executor='thread': it needs a plain function"),
    ("n_trials", 0, f"n_trials=0: {COUNT}1, or None for no limit"),
    ("n_trials", 1.5, f"n_trials=1.5: {COUNT}1"),
    ("n_trials", "5", f"n_trials='5': {COUNT}1"),
    ("n_trials", True, f"n_trials=True: {COUNT}1"),
    ("n_trials", 10**30, f"n_trials=1{'0' * 30}: {COUNT}1"),
    ("n_trials", int, f"n_trials=<class 'int'>: {COUNT}1"),
    ("concurrency", -1, "concurrency=-1: expected a whole number from 1 to 100000"),
    ("concurrency", "two", "concurrency='two': expected a whole number"),
    ("needs", 1, r"needs=1: expected a mapping such as \{"),
    ("needs", {"gpus": 0}, r"needs\['gpus'\]=0: expected a number > 0"),
    ("needs", {"gpus": "one"}, r"needs\['gpus'\]='one': expected a number > 0"),
    ("needs", {"host": 1}, r"needs\['host'\]=1: expected a text"),
    ("needs", {"labels": ["a"]}, r"needs\['labels'\]=\['a'\]: expected texts by name"),
    ("needs", {"": 1}, "needs: the resource '' must be named by a text"),
    (
        "needs",
        {"gpus": 1},
        r"needs=\{'gpus': 1.0\}: no trial could run: executor='.*' offers no gpus, and 1 are needed",
    ),
    ("executor", [], r"executor=\[\]: expected one executor at least"),
    ("executor", ["process", "no-such"], "there is no executor 'no-such'"),
    ("concurrency", 10**9, "concurrency=1000000000: expected a whole number from 1 to 100000"),
    ("timeout", 0, f"timeout=0: {SECONDS}"),
    ("timeout", "1", f"timeout='1': {SECONDS}"),
    ("timeout", NAN, f"timeout=nan: {SECONDS}"),
    ("timeout", INFINITE, f"timeout=inf: {SECONDS}"),
    ("trial_timeout", -1, f"trial_timeout=-1: {SECONDS}"),
    ("trial_timeout", True, f"trial_timeout=True: {SECONDS}"),
    ("grace_s", -1, "grace_s=-1: expected seconds, >= 0"),
    ("grace_s", None, "grace_s=None: expected seconds, >= 0"),
    ("retries", -1, r"retries=-1: expected a sw.Retry\(...\), or a whole number from 0"),
    ("retries", None, r"retries=None: expected a sw.Retry\(...\), or a whole number"),
    ("fsync", "sometimes", "fsync='sometimes': expected always, batch, never"),
    ("fsync", None, "fsync=None: expected always, batch, never"),
    ("keep", "failled", r"keep='failled': expected all, best, failed \(did you mean 'failed'\?\)"),
    ("max_failures", -1, f"max_failures=-1: {COUNT}0, or None for no limit"),
    ("target", "low", "target='low': expected a number, or None"),
    ("target", NAN, "target=nan: expected a number, or None"),
    ("patience", 0, f"patience=0: {COUNT}1, or None"),
    ("seed", -1, "seed=-1: expected a whole number from 0 to 4294967295, or None"),
    ("seed", 2**32, "seed=4294967296: expected a whole number from 0 to 4294967295"),
    ("seed", "x", "seed='x': expected a whole number"),
    ("reproducible", None, "reproducible=None: expected True, False or a whole number from 1 to 100000$"),
    ("reproducible", 0, "reproducible=0: expected True, False or a whole number"),
    ("stop_when", 5, "stop_when=5: expected a plain function"),
    ("stop_when", objective, "stop_when=<function objective .*expected a plain function"),
    ("stop_when", AsyncStop(), "stop_when=<.*AsyncStop.*expected a plain function"),
    ("directory", 5, "directory=5: expected a path"),
    ("directory", "a\ud800", r"directory='a\\ud800': that is no path"),
    ("directory", Path("a\udc80"), "that is no path"),
    ("directory", "", "directory='': that is no path"),
    ("directory", "a\0b", "that is no path"),
    ("directory", "x" * 5000, "directory=.* cannot be used: .*too long"),
    ("directory", "/dev/null", "directory='/dev/null' is a file; name a folder"),
    ("directory", "/dev/null/a/b", "directory='/dev/null/a/b': 'null' in it is a file; name another folder"),
    ("exporters", "jsonl", "exporters='jsonl': expected a list or tuple"),
    ("exporters", ["jsonlines"], r"no exporter 'jsonlines' \(did you mean 'jsonl'\?\); installed: .*jsonl"),
    ("exporters", [5], "exporter=5: expected a name, .* it lacks export"),
    ("exporters", ["jsonl"], r"exporter\.path: .* needs this option"),
    ("plugins", 5, "plugins: expected a sequence of modules or objects, got 5"),
    ("plugins", [os], "plugins: .*is no plugin"),
]


def numbered(rows: list[Any]) -> list[str]:
    """Short names of the cases; messages would be long ones."""
    return [f"{row[0] if isinstance(row[0], str) else row[0].__name__}-{number}" for number, row in enumerate(rows)]


@pytest.mark.parametrize(("argument", "value", "message"), WRONG, ids=numbered(WRONG))
def test_a_wrong_argument_of_a_sweep_is_refused_by_its_constructor(argument: str, value: Any, message: str) -> None:
    with pytest.raises(sw.ConfigError, match=message):
        sw.Sweep(**{"objective": objective, "space": SPACE, argument: value})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: two_metrics(target=1.0), "target=1.0: it needs one direction, there are 2"),
        (lambda: two_metrics(patience=3), "patience=3: it needs one direction, there are 2"),
        (lambda: two_metrics(pruner="median"), "pruner='median': pruning needs one direction"),
        (lambda: sw.Sweep(plain, SPACE, executor="inline"), "executor='inline': .* needs an `async def` objective"),
    ],
    ids=["target", "patience", "pruner", "plain-inline"],
)
def test_arguments_that_exclude_each_other_are_refused(build: Callable[[], sw.Sweep], message: str) -> None:
    with pytest.raises(sw.ConfigError, match=message):
        build()


def test_an_argument_that_does_not_exist_is_answered_with_the_nearest() -> None:
    with pytest.raises(TypeError, match=r"there is no argument 'n_trial' \(did you mean 'n_trials'\?\)$"):
        sw.Sweep(objective, SPACE, n_trial=5)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "what_is_here"),
    [
        ("callbacks", "stop_when=function"),
        ("catch", "max_failures="),
        ("directions", 'direction={"loss": "minimize"'),
        ("fn", "`objective`"),
        ("func", "`objective`"),
        ("gc_after_trial", "'fresh': True"),
        ("load_if_exists", r"Sweep\.resume\(directory, objective\)"),
        ("n_jobs", "concurrency="),
        ("show_progress_bar", r"progress=True to run\(\)"),
        ("storage", "directory=.*history="),
        ("study_name", "directory="),
    ],
)
def test_an_argument_of_optunas_is_answered_with_what_is_here(name: str, what_is_here: str) -> None:
    with pytest.raises(TypeError, match=rf"there is no argument '{name}': .*{what_is_here}"):
        sw.Sweep(**{"objective": objective, name: 1})  # type: ignore[arg-type]


def test_an_objective_under_another_name_is_not_said_to_be_missing() -> None:
    with pytest.raises(TypeError, match="there is no argument 'fn'"):
        sw.Sweep(fn=objective)  # type: ignore[call-arg]


def test_editors_see_the_arguments_that_there_are() -> None:
    kinds = {parameter.kind for parameter in inspect.signature(sw.Sweep).parameters.values()}
    assert kinds == {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


def test_a_space_that_is_left_out_is_empty() -> None:
    assert sw.Sweep(objective).space == sw.Space({})


@pytest.mark.parametrize("pruner", [optuna.pruners.NopPruner(), NopPruner()], ids=["optuna", "ours"])
def test_a_pruner_that_prunes_nothing_goes_with_several_directions(pruner: Any) -> None:
    assert two_metrics(pruner=pruner).spec.pruner == two_metrics(pruner="nop").spec.pruner


def test_a_complaint_of_a_plugin_refuses_the_sweep() -> None:
    class Strict:
        @staticmethod
        @sw.hookimpl
        def asyncsweep_check(spec: Any) -> list[str]:
            return [f"n_trials={spec.n_trials} is too many"]

    with pytest.raises(sw.ConfigError, match=r"Strict .*n_trials=100 is too many"):
        sw.Sweep(objective, SPACE, plugins=[Strict()])


@pytest.mark.parametrize(
    ("directory", "changes", "message"),
    [
        (None, {}, "directory=None: name the directory"),
        (5, {}, "directory=5: expected a path"),
        ("missing", {}, "directory='.*missing' holds no sweep"),
        ("/proc", {}, "directory='/proc' holds no sweep"),
        ("/dev/null", {}, "directory='/dev/null' holds no sweep"),
        ("there", {"space": {}}, "space={}: it cannot be changed in a sweep that has begun"),
        ("there", {"direction": "maximize"}, "direction='maximize': it cannot be changed"),
        ("there", {"seed": 5}, "seed=5: it cannot be changed"),
        ("there", {"n_trial": 5}, r"n_trial=5: it cannot be changed .*\(did you mean 'n_trials'\?\)"),
        ("there", {"n_jobs": 5}, "n_jobs=5: it cannot be changed .*: concurrency=.*; can be changed: n_trials"),
        ("there", {"n_trials": 0}, f"n_trials=0: {COUNT}1"),
        ("there", {"sampler": "tpee"}, r"did you mean 'tpe'\?"),
        ("there", {"objective": 5}, "objective=5: it must be callable"),
    ],
)
def test_a_wrong_argument_of_open_is_refused(
    tmp_path: Path, directory: Any, changes: dict[str, Any], message: str
) -> None:
    run_to_the_end(tmp_path / "there")
    path = tmp_path / directory if directory in ("there", "missing") else directory
    function = changes.pop("objective", quick)
    with pytest.raises(sw.ConfigError, match=message):
        sw.Sweep.open(path, function, **changes)


async def quick(trial: Any) -> float:
    return float(trial.params["x"])


def run_to_the_end(directory: Path) -> None:
    import anyio

    sweep = sw.Sweep(quick, SPACE, sampler="random", n_trials=1, directory=directory, seed=0)
    anyio.run(sweep.run)


def test_a_directory_that_holds_another_sweep_is_refused(tmp_path: Path) -> None:
    run_to_the_end(tmp_path)
    with pytest.raises(sw.ConfigError, match=r"directory='.*' holds a sweep already: go on with it by Sweep\.resume"):
        sw.Sweep(objective, SPACE, directory=tmp_path)


def test_a_relative_directory_is_refused_where_the_current_one_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(sw.ConfigError, match=r"directory='relative' cannot be found: .*; give an absolute path"):
        sw.Sweep(objective, SPACE, directory="relative")


def test_a_long_path_that_is_none_is_shortened() -> None:
    with pytest.raises(sw.ConfigError, match=r"^directory='x{70,80}\.\.\.: that is no path$"):
        sw.Sweep(objective, SPACE, directory="x" * 5000 + "\0")


def test_a_directory_whose_journal_is_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to("/etc/passwd")
    with pytest.raises(sw.ConfigError, match="symbolic link"):
        sw.Sweep(objective, SPACE, directory=tmp_path)


# -- what only starting can tell -------------------------------------------------------------------------------------


def unimportable(directory: Path) -> sw.Sweep:
    return sw.Sweep("asyncsweep.errors:Missing", SPACE, sampler="random", executor="process", directory=directory)


def option_of_tpe(directory: Path) -> sw.Sweep:
    return sw.Sweep(objective, SPACE, sampler=sw.sampler("tpe", n_startup=3), directory=directory)


def value_of_tpe(directory: Path) -> sw.Sweep:
    return sw.Sweep(objective, SPACE, sampler=sw.sampler("tpe", n_ei_candidates="x"), directory=directory)


def unpicklable(directory: Path) -> sw.Sweep:
    lock = threading.Lock()

    def function(x: float) -> float:
        with lock:
            return x

    return sw.Sweep(function, SPACE, sampler="random", executor="process", directory=directory)


def unopenable_exporter(directory: Path) -> sw.Sweep:
    exporter = {"name": "jsonl", "path": "/proc/no/such/file"}
    return sw.Sweep(objective, SPACE, sampler="random", exporters=[exporter], directory=directory)


def several_directions_for_cmaes(directory: Path) -> sw.Sweep:
    directions: dict[str, Any] = {"a": "minimize", "b": "minimize"}
    return sw.Sweep(objective, SPACE, sampler="cmaes", direction=directions, directory=directory)


def asked_for_while_it_runs(directory: Path) -> sw.Sweep:
    return sw.Sweep(objective, {}, sampler="tpe", reproducible=True, directory=directory)


def left_in(directory: Path) -> list[Path]:
    return list(directory.rglob("*"))


LATER = [
    (unimportable, "asyncsweep.errors has no 'Missing'"),
    (option_of_tpe, r"sampler\.n_startup: .* \(did you mean 'n_startup_trials'\?\)"),
    (unpicklable, "objective=.* cannot be sent to another process .* make what it uses inside the objective"),
    (unopenable_exporter, "exporter.path: cannot append to '/proc/no/such/file'"),
    (
        asked_for_while_it_runs,
        "reproducible=1: the space is empty, .*the sampler 'tpe'; put the parameters into the space",
    ),
    (several_directions_for_cmaes, "takes one direction, got a, b"),
]


@pytest.mark.any_loop
@pytest.mark.anyio
@pytest.mark.parametrize(("build", "message"), LATER, ids=numbered(LATER))
async def test_what_only_starting_can_tell_is_refused_before_the_first_trial_and_leaves_nothing(
    tmp_path: Path, build: Callable[[Path], sw.Sweep], message: str
) -> None:
    sweep = build(tmp_path / "new" / "sweep")
    with pytest.raises(sw.ConfigError, match=message):
        await sweep.run()
    assert left_in(tmp_path) == []


@pytest.mark.anyio
async def test_a_directory_that_cannot_be_made_is_refused_before_the_first_trial() -> None:
    sweep = sw.Sweep(objective, SPACE, sampler="random", directory="/proc/sweep/new")
    with pytest.raises(sw.ConfigError, match="directory='/proc/sweep/new' cannot be written"):
        await sweep.run()


@pytest.mark.anyio
async def test_two_sweeps_made_for_one_directory_are_not_both_run(tmp_path: Path) -> None:
    first, second = (sw.Sweep(quick, SPACE, sampler="random", n_trials=1, directory=tmp_path) for _ in range(2))
    await first.run()
    with pytest.raises(sw.ConfigError, match="holds a sweep already"):
        await second.run()


# -- a running sweep ---------------------------------------------------------------------------------------------------


async def finite(trial: Any) -> float:
    import anyio

    await anyio.sleep_forever()
    return 0.0


@pytest.fixture
async def run(anyio_backend: str) -> AsyncIterator[sw.SweepRun]:
    async with sw.Sweep(finite, SPACE, sampler="random", n_trials=3, direction={"a": "minimize"}).start() as run:
        yield run
        run.stop(now=True)


RUN_WRONG: list[tuple[Callable[[sw.SweepRun], Any], str]] = [
    (lambda run: run.stop(5), "reason=5: expected a text"),
    (lambda run: run.stop("r" * 10_001), "reason: 10001 characters; expected a text of at most 10000"),
    (lambda run: run.stop("enough", now="yes"), "now='yes': expected True or False"),
    (lambda run: run.cancel_trial(99), "there is no trial 99; the sweep has 1"),
    (lambda run: run.cancel_trial(-1), "there is no trial -1"),
    (lambda run: run.cancel_trial("0"), "there is no trial '0'"),
    (lambda run: run.cancel_trial(True), "there is no trial True"),
    (lambda run: run.enqueue(5), "params=5 .* give a dict"),
    (lambda run: run.enqueue({"y": 1}), "parameter 'y' is unknown; .*there are: 'x'"),
    (lambda run: run.enqueue({"x": 2.0}), "parameter 'x': .*2.0"),
    (lambda run: run.enqueue({"x": "a"}), "parameter 'x': .*'a'"),
    (lambda run: run.tell(0, 1.0), r"tell\(\): trial 0 was not taken with ask\(\)"),
    (lambda run: run.tell(99, 1.0), "there is no trial 99"),
    (lambda run: run.tell(None, 1.0), "there is no trial None"),
]


@pytest.mark.anyio
async def test_a_wrong_argument_of_a_runs_methods_is_refused(run: sw.SweepRun) -> None:
    for call, message in RUN_WRONG:
        with pytest.raises(sw.ConfigError, match=message):
            call(run)


@pytest.mark.anyio
async def test_a_wrong_argument_of_tell_is_refused(run: sw.SweepRun) -> None:
    trial = await run.ask()
    for arguments, message in [
        ({}, "must be a number, not None"),
        ({"value": "low"}, "must be a number, not 'low'"),
        ({"value": {"b": 1.0}}, r"value=\{'b': 1.0\} lacks the metric 'a'"),
        ({"value": (1.0, 2.0)}, "2 values for 1 metrics"),
        ({"value": 1.0, "state": "PRUNED"}, "give PRUNED and FAILED without a value"),
        ({"state": "DONE"}, "state='DONE': expected COMPLETE, PRUNED or FAILED"),
        ({"state": sw.State.CANCELLED}, "expected COMPLETE, PRUNED or FAILED"),
        ({"state": 5}, "state=5: expected COMPLETE"),
    ]:
        with pytest.raises(sw.ConfigError, match=message):
            run.tell(trial, **arguments)
    run.tell(trial, 1.0)
    with pytest.raises(sw.ConfigError, match="is final already"):
        run.tell(trial, 1.0)


def test_a_run_that_was_not_entered_says_so() -> None:
    run = sw.Sweep(objective, SPACE, sampler="random").start()
    for call in (run.pause, run.unpause, run.stop, lambda: run.trials, run.updates, run.snapshot):
        with pytest.raises(sw.ConfigError, match="has not started: use `async with"):
            call()


@pytest.mark.anyio
async def test_a_run_is_entered_once() -> None:
    run = sw.Sweep(quick, SPACE, sampler="random", n_trials=1).start()
    async with run:
        pass
    with pytest.raises(sw.ConfigError, match="this run was started already"):
        async with run:
            pass
