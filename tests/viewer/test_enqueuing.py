"""What is enqueued from the page and over the stream: the very choices and numbers of the space."""

from __future__ import annotations

import math
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import BlockingPortal

import asyncsweep as sw
from asyncsweep.core import events as ev
from asyncsweep.space import Constant
from asyncsweep.space.values import identity
from asyncsweep.testing import events as on
from asyncsweep.viewer.following import JournalSource
from asyncsweep.viewer.forms import JSON
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.requests import Answers
from asyncsweep.viewer.running import RunSource
from asyncsweep.viewer.source import Source
from tests.viewer.browser import Pages, Sync, expect
from tests.viewer.histories import BenchSource, opened
from tests.viewer.test_requests import Asker, Steered

CHOICES: list[Any] = ["sgd", True, None, 3, "3", b"\x00", math.nan]
LARGE = 2**60 + 1


async def never_ends(trial: sw.Trial) -> float:
    await anyio.sleep_forever()
    return 0.0


@asynccontextmanager
async def paused(space: dict[str, Any], **options: Any) -> AsyncIterator[sw.SweepRun]:
    """A run whose enqueued parameters wait."""
    sweep = sw.Sweep(never_ends, space, sampler="random", n_trials=100, concurrency=1, **options)
    async with sweep.start() as run:
        run.pause()
        while not run.is_paused:
            await anyio.lowlevel.checkpoint()
        yield run
        run.stop(now=True)


@asynccontextmanager
async def served(space: dict[str, Any]) -> AsyncIterator[tuple[sw.SweepRun, str]]:
    async with paused(space) as run, sw.serve(run, control=True) as viewer:
        yield run, viewer.url


def enqueued(run: sw.SweepRun) -> list[dict[str, Any]]:
    return list(run._driver.machine.life.enqueued)


def is_same(found: list[Any], wanted: list[Any]) -> bool:
    return [identity(value) for value in found] == [identity(value) for value in wanted]


# -- the page ------------------------------------------------------------------------------------------------------------


def test_each_choice_is_enqueued_as_itself_from_the_page(page_at: Pages, portal: BlockingPortal) -> None:
    space = {"opt": sw.Categorical(CHOICES[:5]), "n": sw.Int(0, 2**62)}
    with portal.wrap_async_context_manager(served(space)) as (run, url):
        page: Sync = page_at(url)
        for place in range(5):
            page.get_by_role("button", name="Enqueue …").click()
            form = page.locator("#question")
            form.get_by_label("opt").select_option(str(place))
            form.get_by_label("n whole").fill(str(LARGE))
            form.get_by_role("button", name="Enqueue").click()
            expect(form).to_be_hidden()
        expect(page.locator("#facts")).to_contain_text("Enqueued5")
        found = portal.call(lambda: _waiting(run))
        assert is_same([params["opt"] for params in found], CHOICES[:5])
        assert {params["n"] for params in found} == {LARGE}


async def _waiting(run: sw.SweepRun) -> list[dict[str, Any]]:
    return enqueued(run)


# -- the stream ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="as-", dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield


class Viewer(Asker):
    """One that may steer any source."""

    def __init__(self, source: Source) -> None:
        self.hub = Hub(source)
        self._answers = Answers(JSON, True)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("is_elsewhere", [False, True], ids=["here", "elsewhere"])
