"""From the end of a trial to its line in the parallel plot of a real Chromium, with so many trials there already."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import quantiles
from typing import Any, NamedTuple

import anyio
from playwright.async_api import Browser, async_playwright
from space8 import SPACE

import asyncsweep as sw

CHROMIUM = "/usr/bin/chromium"
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_RUNNING = 8
_PAINTED_S = 120.0

# Once for each frame: which trials the plot has that it did not have in the frame before. By the next frame these are on the screen.
_LOOK = """() => {
  const seen = window.__seen = {painted: {}, frames: [], blocked: 0};
  new PerformanceObserver((list) => { for (const task of list.getEntries()) seen.blocked += task.duration; }).observe({type: "longtask"});
  let known = null, fresh = [], before = performance.now();
  const look = () => {
    const now = Date.now(), frame = performance.now();
    seen.frames.push(frame - before);
    before = frame;
    for (const uid of fresh) seen.painted[uid] = now;
    fresh = [];
    let fiber = document.querySelector(".parallel-plot")?._reactRootContainer?._internalRoot.current;
    while (fiber && typeof fiber.stateNode?.createNewParamsDef !== "function") fiber = fiber.child;
    const rows = fiber?.stateNode.state.rows_all_unfiltered ?? [];
    if (known === null) known = new Set(rows.map(({uid}) => uid));
    else if (rows.length > known.size) for (let at = rows.length - 1; at >= 0 && !known.has(rows[at].uid); at--) {
      known.add(rows[at].uid);
      fresh.push(rows[at].uid);
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
_ROWS = """() => {
  let fiber = document.querySelector(".parallel-plot")?._reactRootContainer?._internalRoot.current;
  while (fiber && typeof fiber.stateNode?.createNewParamsDef !== "function") fiber = fiber.child;
  return fiber?.stateNode.state.rows_all_unfiltered.length ?? 0;
}"""


class Painted(NamedTuple):
    """What one measurement gave.

    Attributes:
        p50: Milliseconds from the end of a trial to its line.
        p99: The same.
        n: Of how many trials; fewer than ended where a sample is drawn.
        blocked: The share of the time in which the page's thread was busy for longer than 50 ms at a stretch.
        longest: The longest time between two frames, in ms.
        first: Milliseconds from opening the page to the plot of what was there.
        shown: What the page says of how many are shown.
    """

    p50: float
    p99: float
    n: int
    blocked: float
    longest: float
    first: float
    shown: str


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
        sweep = sw.Sweep(self.objective, SPACE, sampler="random", n_trials=None, concurrency=_RUNNING, seed=1)
        async with sweep.start() as run, sw.serve(run) as viewer:
            async for update in run.updates():
                if isinstance(update, sw.TrialFinished) and run.counts[sw.State.COMPLETE] >= self._n_before:
                    break
            yield run, viewer
            run.stop(now=True)

    async def grow(self, rate: float, seconds: float) -> None:
        began, n = time.monotonic(), 0
        while (elapsed := time.monotonic() - began) < seconds:
            while n < elapsed * rate:
                self._tickets.release()
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


async def painted(browser: Browser, n_before: int, rates: list[float], seconds: float) -> dict[float, Painted]:
    """For each rate what the page did, on one page that stays open."""
    growing, found = Growing(n_before), {}
    async with growing.run() as (_, viewer):
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        began = time.monotonic()
        await page.goto(viewer.url)
        first = await _settled(page, min(n_before, 1000), began)
        for rate in rates:
            await page.evaluate(_LOOK)
            await page.wait_for_timeout(1000)
            growing.ended_at.clear()
            await page.evaluate("() => { window.__seen.frames.length = 0; window.__seen.blocked = 0; }")
            measured_from = time.monotonic()
            await growing.grow(rate, seconds)
            await page.wait_for_timeout(2000)
            elapsed_ms = (time.monotonic() - measured_from) * 1000
            seen = await page.evaluate("() => window.__seen")
            late = [
                at - growing.ended_at[int(uid)] * 1000
                for uid, at in seen["painted"].items()
                if int(uid) in growing.ended_at
            ]
            if len(late) < 10:
                raise RuntimeError(
                    f"{n_before} trials, {rate} rows/s: only {len(late)} of {len(growing.ended_at)} were seen painted"
                )
            cuts = quantiles(late, n=100)
            shown = await page.inner_text("#shown")
            blocked = seen["blocked"] / elapsed_ms
            found[rate] = Painted(cuts[49], cuts[98], len(late), blocked, max(seen["frames"]), first, shown)
        await page.close()
    return found


async def _settled(page: Any, n_wanted: int, began: float) -> float:
    """Milliseconds until the plot has its rows and gets no more of them."""
    before, since = -1, began
    while time.monotonic() - began < _PAINTED_S:
        n = await page.evaluate(_ROWS)
        if n != before:
            before, since = n, time.monotonic()
        elif n >= n_wanted and time.monotonic() - since > 1.0:
            return (since - began) * 1000
        await page.wait_for_timeout(20)
    raise RuntimeError(f"the plot has {before} rows after {_PAINTED_S:g} s")
