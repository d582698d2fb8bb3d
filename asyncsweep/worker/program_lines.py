"""What a program reports while it runs: lines of its output, or of a file that it writes, which are JSON or match a pattern."""

from __future__ import annotations

import io
import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from asyncsweep.errors import ConfigError, TrialError
from asyncsweep.worker.readings import is_number, is_unnamed, keep, numbers_in, only, step_in
from asyncsweep.worker.result_file import Before

# A longer line is no report.
LONGEST_LINE_BYTES = 2**20
_READ_BYTES = 2**20
_ENDS = re.compile(rb"[\r\n]+")  # progress bars end their lines with a carriage return
# Colours and the like, as terminals are told: the control sequences (CSI) and the commands to the system (OSC) of ECMA-48.
_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z])")
_AROUND_NUMBERS = " \t,;:)]}%'\""


class LineReport(NamedTuple):
    """A report: at a step, or at the next one, the sweep's first metric and maybe more of its metrics."""

    step: int | None
    metrics: dict[str, float]


class Lines:
    """Makes lines of what comes in pieces."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._is_too_long = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that end in `data`; those that are too long are left out."""
        pieces = _ENDS.split(data)
        found = []
        for piece in pieces[:-1]:
            if not self._is_too_long and len(self._rest) + len(piece) <= LONGEST_LINE_BYTES:
                found.append(bytes(self._rest) + piece)
            self._rest.clear()
            self._is_too_long = False
        self._is_too_long = self._is_too_long or len(self._rest) + len(pieces[-1]) > LONGEST_LINE_BYTES
        if self._is_too_long:
            self._rest.clear()
        else:
            self._rest += pieces[-1]
        return found

    def end(self) -> list[bytes]:
        """The last line, when it had no end."""
        rest = bytes(self._rest)
        self._rest.clear()
        return [rest] if rest and not self._is_too_long else []


class Parser:
    """Takes reports from lines.

    Args:
        metrics: The metrics of the sweep, in their order.
        pattern: What to search in each line; None looks for JSON objects.

    Attributes:
        last: The last value of each metric of the sweep, and of further numbers beside them.
        count: How many lines there were that are not empty.

    Raises:
        ConfigError: The pattern has no group for a metric.
    """

    def __init__(self, metrics: Sequence[str], pattern: re.Pattern[str] | None) -> None:
        self._metrics = metrics
        self._pattern = pattern
        self._groups = {} if pattern is None else groups_of(pattern, metrics)
        self.last: dict[str, float] = {}
        self.count = 0
        self._last_line = b""

    def read(self, line: bytes) -> LineReport | None:
        """The report in a line; None when it has none. Colours in it do not matter."""
        if b"\x1b" in line:
            line = _ESCAPES.sub(b"", line)
        if not line.strip():
            return None
        self.count += 1
        self._last_line = line
        step, numbers = self._in_json(line) if self._pattern is None else self._in_match(self._pattern, line)
        metrics = only(numbers, self._metrics)
        if not metrics:  # numbers beside a metric are kept, those of other lines are not ours
            return None
        keep(self.last, numbers, self._metrics)
        return LineReport(step, metrics) if self._metrics[0] in metrics else None

    @property
    def example(self) -> str:
        """The last of the lines, for an error."""
        return self._last_line[:200].decode("utf-8", "replace").strip()

    @property
    def hint(self) -> str:
        """How the last of the lines might be read, when it names a metric that was not found in it; else ""."""
        text = self._last_line.decode("utf-8", "replace")
        if self._pattern is not None:
            return ""
        try:
            places, is_json = dict(_places(json.loads(text))), True
        except (ValueError, RecursionError):
            places, is_json = {}, False
        for metric in self._metrics:
            nested = next((place for place in places if metric not in self.last and place.endswith(f".{metric}")), None)
            if nested is not None:
                return f'; by the name {nested!r} it would be found there: direction={{"{nested}": "minimize"}}'
            if metric not in self.last and not is_json and metric.isidentifier() and re.search(rf"\b{metric}\b", text):
                return rf'; to take it from such a line: pattern=r"{metric}[=: ]+(?P<{metric}>\S+)"'
        return ""

    def _in_json(self, line: bytes) -> tuple[int | None, dict[str, float]]:
        if not line.lstrip().startswith(b"{"):
            return None, {}
        try:
            record = json.loads(line)
            if is_unnamed(self._metrics) and "value" not in record and len(record) != 1 + ("step" in record):
                return None, {}  # a line of a log has a number too, and it is not our metric
            return step_in(record.get("step")), numbers_in(record, self._metrics)
        except (
            ValueError,
            OverflowError,
            RecursionError,
        ):  # it only looks like JSON, or has a number beyond all floats
            return None, {}

    def _in_match(self, pattern: re.Pattern[str], line: bytes) -> tuple[int | None, dict[str, float]]:
        match = pattern.search(line.decode("utf-8", "replace"))
        if match is None:
            return None, {}
        numbers = {
            name: number for name, group in self._groups.items() if (number := _number(match[group])) is not None
        }
        return step_in(_number(match["step"]) if "step" in pattern.groupindex else None), numbers


