"""`asyncsweep artifacts`: what trials kept by `trial.save` and in `trial.dir`, listed and copied."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from asyncsweep.cli.cost import size_text
from asyncsweep.cli.gathering import Artifact, artifacts_of, copy
from asyncsweep.cli.leftovers import leftovers_of
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal import journal
from asyncsweep.journal.files import reason
from asyncsweep.progress.text import visible
from asyncsweep.worker.folders import ARTIFACTS, numbers_in

_TARGET = "artifacts"


@click.group(name="artifacts", short_help="List or copy what trials saved.")
def artifacts() -> None:
    """List or copy what trials kept by `trial.save(...)` and in `trial.dir`; also while the sweep runs, and
    when it was deleted but for them."""


@artifacts.command(
    name="ls",
    short_help="List what trials saved.",
    epilog="""\b
Examples:
  asyncsweep artifacts ls sweeps/first
  asyncsweep artifacts ls sweeps/first --trial 7 --json
""",
)
@click.argument("directory", metavar="DIR")
@click.option("--trial", "number", type=click.IntRange(min=0), metavar="N", help="Of one trial.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
def ls(directory: str, number: int | None, as_json: bool) -> None:
    """List the files that trials of the sweep in DIR saved."""
    path = Path(directory)
    found = _found(path, _numbers(path) if number is None else [number])
    if number is not None and not found:
        _check_trial(path, number)
    if as_json:
        click.echo(json.dumps([_row(path, artifact) for artifact in found], indent=1))
    elif not found:
        click.echo("No artifacts: no trial has saved anything, or it was not kept.")
    else:
        _show(found)


@artifacts.command(
    name="get",
    short_help="Copy what trials saved.",
    epilog="""\b
Examples:
  asyncsweep artifacts get sweeps/first                        all, to artifacts/trial-N/
  asyncsweep artifacts get sweeps/first 7                      of trial 7, to artifacts/
  asyncsweep artifacts get sweeps/first 7 model.pt --to best
  asyncsweep artifacts get sweeps/first --best model.pt
