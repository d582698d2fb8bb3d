"""R21: whatever befalls a viewer's connection, and however fast or slow it is, in the end it shows what there is.

The sweeps are those of the machine's own tests, in which anything can happen; their updates are shown late, skipped, and made void.
"""

from __future__ import annotations

import json
from collections import deque
from random import Random
from typing import Any

import pytest

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.viewer import changes, curves, hub, rows
from asyncsweep.viewer.curves import stride_of
from asyncsweep.viewer.flow import WINDOW_SNAPSHOT, Flow
from asyncsweep.viewer.forms import JSON, MSGPACK
from tests.core.worlds import WEIGHTS, World, some_spec
from tests.viewer.histories import BenchSource, Client, shown, wire

N_RUNS = 200
# All but what our own driver says wrongly, which nobody is shown.
ACTED = {action: weight for action, weight in WEIGHTS.items() if action is not World.wrong}
ACTED |= {World.report: 40, World.stop: 2, World.reopen: 4}


class Visitor:
    """A client, its connection, and what is on the way."""

    def __init__(self, looked_at: hub.Hub, random: Random) -> None:
        self.client = Client()
        self._hub = looked_at
        self._random = random
        self._form = random.choice((JSON, MSGPACK))
        self._way: deque[bytes] = deque()
        self.watched: list[int] = []
        self._connect()

    def _connect(self) -> None:
        random, client = self._random, self.client
        self._way.clear()
        self._flow = Flow(self._form)
        client.connect_anew()
        epoch, since = random.choice(
            (
                *[(client.epoch, client.seq)] * 3,
                (None, None),
                ("another", client.seq),
                (client.epoch, 10**9),
                (client.epoch, -1),
            )
        )
        self._flow.open("bench", self._hub, epoch, since)
        self.watched = random.sample(range(8), 5)
        self._flow.watch(self.watched)

    def send(self) -> None:
        """The server's turn."""
        message = self._flow.next()
        if message is not None:
            self._way.append(message)
            assert len(self._way) <= WINDOW_SNAPSHOT
            assert self._flow.sent - self._flow.received <= WINDOW_SNAPSHOT

    def receive(self) -> None:
        if self._way:
            self.client.take(self._way.popleft(), self._form is JSON)

    def acknowledge(self) -> None:
        self._flow.ack(self.client.n_received)

    def lose(self) -> None:
        self._connect()

    def act(self) -> None:
        roll = self._random.random()
        if roll < 0.35:
            self.send()
        elif roll < 0.65:
            self.receive()
        elif roll < 0.92:
            self.acknowledge()
        elif roll < 0.97:
            self.watched = self._random.sample(range(8), self._random.randrange(6))
            self._flow.watch(self.watched)
        else:
            self.lose()

    def settle(self) -> None:
        """From now on nothing is lost."""
        for _ in range(1_000):
            self.receive()
            self.acknowledge()
            self.send()
            if not self._way:
                return
        raise AssertionError("there is no end of messages")


