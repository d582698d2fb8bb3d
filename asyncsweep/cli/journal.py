"""`asyncsweep journal`: a sweep's journal checked, printed as JSON lines, and repaired. Nothing of the sweep is executed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from asyncsweep.cells import json_value
from asyncsweep.cli.group import EXIT_SWEEP_FAILED
from asyncsweep.core.events import Event, Kept
from asyncsweep.errors import JournalError
from asyncsweep.journal import inspection, repair
from asyncsweep.journal.writer import NAME
from asyncsweep.progress.text import params_text, visible

_encode = json.JSONEncoder(allow_nan=False).encode


@click.group(
    name="journal",
    short_help="Check, print or repair a sweep's journal.",
    epilog="""\b
Examples:
  asyncsweep journal check sweeps/first
  asyncsweep journal dump sweeps/first --trial 7
  asyncsweep journal repair sweeps/first --dry-run
""",
)
def journal() -> None:
    """Check, print or repair the journal of a sweep."""


@journal.command(
    name="check",
    short_help="See whether a journal is whole.",
    epilog="Exit codes: 0 the journal is fine, 1 it is damaged, 2 bad usage.",
)
@click.argument("directory", metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="As a JSON document.")
@click.pass_context
def check(ctx: click.Context, directory: str, as_json: bool) -> None:
    """Read and replay the journal of the sweep in DIR, also while it runs; nothing is changed.

    A torn tail, which a process leaves that was killed while it wrote, is fine: it is cut off when the sweep is resumed.
    """
    report = inspection.check(Path(directory))
    if as_json:
        _print(_report_json(report))
    else:
        for line in _report_lines(report, directory):
            _say(line)
    if report.damage is not None:
        ctx.exit(EXIT_SWEEP_FAILED)


@journal.command(
    name="dump",
    short_help="Print every event as a line of JSON.",
    epilog="""\b
Examples:
  asyncsweep journal dump sweeps/first | jq 'select(.event == "Finished") | .metrics'
