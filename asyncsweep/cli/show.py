"""`asyncsweep show`: what is in a sweep's journal, while it runs or afterwards. Nothing of the sweep is executed."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from asyncsweep.cli import survey
from asyncsweep.cli.cost import Cost, cost_of, size_text
from asyncsweep.cli.gathering import Artifact, artifacts_of
from asyncsweep.core.effects import Finish
from asyncsweep.core.records import SweepSpec, TrialRecord
from asyncsweep.driver.replay import Replaying
from asyncsweep.errors import ConfigError
from asyncsweep.journal import journal, lock
from asyncsweep.journal.inspection import ending
from asyncsweep.logs import left_by, left_outputs, logs_of, open_log
from asyncsweep.progress.display import STYLES, best_line, counts_text
from asyncsweep.progress.text import duration_text, params_text, value_text, visible, visible_lines
from asyncsweep.result import Result

_MOST_ARTIFACTS = 20
_STANDING = {survey.RUNNING: "Runs", survey.PAUSED: "Paused", survey.STOPPING: "Stopping: no more trials begin"}


class Story(NamedTuple):
    """What a journal tells.

    Attributes:
        spec: The settings that hold at its end.
        result: The trials.
        finish: How the sweep ended; None while it runs, or when it was interrupted.
        at: When the last event was, in seconds since the epoch.
        torn: Bytes at its end that are no whole record (yet).
        state: How it stands while it has not ended, in the words of `survey`.
        pid: The process that has it open, 0 where it is not known which; None when none has.
    """

    spec: SweepSpec
    result: Result
    finish: Finish | None
    at: float
    torn: int
    state: str
    pid: int | None


@click.command(
    name="show",
    short_help="Show a sweep from its journal, also while it runs.",
    epilog="""\b
Examples:
  asyncsweep show sweeps/first
  asyncsweep show sweeps/first --trial 7
  asyncsweep show sweeps/first --json | jq '.trials[] | select(.state == "FAILED") | .error'
""",
)
@click.argument("directory", metavar="DIR")
@click.option(
    "--trial", "number", type=int, metavar="NUMBER", help="One trial, with its error, its logs and its artifacts."
)
@click.option("--limit", type=int, default=50, show_default=True, metavar="N", help="The last N trials; 0 for all.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON; with --trial that trial alone.")
def show(directory: str, number: int | None, limit: int, as_json: bool) -> None:
    """Show the sweep in DIR from its journal, also while it runs."""
    path = Path(directory)
    story = read(path)
    trial = None if number is None else _chosen(story, number)
    if as_json and trial is not None:
        json.dump(_trial_json(path, story, trial), sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
        return
    if as_json:
        from asyncsweep.cli.carry_out import write_json

        write_json(
            story.result,
            path.absolute(),
            sys.stdout,
            objective=story.spec.objective,
            is_over=story.finish is not None,
            disk_bytes={**(cost := cost_of(path))._asdict(), "total": cost.total},
        )
        return
    console = Console(highlight=False, markup=False)
    if trial is not None:
        _show_trial(console, path, trial)
    else:
        _show_sweep(console, story, limit)
        console.print(_disk(cost_of(path)), soft_wrap=True)


def read(directory: Path) -> Story:
    """Read a sweep's journal, without locking or changing it.

    Raises:
        ConfigError: There is no sweep.
        JournalError: The journal is damaged.
    """
    pid = survey.holder(directory)  # before its last events are read: it may end meanwhile
    replaying = Replaying(str(directory / journal.NAME))
    content = journal.read(directory, take=replaying.take)
    machine = replaying.machine
    if not machine.seq:
        raise ConfigError(f"directory={str(directory)!r}: that sweep never began")
    finish = ending(machine)
    result = Result(machine.spec, machine.trials, "" if finish is None else finish.reason)
    state = survey.ENDED if finish is not None else survey.state_of(machine, pid)
    return Story(machine.spec, result, finish, machine.at, content.torn, state, pid)


def _show_sweep(console: Console, story: Story, limit: int) -> None:
    spec, result = story.spec, story.result
    trials = result.trials[-limit:] if limit > 0 else result.trials
    metrics = list(spec.directions)
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("trial", justify="right")
    table.add_column("state")
    for metric in metrics:
        table.add_column(Text(visible(metric, console.encoding)), justify="right")
    table.add_column("time", justify="right")
    table.add_column("parameters", overflow="fold")
    for trial in trials:
        cells = [value_text(trial.metrics[name], exact=False) if name in trial.metrics else "" for name in metrics]
        table.add_row(
            str(trial.number),
            Text(trial.state.value, style=STYLES[trial.state]),
            *cells,
            _time(trial),
            _about(trial, console),
        )
    console.print(table)
    hidden = len(result.trials) - len(trials)
    if hidden:
        console.print(f"... and {hidden} earlier trials: --limit 0 shows them")
    console.print()
    console.print(counts_text(result.counts))
    best = best_line(result)
    if best:
        console.print(visible(best, console.encoding), soft_wrap=True)
    console.print(visible(_ending(story), console.encoding), soft_wrap=True)


def _chosen(story: Story, number: int) -> TrialRecord:
    trials = story.result.trials
    if not 0 <= number < len(trials):
        raise ConfigError(f"--trial {number}: the sweep has {len(trials)} trials, numbered from 0")
    return trials[number]


def _trial_json(directory: Path, story: Story, trial: TrialRecord) -> dict[str, Any]:
    """One trial as in the document of the sweep, with its files."""
    document: dict[str, Any] = story.result.to_dict()["trials"][trial.number]
    return document | {
        "traceback": "" if trial.error is None else trial.error.traceback,
        "logs": [
            {"attempt": attempt, "path": str(path.absolute()), "bytes": n_bytes}
            for attempt, path, n_bytes in _logs(directory, trial)
        ],
        "artifacts": [{"name": _name(one), "bytes": one.n_bytes} for one in _saved(directory, trial.number)],
    }


def _show_trial(console: Console, directory: Path, trial: TrialRecord) -> None:
    logs = {
        attempt: f"{path} ({size_text(size)}{_left_out(directory, trial.number, attempt)})"
        for attempt, path, size in _logs(directory, trial)
    }
    facts = {
        "state": trial.state.value,
        "parameters": params_text(trial.params),
        "metrics": params_text(trial.metrics),
        "reports": ", ".join(f"{step}: {value:.6g}" for step, value in trial.reports),
        "attributes": params_text(trial.user_attrs),
        "attempts": str(trial.attempt),
        "time": _time(trial),
        "log": logs.pop(trial.attempt, ""),
        "artifacts": _artifacts(directory, trial.number),
        "earlier": "; ".join(map(str, trial.failures)),
        "earlier logs": ", ".join(logs.values()),
        "error": "" if trial.error is None else str(trial.error),
    }
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, text in facts.items():
        if text:
            table.add_row(Text(name, style="bold"), Text(visible(text, console.encoding), overflow="fold"))
    console.print(table)
    if trial.error is not None and trial.error.traceback:
        console.print()
        console.print(visible_lines(trial.error.traceback.rstrip(), console.encoding), soft_wrap=True)


def _artifacts(directory: Path, number: int) -> str:
    found = _saved(directory, number)
    shown = ", ".join(f"{_name(one)} ({size_text(one.n_bytes)})" for one in found[:_MOST_ARTIFACTS])
    hidden = found[_MOST_ARTIFACTS:]
    size = size_text(sum(one.n_bytes for one in hidden))
    return f"{shown}, and {len(hidden)} more ({size})" if hidden else shown


def _saved(directory: Path, number: int) -> list[Artifact]:
    """The files among a trial's artifacts; none where they cannot be listed, as `asyncsweep artifacts ls` would tell."""
    try:
        return [one for one in artifacts_of(directory, number) if one.is_file]
    except OSError:
        return []


