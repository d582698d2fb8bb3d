"""What one viewer is sent, and when; and its curves."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from asyncsweep.testing import events as on
from asyncsweep.viewer import curves as curves_module
from asyncsweep.viewer import rows as rows_module
from asyncsweep.viewer.curves import MOST_POINTS, stride_of
from asyncsweep.viewer.flow import Flow
from asyncsweep.viewer.forms import JSON, MSGPACK
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.incoming import Unwelcome
from tests.viewer.histories import BenchSource, Client, opened


def looked(hub: Hub) -> None:
    hub.pull()
    while hub.has_work:
        hub.pull()


def shown(source: BenchSource, hub: Hub) -> None:
    """What has happened is seen by the hub."""
    source.publish()
    looked(hub)


def complete(source: BenchSource, count: int) -> None:
    for _ in range(count):
        number = len(source.trials) - 1
        source.bench.send(on.suggested(number), on.started(number), on.finished(number, 1.0 + number))


def many(n: int, **changes: Any) -> tuple[BenchSource, Hub]:
    source = opened(on.spec(n_trials=None, **changes), on.worker_joined())
    complete(source, n)
    source.publish()
    hub = Hub(source)
    looked(hub)
    return source, hub


def viewer(hub: Hub, epoch: str | None = None, since: int | None = None) -> Flow:
    flow = Flow(JSON)
    flow.open("bench", hub, epoch, since)
    return flow


def sent(flow: Flow, *, acknowledges: bool = True) -> list[dict[str, Any]]:
    """All that is sent now."""
    found = []
    while (message := flow.next()) is not None:
        found.append(json.loads(message))
        if acknowledges:
            flow.ack(flow.sent)
    return found


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "PIECE_ROWS", 2)


# -- credit --------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_pieces")
def test_who_never_acknowledges_gets_four_parts_of_a_snapshot_and_nothing_more() -> None:
    source, hub = many(20)
    flow = viewer(hub)
    assert kinds(sent(flow, acknowledges=False)) == ["snapshot", "status", "snapshot", "snapshot"]
    for _ in range(5):
        complete(source, 3)
        shown(source, hub)
        assert flow.next() is None and not flow.may_send


def test_who_never_acknowledges_gets_one_piece_of_news_and_nothing_more() -> None:
    source, hub = many(2)
    flow = viewer(hub)
    sent(flow)
    for count in range(10):
        complete(source, 1)
        shown(source, hub)
        assert len(sent(flow, acknowledges=False)) == (not count)


def test_what_changes_meanwhile_is_sent_together() -> None:
    source, hub = many(1)
    flow = viewer(hub)
    sent(flow)
    flow.watch([1])
    source.bench.send(on.suggested(1), on.started(1))
    shown(source, hub)
    assert [row[:2] for row in json.loads(flow.next() or b"")["rows"]] == [[1, "RUNNING"]]
    for step in range(30):
        source.bench.send(on.reported(1, step, 1.0))
        shown(source, hub)
        assert flow.next() is None
    source.bench.send(on.finished(1, 7.0))
    shown(source, hub)
    flow.ack(flow.sent)
    messages = {message["type"]: message for message in sent(flow)}
    assert [row[:2] for row in messages["delta"]["rows"]] == [[1, "COMPLETE"]]
    assert len(messages["points"]["curves"][0]["steps"]) == 30


def test_the_window_closes_with_the_last_part_of_the_snapshot() -> None:
    _, hub = many(3)
    flow = viewer(hub)
    assert kinds(sent(flow, acknowledges=False)) == ["snapshot"]
    flow.ack(1)
    assert kinds(sent(flow, acknowledges=False)) == ["status"]


def test_acknowledging_what_was_never_sent_is_unwelcome() -> None:
    _, hub = many(1)
    flow = viewer(hub)
    sent(flow)
    for received in (-1, flow.sent + 1, 2**62):
        with pytest.raises(Unwelcome, match="received"):
            flow.ack(received)
    flow.ack(0)
    assert flow.received == flow.sent  # an old one changes nothing


def test_statuses_points_and_rows_take_turns() -> None:
    source, hub = many(1)
    flow = viewer(hub)
    sent(flow)
    flow.watch([1])
    source.bench.send(on.suggested(1), on.started(1), on.reported(1, 0, 1.0))
    shown(source, hub)
    found: list[str] = []
    for step in range(1, 40):
        found += kinds([json.loads(flow.next() or b"{}")])
        flow.ack(flow.sent)
        source.bench.send(on.reported(1, step, 1.0))
        shown(source, hub)
    assert {found.count("delta"), found.count("points")} <= {18, 19, 20}


# -- snapshots and resuming ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_pieces")
def test_a_snapshot_comes_in_parts_and_the_status_after_the_first() -> None:
    _, hub = many(5)
    messages = sent(viewer(hub))
    assert kinds(messages) == ["snapshot", "status", "snapshot", "snapshot"]
    parts = [message for message in messages if message["type"] == "snapshot"]
    assert [(part["part"], part["last"], part["total"], len(part["rows"])) for part in parts] == [
        (0, False, 5, 2),
        (1, False, 5, 2),
        (2, True, 5, 1),
    ]
    assert ["info" in part for part in parts] == ["columns" in part for part in parts] == [True, False, False]


def test_a_sweep_without_trials_has_one_part() -> None:
    _, hub = many(0)
    snapshot, status = sent(viewer(hub))
    assert (snapshot["part"], snapshot["last"], snapshot["rows"]) == (0, True, [])
    assert [column["key"] for column in snapshot["columns"]] == ["x", "value"]
    assert status["total"] == 0


def test_who_comes_again_gets_what_it_missed() -> None:
    source, hub = many(5)
    client = Client()
    flow = viewer(hub)
    client.take(flow.next() or b"")
    complete(source, 2)
    shown(source, hub)
    first, *others = sent(viewer(hub, client.epoch, client.seq))
    assert (first["type"], first["from"], [row[0] for row in first["rows"]]) == ("delta", client.seq, [5, 6])
    assert "columns" in first
    assert kinds(others) == ["status"]


def test_who_comes_again_and_missed_nothing_is_told_so() -> None:
    _, hub = many(5)
    messages = sent(viewer(hub, hub.epoch, hub.seq))
    assert kinds(messages) == ["delta", "status"]
    assert (messages[0]["rows"], messages[0]["seq"]) == ([], hub.seq)


@pytest.mark.usefixtures("small_pieces")
def test_who_was_lost_in_the_middle_of_a_snapshot_goes_on_there() -> None:
    _, hub = many(9)
    client, flow = Client(), viewer(hub)
    for _ in range(3):
        client.take(flow.next() or b"")
    messages = sent(viewer(hub, client.epoch, client.seq))
    numbers = [row[0] for message in messages for row in message.get("rows", ())]
    assert [*client.rows, *numbers] == list(range(9))


@pytest.mark.parametrize(
    ("epoch", "since"),
    [(None, 3), ("", 3), ("other", 3), ("same", None), ("same", -1), ("same", 10**12)],
    ids=str,
)
def test_an_unknown_epoch_and_a_place_that_never_was_begin_anew(epoch: str | None, since: int | None) -> None:
    _, hub = many(5)
    first = sent(viewer(hub, hub.epoch if epoch == "same" else epoch, since))[0]
    assert (first["type"], first["part"], len(first["rows"])) == ("snapshot", 0, 5)


def test_a_new_epoch_is_a_new_snapshot_for_everybody() -> None:
    source, hub = many(3)
    flow = viewer(hub)
    epoch = sent(flow)[0]["epoch"]
    source.replace()
    shown(source, hub)
    first = sent(flow)[0]
    assert (first["type"], first["part"]) == ("snapshot", 0)
    assert first["epoch"] == hub.epoch != epoch


def test_nothing_is_sent_while_the_table_is_read_for_the_first_time() -> None:
    hub = Hub(opened(on.spec(), on.worker_joined()))
    assert viewer(hub).next() is None


def test_opening_again_begins_anew_and_counts_on() -> None:
    _, hub = many(2)
    flow = viewer(hub)
    sent(flow)
    flow.watch([0])
    before = flow.sent
    flow.open("bench", hub, None, None)
    assert kinds(sent(flow)) == ["snapshot", "status"]
    assert flow.sent == before + 2


def test_opening_ends_the_watching() -> None:
    _, hub, flow, _ = reporting(3)
    flow.open("bench", hub, None, None)
    assert "points" not in kinds(sent(flow))
    flow.watch([0])
    assert "points" in kinds(sent(flow))


# -- the end -------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("most_shown", [3, 1_000])
@pytest.mark.parametrize("seed", range(5))
def test_whose_seq_is_that_of_the_status_has_all_rows_of_it(seed: int, most_shown: int) -> None:
    random = Random(seed)
    source = opened(on.spec(n_trials=25), on.worker_joined())
    hub, client = Hub(source, most_shown=most_shown), Client()
    looked(hub)
    flow, n_complete = viewer(hub), 0
    for _ in range(1_000):
        if source.is_live:
            complete(source, random.randrange(3))
        shown(source, hub)
        for _ in range(random.randrange(4)):
            if (message := flow.next()) is not None:
                client.take(message)
                flow.ack(flow.sent)
        status = client.status
        if status and client.seq is not None and client.seq >= status["seq"] and client.epoch == hub.epoch:
            if status["state"] != "ENDED":
                continue
            n_complete += 1
            assert flow.next() is None
            assert {number: row[1] for number, row in client.rows.items()} == {
                number: "COMPLETE" for number in range(25) if hub.is_shown(number)
            }
    assert n_complete


# -- sharing -------------------------------------------------------------------------------------------------------------


def test_all_who_are_up_to_date_get_the_very_same_bytes() -> None:
    source, hub = many(3)
    flows = [viewer(hub) for _ in range(3)]
    for flow in flows:
        sent(flow)
    complete(source, 2)
    shown(source, hub)
    first, *others = [flow.next() for flow in flows]
    assert first is not None and all(other is first for other in others)


def test_rows_of_a_snapshot_are_encoded_once_though_the_sweep_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    source, hub = many(30)
    monkeypatch.setattr(rows_module, "PIECE_ROWS", 4)
    made = 0
    make = hub.rows._made

    def counted(*args: Any) -> Any:
        nonlocal made
        made += 1
        return make(*args)

    monkeypatch.setattr(hub.rows, "_made", counted)
    sent(viewer(hub))
    before = made
    complete(source, 1)
    shown(source, hub)
    client = Client()
    get(viewer(hub), client)
    assert len(client.rows) == 31
    assert before >= 8
    assert made - before <= 1  # the last, which was not full


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    source, hub = many(1)
    monkeypatch.setattr(rows_module, "KEPT_BYTES", 20_000)
    flow = viewer(hub)
    sent(flow)
    for _ in range(100):
        complete(source, 1)
        shown(source, hub)
        sent(flow)
    assert len(hub.rows._kept) <= 20


def test_a_row_longer_than_a_piece_is_sent_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "PIECE_BYTES", 100)
    _, hub = many(4)
    parts = [message for message in sent(viewer(hub)) if message["type"] == "snapshot"]
    assert [len(part["rows"]) <= 3 for part in parts] == [True] * len(parts)
    assert [row[0] for part in parts for row in part["rows"]] == [0, 1, 2, 3]


def test_wide_tables_have_few_rows_in_a_piece() -> None:
    columns = {f"p{n}": 1 for n in range(300)}
    source = opened(on.spec(n_trials=None, space={}), on.worker_joined())
    for number in range(60):
        source.bench.send(on.suggested(number, **columns), on.started(number), on.finished(number))
    hub = Hub(source)
    looked(hub)
    first = json.loads(viewer(hub).next() or b"")
    assert 0 < len(first["rows"]) < 30


def test_both_forms_say_the_same() -> None:
    _, hub = many(6)
    clients = []
    for form in (JSON, MSGPACK):
        flow, client = Flow(form), Client()
        flow.open("bench", hub, None, None)
        while (message := flow.next()) is not None:
            client.take(message, is_text=form is JSON)
            flow.ack(client.n_received)
        clients.append((client.rows, client.columns, {**client.status, "now": 0, "rate_per_s": 0}, client.info))
    assert clients[0] == clients[1]


# -- curves --------------------------------------------------------------------------------------------------------------


def reporting(n: int, **changes: Any) -> tuple[BenchSource, Hub, Flow, Client]:
    """A trial that runs and has made so many reports, and a viewer that watches it."""
    source = opened(on.spec(**changes), on.worker_joined(), on.suggested(0), on.started(0))
    report(source, 0, n)
    hub, client = Hub(source), Client()
    looked(hub)
    flow = viewer(hub)
    flow.watch([0, 5, -3, 10**15])
    get(flow, client)
    return source, hub, flow, client


def report(source: BenchSource, start: int, end: int, attempt: int = 1) -> None:
    for step in range(start, end):
        source.bench.send(on.reported(0, step, step / 2, attempt))


def get(flow: Flow, client: Client) -> None:
    while (message := flow.next()) is not None:
        client.take(message)
        flow.ack(flow.sent)


def test_a_curve_grows() -> None:
    source, hub, flow, client = reporting(2)
    assert client.curves == {0: (1, [0, 1], [0.0, 0.5])}
    report(source, 2, 5)
    shown(source, hub)
    get(flow, client)
    assert client.curves == {0: (1, [0, 1, 2, 3, 4], [0.0, 0.5, 1.0, 1.5, 2.0])}


def test_only_new_points_of_a_curve_are_sent() -> None:
    source, hub, flow, _ = reporting(3)
    report(source, 3, 4)
    shown(source, hub)
    curve = next(message for message in sent(flow) if message["type"] == "points")["curves"][0]
    assert curve == {"trial": 0, "attempt": 1, "from": 3, "of": 4, "steps": [3], "values": [1.5]}


def test_a_retry_empties_the_curve_and_begins_anew() -> None:
    source, hub, flow, client = reporting(3, retries=1)
    source.bench.send(on.failed(0))
    shown(source, hub)
    get(flow, client)
    assert client.curves == {0: (1, [], [])}
    source.bench.send(on.started(0, 2))
    report(source, 7, 9, attempt=2)
    shown(source, hub)
    get(flow, client)
    assert client.curves == {0: (2, [7, 8], [3.5, 4.0])}


def test_who_watches_again_after_a_retry_is_told_that_there_are_no_points_any_more() -> None:
    source, hub, flow, client = reporting(3, retries=1)
    flow.watch([])
    source.bench.send(on.failed(0))
    shown(source, hub)
    get(flow, client)
    assert len(client.curves[0][1]) == 3
    flow.watch([0])
    get(flow, client)
    assert client.curves == {0: (1, [], [])}
    assert "points" not in kinds(sent(flow))


def test_who_watches_again_after_a_drop_is_told_too() -> None:
    _, hub, flow, client = reporting(3)
    flow.watch([])
    hub.table.drop(0)
    hub._changes.touch(0)
    get(flow, client)
    flow.watch([0])
    get(flow, client)
    assert client.curves[0][1:] == ([], [])
    assert "points" not in kinds(sent(flow))


def test_nothing_is_said_of_a_curve_that_never_was() -> None:
    source = opened(on.spec(), on.worker_joined())
    source.bench.send(on.suggested(0), on.started(0), after_s=1.0)
    hub = Hub(source)
    looked(hub)
    flow = viewer(hub)
    flow.watch([-1, 0, 1, 2, 10**15])
    assert "points" not in kinds(sent(flow))
    source.bench.send(on.finished(0))
    shown(source, hub)
    assert "points" not in kinds(sent(flow))


def test_a_trial_that_is_dropped_has_an_empty_curve() -> None:
    source = opened(on.spec(reproducible=1, n_trials=3, target=0.5), on.worker_joined())
    source.bench.send(on.suggested(0), on.started(0))
    report(source, 0, 2)
    hub, client = Hub(source), Client()
    looked(hub)
    flow = viewer(hub)
    flow.watch([0])
    get(flow, client)
    hub.table.drop(0)
    hub._changes.touch(0)
    get(flow, client)
    assert (client.rows, client.curves) == ({}, {0: (1, [], [])})


def test_a_long_curve_is_thinned_by_powers_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves_module, "MOST_POINTS", 4)
    source, hub, flow, client = reporting(0)
    for n in range(1, 40):
        report(source, n - 1, n)
        shown(source, hub)
        get(flow, client)
        steps = client.curves[0][1]
        stride = stride_of(n)
        assert len(steps) <= 4
        assert steps == sorted({*range(0, n, stride), n - 1})
    assert stride_of(39) == 16


@pytest.mark.parametrize("n", [0, 1, 999, 1000, 1001, 1998, 1999, 2000, 2001, 12_345, 10**6])
def test_no_curve_has_more_than_a_thousand_points(n: int) -> None:
    stride = stride_of(n)
    assert stride & (stride - 1) == 0
    points = {*range(0, n, stride), *([n - 1] if n else [])}
    assert len(points) <= MOST_POINTS
    assert stride == 1 or len(points) > MOST_POINTS // 2 - 2


def test_many_long_curves_come_in_several_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves_module, "MESSAGE_POINTS", 4)
    source = opened(on.spec(n_trials=4, concurrency=4), on.worker_joined(slots=4))
    for number in range(4):
        source.bench.send(on.suggested(number), on.started(number))
        source.bench.send(*(on.reported(number, step, 1.0) for step in range(3)))
    hub, client = Hub(source), Client()
    looked(hub)
    flow = viewer(hub)
    flow.watch(range(4))
    messages = [message for message in sent(flow) if message["type"] == "points"]
    assert [len(message["curves"]) for message in messages] == [2, 2]
    assert not client.curves


def test_who_watches_others_gets_their_whole_curves_and_keeps_those_it_has() -> None:
    _, _, flow, client = reporting(3)
    flow.watch([0])
    assert [m for m in sent(flow) if m["type"] == "points"] == []
    flow.watch([])
    flow.watch([0])
    get(flow, client)
    assert client.curves[0][1] == [0, 1, 2]