class Followed:
    """A file that is read while it is written; make it before the program starts.

    Args:
        path: Where it will be.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._before = Before(path, is_log=True)
        self._offset: int | None = None

    def read(self) -> bytes:
        """What has been written since the last time, up to a MiB of it.

        Raises:
            TrialError: It cannot be read.
        """
        try:
            with open(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                state = os.fstat(file.fileno())
                if not stat.S_ISREG(state.st_mode):
                    raise OSError("it is no regular file")
                return self._new(file, state)
        except (FileNotFoundError, NotADirectoryError):
            return b""
        except (OSError, ValueError) as error:  # ValueError: a NUL or a surrogate in the path
            raise TrialError(f"the file of reports {self.path!r} cannot be read: {error}") from error

    def _new(self, file: io.BufferedReader, state: os.stat_result) -> bytes:
        if self._offset is None:
            if self._before.is_unchanged(state):
                return b""
            self._offset = self._before.end_in(file, state.st_size)
        if state.st_size < self._offset:
            self._offset = 0  # it was begun anew
        file.seek(self._offset)
        data = file.read(_READ_BYTES)
        self._offset += len(data)
        return data


def groups_of(pattern: re.Pattern[str], metrics: Sequence[str]) -> dict[str, int]:
    """For each number that a match gives its name and the number of its group, `step` left out.

    Raises:
        ConfigError: There is no group for a metric of the sweep.
    """
    named = {name: index for name, index in pattern.groupindex.items() if name != "step"}
    own = {index for name, index in pattern.groupindex.items() if name == "step"}
    all_groups = [index for index in range(1, pattern.groups + 1) if index not in own]
    found = dict(named)
    for metric in metrics:
        if metric in found:
            continue
        if len(metrics) == 1 and "value" in named:
            found[metric] = found.pop("value")
        elif len(metrics) == 1 and len(all_groups) == 1:
            found = {metric: all_groups[0]}
        else:
            raise ConfigError(
                f"pattern={pattern.pattern!r:.200}: it has no group for the metric {metric!r}; write "
                f"(?P<{metric if metric.isidentifier() else 'value'}>...) around its number"
                + (
                    ""
                    if metric.isidentifier()
                    else ", or report it in lines of JSON: a group's name must be an identifier"
                )
            )
    return found


def _places(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in JSON objects, by their names with dots."""
    for name, one in value.items() if isinstance(value, dict) else ():
        place = f"{path}.{name}" if path else name
        if isinstance(one, dict):
            yield from _places(one, place)
        elif is_number(one):
            yield place, one


def _number(text: Any) -> float | None:
    """The number that a group matched; commas and brackets around it do not matter."""
    try:
        return float((text or "").strip(_AROUND_NUMBERS))
    except ValueError:
        return None
