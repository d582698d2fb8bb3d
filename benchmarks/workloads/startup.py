"""How soon the first trial has finished, what an import costs, and how fast a script's trial starts beside a bare fork."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from benchmarks.harness.cases import Case, Options
from benchmarks.harness.contestants import Contestant
from benchmarks.harness.figures import OURS, Figure, Goal, add_ratios, at_most
from benchmarks.starting.imports import IMPORTS, cost_ms
from benchmarks.starting.scripts import Scripts

_DEFAULT_MODULE = "torch"
_SAMPLERS = ("random", "tpe")
_FINISHED, _MEMORY = "first trial finished", "memory"
_LIBRARY = "python"


class Startup:
    """Process start to first finished trial; imports; scripts."""

    name = "startup"
    about = (
        "process start to first finished trial, memory, import times, how fast a script's trial starts beside a fork"
    )
    notes = (
        "First trial finished: from the start of the process until it knows the trial's result, as its documentation begins; memory is that process's.",
        "ms of wall time, s where it says so; imports in ms of processor time. Ranges span all repetitions; x are ratios within a repetition.",
        "A script's first line: from the launch message to the first statement. A fork's: from os.fork() to the child's first statement.",
        "The end: to the outcome's arrival, or to the return of waitpid. A script ends as an interpreter does; so does the fork beside it.",
        "asyncsweep run: from the start of its process to the last line of its first trial, and to the end of a sweep of one trial.",
        "--set module=json preloads that instead of torch.",
    )
    default_repetitions = 5

    def cases(self, options: Options) -> list[Case]:
        module = options.extra.get("module", _DEFAULT_MODULE)
        return [
            *self._finishing(options),
            *(_import(name, code) for name, code in IMPORTS.items()),
            *_scripts(options, module, options.pick(30, 5, 2)),
        ]

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        ratios = (
            ("first_by_fork", "first line: script / os.fork()", "script_first_line", "fork_first_line"),
            ("end_by_fork", "end: script / os.fork()", "script_end", "fork_end"),
            ("cold_by_script", "cold import / first line of a script", "cold", "script_first_line"),
            ("import_by_asyncio", "import: asyncsweep / asyncio", "import_asyncsweep", "import_asyncio"),
        )
        add_ratios(figures, ratios)
        finished = {
            "started_asyncsweep_random_first_trial_finished": 0.5,
            "started_asyncsweep_tpe_first_trial_finished": 1.2,
        }
        memory = {"started_asyncsweep_random_memory": 45.0}
        scripts = {"first_by_fork": 2.0, "end_by_fork": 2.0, "run_tpe_first_trial_finished": 700.0}
        return at_most(figures, finished | memory | scripts)

    def _finishing(self, options: Options) -> Iterator[Case]:
        for contestant in options.taking_part(self.name):
            for arguments in [{"sampler": sampler} for sampler in _SAMPLERS] if contestant.name == OURS else [{}]:
                yield _first_trial(contestant, arguments)


def _first_trial(contestant: Contestant, arguments: dict[str, Any]) -> Case:
    def measure() -> dict[str, float]:
        answer = contestant.call("startup", **arguments)
        return {_FINISHED: answer["first_finished_at"] - answer.began_at, _MEMORY: answer["memory_mb"]}

    key = "_".join(["started", contestant.name, *arguments.values()])
    label = ", ".join([contestant.name, *arguments.values()])
    less = contestant.less.get("startup", "")
    return Case(key, label, "s", measure, contestant.name, less, units={_MEMORY: "MB"})


def _import(name: str, code: str) -> Case:
    whose = name if name != "asyncio" else _LIBRARY
    return Case(f"import_{name}", f"import of {name}", "ms", lambda: {"": cost_ms(code)}, whose)


def _scripts(options: Options, module: str, n: int) -> Iterator[Case]:
    if importlib.util.find_spec(module) is None:
        raise RuntimeError(f"{module} is not installed; --set module=NAME names another one")
    scripts = Scripts(options.folder, module, n)
    options.cleanup.callback(scripts.close)

    def both(measure: Callable[[], list[tuple[float, float]]]) -> Callable[[], dict[str, float]]:
        def measured() -> dict[str, float]:
            found = measure()
            return {"first line": 1000 * median(of for of, _ in found), "end": 1000 * median(of for _, of in found)}

        return measured

    def run_of_one(sampler: str) -> dict[str, float]:
        first, end = scripts.run_of_one(sampler)
        return {_FINISHED: 1000 * first, "end of a sweep of one": 1000 * end}

    yield Case("fork", f"os.fork() of a process with {module}", "ms", both(scripts.forks), _LIBRARY)
    yield Case("script", f"script with preload=[{module!r}]", "ms", both(scripts.trials))
    yield Case("cold", f'python -c "import {module}"', "ms", lambda: {"": 1000 * scripts.cold()}, _LIBRARY)
    yield Case("run_random", "asyncsweep run --sampler random", "ms", lambda: run_of_one("random"))
    yield Case("run_tpe", "asyncsweep run --sampler tpe", "ms", lambda: run_of_one("tpe"))


WORKLOAD = Startup()
