"""A host that is 50 ms away: how long things take, on a machine that does other things too."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from asyncsweep_ssh.executor import SshExecutor
from asyncsweep_ssh.testing import BARE_PYTHON, Keys, Relay, Server

from asyncsweep.core import events as ev
from asyncsweep.core.effects import AnswerVerdict
from asyncsweep.hooks.contracts import ObjectiveSpec, Setup, VerdictSteps

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
CODE = Path(__file__).parent / "code"
ROUND_TRIP_S = 0.05


@pytest.fixture
def far(keys: Keys, near: Server) -> Iterator[str]:
    relay = Relay(near.address, near.port, ROUND_TRIP_S / 2)
    try:
        keys.add("far", "127.0.0.1", relay.port, near.host_key)
        yield "far"
    finally:
        relay.close()
        keys.config.write_text(keys.config.read_text().partition("Host far\n")[0])


async def test_a_verdict_takes_little_more_than_the_round_trip(keys: Keys, far: str) -> None:
    from asyncsweep.testing.executor_suite.stand import Stand

    executor = SshExecutor([{"host": far, "python": BARE_PYTHON}], code=CODE, config=str(keys.config))
    spec = ObjectiveSpec("distance:asks", b"", ("x",), ("x",), ("value",))
    stand = Stand(executor, 20.0)
    stand.answer_with(ev.VerdictAsked, AnswerVerdict(0, 1, 0, False))
    async with executor.open(Setup(None, spec, 1, VerdictSteps(), None, 1.0), stand):
        await stand.launch()
        with anyio.fail_after(20):
            first = await stand.next(ev.VerdictAsked)
        finished = await stand.end()
    assert isinstance(finished, ev.Finished)
    waits = (await stand.next(ev.AttrSet)).value
    assert first.step == 0
    assert ROUND_TRIP_S <= statistics.median(waits) < ROUND_TRIP_S + 0.05
