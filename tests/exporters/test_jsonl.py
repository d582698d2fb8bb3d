"""The exporter of JSON lines, on real files."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from asyncsweep.core.effects import SweepFinished, TrialReported, TrialSuggested
from asyncsweep.errors import ConfigError
from asyncsweep.exporters.jsonl import JsonLinesExporter, _append
from asyncsweep.hooks.contracts import Exporter
from asyncsweep.hooks.registry import Registry

pytestmark = pytest.mark.anyio

REPORTED = TrialReported(at=1.0, trial=0, step=3, value=0.5)
FINISHED = SweepFinished(at=2.0, reason="done")


def lines(path: Path) -> list[object]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_each_update_becomes_a_line_with_its_type(tmp_path: Path) -> None:
    async with JsonLinesExporter(tmp_path / "updates.jsonl") as exporter:
        await exporter.export([REPORTED, FINISHED])
    assert lines(tmp_path / "updates.jsonl") == [
        {"type": "TrialReported", "at": 1.0, "trial": 0, "step": 3, "value": 0.5, "metrics": None},
        {"type": "SweepFinished", "at": 2.0, "reason": "done"},
    ]


async def test_a_batch_is_in_the_file_when_export_returns(tmp_path: Path) -> None:
    async with JsonLinesExporter(tmp_path / "updates.jsonl") as exporter:
        await exporter.export([FINISHED])
        assert len(lines(tmp_path / "updates.jsonl")) == 1


async def test_an_empty_batch_writes_nothing(tmp_path: Path) -> None:
    async with JsonLinesExporter(tmp_path / "updates.jsonl") as exporter:
        await exporter.export([])
    assert (tmp_path / "updates.jsonl").read_bytes() == b""


def test_a_disk_that_takes_a_few_bytes_at_a_time_gets_the_whole_batch(tmp_path: Path) -> None:
    class Slow(io.FileIO):
        def write(self, data: Any, /) -> int:
            return super().write(data[:3])

    with Slow(tmp_path / "updates.jsonl", "w") as file:
        _append(file, [REPORTED, FINISHED])
    assert len(lines(tmp_path / "updates.jsonl")) == 2


async def test_a_file_that_is_there_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "updates.jsonl"
    for _ in range(2):
        async with JsonLinesExporter(path) as exporter:
            await exporter.export([FINISHED])
    assert len(lines(path)) == 2


async def test_half_a_line_of_a_killed_process_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "updates.jsonl"
    path.write_text('{"type": "Swe')
    async with JsonLinesExporter(path) as exporter:
        await exporter.export([FINISHED])
    assert json.loads(path.read_text().splitlines()[1])["type"] == "SweepFinished"


async def test_a_value_that_json_lacks_becomes_null(tmp_path: Path) -> None:
    async with JsonLinesExporter(tmp_path / "updates.jsonl") as exporter:
        await exporter.export([TrialSuggested(at=0.0, trial=0, params={"x": math.nan, "y": math.inf})])
    assert lines(tmp_path / "updates.jsonl") == [
        {"type": "TrialSuggested", "at": 0.0, "trial": 0, "params": {"x": None, "y": None}}
    ]


async def test_a_cancelled_sweep_closes_the_file(tmp_path: Path) -> None:
    exporter = JsonLinesExporter(tmp_path / "updates.jsonl")
    with anyio.CancelScope() as scope:
        async with exporter:
            file = exporter._file
            scope.cancel()
    assert file is not None
    assert file.closed


async def test_an_application_that_has_taken_every_thread_does_not_hold_it_up(tmp_path: Path) -> None:
    application = anyio.to_thread.current_default_thread_limiter()
    borrowers = [object() for _ in range(int(application.available_tokens))]
    for borrower in borrowers:
        application.acquire_on_behalf_of_nowait(borrower)
    exporter = JsonLinesExporter(tmp_path / "updates.jsonl")
    try:
        with anyio.fail_after(30):
            async with exporter:
                file = exporter._file
                await exporter.export([FINISHED])
    finally:
        for borrower in borrowers:
            application.release_on_behalf_of(borrower)
    assert file is not None and file.closed
    assert len(lines(tmp_path / "updates.jsonl")) == 1


async def test_a_path_that_cannot_be_opened_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^exporter\.path: cannot append to '.*': .*No such file or directory"):
        async with JsonLinesExporter(tmp_path / "missing" / "updates.jsonl"):
            pass


@pytest.mark.parametrize("path", [None, 3, ""])
def test_what_is_no_path_is_a_config_error(path: object) -> None:
    with pytest.raises(ConfigError, match=r"exporter\.path: expected the path of a file"):
        JsonLinesExporter(path)  # type: ignore[arg-type]


async def test_export_outside_the_context_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="inside `async with exporter`"):
        await JsonLinesExporter(tmp_path / "updates.jsonl").export([FINISHED])


def test_the_registry_builds_it_by_name(tmp_path: Path) -> None:
    made = Registry().build("exporter", "jsonl", {"path": str(tmp_path / "updates.jsonl")})
    assert isinstance(made, JsonLinesExporter)
    assert isinstance(made, Exporter)