def _name(artifact: Artifact) -> str:
    return "/".join(artifact.name)


def _logs(directory: Path, trial: TrialRecord) -> list[tuple[int, Path, int]]:
    """The attempts of a trial that have a log, with its path and its bytes; of one cut short with the sweep, what its worker left."""
    found = []
    with suppress(OSError):  # being deleted, or not ours to read
        for attempt in logs_of(directory, trial.number):
            path = directory / "trials" / str(trial.number) / f"attempt-{attempt}.log"
            found.append((attempt, path, path.lstat().st_size))
        outputs = left_outputs(directory)
        if outputs and lock.holder(directory) is None and trial.attempt not in {attempt for attempt, _, _ in found}:
            for name in left_by([trial], outputs).values():
                found.append((trial.attempt, directory / name, (directory / name).lstat().st_size))
    return found


def _left_out(directory: Path, number: int, attempt: int) -> str:
    """What is said of the size of a log that lacks the middle of what was printed."""
    with suppress(OSError):
        log = open_log(directory, number, attempt)
        if log is not None:
            with log:
                return f"; {size_text(log.left_out)} more were left out" if log.left_out else ""
    return ""


def _time(trial: TrialRecord) -> str:
    if trial.duration_s is None:
        return ""
    return f"{trial.duration_s:.3g} s" if trial.duration_s < 60 else duration_text(trial.duration_s)


def _about(trial: TrialRecord, console: Console) -> Text:
    """The parameters, and the error of a failed trial below them."""
    text = Text(visible(params_text(trial.params, exact=False), console.encoding))
    if trial.error is not None:
        text.append("\n" + visible(str(trial.error)[:200], console.encoding), style="red")
    return text


def _disk(cost: Cost) -> str:
    parts = ", ".join(f"{name} {size_text(size)}" for name, size in cost._asdict().items() if size)
    return f"On disk: {size_text(cost.total)} ({parts})."


def _ending(story: Story) -> str:
    if story.finish is not None:
        return f"Ended: {story.finish.error or story.finish.reason}."
    word = _STANDING.get(story.state, "Interrupted")
    process = "" if story.pid is None else f" (process {story.pid or 'unknown'})"
    ago = duration_text(time.time() - story.at)
    return f"{word}{process}. The last event was {ago} ago."
