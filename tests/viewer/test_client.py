"""The Python client of the stream, against a server that follows a script."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import msgpack
import pytest
import trio
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

import asyncsweep as sw
from asyncsweep.viewer.client import Stream, connect
from asyncsweep.viewer.keeping import Change
from tests.viewer.peers import COLUMNS, HELLO, INFO, Peer, Script, row, serving, snapshot, status

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def stay(peer: Peer) -> None:
    await peer.open()
    await peer.gone()


def saying(*messages: Any, **hello: Any) -> Script:
    """Says this after the client's `open`, and stays."""

    async def script(peer: Peer) -> None:
        await peer.open(*messages, **hello)
        await peer.gone()

    return script


@asynccontextmanager
async def connected(*scripts: Script, **options: Any) -> AsyncIterator[Stream]:
    async with asyncio.timeout(20), serving(*scripts) as url, connect(url, **options) as stream:
        yield stream


async def collected(stream: Stream) -> list[Change]:
    return [change async for change in stream]


async def refusal(url: str, **options: Any) -> str:
    """What an attempt to connect is refused with."""
    async with asyncio.timeout(20):
        with pytest.raises(sw.ConfigError) as caught:
            async with connect(url, **options):
                pass
    return str(caught.value)


# -- what is known ---------------------------------------------------------------------------------------------------------


async def test_all_that_there_is_is_known_when_the_block_is_entered() -> None:
    parts = (snapshot(row(0), last=False), snapshot(row(1, "RUNNING"), part=1, seq=11), status(n_trials=100))
    async with connected(saying(*parts)) as stream:
        assert {number: trial["state"] for number, trial in stream.trials.items()} == {0: "COMPLETE", 1: "RUNNING"}
        assert [column.name for column in stream.columns] == ["lr", "opt", "epochs", "n", "loss", "loss"]
        assert (stream.info.sampler, stream.info.directions) == ("tpe", {"loss": "minimize"})
        assert (stream.status.state, stream.status.n_trials, stream.status.is_over) == ("RUNNING", 100, False)
        assert (stream.sweeps, stream.may_control, stream.is_connected) == (("first",), False, True)


async def test_a_trial_has_plain_values_by_their_names() -> None:
    cells = (0.01, 2, None, "9007199254740993", "Infinity", -0.5)
    async with connected(saying(snapshot(row(7, "COMPLETE", *cells)), status())) as stream:
        trial = dict(stream.trials[7])
        step, value = trial.pop("last_report")
        assert step == 3 and math.isnan(value)
        assert trial == {
            "number": 7,
            "state": "COMPLETE",
            "attempt": 1,
            "started_at": 1763800000.5,
            "duration_s": 2.5,
            "error": None,
            "params": {"lr": 0.01, "opt": "[1, 2]", "epochs": "30", "n": 2**53 + 1},
            "metrics": {"loss": math.inf},
            "constraints": {"loss": -0.5},
        }
        assert type(stream.trials[7]["params"]["n"]) is int
        assert stream.columns[3].low == -(2**63)


async def test_what_a_row_leaves_out_is_not_there() -> None:
    async with connected(
        saying(snapshot([3, "WAITING", 0], [4, "RUNNING", 1, 5.0, None, None, None, None, 0.5]), status())
    ) as stream:
        assert [stream.trials[n]["params"] for n in (3, 4)] == [{}, {"lr": 0.5, "epochs": "30"}]
        assert (stream.trials[3]["started_at"], stream.trials[4]["last_report"]) == (None, None)


async def test_unknown_messages_and_keys_are_ignored() -> None:
    async with connected(saying(snapshot(row(0)), {"type": "news", "x": 1}, status(more=[1]))) as stream:
        assert list(stream.trials) == [0]


async def test_the_best_value_of_the_status_is_a_number() -> None:
    async with connected(saying(snapshot(), status(best={"number": 3, "value": "-Infinity"}))) as stream:
        assert stream.status.best is not None and stream.status.best.value == -math.inf


# -- following -------------------------------------------------------------------------------------------------------------


