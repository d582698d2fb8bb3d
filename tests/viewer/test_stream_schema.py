"""What is sent is what `docs/stream.schema.json` says, and so is what `docs/stream.md` shows."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import anyio
import jsonschema
import pytest

from asyncsweep.core import events as ev
from asyncsweep.core.records import ErrorInfo, State
from asyncsweep.space import Categorical, Constant, Float, Int
from asyncsweep.testing import events as on
from asyncsweep.viewer.forms import JSON, MSGPACK, Form
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.session import converse
from tests.viewer.histories import BenchSource, opened
from tests.viewer.test_incoming import GOOD
from tests.viewer.test_requests import Steered
from tests.viewer.test_session import Line

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA: dict[str, Any] = json.loads((DOCS / "stream.schema.json").read_text(encoding="utf-8"))


def validator(name: str) -> Any:
    return jsonschema.Draft202012Validator({**SCHEMA, "oneOf": [{"$ref": f"#/$defs/{name}"}]})


SERVER, CLIENT = validator("fromServer"), validator("fromClient")


def odd_sweep() -> BenchSource:
    """All states, all types of columns, and values that JSON has no word for."""
    space = {
        "lr": Float(1e-5, 0.1, log=True),
        "n": Int(-(2**60), 2**60),
        "opt": Categorical(("sgd", None, 1, "1", b"\x00", [1, math.nan])),
        "fixed": Constant({"a": 1}),
    }
    directions = {"loss": "minimize"}
    settings = on.spec(n_trials=None, space=space, directions=directions, retries=1, concurrency=3)
    source = opened(settings, on.worker_joined(slots=3))
    choices = space["opt"].choices

    def run(number: int, then: list[ev.Event]) -> None:
        params = {"lr": 0.01, "n": (-1) ** number * 2**60, "opt": choices[number % 6], "fixed": {"a": 1}}
        source.bench.send(on.suggested(number, **params), on.started(number), after_s=1.0)
        source.bench.send(*then, after_s=1.0)

    run(0, [on.reported(0, 2**62, math.nan), on.reported(0, 1, -math.inf), finished(0, -math.inf)])
    run(1, [on.pruned(1)])
    run(2, [on.failed(2), on.started(2, 2), on.failed(2, 2, ErrorInfo("E\ud800", "<b>\ud800" * 300, "tb"))])
    run(3, [ev.TrialCancelled(3), on.killed(3)])
    run(
        4,
        [on.constraint_set(4, "c", 1.0), on.attr_set(4, "a", {"__proto__": b"\xff"}), finished(4, 1.0, more=math.inf)],
    )
    run(5, [on.param_asked(5, "later", Int(1, 3)), on.param_suggested(5, "later", 2), on.reported(5, 0, 0.5)])
    source.bench.send(on.suggested(6, lr=0.01, n=1, opt="sgd", fixed={"a": 1}))
    source.printed[0] = "caf\u00e9\x1b[31m".encode()
    source.publish()
    assert {trial.state for trial in source.trials} == set(State)
    return source


def finished(trial: int, loss: float, **metrics: float) -> ev.Finished:
    return ev.Finished(trial, 1, {"loss": loss, **metrics})


QUESTIONS: list[dict[str, Any]] = [
    *({"what": "trial", "trial": number} for number in range(8)),
    {"what": "log", "trial": 0},
    {"what": "log", "trial": 1},
    {"what": "csv"},
    {"what": "csv", "trials": [1, 2]},
    {"what": "status"},
    {"what": "nothing"},
    {"what": "pause"},
    {"what": "cancel", "trial": "x"},
]


async def said(is_text: bool) -> list[dict[str, Any]]:
    """All that a viewer is told who asks for everything."""
    source = odd_sweep()
    source.commands = Steered()
    line = Line(is_text=is_text)
    hub = Hub(source)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: converse({"a": hub}, line, may_control=True))
        line.say(type="open")
        line.say(type="watch", trials=[0, 2, 5])
        await line.until(lambda: "points" in line.kinds())
        source.bench.send(on.reported(5, 1, 2.0), ev.TrialCancelled(6))
        source.publish()
        for number, question in enumerate(QUESTIONS):
            line.say(type="ask", id=number, **question)
        await line.until(lambda: len(line.client.answers) == len(QUESTIONS) and "delta" in line.kinds())
        line.say(type="open", epoch=line.client.epoch, since=line.client.seq)
        n_before = len(line.messages)
        await line.until(lambda: "delta" in line.kinds()[n_before:])
        line.close()
    return line.messages


@pytest.mark.anyio
@pytest.mark.parametrize("form", [JSON, MSGPACK], ids=lambda form: form.name)
async def test_everything_that_is_sent_has_the_shape_that_is_written(form: Form) -> None:
    messages = await said(form is JSON)
    assert {message["type"] for message in messages} == {"hello", "snapshot", "status", "points", "delta", "answer"}
    for message in messages:
        SERVER.validate(message)
        assert undescribed(message) == set(), message
        JSON.encode(message)


def undescribed(message: dict[str, Any]) -> set[str]:
    """Keys that the schema has no word for."""
    described = set(re.findall(r'"(\w+)": ?\{', json.dumps(SCHEMA["$defs"])))
    return {key for key in message if key not in described and key not in ("ok", "is_paused")}


@pytest.mark.parametrize("message", GOOD, ids=lambda message: f"{message['type']}-{message.get('what', '')}")
def test_what_clients_say_has_the_shape_that_is_written(message: dict[str, Any]) -> None:
    CLIENT.validate(message)


BROKEN: list[dict[str, Any]] = [
    {"type": "hello", "protocol": 2, "server": "", "sweeps": [], "control": False},
    {"type": "snapshot", "sweep": "a", "epoch": "e", "part": 0, "last": True, "seq": 1, "total": 0, "rows": []},
    {"type": "delta", "from": 0, "seq": 1, "rows": [[0, "DONE"]]},
    {"type": "delta", "from": 0, "seq": 1, "rows": [[0, "RUNNING", 1, math.nan]]},
    {"type": "delta", "from": 0, "seq": 1, "rows": [], "gone": []},
    {"type": "points", "curves": [{"trial": 0, "attempt": 1, "from": 0, "of": 1, "steps": ["x"], "values": [1]}]},
    {"type": "answer", "id": 1},
    {"type": "status", "state": "RUNNING"},
]


@pytest.mark.parametrize("message", BROKEN, ids=lambda message: str(message)[:50])
def test_what_is_not_of_that_shape_is_found(message: dict[str, Any]) -> None:
    if "nan" in str(message):
        message = json.loads(json.dumps(message).replace("NaN", '"soon"'))
    with pytest.raises(jsonschema.ValidationError):
        SERVER.validate(message)


def test_what_the_page_shows_has_the_shape_that_is_written() -> None:
    text = (DOCS / "stream.md").read_text(encoding="utf-8")
    shown = [re.sub(r"\s+", " ", found) for found in re.findall(r'\{"type": "(?:[^`]|\n)*?\}(?=`|\n```)', text)]
    assert len(shown) >= 9
    for example in shown:
        full = example.replace("{...}", "{}").replace("[...]", "[]").replace(", ...}", "}")
        message = json.loads(full)
        errors = [*SERVER.iter_errors(message), *CLIENT.iter_errors(message)]
        known = validator("fromServer").is_valid(message) or validator("fromClient").is_valid(message)
        # Where something is left out, what is there still has the right names.
        assert known or (errors and "..." in example and undescribed(message) == set()), example
