"""`asyncsweep logs`: what trials printed; from their logs, and of running ones through the sweep's socket."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console
from rich.table import Table

from asyncsweep import logs as kept
from asyncsweep.cli.cost import size_text
from asyncsweep.cli.group import EXIT_INTERRUPTED
from asyncsweep.cli.log_following import follow_all, show_log
from asyncsweep.cli.log_source import left_of
from asyncsweep.cli.log_writing import Raw, Shown
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal import journal
from asyncsweep.journal.files import reason
from asyncsweep.steering.client import Client, NotRunning
from asyncsweep.worker.folders import numbers_in


class Row(NamedTuple):
    """One log.

    Attributes:
        bytes: How much was printed.
        left_out: How much of that is not kept.
        running: Whether the attempt still runs.
        path: The log; where it will be, of an attempt that runs. What its worker left, of one that was cut short with the sweep's
            process.
    """

    trial: int
    attempt: int
    bytes: int
    left_out: int
    running: bool
    path: str


@click.command(
    name="logs",
    short_help="Show what trials printed, also while they run.",
    epilog="""\b
Examples:
  asyncsweep logs sweeps/first               which logs there are
  asyncsweep logs sweeps/first 7             what trial 7 printed
  asyncsweep logs sweeps/first 7 -f          and what it prints from now on
  asyncsweep logs sweeps/first -f --tail 10  all trials, until the sweep ends
  asyncsweep logs sweeps/first 7 --raw > 7.log
""",
)
@click.argument("directory", metavar="DIR")
@click.argument("number", metavar="[TRIAL]", type=click.IntRange(min=0), required=False)
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="Default: the last one.")
@click.option("-f", "--follow", is_flag=True, help="Go on as more is printed, until the trial or the sweep ends.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Begin with the last N lines.")
@click.option("--raw", is_flag=True, help="Every byte as it was printed; not on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="The list of logs as JSON.")
def logs(
    directory: str,
    number: int | None,
    attempt: int | None,
    follow: bool,
    tail: int | None,
    raw: bool,
    as_json: bool,
) -> None:
    """Show what trial TRIAL of the sweep in DIR printed; without TRIAL, which logs there are.

    With --follow and without TRIAL every line begins with the number of its trial. Control characters are shown as escapes.
    Secrets are left out. Of very long output the middle is not kept; how much that is, is told.
    """
    path = Path(directory)
    _check(path, number, attempt, follow=follow, tail=tail, raw=raw, as_json=as_json)
    try:
        if number is None and not follow:
            _show_list(_rows(path), as_json)
        elif number is None:
            follow_all(path, tail)
        else:
            write = Raw() if raw else Shown()
            show_log(path, number, attempt, follow, tail, write)
            write.end()
    except KeyboardInterrupt:
        raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise JournalError(f"a log of {path} cannot be read: {reason(error)}", path=directory) from error


def _check(
    path: Path, number: int | None, attempt: int | None, *, follow: bool, tail: int | None, raw: bool, as_json: bool
) -> None:
    """Refuse what makes no sense.

    Raises:
        ConfigError: It does not.
    """
    if not (path / journal.NAME).exists():
        raise ConfigError(f"{path}: there is no sweep in it" if path.is_dir() else f"{path}: there is no such folder")
    if number is None:
        for given, option in ((attempt is not None, "--attempt"), (raw, "--raw")):
            if given:
                raise ConfigError(f"{option}: say of which trial: asyncsweep logs DIR TRIAL {option}")
        if tail is not None and not follow:
            raise ConfigError("--tail: say of which trial, or follow all: asyncsweep logs DIR -f --tail N")
    if as_json and (number is not None or follow):
        raise ConfigError("--json is for the list of logs: leave TRIAL and --follow out; --raw gives a log as it is")
    if raw and sys.stdout.isatty():
        raise ConfigError("--raw: a terminal would obey what trials printed; send it to a file or another program")


# -- the list ----------------------------------------------------------------------------------------------------------


def _rows(path: Path) -> list[Row]:
    found = {}
    for number in numbers_in(path / "trials"):
        for attempt in kept.logs_of(path, number):
            log = kept.open_log(path, number, attempt)
            if log is not None:
                with log:
                    found[number, attempt] = _row(path, number, attempt, log.total, log.left_out, running=False)
    left = left_of(path)
    for (number, attempt), name in left.items():
        log = kept.open_log(path, number, attempt, left)
        if (number, attempt) not in found and log is not None:
            with log:
                if log.total:
                    row = _row(path, number, attempt, log.total, log.left_out, running=False)
                    found[number, attempt] = row._replace(path=str(path / name))
    for number, attempt, total in _running(path):
        if total:
            found[number, attempt] = _row(path, number, attempt, total, 0, running=True)
    return [found[key] for key in sorted(found)]


def _row(path: Path, number: int, attempt: int, total: int, left_out: int, *, running: bool) -> Row:
    place = path / "trials" / str(number) / f"attempt-{attempt}.log"
    return Row(number, attempt, total, left_out, running, str(place))


def _running(path: Path) -> Iterator[tuple[int, int, int]]:
    """Trial, attempt and bytes printed of what runs; nothing where nobody can be asked."""
    with suppress(NotRunning), Client(path) as client:
        for one in client.request("status")["running"]:
            with suppress(ConfigError):
                answer = client.request("log", trial=one["trial"], attempt=one["attempt"], offset=-1)
                if not answer["is_over"]:
                    yield one["trial"], one["attempt"], answer["total"]


def _show_list(rows: list[Row], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([row._asdict() for row in rows], indent=1))
        return
    if not rows:
        click.echo("No logs: no trial has printed anything, or they were not kept.")
        return
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("trial", "attempt", "printed", "left out"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for row in rows:
        left_out = size_text(row.left_out) if row.left_out else ""
        table.add_row(
            str(row.trial), str(row.attempt), size_text(row.bytes), left_out, "running" if row.running else ""
        )
    Console(highlight=False, markup=False).print(table)