async def test_the_first_change_tells_of_everything_and_the_others_of_what_is_new() -> None:
    more = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.open(snapshot(row(0), row(1, "RUNNING")), status())
        await more.wait()
        await peer.say({"type": "delta", "from": 10, "seq": 13, "rows": [row(1), row(2)], "gone": [0]})
        await peer.gone()

    async with connected(script) as stream:
        assert await anext(stream) == Change(trials=(0, 1), columns=True, status=True)
        more.set()
        assert await anext(stream) == Change(trials=(1, 2), gone=(0,))
        assert list(stream.trials) == [1, 2]


async def test_a_slow_program_gets_several_changes_as_one() -> None:
    deltas = [{"type": "delta", "from": 9 + n, "seq": 10 + n, "rows": [row(n % 3)]} for n in range(1, 7)]
    done = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.open(snapshot(), status())
        await peer.say(*deltas)
        while (await peer.hear("ack"))["received"] < 8:
            pass
        done.set()
        await peer.gone()

    async with connected(script) as stream:
        await done.wait()
        assert await anext(stream) == Change(trials=(1, 2, 0), columns=True, status=True)


async def test_iterating_ends_with_the_sweep() -> None:
    async with connected(saying(snapshot(row(0)), status("ENDED"))) as stream:
        assert [change.trials async for change in stream] == [(0,)]


@pytest.mark.parametrize("state", ["INTERRUPTED", "ENDED"])
@pytest.mark.parametrize("stride", [1, 8])
async def test_it_does_not_end_before_all_has_come_that_belongs_to_the_status(state: str, stride: int) -> None:
    late = {"type": "delta", "from": 10, "seq": 12, "rows": [row(0, "FAILED"), row(1)]}
    ended = status(state, seq=12, stride=stride)

    async def script(peer: Peer) -> None:
        await peer.open(snapshot(row(0)), ended)
        while (await peer.hear("ack"))["received"] < 2:
            pass
        await peer.say(late)
        await peer.gone()

    async with connected(script) as stream:
        assert [change.trials async for change in stream] == [(0,), (0, 1)]


async def test_iterating_again_tells_of_a_sweep_that_was_resumed() -> None:
    more = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.open(snapshot(row(0, "RUNNING")), status("INTERRUPTED"))
        await more.wait()
        await peer.say(status(seq=11), {"type": "delta", "from": 10, "seq": 12, "rows": [row(0)]}, status("ENDED", 12))
        await peer.gone()

    async with connected(script) as stream:
        assert [change.trials async for change in stream] == [(0,)]
        more.set()
        while stream.status.state == "INTERRUPTED":
            await stream._keeper.newer()
        assert {number async for change in stream for number in change.trials} == {0}
        assert stream.trials[0]["state"] == "COMPLETE"


async def test_the_status_of_an_earlier_snapshot_does_not_end_it() -> None:
    more = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.open(snapshot(row(0), last=False), status("ENDED", 10), snapshot(row(0), seq=30, epoch="f"))
        await more.wait()
        await peer.say(status("ENDED", 40), {"type": "delta", "from": 30, "seq": 40, "rows": [row(1)]})
        await peer.gone()

    async with connected(script) as stream:
        assert (await anext(stream)).trials == (0,)
        more.set()
        assert {number async for change in stream for number in change.trials} == {1}


async def test_without_following_it_ends_with_what_there_is() -> None:
    async with connected(saying(snapshot(row(0)), status()), follow=False) as stream:
        assert [change.trials async for change in stream] == [(0,)]


async def test_everything_but_answers_is_acknowledged_in_order() -> None:
    heard = asyncio.Queue[Any]()

    async def script(peer: Peer) -> None:
        await peer.open(
            snapshot(last=False), snapshot(part=1), status(), {"type": "points", "curves": []}, {"type": "news"}
        )
        for _ in range(4):
            await heard.put(await peer.hear("ack"))
        await peer.gone()

    async with connected(script):
        acks = [await heard.get() for _ in range(4)]
    assert [ack["received"] for ack in acks] == [1, 2, 3, 4]


async def test_an_error_in_the_block_leaves_it_as_it_is() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with connected(stay):
            raise KeyError("mine")


async def test_a_cancelled_block_is_cancelled() -> None:
    async def watch(url: str) -> None:
        async with connect(url) as stream:
            async for _ in stream:
                entered.set()

    entered = asyncio.Event()
    async with asyncio.timeout(20), serving(stay) as url:
        task = asyncio.create_task(watch(url))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


