"""What the viewer costs, and how soon it shows what has happened.

    python benchmarks/viewer.py [--quick] [--only painted,crowd,snapshot,memory] [--json FILE]

painted   from the end of a trial to its line on the screen of a real Chromium, at several rates, with 1,000 to 100,000 trials
crowd     how fast a sweep is with 100 viewers, of which 50 never read, beside the same sweep without any
snapshot  how late the loop is while 20,000 trials are sent to new viewers
memory    what a viewer costs, one that reads and one that does not

The viewers are in a process of their own; with it, the browser and the sweep, the machine's processors are shared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

import anyio
import psutil
from figures import Figure, Goal, ratio, show
from space8 import SPACE

import asyncsweep as sw

PARTS = ("painted", "crowd", "snapshot", "memory")
_NOTES = (
    "painted: ms from the end of a trial, in its objective, to the first frame after its line is in the parallel plot.",
    "crowd: trials/s of the same sweep with and without 100 viewers, one after the other; x are ratios within a pair.",
    "lag: a task of the loop sleeps 1 ms again and again; by how much it overslept.",
    "memory: the growth of the process's resident memory, divided by the viewers.",
)


@asynccontextmanager
async def crowd(url: str, n_reading: int, n_silent: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Viewers in another process, all of them there."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).parent / "viewer_crowd.py"),
        url,
        str(n_reading),
        str(n_silent),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        line = await process.stdout.readline()
        if line.strip() != b"there":
            raise RuntimeError(f"the viewers did not come: {line!r}")
        yield process
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()


class Measured:
    """All figures, by their keys."""

    def __init__(self) -> None:
        self.figures: dict[str, Figure] = {}
        self.notes: list[str] = []

    def add(self, key: str, label: str, unit: str, value: float) -> None:
        self.figures.setdefault(key, Figure(key, label, unit)).samples.append(value)


# -- the parts ----------------------------------------------------------------------------------------------------------


async def measure_painted(measured: Measured, sizes: list[int], rates: list[float], seconds: float) -> list[Goal]:
    from viewer_page import chromium, painted

    goals = []
    async with chromium() as browser:
        for size in sizes:
            for rate, found in (await painted(browser, size, rates, seconds)).items():
                key, label = f"painted_{size}_{rate:g}", f"{size:,} trials, {rate:g} rows/s"
                measured.add(f"{key}_p50", f"painted p50: {label}", "ms", found.p50)
                measured.add(f"{key}_p99", f"painted p99: {label}", "ms", found.p99)
                measured.add(f"{key}_blocked", f"page busy > 50 ms: {label}", "%", found.blocked * 100)
                measured.add(f"{key}_longest", f"longest frame: {label}", "ms", found.longest)
                if size <= 20_000:
                    goals.append(Goal(measured.figures[f"{key}_p50"], 150, at_most=True))
            measured.add(f"first_{size}", f"page opened to all painted: {size:,} trials", "ms", found.first)
            measured.notes.append(f'{size:,} trials: the page says "{found.shown}".')
    return goals


async def _pausing(trial: Any) -> float:
    await anyio.sleep(random.Random(trial.number).uniform(0.005, 0.02))
    return float(trial.params["bias"])


async def _nothing(trial: Any) -> float:
    return float(trial.params["bias"])


async def _rate(objective: Any, n_trials: int, concurrency: int, viewers: tuple[int, int] | None) -> float:
    """Trials per second, in memory, with viewers (who read, who are silent) or without a server at all."""
    sweep = sw.Sweep(
        objective, SPACE, sampler="random", n_trials=n_trials, concurrency=concurrency, seed=1
    )  # fmt: skip
    async with sweep.start() as run:
        run.pause()
        if viewers is None:
            return await _timed(run, n_trials)
        async with sw.serve(run) as viewer, crowd(viewer.url, *viewers):
            return await _timed(run, n_trials)


async def _timed(run: sw.SweepRun, n_trials: int) -> float:
    done = run.counts[sw.State.COMPLETE]
    began = time.perf_counter()
    run.unpause()
    result = await run.result()
    elapsed = time.perf_counter() - began
    if result.counts[sw.State.COMPLETE] != n_trials:
        raise RuntimeError(f"{result.counts}: not all trials are COMPLETE")
    return (n_trials - done) / elapsed


async def measure_crowd(measured: Measured, repetitions: int, scale: float) -> list[Goal]:
    goals = []
    cases = (
        ("paused", "trials of 5-20 ms, 16 at a time", _pausing, int(4000 * scale), 16),
        ("no_op", "trials that do nothing", _nothing, int(60_000 * scale), 8),
    )
    for key, label, objective, n_trials, concurrency in cases:
        for _ in range(repetitions):
            measured.add(
                f"{key}_alone", f"{label}: no viewer", "trials/s", await _rate(objective, n_trials, concurrency, None)
            )
            measured.add(
                f"{key}_crowd",
                f"{label}: 100 viewers, 50 silent",
                "trials/s",
                await _rate(objective, n_trials, concurrency, (50, 50)),
            )
        found = ratio(
            f"{key}_ratio",
            f"{label}: with / without",
            measured.figures[f"{key}_crowd"],
            measured.figures[f"{key}_alone"],
        )
        measured.figures[found.key] = found
        goals.append(Goal(found, 0.95))
    return goals


async def measure_snapshot(measured: Measured, n_trials: int, repetitions: int) -> list[Goal]:
    sweep = sw.Sweep(_nothing, SPACE, sampler="random", n_trials=n_trials, concurrency=8, seed=1)
    async with sweep.start() as run, sw.serve(run) as viewer:
        await run.result()
        for n_viewers in (1, 20):
            for _ in range(repetitions):
                late: list[float] = []
                watching = asyncio.create_task(_oversleep(late))
                async with crowd(viewer.url, n_viewers, 0):
                    pass
                watching.cancel()
                cuts = quantiles(late, n=100)
                label = f"{n_trials:,} trials to {n_viewers} new viewers"
                measured.add(f"lag_{n_viewers}_p99", f"lag p99: {label}", "ms", cuts[98])
                measured.add(f"lag_{n_viewers}_max", f"lag max: {label}", "ms", max(late))
    return [Goal(measured.figures[f"lag_{n}_p99"], 10, at_most=True) for n in (1, 20)]


async def _oversleep(late: list[float]) -> None:
    while True:
        asleep_at = time.perf_counter()
        await asyncio.sleep(0.001)
        late.append((time.perf_counter() - asleep_at - 0.001) * 1000)


async def measure_memory(measured: Measured, n_trials: int, repetitions: int) -> list[Goal]:
    sweep = sw.Sweep(_nothing, SPACE, sampler="random", n_trials=n_trials, concurrency=8, seed=1)
    process = psutil.Process()
    async with sweep.start() as run, sw.serve(run) as viewer:
        await run.result()
        async with crowd(viewer.url, 5, 5):
            pass
        for _ in range(repetitions):
            for key, label, who in (("reading", "who reads", (50, 0)), ("silent", "who never reads", (0, 50))):
                before = process.memory_info().rss
                async with crowd(viewer.url, *who):
                    await asyncio.sleep(0.5)
                    grown = process.memory_info().rss - before
                measured.add(
                    f"memory_{key}",
                    f"memory of a viewer {label}, {n_trials:,} trials",
                    "KiB",
                    max(0, grown) / 50 / 1024,
                )
    return []


# -- the program --------------------------------------------------------------------------------------------------------


async def measure(options: argparse.Namespace, measured: Measured) -> list[Goal]:
    goals: list[Goal] = []
    quick = options.quick
    if "painted" in options.only:
        sizes = [1000] if quick else [1000, 5000, 20_000, 95_000]  # beyond 100,000 the server sends a sample, too
        goals += await measure_painted(measured, sizes, [10.0, 50.0, 200.0], 2 if quick else 8)
    if "crowd" in options.only:
        goals += await measure_crowd(measured, 1 if quick else 5, 0.05 if quick else 1)
    if "snapshot" in options.only:
        goals += await measure_snapshot(measured, 2000 if quick else 20_000, 1 if quick else 5)
    if "memory" in options.only:
        goals += await measure_memory(measured, 2000 if quick else 20_000, 1 if quick else 3)
    return goals


def main() -> None:
    options = _options()
    measured = Measured()
    before = os.getloadavg()
    goals = asyncio.run(measure(options, measured))
    setting = {
        "versions": f"{platform.python_implementation()} {platform.python_version()}, asyncsweep {sw.__version__}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} processors",
        "load_average_before": ", ".join(f"{load:.2f}" for load in before),
        "load_average_after": ", ".join(f"{load:.2f}" for load in os.getloadavg()),
    }
    notes = [*_NOTES, *measured.notes]
    if options.quick:
        notes.append("--quick: samples this small say little.")
    show(setting, list(measured.figures.values()), goals, notes)
    if options.json is not None:
        content = {
            "setting": setting,
            "quick": options.quick,
            "figures": {key: figure.as_json() for key, figure in measured.figures.items()},
            "goals": [goal.as_json() for goal in goals],
            "notes": notes,
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure what the viewer costs, and how soon it shows what has happened."
    )
    parser.add_argument("--quick", action="store_true", help="tiny samples: to see that it works, not how fast")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PARTS", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    options = parser.parse_args()
    options.only = options.only.split(",")
    for part in options.only:
        if part not in PARTS:
            parser.error(f"--only {part}: there are {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    main()
