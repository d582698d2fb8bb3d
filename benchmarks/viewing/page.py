"""From the end of a trial to its line in the parallel plot of a real Chromium, with so many trials there already."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from typing import Any, NamedTuple

import anyio
from playwright.async_api import Browser, Page, async_playwright

import asyncsweep as sw
from asyncsweep.viewer.hub import MOST_SHOWN
from benchmarks.sweeping.space import EIGHT
from benchmarks.viewing.hands import Hands, use

CHROMIUM = "/usr/bin/chromium"
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_RUNNING = 8
_PAINTED_S = 120.0
# How many trials the plot draws; of more a sample (sample.js).
MOST_DRAWN = 20_000
_USED_AT = 50.0

# Once for each frame: which trials the plot has that it did not have in the frame before. By the next frame these are on the screen. What is
# appended stands at the end; also when everything is drawn anew, those that have just ended are near it.
_LOOK = """() => {
  const seen = window.__seen = {painted: {}, frames: [], tasks: []};
  new PerformanceObserver((list) => { for (const task of list.getEntries()) seen.tasks.push(task.duration); }).observe({type: "longtask"});
  let known = null, fresh = [], before = performance.now(), length = 0, last = null;
  const look = () => {
    if (seen !== window.__seen) return;
    const now = Date.now(), frame = performance.now();
    seen.frames.push(frame - before);
    before = frame;
    for (const uid of fresh) seen.painted[uid] = now;
    fresh = [];
    let fiber = document.querySelector(".parallel-plot")?._reactRootContainer?._internalRoot.current;
    while (fiber && typeof fiber.stateNode?.createNewParamsDef !== "function") fiber = fiber.child;
    const rows = fiber?.stateNode.state.rows_all_unfiltered ?? [];
    if (known === null) known = new Set(rows.map(({uid}) => uid));
    else if (rows.length !== length || rows.at(-1)?.uid !== last) for (const {uid} of rows.slice(-2000)) {
      if (known.has(uid)) continue;
      known.add(uid);
      fresh.push(uid);
    }
    [length, last] = [rows.length, rows.at(-1)?.uid];
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
_PEEK = """() => {
  let fiber = document.querySelector(".parallel-plot")?._reactRootContainer?._internalRoot.current;
  while (fiber && typeof fiber.stateNode?.createNewParamsDef !== "function") fiber = fiber.child;
  const rows = fiber?.stateNode.state.rows_all_unfiltered ?? [];
  return %s;
}"""
_ROWS = _PEEK % "rows.length"
_LEFT_OUT = _PEEK % "rows.filter(({uid}) => Number(uid) % 2).length"


class Painted(NamedTuple):
    """What one measurement gave.

    Attributes:
        p50: Milliseconds from the end of a trial to its line.
        p99: The same.
        n: Of how many trials; fewer than ended where a sample is drawn.
        n_ended: How many ended.
        blocked: The share of the time in which the page's thread was busy for longer than 50 ms at a stretch.
        longest_task: The longest such stretch, in ms; 0 if there was none.
        longest_frame: The longest time between two frames, in ms.
    """

    p50: float
    p99: float
    n: int
    n_ended: int
    blocked: float
    longest_task: float
    longest_frame: float


class Shown(NamedTuple):
    """What one page did.

    Attributes:
        first: Milliseconds from opening the page to the plot of what was there.
        sampled: From the first trial too many until the sample is drawn in the place of all; None where all are sent.
        painted: For each rate.
        hands: How long it took to do what a user asked for while 50 trials per second ended.
        says: What the page says of how many are shown.
        draws: What it says of how many the plot draws.
    """

    first: float
    sampled: float | None
    painted: dict[float, Painted]
    hands: Hands
    says: str
    draws: str


class Growing:
    """A sweep that has so many trials, and gets more at a rate of one's choice."""

    def __init__(self, n_before: int) -> None:
        self._n_before = n_before
        self._tickets = anyio.Semaphore(0)
        self.ended_at: dict[int, float] = {}

    async def objective(self, trial: Any) -> float:
        if trial.number >= self._n_before:
            await self._tickets.acquire()
            self.ended_at[trial.number] = time.time()
        found = sum(value for value in trial.params.values() if isinstance(value, float))
        return float(found)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[tuple[sw.SweepRun, Any]]:
        """The sweep, served; all trials of before have ended."""
        sweep = sw.Sweep(self.objective, EIGHT, sampler="random", n_trials=None, concurrency=_RUNNING, seed=1)
        async with sweep.start() as run, sw.serve(run) as viewer:
            async for update in run.updates():
                if isinstance(update, sw.TrialFinished) and run.counts[sw.State.COMPLETE] >= self._n_before:
                    break
            yield run, viewer
            run.stop(now=True)

    def let(self, n: int) -> None:
        """So many more may end."""
        for _ in range(n):
            self._tickets.release()

    async def grow(self, rate: float, seconds: float) -> None:
        began, n = time.monotonic(), 0
        while (elapsed := time.monotonic() - began) < seconds:
            while n < elapsed * rate:
                self.let(1)
                n += 1
            await anyio.sleep(min(0.01, 1 / rate))


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


async def shown(browser: Browser, n_before: int, rates: list[float], seconds: float, n_times: int) -> Shown:
    """What the page does at each rate, and when it is used; it stays open for all of it."""
    growing, found = Growing(n_before), {}
    async with growing.run() as (_, viewer):
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        began = time.monotonic()
        await page.goto(viewer.url)
        first = await _settled(page, n_before, began)
        await page.evaluate(_LOOK)
        sampled = await _sampled(page, growing) if n_before >= MOST_SHOWN else None
        for rate in rates:
            # Of a sample, enough trials have to end.
            found[rate] = await _painted(page, growing, rate, max(seconds, 250 / rate) if sampled else seconds)
        done = Hands([], [], [], [])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(growing.grow, _USED_AT, 3600.0)
            done = await use(page, n_times)
            tasks.cancel_scope.cancel()
        says, draws = await page.inner_text("#shown"), await page.inner_text("#parallel .chart-note")
        await page.close()
    return Shown(first, sampled, found, done, says, draws)


async def _painted(page: Page, growing: Growing, rate: float, seconds: float) -> Painted:
    await page.wait_for_timeout(1000)
    growing.ended_at.clear()
    await page.evaluate("() => { window.__seen.frames.length = window.__seen.tasks.length = 0; }")
    measured_from = time.monotonic()
    await growing.grow(rate, seconds)
    await page.wait_for_timeout(2000)
    elapsed_ms = (time.monotonic() - measured_from) * 1000
    seen = await page.evaluate("() => window.__seen")
    ended = growing.ended_at
    late = sorted(at - ended[int(uid)] * 1000 for uid, at in seen["painted"].items() if int(uid) in ended)
    if len(late) < 2:
        raise RuntimeError(f"{rate:g} rows/s: only {len(late)} of {len(ended)} were seen painted")
    tasks = seen["tasks"]
    return Painted(
        median(late),
        late[min(len(late) - 1, len(late) * 99 // 100)],
        len(late),
        len(ended),
        sum(tasks) / elapsed_ms,
        max(tasks, default=0.0),
        max(seen["frames"]),
    )


async def _sampled(page: Page, growing: Growing) -> float:
    """Have one trial more than the server sends; milliseconds until the page has drawn the sample that comes instead."""
    began = time.monotonic()
    growing.let(1)
    while await page.evaluate(_LEFT_OUT) > 1:  # of every second one, and the best
        if time.monotonic() - began > _PAINTED_S:
            raise RuntimeError(f"the page has drawn no sample after {_PAINTED_S:g} s")
        await page.wait_for_timeout(20)
    return await _settled(page, MOST_SHOWN // 2, began)


async def _settled(page: Page, n_there: int, began: float) -> float:
    """Milliseconds until the page has so many trials, and the plot has drawn what it draws of them."""
    before, since = -1, began
    n_wanted, quiet_s = (n_there, 1.0) if n_there <= MOST_DRAWN else (1, 5.0)
    while time.monotonic() - began < _PAINTED_S:
        n = await page.evaluate(_ROWS)
        if n != before:
            before, since = n, time.monotonic()
        elif n >= n_wanted and time.monotonic() - since > quiet_s:
            if int((await page.inner_text("#shown b")).replace(",", "")) >= n_there:
                return (since - began) * 1000
        await page.wait_for_timeout(20)
    raise RuntimeError(f"the plot has {before} rows after {_PAINTED_S:g} s")