# -- connections that are lost ---------------------------------------------------------------------------------------------


async def test_after_a_lost_connection_it_asks_for_what_it_missed() -> None:
    opened: list[dict[str, Any]] = []

    async def first(peer: Peer) -> None:
        opened.append(await peer.open(snapshot(row(0)), status()))
        await peer.say({"type": "delta", "from": 10, "seq": 17, "rows": [row(1)]})
        while (await peer.hear("ack"))["received"] < 3:
            pass
        await peer.close()

    async def second(peer: Peer) -> None:
        opened.append(
            await peer.open(
                {"type": "delta", "from": 17, "seq": 20, "rows": [row(2)]}, status("ENDED", counts={"COMPLETE": 3})
            )
        )
        await peer.gone()

    async with connected(first, second) as stream:
        seen = [number async for change in stream for number in change.trials]
    assert seen == [0, 1, 2]
    assert [(message["sweep"], message["epoch"], message["since"]) for message in opened] == [
        ("first", None, None),
        ("first", "e", 17),
    ]


async def test_a_server_that_began_anew_is_believed() -> None:
    async def first(peer: Peer) -> None:
        await peer.open(snapshot(row(0), row(1)), status())
        await peer.hear("ack")
        await peer.hear("ack")
        await peer.close()

    async with connected(
        first, saying(snapshot(row(1), row(2), epoch="f"), status("ENDED", counts={"COMPLETE": 2}))
    ) as stream:
        changes = [change async for change in stream]
    assert (changes[-1].trials, changes[-1].gone, list(stream.trials)) == ((1, 2), (0,), [1, 2])


async def test_what_the_server_has_left_out_is_got_by_beginning_anew() -> None:
    async def first(peer: Peer) -> None:
        await peer.open(snapshot(row(0)), status(), {"type": "delta", "from": 11, "seq": 12, "rows": [row(5)]})
        await peer.gone()

    async def second(peer: Peer) -> None:
        assert (await peer.open(snapshot(row(0), row(1)), status("ENDED", counts={"COMPLETE": 2})))["epoch"] is None
        await peer.gone()

    async with connected(first, second) as stream:
        assert [number async for change in stream for number in change.trials][-2:] == [0, 1]


async def test_a_part_of_a_snapshot_may_take_trials_back() -> None:
    async with connected(
        saying(snapshot(row(0), last=False), {**snapshot(row(1), part=1), "gone": [0, 7]}, status())
    ) as stream:
        assert list(stream.trials) == [1]


async def test_half_a_snapshot_is_never_seen() -> None:
    async def first(peer: Peer) -> None:
        await peer.open(snapshot(row(0)), status())
        await peer.hear("ack")
        await peer.hear("ack")
        await peer.close()

    async def second(peer: Peer) -> None:
        assert (await peer.open(snapshot(row(5), last=False, epoch="f")))["epoch"] == "e"
        await peer.hear("ack")
        await peer.close()

    async def third(peer: Peer) -> None:
        more = {"type": "delta", "from": 10, "seq": 11, "rows": [row(6)]}
        assert (await peer.open(more, status("ENDED", counts={"COMPLETE": 2})))["epoch"] == "e"
        await peer.gone()

    seen = []
    async with connected(first, second, third) as stream:
        async for _ in stream:
            seen.append(list(stream.trials))
    assert seen[0] == [0] and seen[-1] == [0, 6]
    assert [5] not in seen


async def test_what_is_lost_for_good_is_told_to_who_waits() -> None:
    async def script(peer: Peer) -> None:
        await peer.open(snapshot(row(0)), status())
        await peer.hear("ack")
        await peer.hear("ack")
        await peer.close()

    async with connected(script, reconnect_s=0) as stream:
        with pytest.raises(
            sw.ConfigError, match=r"^url='http://127.0.0.1:\d+/': the server is gone; the connection was lost"
        ):
            await collected(stream)
        with pytest.raises(sw.ConfigError, match="the server is gone"):
            await stream.csv()