async def test_each_choice_and_number_reaches_the_run(tmp_path: Path, runtime_folder: None, is_elsewhere: bool) -> None:
    space = {
        "opt": sw.Categorical(CHOICES),
        "x": sw.Float(0.0, 1e300),
        "n": sw.Int(-(2**62), 2**62),
        "fixed": Constant(b"\x01", when={"opt": "sgd"}),
    }
    async with paused(space, directory=tmp_path / "a sweep") as run, sw.control(run):
        source = await JournalSource.open(tmp_path / "a sweep") if is_elsewhere else RunSource(run)
        if isinstance(source, JournalSource):
            await source.look()
        viewer = Viewer(source)
        await viewer.hub.catch_up()
        for place in range(len(CHOICES)):
            numbers = {"x": str(2**60), "n": str(-LARGE)}
            answer = await viewer.ask("enqueue", params=numbers, choices={"opt": place})
            assert answer.get("ok"), answer
        assert (await viewer.ask("enqueue", params={}, choices={"opt": 0, "fixed": 0})).get("ok")
        found = enqueued(run)
        assert is_same([params["opt"] for params in found], [*CHOICES, "sgd"])
        assert is_same([found[0]["x"], found[0]["n"]], [float(2**60), -LARGE])
        assert found[-1]["fixed"] == b"\x01"
        for fields, said in REFUSED:
            assert said in (await viewer.ask("enqueue", **fields))["error"]
        assert len(enqueued(run)) == len(CHOICES) + 1
        if isinstance(source, JournalSource):
            source.close()


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"params": {}, "choices": {"opt": 7}}, "'opt': 7 is no place among its 7 choices"),
    ({"params": {}, "choices": {"opt": -1}}, "'opt': -1 is no place among its 7 choices"),
    ({"params": {}, "choices": {"x": 0}}, "'x' has no choices"),
    ({"params": {}, "choices": {"y": 0}}, "'y' has no choices"),
    ({"params": {"opt": "sgd"}, "choices": {"opt": 0}}, "'opt' is in `params` and in `choices`"),
    ({"params": {}, "choices": {"opt": "0"}}, "enqueue: choices[...]: expected `int`, got `str`"),
    ({"params": {}, "choices": [0]}, "enqueue: choices: expected `object | null`, got `array`"),
    ({"params": {"n": "1.5"}}, "parameter 'n': '1.5' is no whole number"),
    ({"params": {"n": "9" * 5000}}, "is no whole number"),
    ({"params": {"x": "1_0"}}, "parameter 'x': '1_0' is no number"),
    ({"params": {"x": "NaN"}}, "parameter 'x': 'NaN' is no finite number"),
]


def found_by_trials() -> BenchSource:
    """A sweep whose objective asks for its parameters."""
    source = opened(on.spec(n_trials=None, space={}), on.worker_joined(), on.suggested(0), on.started(0))
    source.bench.send(on.param_asked(0, "opt", sw.Categorical(CHOICES)), on.param_suggested(0, "opt", None))
    source.bench.send(on.param_asked(0, "n", sw.Int(0, 2**62)), on.param_suggested(0, "n", 1))
    return source


@pytest.mark.anyio
async def test_choices_that_trials_brought_are_known_by_their_places() -> None:
    source = found_by_trials()
    source.commands = steered = Steered()
    asker = Asker(source, may_control=True)
    for place in range(len(CHOICES)):
        assert (await asker.ask("enqueue", params={"n": str(LARGE), "new": "5"}, choices={"opt": place}))["ok"]
    given = [fields["params"] for _, fields in steered.given]
    assert is_same([params["opt"] for params in given], CHOICES)
    assert (given[0]["n"], given[0]["new"]) == (LARGE, "5")
    error = (await asker.ask("enqueue", params={}, choices={"opt": 7}))["error"]
    assert error == "enqueue: 'opt': 7 is no place among its 7 choices"


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_a_stream_has_of_a_trial_can_be_enqueued() -> None:
    long = "a" * 2_000
    space = {
        "opt": sw.Categorical([*CHOICES, [1, math.nan], long]),
        "n": sw.Int(LARGE - 1, LARGE),
        "k": Constant(b"\x05"),
        "only": Constant(5, when={"n": LARGE}),
    }
    waiting = [{"opt": choice, "n": LARGE} for choice in space["opt"].choices]
    async with (
        paused(space, enqueue=waiting) as run,
        sw.serve(run, control=True) as viewer,
        sw.connect(viewer.url) as stream,
    ):
        run.unpause()
        for number in range(len(CHOICES) + 2):
            while not stream.trials.get(number, {}).get("params"):
                await anext(stream)
            run.cancel_trial(number)
        run.pause()
        while not run.is_paused:
            await anyio.lowlevel.checkpoint()
        for number in range(len(CHOICES) + 2):
            await stream.enqueue(stream.trials[number]["params"])
        found = [params["opt"] for params in enqueued(run)]
        assert is_same(found, list(space["opt"].choices))
        assert all((params["n"], params["only"]) == (LARGE, 5) for params in enqueued(run))
        await stream.enqueue({"opt": True, "k": b"\x05"})
        assert is_same([enqueued(run)[-1]["opt"]], [True])
        with pytest.raises(sw.ConfigError, match="'adam'"):
            await stream.enqueue({"opt": "adam"})
        with pytest.raises(sw.ConfigError, match="'k'"):
            await stream.enqueue({"k": "06"})


@pytest.mark.anyio
async def test_the_status_tells_how_many_are_enqueued() -> None:
    source = opened(on.spec(n_trials=5), on.worker_joined())
    hub = Hub(source)
    await hub.catch_up()
    seq = hub.seq
    source.bench.send(ev.Paused(), ev.Enqueued({"x": 0.5}))
    with anyio.fail_after(5):
        await hub.newer(seq, -1)
    assert hub.status()["enqueued"] == len(source.machine.life.enqueued) == 1
