"""`asyncsweep export`: a sweep's trials as CSV, as JSON, as a page, or as a study of Optuna; also while it runs."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from asyncsweep.cli import output as outputs
from asyncsweep.cli.show import read
from asyncsweep.errors import ConfigError
from asyncsweep.progress.text import visible


@click.group(
    name="export",
    short_help="Write a sweep as CSV, JSON, HTML or an Optuna study.",
    epilog="""\b
Examples:
  asyncsweep export csv sweeps/first > first.csv
  asyncsweep export html sweeps/first --output first.html
  asyncsweep export optuna sweeps/first --storage sqlite:///studies.db
""",
)
def export() -> None:
    """Write the trials of a sweep somewhere else, also while it runs."""


def _to_file(command: Callable[..., None]) -> Callable[..., None]:
    """The arguments that these commands share."""

    @click.argument("directory", metavar="DIR")
    @click.option(
        "--output", "-o", default=outputs.STDOUT, show_default=True, metavar="FILE", help="Where to; - is the terminal."
    )
    @click.option("--force", is_flag=True, help="Replace FILE.")
    @functools.wraps(command)
    def with_arguments(*args: Any, **options: Any) -> None:
        command(*args, **options)

    return with_arguments


@export.command(name="csv", short_help="A row for each trial.")
@_to_file
def csv_(directory: str, output: str, force: bool) -> None:
    """Write a row for each trial of the sweep in DIR as CSV, with a header."""
    outputs.write(output, read(Path(directory)).result.to_csv, force=force)


@export.command(name="json", short_help="Everything about each trial.")
@_to_file
def json_(directory: str, output: str, force: bool) -> None:
    """Write the trials of the sweep in DIR as one JSON document, with their reports.

    NaN and infinity are "NaN", "Infinity" and "-Infinity", bytes are hexadecimal.
    """
    outputs.write(output, read(Path(directory)).result.to_json, force=force)


@export.command(name="html", short_help="A page to look at.")
@_to_file
@click.option("--plain", is_flag=True, help="A page without scripts: tables and a drawing, for mail and archives.")
@click.option(
    "--rows",
    type=click.IntRange(min=0),
    metavar="N",
    help="At most N trials, evenly over the sweep (default 20,000); of a plain page the first N (default 1,000). "
    "0 for as many as a browser can well show.",
)
@click.option("--title", metavar="TEXT", help="The page's title. Default: the name of the folder.")
def html_(directory: str, output: str, force: bool, plain: bool, rows: int | None, title: str | None) -> None:
    """Write the sweep in DIR as one HTML page, which needs no other file and loads nothing.

    It is the page of `asyncsweep view`, as it was at this moment: plots, curves, the table, errors and the ends of failed
    trials' logs. Its scripts are its own: nothing that is in the sweep is executed.
    """
    from asyncsweep.cli import export_html

    make = export_html.plain if plain else export_html.interactive
    if output == outputs.STDOUT and not plain and sys.stdout.isatty():
        name = Path(directory).absolute().name or "sweep"
        raise ConfigError(
            f"--output: name a file, such as --output {visible(name)}.html; the page has several megabytes"
        )
    text = make(Path(directory), rows, title)
    outputs.write(output, lambda path: path.write_text(text, encoding="utf-8"), force=force)


@export.command(name="optuna", short_help="A study in a storage of Optuna.")
@click.argument("directory", metavar="DIR")
@click.option("--storage", required=True, metavar="URL", help="Such as sqlite:///studies.db; made if it is not there.")
@click.option("--study", metavar="NAME", help="The study's name. Default: the name of the folder.")
@click.option("--force", is_flag=True, help="Replace a study of this name.")
def optuna_(directory: str, storage: str, study: str | None, force: bool) -> None:
    """Write the final trials of the sweep in DIR into a new study, which optuna-dashboard shows.

    Optuna has no word for CANCELLED, and calls these trials FAIL. It numbers trials anew; the attribute asyncsweep:number
    of each is its number in the sweep.
    """
    from asyncsweep.cli.optuna_target import write_study

    result = read(Path(directory)).result
    name = study or Path(directory).absolute().name or "sweep"
    n_written = write_study(result, storage, name, force=force)
    line = f"{n_written} trials written into the study {name!r}."
    if left_out := len(result.trials) - n_written:
        line += f" {left_out} left out that have not ended, or failed before they had parameters."
    click.echo(visible(line, sys.stdout.encoding or "utf-8"))
