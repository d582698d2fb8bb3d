"""Answers to what viewers ask: complete, of bounded size, and never an exception."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from asyncsweep.core.events import Used
from asyncsweep.core.records import ErrorInfo, State, TrialRecord
from asyncsweep.logs import Log
from asyncsweep.result import Result
from asyncsweep.space import Categorical, Float
from asyncsweep.testing import events as on
from asyncsweep.viewer import requests as requests_module
from asyncsweep.viewer.forms import JSON
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.incoming import Ask
from asyncsweep.viewer.requests import Answers, detail, log_fields
from tests.viewer.histories import BenchSource, opened

pytestmark = pytest.mark.anyio


class Asker:
    """A viewer that asks."""

    def __init__(self, source: BenchSource, *, may_control: bool = False) -> None:
        self.source = source
        self.hub = Hub(source)
        self.look()
        self._answers = Answers(JSON, may_control)

    def look(self) -> None:
        self.source.publish()
        self.hub.pull()
        while self.hub.has_work:
            self.hub.pull()

    async def ask(self, what: str, **fields: Any) -> dict[str, Any]:
        data = json.dumps({"type": "ask", "id": 7, "what": what, **fields})
        answer: dict[str, Any] = json.loads(await self._answers.to(Ask(7, what, data), self.hub))
        assert (answer.pop("type"), answer.pop("id")) == ("answer", 7)
        return answer

    async def csv(self, **fields: Any) -> str:
        text, offset = "", 0
        while offset is not None:
            answer = await self.ask("csv", offset=offset, **fields)
            assert len(answer["text"].encode()) <= 256 * 1024
            text, offset = text + answer["text"], answer["next_offset"]
        return text


class Steered:
    """Takes commands, and remembers them."""

    def __init__(self) -> None:
        self.given: list[tuple[str, dict[str, Any]]] = []

    def check(self, command: str, fields: dict[str, Any]) -> None:
        self.given.append((command, fields))

    async def answer(self, command: str, fields: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "is_paused": command == "pause"}


def finished_sweep(n: int = 3) -> BenchSource:
    """Trials with all that may be in a table."""
    space = {
        "lr": Float(0.0, 1.0),
        "opt": Categorical(("a,b", 'say "x"', "1", 1, None, b"\x01", [1, 2], "line\nbreak")),
    }
    source = opened(on.spec(n_trials=n, space=space, retries=1), on.worker_joined())
    for number in range(n):
        choice = space["opt"].choices[number % 8]
        source.bench.send(on.suggested(number, lr=number / n, opt=choice), on.started(number), after_s=1.0)
        if number % 5 == 1:
            source.bench.send(on.failed(number, error=ErrorInfo("ValueError", 'a "bad", one\n')), on.started(number, 2))
            source.bench.send(on.failed(number, 2))
        elif number % 5 == 2:
            source.bench.send(on.attr_set(number, "note", [1, b"\xff", math.inf]), on.constraint_set(number, "c", -1.0))
            source.bench.send(on.finished(number, 1.0, more=math.nan, lr=2.0))
        else:
            source.bench.send(on.finished(number, math.inf if number % 5 == 3 else number / 7))
    return source


# -- trial ---------------------------------------------------------------------------------------------------------------


async def test_a_trial_is_told_with_everything() -> None:
    asker = Asker(finished_sweep())
    detail = (await asker.ask("trial", trial=2))["detail"]
    times = [detail.pop(name) for name in ("asked_at", "started_at", "finished_at")]
    assert all(times) and times == sorted(times)
    assert detail == {
        "number": 2,
        "state": "COMPLETE",
        "attempt": 1,
        "worker": None,
        "external": False,
        "params": [["lr", 2 / 3, str(2 / 3)], ["opt", "1", "1"]],
        "metrics": [["value", 1.0, "1.0"], ["more", "NaN", "nan"], ["lr", 2.0, "2.0"]],
        "constraints": [["c", -1.0, "-1.0"]],
        "user_attrs": {"note": [1, "ff", "Infinity"]},
        "usage": [],
        "reports": 0,
        "error": None,
        "failures": [],
        "feasible": True,
    }
    detail = (await asker.ask("trial", trial=1))["detail"]
    error = {"type": "ValueError", "message": "boom", "traceback": ""}
    assert (detail["error"], detail["failures"]) == (error, [{**error, "message": 'a "bad", one\n'}])


async def test_of_a_trial_that_runs_is_told_what_was_published() -> None:
    source = opened(on.spec(), on.worker_joined(), on.suggested(0), on.started(0), on.reported(0, 1, 1.0))
    asker = Asker(source)
    source.bench.send(on.reported(0, 2, 1.0), on.attr_set(0, "a", 1), on.finished(0))
    detail = (await asker.ask("trial", trial=0))["detail"]
    assert (detail["state"], detail["reports"], detail["metrics"], detail["user_attrs"]) == ("RUNNING", 1, [], {})


async def test_what_a_trial_uses_is_told_with_it() -> None:
    source = opened(on.spec(), on.worker_joined(), on.suggested(0), on.started(0))
    source.bench.send(Used(0, 1, {"gpu_memory_gib": 1.5}), Used(0, 1, {"gpu_utilisation": 0.25}))
    detail = (await Asker(source).ask("trial", trial=0))["detail"]
    assert detail["usage"] == [["gpu_memory_gib", 1.5, "1.5"], ["gpu_utilisation", 0.25, "0.25"]]


async def test_whatever_a_trial_holds_its_answer_is_bounded() -> None:
    error = ErrorInfo("E" * 10**5, "m" * 10**6, "t" * 10**6 + "the end")
    record = TrialRecord(0, State.FAILED, 60, error=error, failures=(error,) * 59)
    record.param_names, record.param_values = tuple(f"p{n}" for n in range(30)), ("x" * 10**6,) * 30
    record.attrs = {"long": ["y" * 1_000] * 10_000}
    found = json.loads(JSON.encode(detail(record)))
    assert len(json.dumps(found)) < 3 * 2**20
    assert len(found["failures"]) == 20
    assert found["failures"][0]["traceback"].endswith("the end")
    assert found["user_attrs"].endswith("\u2026")


# -- csv -----------------------------------------------------------------------------------------------------------------


def written(source: BenchSource, path: Path) -> str:
    Result(source.spec, source.trials).to_csv(path)
    return path.read_bytes().decode()


async def test_the_table_is_what_the_result_writes(tmp_path: Path) -> None:
    asker = Asker(finished_sweep(40))
    assert await asker.csv() == written(asker.source, tmp_path / "table.csv")


async def test_a_long_table_comes_in_pieces_at_any_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests_module, "CSV_CHARS", 37)
    monkeypatch.setattr(requests_module, "_STEP_SEEN", 3)
    monkeypatch.setattr(requests_module, "_STEP_WRITTEN", 2)
    asker = Asker(finished_sweep(40))
    assert await asker.csv() == written(asker.source, tmp_path / "table.csv")


async def test_a_sweep_without_trials_has_a_header(tmp_path: Path) -> None:
    asker = Asker(opened(on.spec()))
    assert await asker.csv() == written(asker.source, tmp_path / "table.csv")


async def test_a_selection_has_its_trials_in_the_order_asked_for() -> None:
    text = await Asker(finished_sweep(10)).csv(trials=[4, 0, 4])
    assert [line.split(",")[0] for line in text.splitlines()] == ["number", "4", "0"]


async def test_a_selection_has_no_unknown_trials() -> None:
    asker = Asker(finished_sweep(10))
    assert (await asker.ask("csv", trials=[4, 99]))["error"] == "csv: there is no trial 99; the sweep has 10"
    many = await asker.ask("csv", trials=[-1, 1, *range(9, 99), 99, 98])
    assert (
        many["error"] == "csv: there are no trials -1, 10, 11, 12, 13, 14, 15, 16, 17, 18, ... (91); the sweep has 10"
    )


async def test_a_sweep_that_goes_on_does_not_change_a_table_that_is_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests_module, "CSV_CHARS", 20)
    source = opened(on.spec(n_trials=None, space={}), on.worker_joined())
    source.bench.send(on.suggested(0, a=1), on.started(0), on.finished(0), on.suggested(1, a=2), on.started(1))
    asker = Asker(source)
    first = await asker.ask("csv")
    source.bench.send(on.param_asked(1, "b"), on.param_suggested(1, "b", 0.5), on.finished(1, 1.0, other=3.0))
    source.bench.send(on.suggested(2, c=1))
    asker.look()
    text, offset = first["text"], first["next_offset"]
    while offset is not None:
        piece = await asker.ask("csv", offset=offset)
        text, offset = text + piece["text"], piece["next_offset"]
    header, *lines = text.splitlines()
    assert header.split(",")[:4] == ["number", "state", "a", "value"]
    assert [line[:10] for line in lines] == ["0,COMPLETE", "1,RUNNING,"]


@pytest.mark.parametrize("offset", [1, -5, 10**9])
async def test_a_piece_from_nowhere_is_refused(offset: int) -> None:
    answer = await Asker(finished_sweep()).ask("csv", offset=offset)
    assert answer == {"error": f"csv: offset: {offset} is not where the piece before ended; begin again with 0"}


async def test_a_piece_that_was_read_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests_module, "CSV_CHARS", 20)
    asker = Asker(finished_sweep())
    offset = (await asker.ask("csv"))["next_offset"]
    assert (await asker.ask("csv", offset=offset))["next_offset"] == offset + 20
    assert "begin again" in (await asker.ask("csv", offset=offset))["error"]


async def test_a_table_of_an_earlier_epoch_is_not_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests_module, "CSV_CHARS", 20)
    asker = Asker(finished_sweep())
    offset = (await asker.ask("csv"))["next_offset"]
    asker.source.replace()
    asker.look()
    assert "begin again" in (await asker.ask("csv", offset=offset))["error"]


# -- log -----------------------------------------------------------------------------------------------------------------


async def test_no_character_is_cut_between_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = "a\u00e4\u20ac\U0001f600\n" * 20
    for limit in range(4, 12):
        monkeypatch.setattr(requests_module, "PIECE_BYTES", limit)
        source = finished_sweep()
        source.printed[0] = printed.encode()
        asker, text, offset, is_over = Asker(source), "", 0, False
        while not is_over:
            answer = await asker.ask("log", trial=0, offset=offset)
            assert answer["offset"] == offset
            text, offset, is_over = text + answer["text"], answer["next_offset"], answer["is_over"]
        assert text == printed, limit


def piece(data: bytes, *, offset: int = 0, is_over: bool = False, cut: bool = False) -> tuple[int, int, str]:
    fields = log_fields(Log(1, data, offset, offset + len(data), 0, 99, is_over), is_cut_at_start=cut)
    return fields["offset"], fields["next_offset"], fields["text"]


async def test_the_end_of_a_piece_is_left_to_the_next_where_a_character_goes_on() -> None:
    euro = "\u20ac".encode()
    assert piece(b"a" + euro) == (0, 4, "a\u20ac")
    assert piece(b"a" + euro[:2]) == (0, 1, "a")
    assert piece(b"a" + euro[:2], is_over=True) == (0, 3, "a\ufffd")
    assert piece(euro[:1]) == (0, 0, "")
    assert piece(b"a\x80\x80\x80\x80") == (0, 5, "a\ufffd\ufffd\ufffd\ufffd")  # no character has so many
    assert piece(b"a\xff") == (0, 2, "a\ufffd")
    assert piece(b"a\xc1") == (0, 2, "a\ufffd")
    assert piece(b"") == (0, 0, "")


async def test_a_piece_counted_from_the_end_begins_with_a_whole_character() -> None:
    euro = "\u20ac".encode()
    assert piece(euro[1:] + b"b", offset=5, cut=True) == (7, 8, "b")
    assert piece(euro[2:] + b"b", offset=5, cut=True) == (6, 7, "b")
    assert piece(b"\x80b", offset=0, cut=True) == (0, 2, "\ufffdb")


async def test_a_log_that_is_not_kept_is_an_error_answer() -> None:
    asker = Asker(finished_sweep())
    assert "keeps no output" in (await asker.ask("log", trial=0))["error"]
    assert (await asker.ask("log", trial=50))["error"] == "trial: there is no trial 50; the sweep has 3"


async def test_a_log_that_cannot_be_read_is_an_error_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> Log:
        raise OSError(5, "Input/output error")

    asker = Asker(finished_sweep())
    monkeypatch.setattr(asker.source, "log", broken)
    assert "Input/output error" in (await asker.ask("log", trial=0))["error"]


# -- steering ------------------------------------------------------------------------------------------------------------

COMMANDS: list[tuple[str, dict[str, Any]]] = [
    ("pause", {}),
    ("unpause", {}),
    ("stop", {"reason": "enough", "now": True}),
    ("cancel", {"trial": 3}),
    ("enqueue", {"params": {"x": 0.5}}),
]


@pytest.mark.parametrize(("command", "fields"), COMMANDS, ids=[name for name, _ in COMMANDS])
async def test_who_may_not_steer_is_told_how_to(command: str, fields: dict[str, Any]) -> None:
    source = finished_sweep()
    source.commands = steered = Steered()
    error = (await Asker(source).ask(command, **fields))["error"]
    assert error.startswith(f"{command}: this viewer only looks") and "control=True" in error
    assert steered.given == []


@pytest.mark.parametrize(("command", "fields"), COMMANDS, ids=[name for name, _ in COMMANDS])
async def test_who_may_steers(command: str, fields: dict[str, Any]) -> None:
    source = finished_sweep()
    source.commands = steered = Steered()
    answer = await Asker(source, may_control=True).ask(command, **fields, unknown=1)
    assert answer == {"ok": True, "is_paused": command == "pause"}
    assert steered.given == [(command, fields)]


async def test_a_sweep_that_nobody_can_steer_says_so() -> None:
    error = (await Asker(finished_sweep(), may_control=True).ask("pause"))["error"]
    assert error.startswith("pause: the sweep 'bench' cannot be steered")


async def test_the_status_is_the_message() -> None:
    assert (await Asker(finished_sweep()).ask("status"))["status"]["total"] == 3


@pytest.mark.parametrize(
    ("what", "fields", "error"),
    [
        (
            "trail",
            {},
            "there is no question 'trail' (did you mean 'trial'?); there are: cancel, csv, enqueue, log, pause, ",
        ),
        ("trial", {}, "trial: object missing required field `trial`"),
        ("trial", {"trial": "1"}, "trial: trial: expected `int`, got `str`"),
        ("trial", {"trial": True}, "trial: trial: expected `int`, got `bool`"),
        ("trial", {"trial": 10**30}, "trial: "),
        ("trial", {"trial": -1}, "trial: there is no trial -1; the sweep has 3"),
        ("csv", {"trials": [1, "2"]}, "csv: trials[1]: expected `int`, got `str`"),
        ("log", {"trial": 0, "offset": None}, "log: offset: expected `int`, got `null`"),
        ("enqueue", {"params": [1]}, "enqueue: params: expected `object`, got `array`"),
    ],
    ids=str,
)
async def test_a_bad_question_is_answered_with_what_is_wrong(what: str, fields: dict[str, Any], error: str) -> None:
    found = (await Asker(finished_sweep(), may_control=True).ask(what, **fields))["error"]
    assert found.startswith(error)


async def test_a_question_before_a_sweep_is_open_is_refused() -> None:
    answer = json.loads(await Answers(JSON, may_control=False).to(Ask(1, "status", '{"id":1}'), None))
    assert answer["error"] == "status: no sweep is open; send `open` first"
