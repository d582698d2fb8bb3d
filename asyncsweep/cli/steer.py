"""`asyncsweep stop`, `pause` and `unpause`: a running sweep steered from another terminal."""

from __future__ import annotations

import shlex
import sys
from typing import Any

import click

from asyncsweep.progress.text import visible
from asyncsweep.steering.client import Client

_EPILOG = """\b
A sweep can be steered that `asyncsweep run` runs, or a program within `async with sw.control(run)`; by the same user, on the
same host.
"""


@click.command(
    name="stop",
    short_help="Stop a running sweep.",
    epilog=f"""\b
Examples:
  asyncsweep stop sweeps/first
  asyncsweep stop --now --reason "the data is wrong" sweeps/first

{_EPILOG}""",
)
@click.argument("directory", metavar="DIR")
@click.option("--now", is_flag=True, help="End the running trials, too; they become CANCELLED.")
@click.option("--reason", default="stopped", show_default=True, metavar="TEXT", help="Kept in the journal.")
def stop(directory: str, now: bool, reason: str) -> None:
    """Start no more trials of the sweep in DIR; the running ones go on to their end. It can be resumed later."""
    answer = _ask(directory, "stop", now=now, reason=reason)
    n_running = answer["n_running"]
    if answer["is_over"] or not n_running:
        _say(f"{directory}: stopped.")
    elif now:
        _say(f"{directory}: stopping; {_trials(n_running)} being ended.")
    else:
        _say(
            f"{directory}: stopping; {_trials(n_running)} still running. At once: asyncsweep stop --now {_shell(directory)}"
        )


@click.command(
    name="pause",
    short_help="Start no more trials of a running sweep, for now.",
    epilog=f"""\b
Examples:
  asyncsweep pause sweeps/first

{_EPILOG}""",
)
@click.argument("directory", metavar="DIR")
def pause(directory: str) -> None:
    """Start no more trials of the sweep in DIR until `unpause`; the running ones go on. A paused sweep that is resumed is paused."""
    answer = _ask(directory, "pause")
    if answer["is_over"]:
        _say(f"{directory}: it has ended.")
    elif answer["is_stopping"]:
        _say(f"{directory}: not paused, but stopping; {_trials(answer['n_running'])} still running.")
        raise click.exceptions.Exit(1)
    else:
        _say(
            f"{directory}: paused; {_trials(answer['n_running'])} still running. Go on: asyncsweep unpause {_shell(directory)}"
        )


@click.command(
    name="unpause",
    short_help="Let a paused sweep go on.",
    epilog=f"""\b
Examples:
  asyncsweep unpause sweeps/first

{_EPILOG}""",
)
@click.argument("directory", metavar="DIR")
def unpause(directory: str) -> None:
    """Let the paused sweep in DIR start trials again."""
    answer = _ask(directory, "unpause")
    if answer["is_over"]:
        _say(f"{directory}: it has ended.")
    elif answer["is_stopping"]:
        _say(f"{directory}: not paused, but stopping; {_trials(answer['n_running'])} still running.")
    else:
        _say(f"{directory}: goes on.")


def _ask(directory: str, command: str, **fields: Any) -> dict[str, Any]:
    with Client(directory) as client:
        return client.request(command, **fields)


def _trials(count: int) -> str:
    return f"{count} trial{'s' * (count != 1)}"


def _shell(directory: str) -> str:
    return shlex.quote(directory)


def _say(line: str) -> None:
    click.echo(visible(line, sys.stdout.encoding or "utf-8"))
