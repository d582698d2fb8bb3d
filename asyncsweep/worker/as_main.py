"""A script as the main program of this process: everything is as if Python itself had been started with it.

The process is a fork of a worker that has returned to its first frames, so what is below the script is thin, and the interpreter
ends by itself: threads are joined, `atexit` is called, output is flushed, and the exit code is the script's.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import io
import os
import sys
import traceback
import types
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from typing import Any

from asyncsweep.errors import TrialError
from asyncsweep.wire.messages import PRUNED
from asyncsweep.worker import outcome as ends
from asyncsweep.worker.notes import Notes
from asyncsweep.worker.objective import Call
from asyncsweep.worker.patching import apply
from asyncsweep.worker.preloading import uncover
from asyncsweep.worker.script import Plan, Script, nearest
from asyncsweep.worker.secrets import is_secret_variable, learn_variables, url_password
from asyncsweep.worker.trial import Trial
from asyncsweep.worker.values import real, shown

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_INTERRUPTED = 130


class AsMain:
    """One run of a script. Call it in the first frame of the process.

    Args:
        script: What to run.
        plan: With which arguments, and where.
        path: `sys.path` as the interpreter had it; the script's folder comes before it.
        trial: The trial, for a function that is called with it.
        notes: Where to leave what became of it.
        names: The parameters of the space.
        required: Those without a condition.
        metrics: The metrics that the result must have.
    """

    def __init__(
        self,
        script: Script,
        plan: Plan,
        path: Sequence[str],
        trial: Trial,
        notes: Notes,
        names: Sequence[str],
        required: Sequence[str],
        metrics: Sequence[str],
    ) -> None:
        self._script = script
        self._plan = plan
        self._path = path
        self._trial = trial
        self._notes = notes
        self._names = names
        self._required = required
        self._metrics = metrics

    def __call__(self) -> None:
        """Run the script.

        Raises:
            SystemExit: As the script ended; nothing is raised when it ended at its last line.
        """
        try:
            self._run()
            return
        except SystemExit as error:
            if self._notes.are_ours:
                if self._ends_pruned(error):
                    self._notes.pruned()
                elif error.code is not None and not isinstance(error.code, int):
                    self._notes.said(ends.plain(str(error.code)))
            raise
        except BaseException as error:
            failure = error
        self._end_with(failure)

    def _run(self) -> None:
        script, plan = self._script, self._plan
        if plan.cwd is not None:
            os.chdir(plan.cwd)
        main = new_main(script.path)
        sys.modules["__main__"] = main
        sys.argv[:] = plan.argv
        sys.orig_argv[:] = [sys.executable, *plan.argv]
        sys.path[:] = path_of(script.path, self._path)
        _move_multiprocessing()
        _watch_secrets(self._notes)
        uncover(sys.path[0])
        apply(script.patch)
        with io.open_code(script.path) as file:
            source = file.read()
        code = compile(source, script.path, "exec", dont_inherit=True)
        try:
            exec(code, main.__dict__)  # noqa: S102  the user's own script, which is what we are here for
        except SystemExit as error:
            if _is_well(error) and not self._ends_pruned(error):
                self._look(main)
            raise
        self._look(main)

    def _look(self, main: types.ModuleType) -> None:
        """The script has run: find the result where it was said to be, unless the script has called `finish`."""
        if not self._notes.are_ours or self._notes.have_result:
            return  # where they are not ours, the script forked, and this is its child, which came to the end too
        names, metrics, metric = vars(main), self._metrics, self._script.metric
        if self._script.objective is not None:
            function = _global(names, self._script.objective, "objective", self._script.name)
            call = Call(function, self._names, self._required)
            call.build()
            returned: Any = call(self._trial)
            if call.is_async:
                import asyncio

                returned = asyncio.run(returned)
            if not self._notes.have_result:
                self._notes.result(ends.metrics_of(returned, metrics))
        elif metric is not None:
            variables = {metrics[0]: metric} if isinstance(metric, str) else metric
            self._notes.result(
                {name: _number(names, variable, self._script.name) for name, variable in variables.items()}
            )

    def _ends_pruned(self, error: SystemExit) -> bool:
        """Whether the script exits because of `TrialPruned`: with an exit code, or without a result."""
        return ends.was_pruned_before(error) and not (_is_well(error) and self._notes.have_result)

    def _end_with(self, error: BaseException) -> None:
        """The script raised: tell the sweep, and end as Python does."""
        error.__traceback__ = _without_ours(error.__traceback__)
        tag, description = ends.raised(error, first_frame_is_ours=False)
        if self._notes.are_ours:
            if tag == PRUNED:
                self._notes.pruned()
                return
            self._notes.failed(description)
        _show(error)
        raise SystemExit(_INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1)


def new_main(path: str) -> types.ModuleType:
    """An empty module as Python makes it for the script that it is started with."""
    main = types.ModuleType("__main__")
    main.__dict__.update(
        __file__=path,
        __cached__=None,
        __builtins__=builtins,
        __loader__=SourceFileLoader("__main__", path),
        __package__=None,
        __spec__=None,
    )
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    return main


def path_of(script: str, path: Sequence[str]) -> list[str]:
    """`sys.path` for a script: its folder, links followed, and what the interpreter had."""
    return [os.path.dirname(os.path.realpath(script)), *path]


def _is_well(error: SystemExit) -> bool:
    """Whether Python's exit code is 0; a text, be it empty, makes it 1."""
    return error.code is None or error.code == 0


