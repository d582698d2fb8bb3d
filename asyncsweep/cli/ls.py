"""`asyncsweep ls`: the sweeps below some folders, from their journals, also while they run."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from asyncsweep.cells import json_value
from asyncsweep.cli import survey
from asyncsweep.cli.cost import size_text
from asyncsweep.cli.survey import Standing
from asyncsweep.core.records import State
from asyncsweep.errors import ConfigError
from asyncsweep.journal.files import reason
from asyncsweep.progress.display import STYLES
from asyncsweep.progress.text import value_text, visible

_DEPTH = 2
_STYLES = {
    survey.RUNNING: "cyan",
    survey.PAUSED: "yellow",
    survey.STOPPING: "yellow",
    survey.INTERRUPTED: "yellow",
    survey.ENDED: "green",
    survey.NEVER_BEGAN: "dim",
    survey.DAMAGED: "red",
}
_LONGEST = 200
_LONGEST_REASON = 60
_GAP = 2
_COLUMNS = ("sweep", "state", "trials", "best", "last event", "size", "objective")
_TEXTS = ("sweep", "state", "objective")
# To how many characters text may be folded.
_LEAST = {"sweep": 24, "state": 12, "objective": 12}
# Where a terminal is narrow.
_LEFT_OUT_FIRST = ("objective", "size", "last event", "best", "trials")
_PIPED_WIDTH = 250


@click.command(
    name="ls",
    short_help="List sweeps and how they stand.",
    epilog="""\b
Examples:
  asyncsweep ls
  asyncsweep ls sweeps /data/sweeps
  asyncsweep ls --json | jq '.[] | select(.state == "interrupted") | .path'
""",
)
@click.argument("directories", metavar="[DIR]...", nargs=-1)
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    default=_DEPTH,
    show_default=True,
    metavar="N",
    help="Look so many folders down.",
)
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
def ls(directories: tuple[str, ...], depth: int, as_json: bool) -> None:
    """List the sweeps in each DIR and below it; without one, in the current folder.

    Hidden folders and symbolic links below a DIR are passed over. Nothing of a sweep is executed or locked.
    What is wrong with a damaged one is told by asyncsweep journal check, and by --json. A narrow terminal gets fewer columns.
    """
    found = [survey.standing_of(path) for path in _paths(directories or (".",), depth)]
    if as_json:
        json.dump([_document(one) for one in found], sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
        return
    console = Console(highlight=False, markup=False, width=_width())
    if not found:
        names = ", ".join(directories) or "this folder"
        console.print(visible(f"No sweeps in {names}, up to {depth} folders down.", console.encoding), soft_wrap=True)
        return
    console.print(_table(found, console, time.time()))


def _paths(directories: tuple[str, ...], depth: int) -> list[Path]:
    """The folders of sweeps, each once."""
    paths: dict[tuple[int, int], Path] = {}
    for directory in directories:
        folder = Path(directory)
        try:
            if not folder.is_dir():
                folder.stat()  # a file is no sweep, and a shell's pattern may well name some
                continue
        except (OSError, ValueError) as error:
            why = reason(error) if isinstance(error, OSError) else error
            raise ConfigError(f"DIR {directory!r} cannot be looked into: {why}") from error
        for path in survey.folders_below(folder, depth, _note):
            status = path.stat()
            paths.setdefault((status.st_dev, status.st_ino), path)
    return list(paths.values())


def _note(folder: Path, error: OSError) -> None:
    text = f"note: {folder} cannot be looked into: {reason(error)}"
    click.echo(visible(text, sys.stderr.encoding or "utf-8"), err=True)


def _document(one: Standing) -> dict[str, Any]:
    spec = one.spec
    single = one.best[0] if spec is not None and len(spec.directions) == 1 and one.best else None
    return {
        "path": str(one.path),
        "state": one.state,
        "reason": one.reason,
        "pid": one.pid,
        "objective": None if spec is None else spec.objective,
        "directions": None if spec is None else dict(spec.directions),
        "n_trials": None if spec is None else spec.n_trials,
        "trials": sum(one.counts.values()),
        "counts": dict(one.counts),
        "best_value": None if single is None else json_value(single.value),
        "best_trials": [trial.number for trial in one.best],
        "last_at": one.at,
        "disk_bytes": one.n_bytes,
    }


def _table(found: list[Standing], console: Console, now: float) -> Table:
    rows: list[list[Text]] = []
    for one in found:
        texts = (
            str(one.path),
            "",
            _trials(one),
            _best(one),
            "" if one.at is None else age_text(now - one.at),
            size_text(one.n_bytes),
            "" if one.spec is None else one.spec.objective[:_LONGEST],
        )
        cells = [Text(visible(text, console.encoding)) for text in texts]
        cells[1] = Text(visible(state_text(one), console.encoding), style=_STYLES[one.state])
        if n_failed := one.counts.get(State.FAILED.value):
            cells[2].append(f" {n_failed} failed", style=STYLES[State.FAILED])
        rows.append(cells)
    table = Table(box=None, header_style="bold", padding=(0, _GAP, 0, 0))
    kept = _columns(rows, console.width)
    for place in kept:
        is_text = _COLUMNS[place] in _TEXTS
        table.add_column(_COLUMNS[place], justify="left" if is_text else "right", overflow="fold", no_wrap=not is_text)
    for cells in rows:
        table.add_row(*(cells[place] for place in kept))
    return table


def _columns(rows: list[list[Text]], width: int) -> list[int]:
    """The columns for which there is room; text may be folded, but not to so little that rows look alike."""
    needed = []
    for place, name in enumerate(_COLUMNS):
        widest = max(cell_len(name), *(row[place].cell_len for row in rows))
        needed.append(_GAP + (min(widest, _LEAST[name]) if name in _TEXTS else widest))
    kept = list(range(len(_COLUMNS)))
    for name in _LEFT_OUT_FIRST:
        if sum(needed[place] for place in kept) <= width:
            break
        kept.remove(_COLUMNS.index(name))
    return kept


def state_text(one: Standing) -> str:
    """Such as "running [4711]", "ended: n_trials reached"."""
    if one.pid is not None and one.state in (survey.RUNNING, survey.PAUSED, survey.STOPPING):
        return f"{one.state} [{one.pid or 'unknown process'}]"
    if not one.reason or one.state == survey.DAMAGED:  # `journal check` tells what is wrong, in many words
        return one.state
    reason = one.reason.partition("\n")[0]
    return f"{one.state}: {reason if len(reason) <= _LONGEST_REASON else f'{reason[:_LONGEST_REASON]}...'}"


def age_text(seconds: float) -> str:
    """Such as "5 s", "12 min", "3 h", "40 d"."""
    left, unit = max(0.0, seconds), "s"
    for size, larger in ((60, "min"), (60, "h"), (24, "d")):
        if left < 2 * size:
            break
        left, unit = left / size, larger
    return f"{left:.0f} {unit} ago"


def _width() -> int | None:
    """None for a terminal's own; what is piped to another program need not be folded."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPED_WIDTH


def _trials(one: Standing) -> str:
    """How many are final, of how many."""
    if one.spec is None:
        return ""
    n_final = sum(n for state, n in one.counts.items() if State(state) not in (State.WAITING, State.RUNNING))
    return f"{n_final}/{one.spec.n_trials}" if one.spec.n_trials is not None else str(n_final)


def _best(one: Standing) -> str:
    if one.spec is None or not one.best:
        return ""
    if len(one.spec.directions) > 1:
        return f"front of {len(one.best)}"
    return value_text(one.best[0].value, exact=False)
