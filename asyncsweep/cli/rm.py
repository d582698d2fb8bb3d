"""`asyncsweep rm`: a sweep's folder deleted, but for the artifacts of its trials and what is not the sweep's."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from asyncsweep.cli.cost import Cost, cost_of, size_text
from asyncsweep.cli.deletion import Deleted, check_sweep, delete
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal import lock
from asyncsweep.journal.files import reason
from asyncsweep.progress.text import visible


@click.command(
    name="rm",
    short_help="Delete sweeps, but for their artifacts.",
    epilog="""\b
Examples:
  asyncsweep rm sweeps/first
  asyncsweep rm --yes --artifacts sweeps/first sweeps/second
""",
)
@click.argument("directories", metavar="DIR...", nargs=-1, required=True)
@click.option("--artifacts", is_flag=True, help="Delete what trials saved, too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def rm(ctx: click.Context, directories: tuple[str, ...], artifacts: bool, yes: bool) -> None:
    """Delete the sweep in each DIR: its journal, and its trials' logs and checkpoints.

    What trials saved as artifacts stays, and so does every file that the sweep did not make. A sweep that runs is refused.
    Artifacts that were left by an earlier deletion go with --artifacts.
    """
    if "" in directories:
        raise ConfigError("DIR '': that is no path; name the folder of a sweep")
    paths = [Path(directory) for directory in dict.fromkeys(directories)]
    for path in paths:
        check_sweep(path, artifacts=artifacts)
        _refuse_running(path)
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError(
                "nobody can be asked, for the standard input is no terminal; --yes deletes without asking"
            )
        for path in paths:
            _say(_plan(path, cost_of(path), artifacts))
        if not click.confirm("Delete this?" if len(paths) == 1 else f"Delete these {len(paths)} sweeps?"):
            click.echo("Nothing was deleted.")
            ctx.exit(1)
    for path in paths:
        _say(_report(path, delete(path, artifacts=artifacts)))


def _refuse_running(path: Path) -> None:
    try:
        pid = lock.holder(path)
    except OSError as error:
        raise JournalError(f"{path / 'lock'} cannot be opened: {reason(error)}", path=str(path)) from error
    if pid is not None:
        raise JournalError(
            f"{path} runs in process {pid or 'unknown'}; end it first: asyncsweep stop {shlex.quote(str(path))}",
            path=str(path),
        )


def _plan(path: Path, cost: Cost, artifacts: bool) -> str:
    """What would go. Of other files only the deletion itself tells which are the sweep's."""
    parts = {name: size for name, size in cost._asdict().items() if size and name != "other"}
    kept = 0 if artifacts else parts.pop("artifacts", 0)
    text = f"{path}: {', '.join(f'{name} {size_text(size)}' for name, size in parts.items()) or 'nothing of any size'}"
    return f"{text}; the artifacts stay, {size_text(kept)}" if kept else text


def _report(path: Path, done: Deleted) -> str:
    text = f"{path}: {done.n_files} files deleted, {size_text(done.n_bytes)}."
    kept = list(done.kept)
    if count := len(done.artifacts):
        above = dict.fromkeys(place.partition("/")[0] for place in done.artifacts)
        places = ", ".join(str(path / place) for place in (done.artifacts if count == 1 else above))
        kept.insert(0, f"the artifacts of {count} trial{'s' * (count != 1)}, in {places}")
    return f"{text} Kept: {', '.join(kept)}." if kept else text


def _say(line: str) -> None:
    click.echo(visible(line, sys.stdout.encoding or "utf-8"))
