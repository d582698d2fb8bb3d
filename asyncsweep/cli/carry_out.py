"""What the commands that run a sweep share: the display, the end by Ctrl-C, the result as JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import anyio
import click
from rich.console import Console

from asyncsweep.cli.group import EXIT_INTERRUPTED, EXIT_SWEEP_FAILED
from asyncsweep.core.records import State
from asyncsweep.errors import PluginError, TooManyFailures
from asyncsweep.progress import show
from asyncsweep.result import Result
from asyncsweep.sweep import Sweep

_NO_SPACE = "hint: without --space the objective gets a Trial; name its parameters by --space NAME=DOMAIN"


def carry_out(sweep: Sweep, *, plain: bool, as_json: bool, resume_by: str) -> Result:
    """Run a sweep and show it.

    Args:
        sweep: What to run.
        plain: Show lines alone, also on a terminal.
        as_json: Write the result as JSON to the standard output, and everything else, with what objectives print, to the
            standard error.
        resume_by: What the user is told after Ctrl-C.

    Raises:
        AsyncSweepError: The sweep failed.
        click.exceptions.Exit: It was interrupted, or no trial completed.
    """
    with _json_apart(as_json) as json_to, _terminated_as_interrupted():
        console = Console(stderr=as_json)
        try:
            result = anyio.run(_run, sweep, console, False if plain else None)
        except KeyboardInterrupt:
            click.echo(f"Interrupted. {resume_by}", err=True)
            raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
        except (TooManyFailures, PluginError) as error:
            if json_to is not None and isinstance(error.result, Result):
                write_json(error.result, sweep.directory, json_to)
            raise
        if json_to is not None:
            write_json(result, sweep.directory, json_to)
    if not result.counts[State.COMPLETE] and result.counts[State.FAILED]:
        click.echo("error: no trial completed", err=True)
        if not sweep.space.names:
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


async def _run(sweep: Sweep, console: Console, live: bool | None) -> Result:
    async with sweep.start() as run:
        await show(run, console=console, live=live)
        return await run.result()


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


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends a sweep as Ctrl-C does: its trials are stopped."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