""",
)
@click.argument("directory", metavar="DIR")
@click.argument("words", metavar="[TRIAL] [NAME]", nargs=-1)
@click.option(
    "--best", is_flag=True, help="Of the best trial, instead of TRIAL; with several directions, of the front."
)
@click.option("--to", "target", default=_TARGET, show_default=True, metavar="FOLDER", help="Made if it is not there.")
@click.option("--force", is_flag=True, help="Replace files that are there already.")
def get(directory: str, words: tuple[str, ...], best: bool, target: str, force: bool) -> None:
    """Copy the files that trial TRIAL of the sweep in DIR saved, or the file or folder NAME of them, to a folder.

    Those of several trials go to folders of their own in it, trial-0, trial-1 and so on. Links are not followed.
    """
    path = Path(directory)
    number, name = _choice(words, best)
    numbers = _best(path) if best else _numbers(path) if number is None else [number]
    is_of_one = number is not None or (best and len(numbers) == 1)
    found = [artifact for artifact in _found(path, numbers) if name is None or _is_at(artifact, name)]
    if not found:
        raise ConfigError(_nothing(path, numbers, name))
    for artifact in found:
        if not artifact.is_file:
            _say(f"left out: {_place(artifact)} is neither a file nor a folder", err=True)
    wanted = [(a, a.name if is_of_one else (f"trial-{a.trial}", *a.name)) for a in found if a.is_file]
    try:
        copy(path, wanted, Path(target), force=force)
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise JournalError(f"not everything could be copied to {target!r}: {why}", path=directory) from error
    size = size_text(sum(artifact.n_bytes for artifact, _ in wanted))
    _say(f"{len(wanted)} file{'s' * (len(wanted) != 1)}, {size}, copied to {target}.")


def _choice(words: tuple[str, ...], best: bool) -> tuple[int | None, tuple[str, ...] | None]:
    """The trial and the name that are meant; None for all.

    Raises:
        ConfigError: There are too many words, or the first is no number.
    """
    rest = list(words)
    number = None
    if rest and not best:
        first = rest.pop(0)
        if not (first.isascii() and first.isdigit() and len(first) < 19):
            raise ConfigError(f"TRIAL {first!r}: expected a trial's number: asyncsweep artifacts get DIR 7 {first}")
        number = int(first)
    if len(rest) > 1:
        raise ConfigError(f"{rest[1]!r}: one NAME at a time; without NAME all files of a trial are copied")
    if not rest:
        return number, None
    parts = tuple(part for part in rest[0].split("/") if part not in ("", "."))
    if not parts or ".." in parts or rest[0].startswith("/"):
        raise ConfigError(f"NAME {rest[0]!r}: expected the name of an artifact, as `asyncsweep artifacts ls` shows it")
    return number, parts


def _check_sweep(path: Path) -> None:
    try:
        if (path / journal.NAME).exists() or leftovers_of(path) is not None:
            return
        is_folder = path.is_dir()
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else error
        raise ConfigError(f"DIR {str(path)!r} cannot be looked into: {why}") from error
    raise ConfigError(f"{path}: there is no sweep in it" if is_folder else f"{path}: there is no such folder")


def _numbers(path: Path) -> list[int]:
    _check_sweep(path)
    if (path / "trials").is_symlink():
        raise JournalError(f"{path / 'trials'} is a symbolic link, which is never followed", path=str(path))
    return numbers_in(path / "trials")


def _found(path: Path, numbers: Sequence[int]) -> list[Artifact]:
    _check_sweep(path)
    found = []
    for number in numbers:
        try:
            found += artifacts_of(path, number)
        except OSError as error:
            place = path / "trials" / str(number) / ARTIFACTS
            raise JournalError(f"{place} cannot be listed: {reason(error)}", path=str(path)) from error
    return found


def _best(path: Path) -> list[int]:
    from asyncsweep.cli.show import read

    _check_sweep(path)
    if not (path / journal.NAME).exists():
        raise ConfigError(f"{path}: its sweep was deleted, and with it which trial is the best; name the TRIAL")
    result = read(path).result
    if len(result.directions) > 1:
        return [trial.number for trial in result.best_trials]
    return [] if result.best is None else [result.best.number]


def _check_trial(path: Path, number: int) -> None:
    from asyncsweep.cli.show import read

    if not (path / journal.NAME).exists():
        raise ConfigError(f"{path}: its sweep was deleted, and of trial {number} nothing was kept")
    count = len(read(path).result.trials)
    if number >= count:
        raise ConfigError(f"there is no trial {number}; the sweep has {count}, numbered from 0")


def _nothing(path: Path, numbers: list[int], name: tuple[str, ...] | None) -> str:
    if len(numbers) == 1:
        _check_trial(path, numbers[0])
    if not numbers:
        return f"{path}: no trial has saved anything, or none is the best yet"
    whose = f"trial {numbers[0]}" if len(numbers) == 1 else "any trial"
    if name is None:
        return f"{path}: there is nothing that {whose} saved, or it was not kept"
    return f"{path}: there is no {'/'.join(name)!r} of {whose}; see `asyncsweep artifacts ls`"


def _is_at(artifact: Artifact, name: tuple[str, ...]) -> bool:
    return artifact.name[: len(name)] == name


def _row(path: Path, artifact: Artifact) -> dict[str, object]:
    place = path.joinpath("trials", str(artifact.trial), ARTIFACTS, *artifact.name)
    return {
        "trial": artifact.trial,
        "name": "/".join(artifact.name),
        "bytes": artifact.n_bytes,
        "is_file": artifact.is_file,
        "path": str(place),
    }


def _show(found: list[Artifact]) -> None:
    console = Console(highlight=False, markup=False)
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("trial", "size"):
        table.add_column(heading, justify="right")
    table.add_column("name", overflow="fold")
    for artifact in found:
        size = size_text(artifact.n_bytes) if artifact.is_file else "no file"
        table.add_row(str(artifact.trial), size, Text(visible("/".join(artifact.name), console.encoding)))
    console.print(table)


def _place(artifact: Artifact) -> str:
    return f"{'/'.join(artifact.name)} of trial {artifact.trial}"


def _say(line: str, *, err: bool = False) -> None:
    stream = sys.stderr if err else sys.stdout
    click.echo(visible(line, stream.encoding or "utf-8"), err=err)
