"""What the viewer costs, and how soon it shows what has happened.

The viewers are in a process of their own; with it, the browser and the sweep, the machine's processors are shared.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.harness.cases import Case, Options
from benchmarks.harness.figures import Figure, Goal, add_ratios, at_least, at_most
from benchmarks.viewing.lag import searched, watched
from benchmarks.viewing.memory import per_viewer
from benchmarks.viewing.page import chromium, shown
from benchmarks.viewing.sweeps import crowd, lag_of_coming, nothing, pausing, rate

PARTS = ("painted", "crowd", "snapshot", "lag", "memory")
_RATES = [10.0, 50.0, 200.0]
_HANDS = {
    "sort": "sort the table",
    "details": "show a trial",
    "brush": "select by a brush",
    "clear": "clear the selection",
}


@dataclass(frozen=True)
class Sizes:
    """How much work one sample is."""

    painted: tuple[int, ...] = (1000, 5000, 20_000, 100_000)
    painted_s: float = 8
    hands: int = 7
    paused: int = 4000
    no_op: int = 200_000
    snapshot: int = 20_000
    history: int = 10_000
    lag_s: float = 10
    memory: tuple[int, int] = (20_000, 2000)


_FULL = Sizes()
_QUICK = Sizes((1000,), 2, 1, 200, 3000, 2000, 100, 1, (2000, 200))
_WARM_UP = Sizes((200,), 0.5, 1, 50, 300, 200, 20, 0.2, (200, 20))


class Viewer:
    """Painted lines, viewers in crowds, lag, memory."""

    name = "viewer"
    about = "how soon the viewer shows what has happened in a real Chromium, and what viewers cost the sweep; needs Chromium"
    notes = (
        "painted: ms from the end of a trial, in its objective, to the first frame after its line is in the parallel plot; once for each size.",
        "crowd: trials/s of the same sweep with and without 100 viewers, one after the other; x are ratios within a pair.",
        "lag: a task of the loop sleeps 1 ms again and again; by how much it overslept.",
        "memory: what Python has allocated in the process that serves, less when the viewers have gone, divided by their number (tracemalloc).",
        "to sort and so on: ms from the event of the mouse to the first frame that shows it, while 50 trials per second end; medians.",
        f"--set only=A,B measures these parts of {', '.join(PARTS)}; --set sizes=N,N sets the trials of painted.",
    )
    default_repetitions = 5

    def cases(self, options: Options) -> list[Case]:
        only = options.extra.get("only", ",".join(PARTS)).split(",")
        parts = {"painted": _painted, "crowd": _crowd, "snapshot": _snapshot, "lag": _lag, "memory": _memory}
        for part in only:
            if part not in parts:
                raise ValueError(f"--set only={part}: there are {', '.join(PARTS)}")
        sizes = options.pick(_FULL, _QUICK, _WARM_UP)
        return [case for part in only for case in parts[part](sizes, options)]

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        for key in ("paused", "no_op"):
            add_ratios(figures, [(f"{key}_ratio", f"{key}: with / without viewers", f"{key}_crowd", f"{key}_alone")])
        painted = [key for key in figures if key.startswith("painted_") and key.endswith("rows/s_p50")]
        lags = {"lag_1_p99": 10.0, "lag_20_p99": 10.0, "lag_tpe_5_p99": 20, "lag_tpe_5_max": 100}
        return [
            *at_most(figures, {key: 150.0 for key in painted if int(key.split("_")[1]) <= 20_000}),
            *at_least(figures, {"paused_ratio": 0.95, "no_op_ratio": 0.95}),
            *at_most(figures, lags),
        ]


def _painted(sizes: Sizes, options: Options) -> Iterator[Case]:
    chosen = options.extra.get("sizes")
    for size in map(int, chosen.split(",")) if chosen and not options.is_warm_up else sizes.painted:

        async def look(size: int = size) -> dict[str, float]:
            async with chromium() as browser:
                page = await shown(browser, size, _RATES, sizes.painted_s, sizes.hands)
            sample: dict[str, float] = {}
            for per_s, found in page.painted.items():
                at = f"{per_s:g} rows/s"
                sample |= {f"{at} p50": found.p50, f"{at} p99": found.p99, f"{at} busy": found.blocked * 100}
                sample |= {f"{at} longest task": found.longest_task, f"{at} longest frame": found.longest_frame}
                if found.n < found.n_ended:
                    options.remarks.append(
                        f"{size:,} trials, {at}: painted are {found.n} of {found.n_ended} that ended."
                    )
            sample["page opened"] = page.first
            if page.sampled is not None:
                sample["one more to the sample painted"] = page.sampled
            sample |= {f"to {_HANDS[what]}": median(took) for what, took in page.hands._asdict().items()}
            drawn = page.draws.split(" · ")[0]
            options.remarks.append(f'{size:,} trials: the page says "{page.says}", and below the plot "{drawn}".')
            return sample

        units = {f"{per_s:g} rows/s busy": "%" for per_s in _RATES}
        yield Case(f"painted_{size}", f"painted, {size:,} trials", "ms", _run(look), units=units, most_repetitions=1)


def _crowd(sizes: Sizes, options: Options) -> Iterator[Case]:
    kinds = (
        ("paused", "trials of 5-20 ms, 16 at a time", pausing, sizes.paused, 16),
        ("no_op", "trials that do nothing", nothing, sizes.no_op, 8),
    )
    for key, label, objective, n_trials, concurrency in kinds:
        for who, viewers in (("alone", None), ("crowd", (50, 50))):

            async def timed(given: tuple[Any, ...] = (objective, n_trials, concurrency, viewers)) -> dict[str, float]:
                return {"": await rate(*given)}

            told = "100 viewers, 50 silent" if viewers else "no viewer"
            yield Case(f"{key}_{who}", f"{label}: {told}", "trials/s", _run(timed))


def _snapshot(sizes: Sizes, options: Options) -> Iterator[Case]:
    for n_viewers in (1, 20):

        async def lag(n_viewers: int = n_viewers) -> dict[str, float]:
            return dict(zip(("p99", "max"), await lag_of_coming(sizes.snapshot, n_viewers), strict=True))

        label = f"lag: {sizes.snapshot:,} trials to {n_viewers} new viewers"
        yield Case(f"lag_{n_viewers}", label, "ms", _run(lag))


def _lag(sizes: Sizes, options: Options) -> Iterator[Case]:
    before, numbers = options.folder / "before", itertools.count()
    asyncio.run(searched(before, sizes.history))
    for n_viewers in (0, 5):

        async def lag(n_viewers: int = n_viewers) -> dict[str, float]:
            directory = Path(shutil.copytree(before, options.folder / f"lag-{next(numbers)}"))
            return (await watched(directory, n_viewers, crowd, sizes.lag_s))._asdict()

        label = f"lag: tpe at {sizes.history:,}, {n_viewers or 'no'} viewers"
        yield Case(f"lag_tpe_{n_viewers}", label, "ms", _run(lag))


def _memory(sizes: Sizes, options: Options) -> Iterator[Case]:
    n_trials, n_missed = sizes.memory

    async def memory() -> dict[str, float]:
        sample: dict[str, float] = {}
        for who, (there, missed) in (await per_viewer(crowd, n_trials, n_missed, 50)).items():
            sample |= {who: there, f"{who} after": missed}
        return sample

    label = f"memory of a viewer: {n_trials:,} trials; after {n_missed:,} more since it came"
    yield Case("memory", label, "KiB", _run(memory))


def _run(measure: Callable[[], Any]) -> Callable[[], dict[str, float]]:
    def measured() -> dict[str, float]:
        found: dict[str, float] = asyncio.run(measure())
        return found

    return measured


WORKLOAD = Viewer()
