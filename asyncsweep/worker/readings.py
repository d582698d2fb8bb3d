"""Metrics in what a program writes: JSON, JSON lines, tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from asyncsweep.worker.outcome import METRIC_NAME_LIMIT
from asyncsweep.worker.values import shown

# More rows than these are thinned out evenly: a curve has no use for more.
MOST_REPORTS = 10_000
MOST_FURTHER = 100


class Found(NamedTuple):
    """What was found.

    Attributes:
        reports: Steps with the metrics of the sweep at them, the first metric among them; at most `MOST_REPORTS`.
        metrics: The last value of each metric of the sweep, then of at most `MOST_FURTHER` further numbers.
    """

    reports: list[tuple[int, dict[str, float]]]
    metrics: dict[str, float]


def numbers_in(record: Mapping[str, Any], metrics: Sequence[str]) -> dict[str, float]:
    """The metrics of the sweep in a JSON object, as far as it has them, then its further numbers; `step` is none of them.

    A metric "val.loss" may be the entry "loss" of the entry "val". A single metric named "value" may have any name, when the
    object has only one number.

    Raises:
        OverflowError: A number is beyond all floats.
    """
    found = {}
    for name in metrics:
        value = _looked_up(record, name)
        if is_number(value):
            found[name] = float(value)
    further = {name: float(value) for name, value in record.items() if is_number(value) and _can_be_a_metric(name)}
    if is_unnamed(metrics) and "value" not in record and len(further) == 1:
        return {"value": next(iter(further.values()))}
    for name, number in further.items():
        found.setdefault(name, number)
    return found


def step_in(value: Any) -> int | None:
    """A step that can be reported; None when it is no whole number >= 0."""
    if is_number(value) and 0 <= value <= 2**62 and value == int(value):
        return int(value)
    return None


def is_unnamed(metrics: Sequence[str]) -> bool:
    """Whether the sweep has one metric, to which nobody gave a name."""
    return tuple(metrics) == ("value",)


def keep(last: dict[str, float], numbers: Mapping[str, float], metrics: Sequence[str]) -> None:
    """Put the numbers into `last`, the last values so far; of those beside the metrics at most `MOST_FURTHER`."""
    for name, number in numbers.items():
        if name in last or name in metrics or len(last) < len(metrics) + MOST_FURTHER:
            last[name] = number


def only(numbers: Mapping[str, float], metrics: Sequence[str]) -> dict[str, float]:
    """The metrics of the sweep, in its order."""
    return {name: numbers[name] for name in metrics if name in numbers}


def document(content: bytes, metrics: Sequence[str], *, is_json: bool) -> Found:
    """What a whole JSON text says: a number, an object, or a list of objects. Without `is_json` a bare number need not be JSON.

    Raises:
        ValueError: It is something else; so do the other functions, each with an end of a sentence as its message.
    """
    text = content.decode("utf-8-sig")
    found = _float(text)
    if found is not None:
        if len(metrics) > 1:
            raise ValueError(f"it has one number for {len(metrics)} metrics")
        return Found([], {metrics[0]: found})
    if not is_json and not text.lstrip().startswith("{"):
        raise ValueError(f"it has {shown(text)}, which is no number")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no complete JSON ({error})") from None
    if isinstance(value, list) and value and all(isinstance(record, dict) for record in value):
        return of_records(value, metrics)
    if isinstance(value, dict):
        return Found([], _in_order(numbers_in(value, metrics), metrics))
    raise ValueError(f"it has {shown(value)}")


def lines(content: bytes) -> Iterator[dict[str, Any]]:
    """The objects of JSON lines. A last line that is cut off is left out."""
    texts = content.decode("utf-8-sig").split(
        "\n"
    )  # not by `splitlines`, which knows characters that JSON texts may hold
    for number, text in enumerate(texts, 1):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            if number == len(texts):
                return
            raise ValueError(f"line {number} is no JSON ({error})") from None
        if not isinstance(record, dict):
            raise ValueError(f"line {number} is no JSON object, but {shown(record)}")
        yield record


def rows(content: bytes, start: int, metrics: Sequence[str], *, is_tsv: bool) -> Iterator[dict[str, float]]:
    """The numbers in the rows of a CSV file, by the names in its first line; an empty cell is none.

    Args:
        content: The whole file.
        start: Where the rows begin that are wanted; 0 means all.
        metrics: The metrics of the sweep: a cell in one of their columns must be a number or empty.
        is_tsv: Whether the separator is a tab; else it is the one of `,`, `;` and tab that the first line has most of.
    """
    first = content.partition(b"\n")[0].decode("utf-8-sig", "replace")
    separator = "\t" if is_tsv else max(",", ";", "\t", key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=separator), [])]
    wanted = set(metrics)
    if is_unnamed(metrics) and "value" not in names:
        wanted = {name for name in names if name != "step"}
        if len(wanted) != 1:
            raise ValueError(f"it has no column 'value'; its columns are {', '.join(names):.300}")
    elif missing := [name for name in metrics if name not in names]:
        raise ValueError(f"it has no column {', '.join(map(repr, missing))}; its columns are {', '.join(names):.300}")
    before = content[:start].count(b"\n")
    table = csv.reader(io.StringIO(content[start:].decode("utf-8-sig", "replace"), newline=""), delimiter=separator)
    for cells in table:
        cells = [cell.strip() for cell in cells]
        if cells == names or not cells:  # each attempt may have written the names again
            continue
        record = {}
        for name, cell in zip(names, cells, strict=False):
            number = _float(cell)
            if number is not None:
                record[name] = number
            elif cell and name in wanted:
                raise ValueError(f"line {before + table.line_num}: {name!r} is {shown(cell)}, which is no number")
        yield record


def of_records(records: Iterable[Mapping[str, Any]], metrics: Sequence[str]) -> Found:
    """What records say, one after the other: each with the first metric is a report, at its `step` or its place."""
    reports: list[tuple[int, dict[str, float]]] = []
    last: dict[str, float] = {}
    for place, record in enumerate(records):
        numbers = numbers_in(record, metrics)
        keep(last, numbers, metrics)
        if metrics[0] in numbers:
            step = step_in(record.get("step"))
            reports.append((place if step is None else step, only(numbers, metrics)))
    return Found(_thinned(reports), _in_order(last, metrics))


def _looked_up(record: Mapping[str, Any], name: str) -> Any:
    if name in record:
        return record[name]
    value: Any = record
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a number, which true and false are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _can_be_a_metric(name: str) -> bool:
    """Whether a number may be kept by this name: a program's odd one is no reason to fail its trial."""
    return (
        name not in ("", "step") and len(name) <= METRIC_NAME_LIMIT and name == name.encode("utf-8", "ignore").decode()
    )


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _in_order(last: dict[str, float], metrics: Sequence[str]) -> dict[str, float]:
    found = only(last, metrics)
    keep(found, last, metrics)
    return found


def _thinned(reports: list[tuple[int, dict[str, float]]]) -> list[tuple[int, dict[str, float]]]:
    if len(reports) <= MOST_REPORTS:
        return reports
    last = len(reports) - 1
    return [reports[index * last // (MOST_REPORTS - 1)] for index in range(MOST_REPORTS)]