""",
)
@click.argument("directory", metavar="DIR")
@click.option("--from", "first", type=int, default=0, metavar="SEQ", help="Leave out the events before this number.")
@click.option("--trial", type=int, metavar="NUMBER", help="The events of one trial alone.")
def dump(directory: str, first: int, trial: int | None) -> None:
    """Print every event of the sweep in DIR as a line of JSON, also while it runs.

    NaN and infinity are "NaN", "Infinity" and "-Infinity", bytes are hexadecimal, whole numbers have all their digits, and
    what is not plain ASCII is escaped. What precedes damage is printed before the error.
    """
    path = str(Path(directory) / NAME)
    reading = inspection.Reading(inspection.content(Path(directory)), path)
    for _, event in reading:
        if event.seq >= first:
            for document in _documents(event, trial):
                _print(document)
    sys.stdout.flush()
    if reading.torn:
        click.echo(f"note: {reading.torn} bytes follow of writes that never ended, or have not yet", err=True)
    if reading.damage is not None:
        raise JournalError(
            f"{path} is damaged at byte {reading.damage.offset}: {reading.damage.reason}; all before it is above. "
            f"Mend it with: asyncsweep journal repair {directory}",
            path=path,
            offset=reading.damage.offset,
        )


@journal.command(
    name="repair",
    short_help="Make a damaged journal one that can be resumed.",
    epilog="Exit codes: 0 it was repaired or is fine, 1 it cannot be repaired, 2 bad usage.",
)
@click.argument("directory", metavar="DIR")
@click.option("--dry-run", is_flag=True, help="Tell what would be done, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON document.")
def repair_(directory: str, dry_run: bool, as_json: bool) -> None:
    """Repair the journal of the sweep in DIR, if it is damaged in its middle; refused while the sweep runs.

    What precedes the damage is kept. What follows it cannot be trusted without what is missing: it is moved to the file
    journal.quarantine-N beside the journal, and the trials that ended there are listed. The sweep can be resumed then.
    """
    folder = Path(directory)
    quarantine: Path | None = None
    if dry_run:
        plan = repair.plan(folder)
    else:
        done = repair.repair(folder)
        plan, quarantine = (None, None) if done is None else done
    if as_json:
        _print(_plan_json(plan, quarantine))
    elif plan is None:
        _say(f"{folder / NAME} is not damaged: nothing to repair.")
    else:
        for line in _plan_lines(plan, quarantine, directory):
            _say(line)


def _documents(event: Event, trial: int | None) -> Iterator[dict[str, Any]]:
    """The event as JSON, if it is of the trial; of a snapshot the trial alone."""
    if isinstance(event, Kept) and trial is not None:
        kept = [one for one in event.trials.trials if one.number == trial]
        if not kept:
            return
        event = msgspec.structs.replace(event, trials=msgspec.structs.replace(event.trials, trials=kept))
    elif trial is not None and getattr(event, "trial", None) != trial:
        return
    document = {"seq": event.seq, "at": event.at, "event": type(event).__name__}
    yield document | {name: getattr(event, name) for name in event.__struct_fields__ if name not in document}


def _print(document: Any) -> None:
    """One line of JSON in plain ASCII, in which a terminal finds nothing to obey."""
    sys.stdout.write(_encode(_plain(document)) + "\n")


def _plain(value: Any) -> Any:
    """A value for JSON; structs are dicts, with what tells the kinds of domains apart."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag
        kind = {"type": tag} if isinstance(tag, str) else {}
        return kind | {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return json_value(value)


def _say(line: str) -> None:
    click.echo(visible(line, sys.stdout.encoding or "utf-8"))


def _report_json(report: inspection.Report) -> dict[str, Any]:
    return {
        "path": str(report.path),
        "is_fine": report.damage is None,
        "bytes": report.size,
        "events": report.n_events,
        "last_seq": report.last_seq,
        "trials": sum(report.trials.values()),
        "counts": {state.value: count for state, count in report.trials.items()},
        "first_at": report.first_at,
        "last_at": report.last_at,
        "is_over": report.finish is not None,
        "reason": "" if report.finish is None else report.finish.reason,
        "torn_bytes": report.torn,
        "damage": None if report.damage is None else {**report.damage._asdict(), "records_from_there": report.n_after},
    }


def _report_lines(report: inspection.Report, directory: str) -> Iterator[str]:
    damage = report.damage
    yield f"{report.path} is {'fine' if damage is None else 'DAMAGED'}: {report.size:,} bytes."
    if report.n_events:
        first, last = _time(report.first_at), _time(report.last_at)
        ended = f"ended: {report.finish.error or report.finish.reason}" if report.finish is not None else "not ended"
        counts = ", ".join(f"{count} {state.value}" for state, count in report.trials.items() if count)
        yield f"{report.n_events:,} events up to number {report.last_seq}, from {first} to {last}; {ended}."
        yield f"{sum(report.trials.values()):,} trials{': ' if counts else ''}{counts}."
    elif damage is None:
        yield "It holds no event: the sweep never began."
    if report.torn:
        yield (
            f"{report.torn:,} bytes at its end are of writes that never ended, or have not yet: they are cut off when the "
            "sweep is resumed."
        )
    if damage is not None:
        yield f"At byte {damage.offset}: {damage.reason}. From there on {report.n_after:,} whole records are left."
        yield f"Look at what a repair would do with: asyncsweep journal repair --dry-run {directory}"
        yield f"Repair it with: asyncsweep journal repair {directory}"


def _plan_json(plan: repair.Plan | None, quarantine: Path | None) -> dict[str, Any]:
    if plan is None:
        return {"damage": None}
    return {
        "damage": plan.damage._asdict(),
        "kept_events": len(plan.kept),
        "moved_bytes": _size(plan.moved),
        "moved_records": plan.n_moved,
        "moved_folders": plan.folders,
        "quarantine": None if quarantine is None else str(quarantine),
        "lost": [one._asdict() for one in plan.lost],
    }


def _plan_lines(plan: repair.Plan, quarantine: Path | None, directory: str) -> Iterator[str]:
    is_done = quarantine is not None
    yield f"Damaged at byte {plan.damage.offset}: {plan.damage.reason}."
    if not plan.kept:
        yield "No whole beginning precedes that: the journal cannot be repaired, and stays as it is."
    else:
        yield f"{len(plan.kept):,} events {'were' if is_done else 'would be'} kept."
        yield (
            f"{_size(plan.moved):,} bytes with {plan.n_moved:,} whole records {'were' if is_done else 'would be'} moved to "
            f"{quarantine or Path(directory) / 'journal.quarantine-N'}."
        )
    if plan.folders:
        numbers = ", ".join(map(str, plan.folders))
        verb, suffix = ("were", quarantine.suffix) if quarantine is not None else ("would be", ".quarantine-N")
        yield f"Logs and checkpoints {verb} moved to {Path(directory) / f'trials{suffix}'}, of trials: {numbers}."
    if plan.lost:
        n_lost = len(plan.lost)
        yield f"{n_lost:,} trial{'s' * (n_lost != 1)} ended there; what can still be read:"
        for lost in plan.lost:
            facts = "; ".join(filter(None, (params_text(lost.metrics), params_text(lost.params))))
            yield f"  trial {lost.trial} {lost.state.value}{': ' if facts else ''}{facts}"
    elif plan.kept:
        yield "No end of a trial that can be read is among them."
    if is_done:
        yield "The sweep can be resumed: trials that had not ended before the damage run again."


def _size(pieces: list[tuple[int, int]]) -> int:
    return sum(end - start for start, end in pieces)


def _time(at: float | None) -> str:
    """Seconds since the epoch as a date, where they are one."""
    try:
        return f"{datetime.fromtimestamp(at or 0.0, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):
        return repr(at)
