"""`asyncsweep logs`: what trials printed; from their logs, and of running ones through the sweep's socket."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.table import Table

from asyncsweep import logs as kept
from asyncsweep.cli.cost import size_text
from asyncsweep.cli.group import EXIT_INTERRUPTED
from asyncsweep.cli.log_text import Lines, left_out_line
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal import journal, lock
from asyncsweep.journal.files import reason
from asyncsweep.logs import PIECE_BYTES, Log
from asyncsweep.steering.client import Client, NotRunning
from asyncsweep.worker.folders import numbers_in

# After a sweep let go of us its workers still end, and what they printed last becomes their logs.
_END_S = 15.0
_LOOK_EVERY_S = 0.05


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
            _follow_all(path, tail)
        else:
            write = _Raw() if raw else _Shown()
            _show_log(path, number, attempt, follow, tail, write)
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
    left = _left(path)
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


# -- one trial ---------------------------------------------------------------------------------------------------------


class _Shown:
    """Writes pieces as lines, with control characters escaped."""

    def __init__(self) -> None:
        self._lines = Lines(_encoding())

    def piece(self, data: bytes, left_out: int) -> None:
        if left_out:
            _print([*self._lines.end(), left_out_line(left_out)])
        _print(self._lines.feed(data))

    def end(self) -> None:
        _print(self._lines.end())


class _Raw:
    """Writes pieces as they are."""

    def piece(self, data: bytes, left_out: int) -> None:
        if left_out:
            sys.stdout.buffer.write(b"\n" + left_out_line(left_out).encode() + b"\n")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def end(self) -> None:
        sys.stdout.buffer.flush()


class _Source:
    """Where the pieces of a trial's output come from: the process that runs it, while it runs, else its logs.

    Args:
        path: The sweep's directory.
        number: The trial.
        attempt: The attempt; None for the last one.
    """

    def __init__(self, path: Path, number: int, attempt: int | None) -> None:
        self._path = path
        self._number = number
        self._client = _client_or_none(path)
        self._left = _left(path)
        self.attempt = attempt or 0

    def __enter__(self) -> _Source:
        try:
            if not self.attempt:
                answer = self._ask(offset=-1)
                left = [job.attempt for job in self._left if job.trial == self._number]
                last = max([*left, *kept.logs_of(self._path, self._number)], default=0)
                self.attempt = last if answer is None else answer["attempt"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        if self._client is not None:
            self._client.close()

    def read(self, offset: int) -> Log:
        """A piece from a place on."""
        answer = self._ask(attempt=self.attempt, offset=offset) if self.attempt else None
        if answer is not None:
            return _log(answer)
        return kept.read_file(self._path, self._number, self.attempt, offset, PIECE_BYTES, self._left)

    def _ask(self, **fields: Any) -> dict[str, Any] | None:
        """What the sweep's process says; None when nobody can be asked (any more)."""
        for _ in range(2):  # who reads slowly is let go of after a while
            if self._client is not None:
                try:
                    return self._client.request("log", trial=self._number, **fields)
                except NotRunning:
                    self._client.close()
                    self._client = _client_or_none(self._path)
        return None


def _show_log(
    path: Path, number: int, attempt: int | None, follow: bool, tail: int | None, write: _Shown | _Raw
) -> None:
    with _Source(path, number, attempt) as source:
        first = source.attempt
        offset = 0 if tail is None else _place_of_tail(source, tail)
        is_live = False
        while True:
            log = source.read(offset)
            write.piece(log.data, log.left_out)
            offset = log.next_offset
            if log.is_over or not log.data:
                is_live = not log.is_over
                break
    if follow and lock.holder(path) is not None:
        _follow_one(path, number, attempt, max(1, first), offset, write)
    elif not offset and not is_live:
        _explain_nothing(path, number, attempt)


def _place_of_tail(source: _Source, n_lines: int) -> int:
    """Where the last so many lines begin."""
    end = source.read(-1).total
    offset, found = end, -1  # the break at the end of the last line begins none
    while offset > 0 and n_lines:
        step = min(PIECE_BYTES, offset)
        log = source.read(offset - step)
        if log.left_out or not log.data:
            return offset
        data = log.data[:step]
        for place in range(len(data) - 1, -1, -1):
            if data[place] == 0x0A:
                found += 1
            elif found < 0:
                found = 0  # the last line has no break
            if found == n_lines:
                return offset - step + place + 1
        offset -= step
    return offset


def _follow_one(path: Path, number: int, attempt: int | None, first: int, offset: int, write: _Shown | _Raw) -> None:
    """Go on with an attempt, and unless one was asked for with those after it, until there is no more."""
    place = _Place(number, first, offset)
    give_up = 0.0
    while lock.holder(path) is not None:
        client = _client_or_none(path)
        if client is None:
            if not give_up:
                Client(path)  # says why it cannot be asked
            if time.monotonic() > give_up:
                return
            time.sleep(_LOOK_EVERY_S)
            continue
        with client:
            for answer in client.follow(trial=number, attempt=attempt, offset=place.offset):
                if len(answer) == 2:  # no piece, but the end
                    return
                log = _log(answer)
                if log.attempt != place.attempt:
                    write.end()
                    click.echo(f"-- attempt {log.attempt} --", err=True)
                    place = _Place(number, log.attempt, 0)
                place.take(log)
                write.piece(log.data, log.left_out)
        give_up = time.monotonic() + _END_S  # it ends, or we were too slow
    for log in place.rest(path):
        write.piece(log.data, log.left_out)


