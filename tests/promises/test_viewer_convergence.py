"""R21: whatever befalls a viewer's connection, and however fast or slow it is, in the end it shows what there is.

The sweeps are those of the machine's own tests, in which anything can happen; their updates are shown late, skipped, and made void.
"""

from __future__ import annotations

import json
from collections import deque
from random import Random
from typing import Any

import pytest

from asyncsweep.viewer import changes, curves, hub, rows
from asyncsweep.viewer.curves import stride_of
from asyncsweep.viewer.flow import WINDOW_SNAPSHOT, Flow
from asyncsweep.viewer.forms import JSON, MSGPACK
from asyncsweep.viewer.hub import Hub
from tests.core.worlds import WEIGHTS, World, some_spec
from tests.viewer.histories import BenchSource, Client, shown, wire

N_RUNS = 200
# All but what our own driver says wrongly, which nobody is shown.
ACTED = {action: weight for action, weight in WEIGHTS.items() if action is not World.wrong}


class Visitor:
    """A client, its connection, and what is on the way."""

    def __init__(self, hub: Hub, random: Random) -> None:
        self.client = Client()
        self._hub = hub
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
        self.watched = random.sample(range(12), 4)
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
            self.watched = self._random.sample(range(12), self._random.randrange(6))
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
        self.source = BenchSource(self.world.bench, random.choice((3, 20, 10_000)))
        self.now = 0.0
        most_shown = random.choice((1, 3, 100))
        self.hub = Hub(self.source, most_shown=most_shown, clock=lambda: self.now)
        self.most_shown = most_shown
        self.visitors = [Visitor(self.hub, random) for _ in range(3)]

    def play(self) -> None:
        random, world = self.random, self.world
        for action in random.choices(list(ACTED), list(ACTED.values()), k=random.choice((20, 100, 250))):
            action(world, random.randrange(8), random.randrange(100))
            if random.random() < 0.6:
                self.source.publish(random.choice((1, 5, None)))
            if random.random() < 0.4:
                self.look()
            if random.random() < 0.01:
                self.source.replace()
            for visitor in self.visitors:
                if random.random() < 0.5:
                    visitor.act()

    def settle(self) -> None:
        self.world.drain()
        self.source.publish()
        self.look()
        for visitor in self.visitors:
            visitor.settle()

    def look(self) -> None:
        self.now += self.random.choice((0.1, 1.0, 10.0))
        self.hub.pull()
        while self.hub.has_work:
            self.hub.pull()

    def expected(self) -> dict[int, list[Any]]:
        """What a viewer who comes at the end, to a hub that saw nothing of all this, is shown."""
        hub = Hub(self.source, most_shown=self.most_shown)
        hub.pull()
        while hub.has_work:
            hub.pull()
        assert hub.stride <= self.hub.stride  # trials may have been dropped since there were most
        hub.stride = self.hub.stride
        columns = hub.column_fields()
        rows = {}
        for number, record in enumerate(self.source.trials):
            if hub.is_shown(number):
                row = json.loads(JSON.encode(hub.rows.row(number, record)))
                rows[number] = shown(row, columns)
        return rows

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
    n_rows = n_gone = 0
    for seed in range(first, first + 20):
        run = Run(seed)
        run.play()
        run.settle()
        expected = run.expected()
        for visitor in run.visitors:
            client = visitor.client
            assert client.shown() == expected, seed
            counts = {state.value: n for state, n in run.world.machine.life.counts.items()}
            assert (client.status["counts"], client.status["state"]) == (counts, "ENDED"), seed
            assert (client.status["total"], client.epoch) == (len(run.source.trials), run.hub.epoch), seed
            best = run.world.machine.best
            assert client.status["best"] == (
                None if best is None else {"number": best.number, "value": wire(best.value)}
            )
            for number in visitor.watched:
                assert client.curves.get(number, (0, [], []))[1:] == run.curve(number), (seed, number)
            n_rows += len(client.rows)
        n_gone += run.hub.stride > 1
    assert n_rows > 100
    assert n_gone > 0
