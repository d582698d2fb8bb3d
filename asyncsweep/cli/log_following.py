"""What `asyncsweep logs` shows of one trial, and of all while they run."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import click

from asyncsweep.cli.log_source import END_S, LOOK_EVERY_S, Place, Source, client_or_none, log_of, wait_for_end
from asyncsweep.cli.log_text import Lines, left_out_line
from asyncsweep.cli.log_writing import Raw, Shown, encoding, print_lines
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.journal import lock
from asyncsweep.logs import PIECE_BYTES, Log
from asyncsweep.steering.client import Client


def show_log(path: Path, number: int, attempt: int | None, follow: bool, tail: int | None, write: Shown | Raw) -> None:
    """Show what a trial printed, the last `tail` lines alone if that is given, and with `follow` what it prints from then on."""
    with Source(path, number, attempt) as source:
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


def _place_of_tail(source: Source, n_lines: int) -> int:
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


def _follow_one(path: Path, number: int, attempt: int | None, first: int, offset: int, write: Shown | Raw) -> None:
    """Go on with an attempt, and unless one was asked for with those after it, until there is no more."""
    place = Place(number, first, offset)
    give_up = 0.0
    while lock.holder(path) is not None:
        client = client_or_none(path)
        if client is None:
            if not give_up:
                Client(path)  # says why it cannot be asked
            if time.monotonic() > give_up:
                return
            time.sleep(LOOK_EVERY_S)
            continue
        with client:
            for answer in client.follow(trial=number, attempt=attempt, offset=place.offset):
                if len(answer) == 2:  # no piece, but the end
                    return
                log = log_of(answer)
                if log.attempt != place.attempt:
                    write.end()
                    click.echo(f"-- attempt {log.attempt} --", err=True)
                    place = Place(number, log.attempt, 0)
                place.take(log)
                write.piece(log.data, log.left_out)
        give_up = time.monotonic() + END_S  # it ends, or we were too slow
    for log in place.rest(path):
        write.piece(log.data, log.left_out)


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


def follow_all(path: Path, tail: int | None) -> None:
    """Show the lines of all trials until the sweep ends; with `tail` so many of what was printed before."""
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
            view.show(number, log_of(answer), tail if number in ran else None)
            ran.discard(number)
    wait_for_end(path)
    if lock.holder(path) is not None:
        raise JournalError(f"{path}: the sweep lets nobody follow it any more; try again", path=str(path))
    view.show_rest(path)


class _View:
    """Lines of several trials, each after the number of its trial."""

    def __init__(self) -> None:
        self._shown: dict[int, tuple[Place, Lines]] = {}

    def show(self, number: int, log: Log, tail: int | None) -> None:
        """Show a piece; with `tail` only so many of its last lines."""
        if number in self._shown and self._shown[number][0].attempt != log.attempt:
            self._end(number)
        place, lines = self._shown.setdefault(number, (Place(number, log.attempt, 0), Lines(encoding())))
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
        print_lines(prefix + line for line in lines)
