"""What the commands that run a sweep share: the display, the end by Ctrl-C, the result as JSON."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import anyio
import click
from rich.console import Console

from asyncsweep.cli.early_end import EarlyEnd
from asyncsweep.cli.group import EXIT_INTERRUPTED, EXIT_SWEEP_FAILED, aside, discard_unwritten
from asyncsweep.cli.interrupts import REASON, Interrupts, heeded
from asyncsweep.cli.view_options import View
from asyncsweep.cli.viewing import viewed
from asyncsweep.core.records import State
from asyncsweep.errors import PluginError, TooManyFailures
from asyncsweep.progress import show
from asyncsweep.progress.display import going_on
from asyncsweep.progress.text import visible
from asyncsweep.result import Result
from asyncsweep.steering.server import control
from asyncsweep.sweep import Sweep

Say = Callable[[str], None]

_NO_SPACE = "hint: without --space the objective gets a Trial; name its parameters by --space NAME=DOMAIN"


def carry_out(
    sweep: Sweep,
    *,
    plain: bool,
    as_json: bool,
    resume_by: str,
    begin: Callable[[Say], None] | None = None,
    bears_failures: bool = True,
    view: View | None = None,
) -> Result:
    """Run a sweep and show it; while it runs, other processes of this user can steer it.

    Args:
        sweep: What to run.
        plain: Show lines alone, also on a terminal.
        as_json: Write the result as JSON to the standard output, and everything else, with what objectives print, to the
            standard error.
        resume_by: What the user is told after Ctrl-C.
        begin: Called when the sweep has begun, with a function that shows a line.
        bears_failures: Go on though its first trials all fail.
        view: How it is shown in a browser, too; None where it is not.

    Raises:
        AsyncSweepError: The sweep failed.
        click.exceptions.Exit: It was interrupted, or no trial completed.
    """
    with _json_apart(as_json) as json_to:
        console = Console(stderr=as_json)
        carried = _Carried(sweep, console, False if plain else None, begin, bears_failures, view)
        try:
            result = anyio.run(carried.out)
        except KeyboardInterrupt:  # before signals were heeded
            result = None
        except (TooManyFailures, PluginError) as error:
            if json_to is not None and isinstance(error.result, Result):
                write_json(error.result, sweep.directory, json_to)
            raise
        finally:
            if console.quiet:  # it could not be written
                discard_unwritten(2 if as_json else 1)
        if json_to is not None and result is not None:
            write_json(result, sweep.directory, json_to)
    if result is None or carried.was_broken_off or result.reason == REASON:
        click.echo(f"Interrupted. {resume_by}", err=True)
        raise click.exceptions.Exit(EXIT_INTERRUPTED)
    if carried.early_end is not None and carried.early_end.has_come:
        click.echo(f"error: {carried.early_end.story(console)}", err=True)
        if not sweep.space.names and ":" in sweep.spec.objective:
            click.echo(_NO_SPACE, err=True)
        raise click.exceptions.Exit(EXIT_SWEEP_FAILED)
    if not result.counts[State.COMPLETE] and result.counts[State.FAILED]:
        click.echo("error: no trial completed", err=True)
        if not sweep.space.names and ":" in sweep.spec.objective:  # a function
            click.echo(_NO_SPACE, err=True)
        raise click.exceptions.Exit(EXIT_SWEEP_FAILED)
    return result


def write_json(result: Result, directory: Path | None, to: TextIO, **more: Any) -> None:
    """The result as one JSON document; `more` is added to its top level."""
    document = result.to_dict()
    trials = document.pop("trials")
    document["directory"] = None if directory is None else str(directory)
    document["counts"] = {state.value: count for state, count in result.counts.items()}
    document["best_trials"] = [trial.number for trial in result.best_trials]
    json.dump({**document, **more, "trials": trials}, to, allow_nan=False)
    to.write("\n")
    to.flush()


class _Carried:
    """One sweep, from its start to its end, however it ends."""

    def __init__(
        self,
        sweep: Sweep,
        console: Console,
        live: bool | None,
        begin: Callable[[Say], None] | None,
        bears_failures: bool,
        view: View | None,
    ) -> None:
        self._sweep = sweep
        self._console = console
        self._live = live
        self._begin = begin
        self._bears_failures = bears_failures
        self._view = view
        self.early_end: EarlyEnd | None = None
        self.was_broken_off = False

    async def out(self) -> Result | None:
        """The result, as far as it got; None when the sweep was interrupted before it began."""
        result: Result | None = None
        failure: BaseException | None = None
        with anyio.open_signal_receiver(*heeded()) as signals:
            # A task group would wrap what the sweep raises, and so it gets to see none of it.
            async with anyio.create_task_group() as tasks:
                with anyio.CancelScope() as everything:
                    interrupts = Interrupts(everything, self._say_aside, self._clean_up)
                    tasks.start_soon(interrupts.heed, signals)
                    try:
                        result = await self._watched(interrupts)
                    except (Exception, SystemExit) as error:
                        failure = error
                tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure
        self.was_broken_off = everything.cancelled_caught
        return interrupts.run.snapshot() if result is None and interrupts.run is not None else result

    async def _watched(self, interrupts: Interrupts) -> Result:
        async with self._sweep.start() as run:
            interrupts.run = run
            if self._begin is not None:
                self._begin(self._say)
            if run.is_paused:
                run.unpause()
                self._say("It was paused, and goes on.")
            async with control(run), viewed(run, self._view, self._say), anyio.create_task_group() as tasks:
                if not self._bears_failures:
                    self.early_end = EarlyEnd(run)
                    tasks.start_soon(self.early_end.watch)
                unpause = None if run.directory is None else f"asyncsweep unpause {shlex.quote(str(run.directory))}"
                await show(run, console=self._console, live=self._live, unpause_by=unpause)
                tasks.cancel_scope.cancel()
            return await run.result()

    def _say(self, line: str) -> None:
        with going_on(self._console):
            self._console.print(visible(line, self._console.encoding), markup=False, highlight=False, soft_wrap=True)

    def _say_aside(self, line: str) -> None:
        """To the standard error; on a terminal by the console, which keeps it clear of the live display."""
        if self._live is None and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._say(line)
        else:
            aside(line)

    def _clean_up(self) -> None:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            with going_on(self._console):
                self._console.show_cursor(True)


@contextmanager
def _json_apart(wanted: bool) -> Iterator[TextIO | None]:
    """The standard output for JSON alone: what anybody else writes to it, child processes too, goes to the standard error."""
    if not wanted:
        yield None
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with open(kept, "w", encoding="utf-8", closefd=False) as file:
            yield file
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