async def test_a_server_that_wants_no_more_of_it_is_left_alone() -> None:
    async def script(peer: Peer) -> None:
        await peer.open()
        await peer.close(1008, "too many questions\x1b[31m")

    async with connected(script) as stream:
        with pytest.raises(sw.ConfigError, match=r"the server ended it: too many questions\\x1b\[31m$"):
            await collected(stream)


async def test_the_program_is_not_told_of_a_loss_after_the_end() -> None:
    async def script(peer: Peer) -> None:
        await peer.open(snapshot(row(0)), status("ENDED"))
        await peer.hear("ack")
        await peer.hear("ack")
        await peer.close()
        gone.set()

    gone = asyncio.Event()
    async with connected(script, reconnect_s=0) as stream:
        await gone.wait()
        assert [change.trials async for change in stream] == [(0,)]


# -- questions -------------------------------------------------------------------------------------------------------------


def answering(*answers: dict[str, Any], columns: Any = COLUMNS, **hello: Any) -> tuple[Script, list[dict[str, Any]]]:
    """A script that answers questions in turn, and what it was asked."""
    asked: list[dict[str, Any]] = []

    async def script(peer: Peer) -> None:
        await peer.open(snapshot(columns=columns), status(), **hello)
        for answer in answers:
            asked.append(await peer.hear("ask"))
            await peer.say({"type": "answer", "id": asked[-1].pop("id"), **answer})
        await peer.gone()

    return script, asked


async def test_a_long_log_is_read_piece_by_piece() -> None:
    whole = {"trial": 3, "attempt": 2, "left_out": 0, "total": 8, "is_over": True}
    script, asked = answering(
        {**whole, "offset": 0, "next_offset": 4, "text": "abü"},
        {**whole, "offset": 4, "next_offset": 8, "text": "cd\n!"},
    )
    async with connected(script) as stream:
        assert await stream.log(3) == "abücd\n!"
    assert asked == [
        {"type": "ask", "what": "log", "trial": 3, "attempt": None, "offset": 0},
        {"type": "ask", "what": "log", "trial": 3, "attempt": 2, "offset": 4},
    ]


async def test_a_log_that_gives_nothing_more_ends() -> None:
    piece = {"trial": 3, "attempt": 1, "offset": 0, "next_offset": 0, "left_out": 0, "total": 9, "text": ""}
    script, _ = answering(piece)
    async with connected(script) as stream:
        assert await stream.log(3) == ""


async def test_the_table_comes_as_csv() -> None:
    script, asked = answering(
        {"text": "number,state\n", "next_offset": 13}, {"text": "1,FAILED\n", "next_offset": None}
    )
    async with connected(script) as stream:
        assert await stream.csv([1]) == "number,state\n1,FAILED\n"
    assert [(question["trials"], question["offset"]) for question in asked] == [([1], 0), ([1], 13)]


DETAIL: dict[str, Any] = {
    "number": 3, "state": "FAILED", "attempt": 2, "worker": None, "external": False, "reports": 4, "feasible": True,
    "params": [["lr", "Infinity", "inf"], ["a", "NaN", "nan"], ["b", "NaN", "NaN"], ["n", "9007199254740993", "9007199254740993"]],
    "metrics": [["loss", "-Infinity", "-inf"]], "constraints": [], "user_attrs": {"k": [1]}, "usage": [["gpu_memory_gib", 1.5, "1.5"]],
    "asked_at": 1.0, "started_at": 2.0, "finished_at": 3.0,
    "error": {"type": "ValueError", "message": "no", "traceback": "Traceback"}, "failures": [{"type": "OSError"}],
}  # fmt: skip


async def test_a_table_whose_reading_was_broken_off_is_read_anew() -> None:
    async def first(peer: Peer) -> None:
        await peer.open()
        question = await peer.hear("ask")
        await peer.say({"type": "answer", "id": question["id"], "text": "old", "next_offset": 3})
        await peer.hear("ask")
        await peer.close()

    second, asked = answering({"error": "begin again with 0"}, {"text": "new", "next_offset": None})
    async with connected(first, second) as stream:
        assert await stream.csv() == "new"
    assert [question["offset"] for question in asked] == [3, 0]