class _Place:
    """How far somebody who follows has come in the output of an attempt.

    Attributes:
        attempt: The attempt.
        offset: Where to go on.
    """

    def __init__(self, number: int, attempt: int, offset: int) -> None:
        self._number = number
        self.attempt = attempt
        self.offset = offset
        self._seen = b""

    def take(self, log: Log) -> None:
        """This piece was shown."""
        self.offset, self._seen = log.next_offset, (self._seen + log.data)[-512:]

    def rest(self, path: Path) -> Iterator[Log]:
        """What the log has beyond that, when the attempt has ended."""
        if self._seen:
            self.offset = kept.place_after(path, self._number, self.attempt, self.offset, self._seen)
        while True:
            log = kept.read_file(path, self._number, self.attempt, self.offset, PIECE_BYTES)
            self.offset = log.next_offset
            yield log
            if log.is_over:
                return


def _explain_nothing(path: Path, number: int, attempt: int | None) -> None:
    """Say why there is nothing to show.

    Raises:
        ConfigError: There is no such trial or attempt.
    """
    from asyncsweep.cli.show import read  # the whole journal: for the few that ask for what is not there

    story = read(path)
    trials = story.result.trials
    if number >= len(trials):
        raise ConfigError(f"there is no trial {number}; the sweep has {len(trials)}, numbered from 0")
    if attempt is not None and attempt > trials[number].attempt:
        raise ConfigError(f"--attempt {attempt}: trial {number} has had {trials[number].attempt}")
    why = "it printed nothing, or its log was not kept"
    if not trials[number].attempt:
        why = "it has not begun"
    elif story.spec.executor.name in ("inline", "thread"):
        why = f"with executor={story.spec.executor.name!r} trials print where the sweep itself prints"
    click.echo(f"Trial {number} has no log: {why}.", err=True)


# -- all trials --------------------------------------------------------------------------------------------------------


def _follow_all(path: Path, tail: int | None) -> None:
    if lock.holder(path) is None:
        click.echo("The sweep is not running: there is nothing to follow.", err=True)
        return
    view = _View()
    with Client(path) as client:
        ran = {one["trial"] for one in client.request("status")["running"]}
        for answer in client.follow(trial=None, offset=0 if tail is None else -PIECE_BYTES):
            if len(answer) == 2:  # no piece, but the end
                return
            number = answer["trial"]
            view.show(number, _log(answer), tail if number in ran else None)
            ran.discard(number)
    _wait_for_end(path)
    if lock.holder(path) is not None:
        raise JournalError(f"{path}: the sweep lets nobody follow it any more; try again", path=str(path))
    view.show_rest(path)


class _View:
    """Lines of several trials, each after the number of its trial."""

    def __init__(self) -> None:
        self._shown: dict[int, tuple[_Place, Lines]] = {}

    def show(self, number: int, log: Log, tail: int | None) -> None:
        """Show a piece; with `tail` only so many of its last lines."""
        if number in self._shown and self._shown[number][0].attempt != log.attempt:
            self._end(number)
        place, lines = self._shown.setdefault(number, (_Place(number, log.attempt, 0), Lines(_encoding())))
        place.take(log)
        if log.left_out:
            self._print(number, [*lines.end(), left_out_line(log.left_out)])
        new = lines.feed(log.data)
        self._print(number, new if tail is None else new[max(0, len(new) - tail) :])
        if log.is_over:
            self._end(number)

    def show_rest(self, path: Path) -> None:
        """Show what the logs have beyond what came."""
        for number, (place, _) in list(self._shown.items()):
            for log in place.rest(path):
                self.show(number, log, None)

    def _end(self, number: int) -> None:
        self._print(number, self._shown[number][1].end())
        del self._shown[number]

    def _print(self, number: int, lines: Iterable[str]) -> None:
        attempt = self._shown[number][0].attempt
        prefix = f"{number} | " if attempt == 1 else f"{number}.{attempt} | "
        _print(prefix + line for line in lines)


# -- inside ------------------------------------------------------------------------------------------------------------


def _client_or_none(path: Path) -> Client | None:
    try:
        return Client(path)
    except NotRunning:
        return None


def _left(path: Path) -> kept.Left:
    """What workers left of attempts that were cut short when the sweep's process was killed."""
    outputs = kept.left_outputs(path)
    if not outputs or lock.holder(path) is not None:
        return {}
    from asyncsweep.cli.show import read  # the whole journal: for the few sweeps that were killed

    with suppress(JournalError):  # a damaged one: `asyncsweep journal` tells of that
        return kept.left_by(read(path).result.trials, outputs)
    return {}


def _log(answer: dict[str, Any]) -> Log:
    fields = {name: answer[name] for name in Log._fields}
    return Log(**{**fields, "data": base64.b64decode(answer["data"])})


def _wait_for_end(path: Path) -> None:
    """Wait until the sweep's process has let go of the directory: all logs are written then."""
    give_up = time.monotonic() + _END_S
    while lock.holder(path) is not None and time.monotonic() < give_up:
        time.sleep(_LOOK_EVERY_S)


def _print(lines: Iterable[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    if text:
        sys.stdout.write(text)
        sys.stdout.flush()


def _encoding() -> str:
    return sys.stdout.encoding or "utf-8"
