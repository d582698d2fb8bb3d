"""`sw.connect` and `sw.serve` together: real sweeps, a real server, and connections that are cut."""

from __future__ import annotations

import asyncio
import math
import random
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import asyncsweep as sw
from asyncsweep.viewer import keeping
from asyncsweep.viewer.client import Stream

pytestmark = pytest.mark.anyio

CHOICES: list[Any] = ["sgd", None, True, 2**60, [1, math.nan]]
SPACE = {"x": sw.Float(0, 1), "n": sw.Int(2**60, 2**62), "opt": sw.Categorical(CHOICES), "k": 30}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def objective(trial: sw.Trial) -> dict[str, float]:
    for step in range(4):
        trial.report(math.nan if step == 2 else trial.params["x"] + step, step)
        await asyncio.sleep(0.003)
    if trial.number % 7 == 3:
        raise ValueError("no")
    return {"value": math.inf if trial.number == 5 else trial.params["x"], "size": 2.0}


def sweep(directory: Path | None = None, **settings: Any) -> sw.Sweep:
    return sw.Sweep(
        objective, SPACE, sampler="random", **{"n_trials": 30, "concurrency": 3, "directory": directory, **settings}
    )


def told(result: sw.Result) -> dict[int, Any]:
    """What a stream is to tell of a sweep's trials."""
    texts = {"sgd": "sgd", "None": "None", "True": "True", str(2**60): str(2**60), "[1, nan]": '[1, "NaN"]'}
    return {
        trial.number: {
            "number": trial.number,
            "state": trial.state.value,
            "attempt": trial.attempt,
            "started_at": trial.started_at,
            "duration_s": trial.duration_s,
            "last_report": (3, trial.params["x"] + 3),
            "error": None if trial.error is None else str(trial.error),
            "params": {**trial.params, "opt": texts[str(trial.params["opt"])], "k": "30"},
            "metrics": trial.metrics,
            "constraints": {},
        }
        for trial in result.trials
    }


async def test_a_sweep_is_followed_to_its_end_and_everything_can_be_asked(tmp_path: Path) -> None:
    started = sweep(tmp_path / "first").start()
    async with asyncio.timeout(30), started as run, sw.serve(run) as viewer, sw.connect(viewer.url) as stream:
        seen = {number async for change in stream for number in change.trials}
        result = await run.result()
        assert seen == set(range(30))
        assert dict(stream.trials) == told(result)
        assert [type(stream.trials[0]["params"][name]) for name in ("x", "n")] == [float, int]
        assert (stream.status.state, stream.status.reason) == ("ENDED", "n_trials reached")
        assert result.best is not None and stream.status.best is not None
        assert (stream.status.best.number, stream.status.best.value) == (result.best.number, result.best.value)
        assert (stream.info.name, stream.info.executor, stream.sweeps) == ("first", "inline", ("first",))
        detail = await stream.trial(5)
        assert (detail["metrics"], detail["n_reports"]) == ({"value": math.inf, "size": 2.0}, 4)
        assert detail["params"]["n"] == result.trials[5].params["n"]
        assert (await stream.trial(3))["error"]["message"] == "no"
        assert str(await stream.curve(3)) == str(list(result.trials[3].reports))
        result.to_csv(tmp_path / "trials.csv")
        assert await stream.csv() == (tmp_path / "trials.csv").read_bytes().decode()
        with pytest.raises(sw.ConfigError, match="there is no trial 30; the sweep has 30"):
            await stream.trial(30)


def printing(trial: sw.Trial) -> float:
    sys.stdout.write(f"{'ü' * 100_000} {trial.number}\n")
    return 1.0


async def test_a_log_of_several_pieces_is_whole(tmp_path: Path) -> None:
    made = sw.Sweep(
        printing, {"x": sw.Float(0, 1)}, sampler="random", n_trials=1, directory=tmp_path / "s", executor="process"
    )
    async with asyncio.timeout(30), made.start() as run:
        await run.result()
        async with sw.serve(run) as viewer, sw.connect(viewer.url) as stream:
            assert await stream.log(0) == "ü" * 100_000 + " 0\n"
            assert (await stream.log(0, offset=-3)) == " 0\n"


async def waiting(trial: sw.Trial) -> float:
    await asyncio.sleep(60)
    return 1.0