async def test_a_trials_details_are_plain_values() -> None:
    script, _ = answering({"detail": DETAIL})
    async with connected(script) as stream:
        detail = await stream.trial(3)
    assert math.isnan(detail["params"].pop("a"))
    assert detail["params"] == {"lr": math.inf, "b": "NaN", "n": 2**53 + 1}
    assert (detail["metrics"], detail["n_reports"], detail["user_attrs"]) == ({"loss": -math.inf}, 4, {"k": [1]})
    assert detail["usage"] == {"gpu_memory_gib": 1.5}
    assert detail["error"] == {"type": "ValueError", "message": "no", "traceback": "Traceback"}
    assert detail["failures"] == [{"type": "OSError", "message": "", "traceback": ""}]


async def test_what_the_server_refuses_is_an_error() -> None:
    script, _ = answering({"error": "there is no trial 9; the sweep has 3"})
    async with connected(script) as stream:
        with pytest.raises(sw.ConfigError, match=r"^there is no trial 9; the sweep has 3$"):
            await stream.trial(9)


async def test_an_answer_of_another_shape_is_an_error() -> None:
    script, _ = answering({"detail": {"number": "3"}}, {})
    async with connected(script) as stream:
        for _ in range(2):
            with pytest.raises(sw.ConfigError, match=r"^trial: .* gives another answer"):
                await stream.trial(3)


async def test_no_answer_in_time_is_an_error() -> None:
    async with connected(stay, timeout_s=0.2, reconnect_s=0) as stream:
        with pytest.raises(sw.ConfigError, match=r"^csv: http://127.* does not answer within 0.2 s$"):
            await stream.csv()


async def test_a_question_is_asked_again_when_the_connection_was_lost() -> None:
    async def first(peer: Peer) -> None:
        await peer.open()
        await peer.hear("ask")
        await peer.close()

    second, asked = answering({"text": "x", "next_offset": None})
    async with connected(first, second) as stream:
        assert await stream.csv() == "x"
    assert [question["what"] for question in asked] == ["csv"]


async def test_the_curve_of_a_trial_comes_whole() -> None:
    async def script(peer: Peer) -> None:
        await peer.open()
        question = await peer.hear("ask")
        await peer.say({"type": "answer", "id": question["id"], "detail": DETAIL})
        assert (await peer.hear("watch"))["trials"] == [3]
        curve = {"trial": 3, "attempt": 2, "from": 0, "of": 3, "steps": [0, 1, 5], "values": [1.0, "NaN", 0.5]}
        await peer.say({"type": "points", "curves": [{**curve, "trial": 8}, curve]})
        assert (await peer.hear("watch"))["trials"] == []
        await peer.gone()

    async with connected(script) as stream:
        assert str(await stream.curve(3)) == "[(0, 1.0), (1, nan), (5, 0.5)]"
        assert stream.curves == {}


async def test_the_curve_of_a_trial_without_reports_is_empty() -> None:
    script, _ = answering({"detail": {**DETAIL, "reports": 0}})
    async with connected(script) as stream:
        assert await stream.curve(3) == []


async def test_watched_curves_grow_and_are_watched_again_after_a_lost_connection() -> None:
    curve = {"trial": 3, "attempt": 1, "from": 0, "of": 2, "steps": [0, 1], "values": [5.0, 4.0]}
    more = {**curve, "from": 1, "of": 4, "steps": [2, 3], "values": [3.0, 2.0]}
    retried = {**curve, "attempt": 2, "of": 1, "steps": [0], "values": [9.0]}

    def points(*curves: Any) -> dict[str, Any]:
        return {"type": "points", "curves": list(curves)}

    async def first(peer: Peer) -> None:
        await peer.open()
        await peer.hear("watch")
        await peer.say(points(curve, {**curve, "trial": 8}))
        while (await peer.hear("ack"))["received"] < 3:
            pass
        await peer.say(points(more))
        await peer.hear("ack")
        await peer.close()

    async def second(peer: Peer) -> None:
        await peer.open()
        assert (await peer.hear("watch"))["trials"] == [3, 4]
        await peer.say(points(retried))
        await peer.gone()

    seen = []
    async with connected(first, second) as stream:
        await stream.watch([3, 4, 3])
        async for change in stream:
            if change.curves:
                seen.append(list(stream.curves[3]))
                assert list(stream.curves) == [3]
            if seen and seen[-1] == [(0, 9.0)]:
                break
    assert seen[-2:] == [[(0, 5.0), (2, 3.0), (3, 2.0)], [(0, 9.0)]]