def _watch_secrets(notes: Notes) -> None:
    """Note the secrets that the script adds to its environment, when it does: its output may end at any moment."""
    put = os.putenv

    @functools.wraps(put)
    def putenv(name: Any, value: Any, /) -> None:
        put(name, value)
        variable, text = os.fsdecode(name), os.fsdecode(value)
        if notes.are_ours and (is_secret_variable(variable) or url_password(text)):
            learn_variables({variable: text})
            with contextlib.suppress(TrialError):  # more than a note can hold: no reason to refuse it to the script
                notes.secret(variable, text)

    os.putenv = putenv  # `os.environ` calls it


def _move_multiprocessing() -> None:
    """Preloaded, it remembers where this process started."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.ORIGINAL_DIR = os.path.abspath(os.getcwd())  # type: ignore[attr-defined]


def _without_ours(tb: types.TracebackType | None) -> types.TracebackType | None:
    """The traceback from the first frame on that is not ours."""
    while tb is not None and os.path.abspath(tb.tb_frame.f_code.co_filename).startswith(_OURS):
        tb = tb.tb_next
    return tb


def _show(error: BaseException) -> None:
    """Show an exception that nobody caught, as Python does it: by `sys.excepthook`, which may be the script's own."""
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    hook = getattr(sys, "excepthook", None) or sys.__excepthook__
    try:
        hook(type(error), error, error.__traceback__)
    except SystemExit:
        raise
    except BaseException as second:
        sys.stderr.write("Error in sys.excepthook:\n")
        traceback.print_exception(type(second), second, _without_ours(second.__traceback__))
        sys.stderr.write("\nOriginal exception was:\n")
        sys.__excepthook__(type(error), error, error.__traceback__)


def _global(names: dict[str, Any], name: str, setting: str, script: str) -> Any:
    if name not in names:
        own = [known for known in names if not known.startswith("__")]
        raise TrialError(f"{setting}={name!r}: {script} has no global of this name when it ends{nearest(name, own)}")
    return names[name]


def _number(names: dict[str, Any], name: str, script: str) -> float:
    value = _global(names, name, "metric", script)
    if value is not None and not isinstance(value, (str, bytes, bytearray)):
        try:
            return real(value)
        except (TypeError, ValueError, OverflowError):
            pass  # told below, with the value
    raise TrialError(f"metric={name!r}: it must be a number, not {shown(value)} ({type(value).__name__})")