class Run:
    """A sweep, its hub, and those who look."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.world = World(some_spec(random.randrange(30), random.randrange(100)), keep_states=False)
        self.source = BenchSource(self.world.bench, random.choice((1, 3, 20, 10_000)))
        self.now = 0.0
        most_shown = random.choice((1, 3, 100))
        self.hub = hub.Hub(self.source, most_shown=most_shown, clock=lambda: self.now)
        self.most_shown = most_shown
        self.visitors = [Visitor(self.hub, random) for _ in range(3)]

    def play(self) -> None:
        random, world = self.random, self.world
        for action in random.choices(list(ACTED), list(ACTED.values()), k=random.choice((5, 15, 60))):
            action(world, random.randrange(8), random.randrange(100))
            if random.random() < 0.6:
                self.source.publish(random.choice((1, 5, None)))
            if random.random() < 0.4:
                self.look()
            if random.random() < 0.01:
                self.source.replace()
            for visitor in self.visitors:
                visitor.act()

    def settle(self) -> None:
        """Nothing happens any more, and everybody gets what there is."""
        self.source.publish()
        self.look()
        self.now += 1.0  # until the status is told
        self.look()
        for visitor in self.visitors:
            visitor.settle()

    def check(self) -> None:
        """Every viewer shows what there is."""
        expected, source = self.expected(), self.source
        best = source.best
        for visitor in self.visitors:
            client = visitor.client
            assert without_launches(client.shown()) == expected
            counts = dict.fromkeys(State, 0)
            for trial in published(source):
                counts[trial.state] += 1
            assert client.status["counts"] == {state.value: n for state, n in counts.items()}
            assert client.status["state"] == source.stand.state
            assert (client.status["total"], client.epoch) == (sum(counts.values()), self.hub.epoch)
            assert client.status["best"] == (best and {"number": best.number, "value": wire(best.metric_values[0])})
            for number in visitor.watched:
                assert client.curves.get(number, (0, [], []))[1:] == self.curve(number), number

    def look(self) -> None:
        self.now += self.random.choice((0.1, 1.0, 10.0))
        self.hub.pull()
        while self.hub.has_work:
            self.hub.pull()

    def expected(self) -> dict[int, list[Any]]:
        """What a viewer who comes at the end, to a hub that saw nothing of all this, is shown."""
        fresh = hub.Hub(self.source, most_shown=self.most_shown)
        fresh.pull()
        while fresh.has_work:
            fresh.pull()
        assert fresh.stride <= self.hub.stride  # trials may have been dropped since there were most
        fresh.stride = self.hub.stride
        columns, found = fresh.column_fields(), {}
        for trial in published(self.source):
            if fresh.is_shown(trial.number):
                row = json.loads(JSON.encode(fresh.rows.row(trial.number, trial)))
                found[trial.number] = shown(row, columns)
        return without_launches(found)

    def curve(self, number: int) -> tuple[list[Any], list[Any]]:
        """The whole curve of a trial."""
        trials = self.source.trials
        if number >= len(trials):
            return [], []
        reports = list(trials[number].reports)
        stride = stride_of(len(reports))
        few = [(step, wire(value)) for step, value in reports][::stride]
        if reports and (len(reports) - 1) % stride:
            few.append((reports[-1][0], wire(reports[-1][1])))
        return [str(step) if step > 2**53 else step for step, _ in few], [value for _, value in few]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is cut into pieces is, though the sweeps are small."""
    for module, name, value in (
        (rows, "PIECE_ROWS", 3),
        (rows, "PIECE_LOOKS", 5),
        (rows, "KEPT_BYTES", 5_000),
        (changes, "SEGMENT", 8),
        (hub, "STEP_UPDATES", 4),
        (hub, "STEP_RECORDS", 3),
        (curves, "MOST_POINTS", 3),
        (curves, "MESSAGE_POINTS", 2),
    ):
        monkeypatch.setattr(module, name, value)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("first", range(0, N_RUNS, 20))
def test_every_viewer_shows_in_the_end_what_there_is(first: int) -> None:
    n_rows = n_sampled = 0
    for seed in range(first, first + 20):
        run = Run(seed)
        try:
            for _ in range(5):
                run.play()
                run.settle()
                run.check()
            run.world.drain()
            run.settle()
            run.check()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        n_rows += sum(len(visitor.client.rows) for visitor in run.visitors)
        n_sampled += run.hub.stride > 1
    assert n_rows > 100
    assert n_sampled > 0


def without_launches(rows: dict[int, list[Any]]) -> dict[int, list[Any]]:
    """Rows without the attempts of those that wait: a launch that was taken back leaves a trace in the record alone."""
    return {number: [*row[:2], None, *row[3:]] if row[1] == "WAITING" else row for number, row in rows.items()}


def published(source: BenchSource) -> list[TrialRecord]:
    """The trials of which something was said."""
    return [trial for trial in source.trials if trial.is_final or trial.param_names is not None]
