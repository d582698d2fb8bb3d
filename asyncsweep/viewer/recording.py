"""What a page that is a file knows of a sweep: what a viewer would be told at this moment, said by the very same code.

The trials come first, as a sample where there are very many of them. What else a viewer can ask for goes along as far as there is room,
in the order of what is most likely looked at: the best trial and the failed ones, with the ends of their logs, then the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from asyncsweep import __version__
from asyncsweep.core.records import State, TrialRecord
from asyncsweep.csv_table import CsvTable
from asyncsweep.errors import AsyncSweepError
from asyncsweep.viewer import values
from asyncsweep.viewer.curves import MOST_WATCHED, Curves
from asyncsweep.viewer.flow import Flow
from asyncsweep.viewer.following import JournalSource
from asyncsweep.viewer.forms import JSON
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.requests import detail, log_fields
from asyncsweep.viewer.session import PROTOCOL
from asyncsweep.viewer.source import Source

MOST_TRIALS = 20_000
# Of all that goes along with the trials; these are some 100 bytes each.
MOST_BYTES = 20 * 2**20
_SHARES = {"logs": 0.2, "csv": 0.2, "details": 0.3, "curves": 0.3}
_LOG_BYTES = 4 * 1024


# Something about a trial, by its number.
_Keyed = tuple[int, bytes]


class Recording(NamedTuple):
    """A sweep at a moment.

    Attributes:
        name: Of the sweep.
        text: JSON, as `page/recorded.js` reads it.
    """

    name: str
    text: str


def of_directory(directory: Path, name: str, *, most_trials: int = MOST_TRIALS) -> Recording:
    """The sweep in a directory, which may still run.

    Args:
        directory: The sweep's.
        name: What it is called; "" for the name of the directory.
        most_trials: So many trials that have ended at most, as a sample over the whole sweep.

    Raises:
        ConfigError: There is no sweep.
        JournalError: Its journal cannot be read.
    """
    return anyio.run(partial(_of_directory, directory, name, most_trials))


async def _of_directory(directory: Path, name: str, most_trials: int) -> Recording:
    source = await JournalSource.open(directory, name)
    try:
        return await record(source, most_trials=most_trials)
    finally:
        source.close()


async def record(source: Source, *, most_trials: int = MOST_TRIALS, most_bytes: int = MOST_BYTES) -> Recording:
    """What a source tells now.

    Args:
        source: The sweep.
        most_trials: As of `of_directory`.
        most_bytes: How long all that goes along with the trials may be.
    """
    hub = Hub(source, most_shown=most_trials)
    await hub.catch_up()
    flow = Flow(JSON)
    flow.open(values.text(source.name), hub, None, None)
    first, *others = _said(flow)
    name = values.text(source.name)
    hello = {"type": "hello", "protocol": PROTOCOL, "server": __version__, "sweeps": [name], "control": False}

    trials = _by_interest(hub)
    room = {what: int(most_bytes * share) for what, share in _SHARES.items()}
    logs = await _logs(source, trials, room["logs"])
    messages = [JSON.encode(hello), _with_logs(first, has_logs=bool(logs)), *others]
    parts = {
        "messages": _array(messages),
        "details": _map(_fitting(((trial.number, JSON.encode(detail(trial))) for trial in trials), room["details"])),
        "logs": _map(logs),
        "curves": _array(curve for _, curve in _fitting(_curves(hub, trials), room["curves"])),
        "csv": _csv(source, trials, room["csv"]),
    }
    text = ",".join(f'"{key}":{part}' for key, part in parts.items())
    return Recording(name, f"{{{text}}}")


def _said(flow: Flow) -> Iterator[bytes]:
    """All that there is to say to a viewer that takes everything at once."""
    while (message := flow.next()) is not None:
        flow.ack(flow.sent)
        yield message


def _with_logs(first: bytes, *, has_logs: bool) -> bytes:
    """The first part of the snapshot, which says what can be asked for."""
    message: dict[str, Any] = JSON.decode(first)
    message["info"]["has_logs"] = has_logs
    return JSON.encode(message)


def _by_interest(hub: Hub) -> list[TrialRecord]:
    """The trials that are shown: the best one, those that failed, all others."""
    shown = [trial for number in range(hub.table.end) if hub.is_shown(number) and (trial := hub.published(number))]
    return sorted(shown, key=lambda trial: (trial.number != hub.best, trial.state is not State.FAILED, trial.number))


async def _logs(source: Source, trials: Sequence[TrialRecord], room: int) -> list[_Keyed]:
    """Of failed trials, what they printed last."""
    found: list[_Keyed] = []
    for trial in trials:
        if trial.state is not State.FAILED or room <= 0:
            continue
        try:
            log = await source.log(trial.number, trial.attempt, -_LOG_BYTES, _LOG_BYTES)
        except (AsyncSweepError, OSError):
            continue
        if log.total:
            fields = {**log_fields(log, is_cut_at_start=True), "trial": trial.number}
            found.append((trial.number, JSON.encode(fields)))
            room -= len(found[-1][1])
    return found


def _curves(hub: Hub, trials: Sequence[TrialRecord]) -> Iterator[_Keyed]:
    """The whole curve of each trial that has one."""
    for start in range(0, len(trials), MOST_WATCHED):
        curves = Curves()
        curves.watch(trial.number for trial in trials[start : start + MOST_WATCHED])
        while found := curves.next(hub.table, hub.source.trials):
            yield from ((curve["trial"], JSON.encode(curve)) for curve in found)


def _csv(source: Source, trials: Sequence[TrialRecord], room: int) -> str:
    """The header and the lines by their trials; null where not all of them fit."""
    table = CsvTable(source.spec.space, source.spec.directions)
    for trial in trials:
        table.see(trial)
    head = values.text(table.header(), room)
    lines = ((trial.number, JSON.encode(values.text(table.line(trial), room))) for trial in trials)
    found = list(_fitting(lines, room))
    if len(found) < len(trials):
        return "null"
    return f'{{"head":{JSON.encode(head).decode()},"lines":{_map(found)}}}'


def _fitting(items: Iterable[_Keyed], room: int) -> Iterator[_Keyed]:
    """The first of them, as many as fit."""
    for item in items:
        room -= len(item[1])
        if room < 0:
            return
        yield item


def _array(items: Iterable[bytes]) -> str:
    return f"[{b','.join(items).decode()}]"


def _map(items: Iterable[_Keyed]) -> str:
    return "{" + ",".join(f'"{number}":{text.decode()}' for number, text in items) + "}"
