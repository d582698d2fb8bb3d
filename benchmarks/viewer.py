"""What the viewer costs, and how soon it shows what has happened.

    python benchmarks/viewer.py [--quick] [--only painted,crowd,snapshot,lag,memory] [--json FILE]

painted   from the end of a trial to its line on the screen of a real Chromium, at several rates, with 1,000 to 100,000 trials; and how long
          the page takes meanwhile to sort, to show a trial, to select by a brush
crowd     how fast a sweep is with 100 viewers, of which 50 never read, beside the same sweep without any
snapshot  how late the loop is while 20,000 trials are sent to new viewers
lag       how late the loop is of a sweep with 10,000 trials that goes on with tpe and a journal, without and with 5 viewers
memory    what a viewer costs the process that serves it, one that reads and one that does not

The viewers are in a process of their own; with it, the browser and the sweep, the machine's processors are shared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from figures import Figure, Goal, ratio, show
from space8 import SPACE

import asyncsweep as sw

PARTS = ("painted", "crowd", "snapshot", "lag", "memory")
# A machine that had so much to do before this began had other work; with two processors.
_BUSY_LOAD = 2.0
_NOTES = (
    "painted: ms from the end of a trial, in its objective, to the first frame after its line is in the parallel plot.",
    "crowd: trials/s of the same sweep with and without 100 viewers, one after the other; x are ratios within a pair.",
    "lag: a task of the loop sleeps 1 ms again and again; by how much it overslept.",
    "memory: what Python has allocated in the process that serves, less when the viewers have gone, divided by their number (tracemalloc).",
    "to sort and so on: ms from the event of the mouse to the first frame that shows it, while 50 trials per second end.",
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


async def measure_painted(
    measured: Measured, sizes: list[int], rates: list[float], seconds: float, n_times: int
) -> list[Goal]:
    from viewer_page import chromium, shown

    goals = []
    async with chromium() as browser:
        for size in sizes:
            page = await shown(browser, size, rates, seconds, n_times)
            there = f"{size:,} trials"
            for rate, found in page.painted.items():
                key, label = f"painted_{size}_{rate:g}", f"{there}, {rate:g} rows/s"
                measured.add(f"{key}_p50", f"painted p50: {label}", "ms", found.p50)
                measured.add(f"{key}_p99", f"painted p99: {label}", "ms", found.p99)
                measured.add(f"{key}_blocked", f"page busy > 50 ms: {label}", "%", found.blocked * 100)
                measured.add(f"{key}_task", f"longest task: {label}", "ms", found.longest_task)
                measured.add(f"{key}_frame", f"longest frame: {label}", "ms", found.longest_frame)
                if size <= 20_000:
                    goals.append(Goal(measured.figures[f"{key}_p50"], 150, at_most=True))
                if found.n < found.n_ended:
                    measured.notes.append(f"{label}: painted are {found.n} of {found.n_ended} that ended.")
            measured.add(f"first_{size}", f"page opened to all painted: {there}", "ms", page.first)
            if page.sampled is not None:
                measured.add(f"sampled_{size}", f"one more than {there} to the sample painted", "ms", page.sampled)
            for what, took in page.hands._asdict().items():
                for each in took:
                    measured.add(f"{what}_{size}", f"to {_TASKS[what]}: {there}", "ms", each)
            drawn = page.draws.split(" · ")[0]
            measured.notes.append(f'{there}: the page says "{page.says}", and below the plot "{drawn}".')
    return goals


_TASKS = {
    "sort": "sort the table",
    "details": "show a trial",
    "brush": "select by a brush",
    "clear": "clear the selection",
}


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


async def measure_lag(measured: Measured, n_before: int, seconds: float, repetitions: int) -> list[Goal]:
    from viewer_lag import searched, watched

    with TemporaryDirectory(prefix="viewer-") as name:
        before = Path(name) / "before"
        await searched(before, n_before)
        for turn in range(repetitions):
            for n_viewers in (0, 5):
                directory = shutil.copytree(before, Path(name) / f"{turn}-{n_viewers}")
                found = await watched(directory, n_viewers, crowd, seconds)
                label = f"tpe at {n_before:,}, {n_viewers or 'no'} viewers"
                for what, value in found._asdict().items():
                    measured.add(f"lag_tpe_{n_viewers}_{what}", f"lag {what}: {label}", "ms", value)
    return [
        Goal(measured.figures["lag_tpe_5_p99"], 20, at_most=True),
        Goal(measured.figures["lag_tpe_5_max"], 100, at_most=True),
    ]


async def measure_memory(measured: Measured, n_trials: int, n_missed: int, repetitions: int) -> list[Goal]:
    from viewer_memory import per_viewer

    for _ in range(repetitions):
        for who, (there, missed) in (await per_viewer(crowd, n_trials, n_missed, 50)).items():
            label = f"memory of a viewer that {'reads' if who == 'reading' else 'never reads'}"
            measured.add(f"memory_{who}", f"{label}: {n_trials:,} trials", "KiB", there)
            measured.add(f"memory_{who}_after", f"{label}: {n_missed:,} more since it came", "KiB", missed)
    return []


# -- the program --------------------------------------------------------------------------------------------------------


async def measure(options: argparse.Namespace, measured: Measured) -> list[Goal]:
    goals: list[Goal] = []
    quick = options.quick
    if "painted" in options.only:
        sizes = options.sizes or ([1000] if quick else [1000, 5000, 20_000, 100_000])
        goals += await measure_painted(measured, sizes, [10.0, 50.0, 200.0], 2 if quick else 8, 1 if quick else 7)
    if "crowd" in options.only:
        goals += await measure_crowd(measured, 1 if quick else 5, 0.05 if quick else 1)
    if "snapshot" in options.only:
        goals += await measure_snapshot(measured, 2000 if quick else 20_000, 1 if quick else 5)
    if "lag" in options.only:
        goals += await measure_lag(measured, 100 if quick else 10_000, 1 if quick else 10, 1 if quick else 5)
    if "memory" in options.only:
        goals += await measure_memory(measured, *((2000, 200) if quick else (20_000, 2000)), 1 if quick else 3)
    return goals


def main() -> None:
    options = _options()
    measured = Measured()
    before = os.getloadavg()
    goals = asyncio.run(measure(options, measured))
    setting = {
        "date": time.strftime("%Y-%m-%d"),
        "versions": f"{platform.python_implementation()} {platform.python_version()}, asyncsweep {sw.__version__}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} processors",
        "load_average_before": ", ".join(f"{load:.2f}" for load in before),
        "load_average_after": ", ".join(f"{load:.2f}" for load in os.getloadavg()),
    }
    notes = [*_NOTES, *measured.notes]
    if before[0] > _BUSY_LOAD:
        notes.append(f"machine under other load: {before[0]:.2f} before this began.")
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
    parser.add_argument(
        "--sizes", type=lambda given: [int(size) for size in given.split(",")], metavar="N,N", help="of painted"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    options = parser.parse_args()
    options.only = options.only.split(",")
    for part in options.only:
        if part not in PARTS:
            parser.error(f"--only {part}: there are {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    main()