async def test_a_sweep_is_steered_from_elsewhere() -> None:
    made = sw.Sweep(waiting, {"x": sw.Float(0, 1)}, sampler="random", n_trials=9, concurrency=2)
    async with (
        asyncio.timeout(30),
        made.start() as run,
        sw.serve(run, control=True) as viewer,
        sw.connect(viewer.url) as stream,
    ):
        assert stream.may_control
        await stream.enqueue({"x": 0.125})
        await stream.pause()
        await stream.cancel_trial(0)
        while stream.status.state != "PAUSED" or stream.trials[0]["state"] != "CANCELLED":
            await anext(stream)
        await stream.unpause()
        while not any(trial["params"].get("x") == 0.125 for trial in stream.trials.values()):
            await anext(stream)
        with pytest.raises(sw.ConfigError, match="'x'"):
            await stream.enqueue({"x": 7})
        await stream.stop("enough", now=True)
        async for _ in stream:
            pass
        assert (stream.status.state, stream.status.reason, run.is_over) == ("ENDED", "enough", True)


async def test_the_right_token_and_the_right_sweep_are_needed() -> None:
    async with asyncio.timeout(30), sweep().start() as run, sw.serve({"one": run, "two": run}) as viewer:
        for url, options, told in (
            (viewer.url[:-1] + "~", {}, "the server refuses the token"),
            (viewer.url.partition("#")[0], {}, "lets nobody in without a token"),
            (viewer.url.replace("/#", "/prefix/#"), {}, "there is no viewer under this path"),
            (viewer.url, {}, "has several; name one of: one, two"),
            (viewer.url, {"sweep": "onee"}, r"no such sweep \(did you mean 'one'\?\); there are: one, two"),
        ):
            with pytest.raises(sw.ConfigError, match=told):
                async with sw.connect(url, **options):  # type: ignore[arg-type]
                    pass
        async with sw.connect(viewer.url, sweep="two") as stream:
            assert stream.info.n_trials == 30


class Cut:
    """A proxy before a server, on a port of its own: the first connections are cut after so many bytes of the server's.

    Attributes:
        over: Set when a connection has come that is not cut.
    """

    def __init__(self, to: int, after_bytes: list[int]) -> None:
        self._to = to
        self._after_bytes = after_bytes
        self.port = 0
        self.over = asyncio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Cut]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left_bytes = self._after_bytes.pop(0) if self._after_bytes else None
        if left_bytes is None:
            self.over.set()
        there, back = await asyncio.open_connection("127.0.0.1", self._to)

        async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, left_bytes: int | None) -> None:
            with suppress(OSError):
                while data := await source.read(2**14):
                    target.write(data[:left_bytes])
                    await target.drain()
                    if left_bytes is not None:
                        left_bytes -= len(data)
                        if left_bytes <= 0:
                            break
            target.close()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(carry(reader, back, None))
            await carry(there, writer, left_bytes)
            back.close()


def at(url: str, port: int) -> str:
    """The address with another port; the Host and the Origin are those of that port."""
    before, _, after = url.rpartition("/#")
    return f"{before.rpartition(':')[0]}:{port}/#{after}"


async def follow(stream: Stream, mirror: dict[int, Any]) -> None:
    """Keep a table of one's own, from the changes alone."""
    async for change in stream:
        for number in change.trials:
            mirror[number] = stream.trials[number]
        for number in change.gone:
            del mirror[number]


@pytest.mark.parametrize("seed", range(3))
async def test_a_client_whose_connection_is_cut_again_and_again_converges(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "LONGEST_DELAY_S", 0.1)
    rng, mirror = random.Random(seed), dict[int, Any]()
    async with asyncio.timeout(40), sweep(n_trials=None).start() as run, sw.serve(run) as viewer:
        sizes = [20_000, *(rng.choice([300, 800, 2_000, 4_000]) + rng.randrange(300) for _ in range(8))]
        async with Cut(viewer.port, sizes).listening() as way, sw.connect(at(viewer.url, way.port)) as stream:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(follow(stream, mirror))
                await way.over.wait()
                run.stop("enough")
            assert mirror == dict(stream.trials) == told(await run.result())


async def test_a_client_goes_on_with_a_server_that_was_started_again() -> None:
    mirror: dict[int, Any] = {}
    token = "5RkQ2b8WmN4xT7vZ1cLpY9hJ3sDfG6aE"
    async with asyncio.timeout(30), sweep(n_trials=None).start() as run, AsyncExitStack() as stack:
        async with sw.serve(run, token=token) as viewer:
            stream = await stack.enter_async_context(sw.connect(viewer.url))
            await anext(stream)
            mirror.update(stream.trials)
        async with sw.serve(run, port=viewer.port, token=token):
            await anext(stream)
            mirror.update(stream.trials)
            run.stop("enough")
            await follow(stream, mirror)
        assert mirror == told(await run.result())