async def test_too_many_curves_are_refused() -> None:
    async with connected(stay) as stream:
        with pytest.raises(sw.ConfigError, match=r"^trials: 65 of them; at most 64"):
            await stream.watch(range(65))


# -- steering --------------------------------------------------------------------------------------------------------------


async def test_a_sweep_is_steered_with_the_names_of_its_run() -> None:
    script, asked = answering(*[{"ok": True}] * 5, control=True)
    async with connected(script) as stream:
        assert stream.may_control
        await stream.pause()
        await stream.unpause()
        await stream.stop("enough", now=True)
        await stream.cancel_trial(3)
        await stream.enqueue({"lr": math.nan, "opt": None, "b": b"\xff"})
    assert [{key: value for key, value in question.items() if key != "type"} for question in asked[:4]] == [
        {"what": "pause"},
        {"what": "unpause"},
        {"what": "stop", "reason": "enough", "now": True},
        {"what": "cancel", "trial": 3},
    ]
    assert str(asked[4]["params"]) == r"{'lr': nan, 'opt': None, 'b': b'\xff'}"


async def test_choices_are_enqueued_by_their_places_and_constants_are_left_out() -> None:
    columns = [*COLUMNS, {"key": "cut", "name": "cut", "kind": "param", "type": "category", "choices": ["a…", "a…"]}]
    script, asked = answering({"ok": True}, {"ok": True}, control=True, columns=columns)
    async with connected(script) as stream:
        await stream.enqueue({"lr": 0.5, "opt": "[1, 2]", "epochs": "30", "new": "None"})
        await stream.enqueue({"epochs": 30, "opt": "adam", "cut": "a" * 1_001})
        with pytest.raises(sw.ConfigError, match="enqueue: 'cut': several choices begin with 'a…'; give the whole one"):
            await stream.enqueue({"cut": "a…"})
    assert [(question["params"], question["choices"]) for question in asked] == [
        ({"lr": 0.5, "new": "None"}, {"opt": 2}),
        ({"epochs": 30, "opt": "adam", "cut": "a" * 1_001}, {}),
    ]


async def test_without_the_second_token_nothing_is_steered() -> None:
    async with asyncio.timeout(20), serving(stay) as url, connect(url.partition("&")[0]) as stream:
        with pytest.raises(
            sw.ConfigError,
            match=r"^pause: the address has no second token; give all that sw.serve\(..., control=True\)",
        ):
            await stream.pause()


async def test_a_server_that_does_not_let_itself_be_steered_is_not_asked() -> None:
    async with connected(stay) as stream:
        with pytest.raises(
            sw.ConfigError, match=r"^stop: the server does not take it; it has to be made with sw.serve"
        ):
            await stream.stop()


async def test_a_command_whose_answer_was_lost_is_not_given_again() -> None:
    async def first(peer: Peer) -> None:
        await peer.open(control=True)
        await peer.hear("ask")
        await peer.close()

    async with connected(first, stay) as stream:
        with pytest.raises(
            sw.ConfigError, match=r"^pause: the connection was lost before the answer; see whether it was done$"
        ):
            await stream.pause()


@pytest.mark.parametrize(
    ("value", "why"),
    [(object(), "plain values"), (2**64, "plain values"), ("\ud800", "plain values"), ("x" * 2**20, "at most 1048576")],
    ids=["object", "int", "surrogate", "long"],
)
async def test_what_cannot_be_sent_is_refused(value: Any, why: str) -> None:
    async with connected(saying(snapshot(), status(), control=True)) as stream:
        with pytest.raises(sw.ConfigError, match=rf"^enqueue: .*{why}"):
            await stream.enqueue({"x": value})


# -- coming in -------------------------------------------------------------------------------------------------------------


async def test_the_tokens_travel_as_subprotocols_and_the_origin_is_the_servers() -> None:
    came: list[Peer] = []

    async def script(peer: Peer) -> None:
        came.append(peer)
        await stay(peer)

    async with asyncio.timeout(20), serving(script) as url:
        base = url.partition("/#")[0]
        async with connect(f"{base}/lab/sweeps/#token=T0ken.x&control=C~1"):
            pass
    assert came[0].path == "/lab/sweeps/stream"
    assert came[0].offered == ["asyncsweep.v1.msgpack", "asyncsweep.token.T0ken.x", "asyncsweep.control.C~1"]
    assert came[0].headers["Origin"] == base
    assert "Sec-WebSocket-Extensions" not in came[0].headers


async def test_no_proxy_stands_before_this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "socks_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    async with connected(stay) as stream:
        assert stream.is_connected


async def test_no_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("websockets.server").setLevel(logging.WARNING)  # the scripted server's own log is not the matter
    with caplog.at_level(logging.DEBUG):
        async with connected(stay):
            pass
    assert "T0ken.x" not in caplog.text


@asynccontextmanager
async def refusing(code: int, text: str = "", **headers: str) -> AsyncIterator[str]:
    """The address of a server that answers every request with this."""

    def respond(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(HTTPStatus(code), text)
        response.headers.update(headers)
        return response

    async def never(connection: ServerConnection) -> None:
        raise AssertionError

    async with serve(never, "127.0.0.1", 0, process_request=respond) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/#token=secret0"


async def test_a_wrong_token_is_told_without_showing_it() -> None:
    async with refusing(403, "the stream needs the token\x1b") as url:
        told = await refusal(url)
        assert "refuses the token" in told and "(it says: the stream needs the token\\x1b)" in told
        assert "secret0" not in told
        assert "lets nobody in without a token" in await refusal(url.partition("#")[0])


async def test_a_wrong_path_is_told() -> None:
    async with refusing(404) as url:
        assert "there is no viewer under this path (404)" in await refusal(url)


async def test_no_token_follows_a_redirect() -> None:
    came: list[Peer] = []

    async def script(peer: Peer) -> None:
        came.append(peer)

    async with serving(script) as elsewhere, refusing(307, Location=elsewhere) as url:
        assert "the server wants to send us elsewhere (307)" in await refusal(url)
    assert came == []


async def test_a_server_that_is_not_well_is_tried_again_only_after_it_was_there() -> None:
    async with refusing(503, "full") as url:
        assert "the server answers 503" in await refusal(url)


async def test_nobody_there_is_told_at_once() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        assert f"url='http://127.0.0.1:{port}/': nobody answers" in await refusal(f"http://127.0.0.1:{port}/#token=x")


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.2\r\n", b""], ids=["other", "nothing"])
async def test_another_program_is_told_from_a_viewer(said: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        told = await refusal(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/#token=x")
    assert ("no viewer" if said else "closed at once") in told


async def test_a_server_without_our_subprotocol_is_told() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve(talk, "127.0.0.1", 0, select_subprotocol=lambda connection, offered: None) as server:
        told = await refusal(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/#token=x")
    assert "the server does not speak asyncsweep.v1.msgpack" in told


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (7, "url=7: expected the address that `serve` prints, such as http://127.0.0.1:8080/#token=..."),
        ("127.0.0.1:8080", "url='127.0.0.1:8080': expected"),
        ("file:///tmp/x", "url='file:///tmp/x': expected"),
        ("http://127.0.0.1:99999/#token=secret0", "url='http://127.0.0.1:99999/': Port out of range 0-65535; expected"),
        ("http://127.0.0.1:80/#token=secret0, x", "url='http://127.0.0.1:80/': the token after # has characters"),
    ],
    ids=["number", "bare", "file", "port", "token"],
)
async def test_an_address_of_no_viewer_is_refused(url: Any, told: str) -> None:
    found = await refusal(url)
    assert found.startswith(told) and "secret0" not in found


async def test_an_unknown_sweep_is_answered_with_those_that_there_are() -> None:
    async with serving(saying(sweeps=["first", "second\x1b"])) as url:
        assert "has no such sweep (did you mean 'first'?); there are: first, second\\x1b" in await refusal(
            url, sweep="frist"
        )
        assert "sweep: url=" in await refusal(url) and "has several; name one of: first, second" in await refusal(url)


async def test_a_newer_server_is_told() -> None:
    async def script(peer: Peer) -> None:
        await peer.say({"type": "hello", "protocol": 2, "server": "9.1"})
        await peer.gone()

    async with serving(script) as url:
        told = await refusal(url)
    assert "the server speaks version 2 of the stream (asyncsweep 9.1), and asyncsweep" in told and told.endswith(
        "a newer one here"
    )


async def test_under_trio_it_is_refused() -> None:
    async def main() -> None:
        async with connect("http://127.0.0.1:1/#token=x"):
            pass

    def run() -> None:
        with pytest.raises(sw.ConfigError, match="needs asyncio"):
            trio.run(main)

    await asyncio.to_thread(run)


# -- servers that say something else ---------------------------------------------------------------------------------------

DEEP = b"\x91" * 5_000 + b"\xc0"


@pytest.mark.parametrize(
    "said",
    [
        b"", b"\xc1", b"\xdd\xff\xff\xff\xff", DEEP, b"\x81\xa4type\xd4\x01a", "text", b"\x90", b"\x81\xa4type\x07",
        b"\x82\xa4type\xa5delta\xa3seq\xa1x", b"\xdb\xff\xff\xff\xff", b"\x81\xa4type\xa2\xff\xff", b"\x81\x01\x02",
        {"type": "delta", "from": 1, "seq": 1, "rows": [[]]}, {"type": "delta", "from": 1, "seq": 1, "rows": [["1", "FAILED"]]},
        {"type": "delta", "from": 1, "seq": 1, "rows": [[1, "FAILED", 1, 1, 1, 1, 1, None, 0.1, 9]]},
        {"type": "delta", "from": 1, "seq": 1, "rows": [[1, "FAILED", 1, 1, 1, 1, 1, None, 0.1, -1]]},
        {"type": "delta", "from": 1, "seq": 1, "rows": [[1, "FAILED", 1, 1, 1, 1, 1, None, 0.1, "__proto__"]]},
        {"type": "delta", "from": 1, "seq": 1, "columns": [{"key": "a", "name": "a", "kind": "x", "type": "float"}]},
        msgpack.packb({"type": "delta", "from": 1, "seq": 1, "rows": [[1, "FAILED", 1, 1, 1, 1, 1, None, msgpack.ExtType(1, b"a")]]}),
        {"type": "status", "state": "DANCING"}, {"type": "status", "state": "ENDED", "counts": []},
        {**snapshot(part=1), "part": 1}, {"type": "snapshot", "part": 0},
        {"type": "points", "curves": [{"trial": 3, "attempt": 1, "from": 1, "of": 1, "steps": [], "values": []}]},
        {"type": "points", "curves": [{"trial": 3, "attempt": 1, "from": 0, "of": 1, "steps": [1], "values": []}]},
    ],
    ids=range(25),
)  # fmt: skip
async def test_what_is_no_message_ends_it_with_an_error(said: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.open()
        await peer.hear("watch")
        await peer.say(said)
        await peer.gone()

    async with connected(script) as stream:
        await stream.watch([3])
        with pytest.raises(sw.ConfigError, match="the server said what is no message of the stream"):
            await collected(stream)
        assert dict(stream.trials) == {}


@pytest.mark.parametrize(
    "first", [snapshot(), {"type": "hello", "protocol": 1}, b"\xc1"], ids=["snapshot", "bare", "none"]
)
async def test_the_first_message_is_the_servers_hello(first: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(first)
        await peer.gone()

    async with serving(script) as url:
        assert "the server said what is no message of the stream" in await refusal(url)


async def test_a_server_that_says_nothing_is_not_waited_for_without_end() -> None:
    async def script(peer: Peer) -> None:
        await peer.gone()

    async with serving(script) as url:
        assert "the server says nothing for 0.2 s" in await refusal(url, timeout_s=0.2)


async def test_an_answer_that_nobody_waits_for_is_dropped() -> None:
    answers = [{"type": "answer", "id": wrong, "text": "x"} for wrong in (7, None, "1", [1])]
    async with connected(saying(snapshot(row(0)), *answers, status())) as stream:
        assert list(stream.trials) == [0]


def test_the_scripts_messages_are_as_the_document_has_them() -> None:
    assert {*HELLO} == {"type", "protocol", "server", "sweeps", "control"}
    assert msgpack.unpackb(msgpack.packb(snapshot()))["columns"] == COLUMNS and INFO["name"] == "first"
