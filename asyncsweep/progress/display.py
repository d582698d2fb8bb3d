"""A running sweep as a user watches it: a line for each trial that ends and, on a terminal or in a notebook, a summary below them."""

from __future__ import annotations

import io
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import anyio
from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from asyncsweep.core.effects import (
    PluginFailed,
    SweepPaused,
    SweepStopping,
    SweepUnpaused,
    TrialFinished,
    Update,
    UpdatesSkipped,
)
from asyncsweep.core.policy import is_better
from asyncsweep.core.records import FINAL_STATES, State, TrialRecord
from asyncsweep.driver.session import line_of
from asyncsweep.progress import notebook
from asyncsweep.progress.tally import Tally
from asyncsweep.progress.text import duration_text, params_text, value_text, visible
from asyncsweep.result import Result
from asyncsweep.run import SweepRun

REFRESH_S = 0.25
# A sweep that ends thousands of trials per second is not held up by a terminal that shows a few hundred lines.
MAX_LINES_PER_REFRESH = 100

STYLES = {
    State.WAITING: "",
    State.RUNNING: "cyan",
    State.COMPLETE: "green",
    State.PRUNED: "yellow",
    State.FAILED: "red",
    State.CANCELLED: "magenta",
}

log = logging.getLogger("asyncsweep")


async def show(
    run: SweepRun, *, console: Console | None = None, live: bool | None = None, unpause_by: str | None = None
) -> None:
    """Show a run until it has ended, however it ends; then call `run.result()`.

    Where the console cannot be written any more, a full disk or a closed pipe, it is left alone, which is logged.

    Args:
        run: The run; what happened before this call is only counted.
        console: Where to; None is the standard output, and in a notebook an area below the cell.
        live: True keeps a summary below the lines, which is for terminals; False prints a line for each trial that ends and
            one at the end; None decides by the console.
        unpause_by: The command that lets a paused run go on, to be shown while it is paused.
    """
    gathered = _Gathered(run)
    display = notebook.display_here() if console is None and live is not False else None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gathered.gather)
        if display is not None:
            await _show_below_cell(run, gathered, notebook.Area(display), unpause_by)
        else:
            await _show_on(Console() if console is None else console, run, gathered, live, unpause_by)
        tasks.cancel_scope.cancel()


async def _show_on(
    console: Console, run: SweepRun, gathered: _Gathered, live: bool | None, unpause_by: str | None
) -> None:
    is_live = console.is_terminal and not console.is_dumb_terminal if live is None else live
    view = View(run, console, is_live=is_live, unpause_by=unpause_by)
    with going_on(console):
        area = Live(console=console, auto_refresh=False, vertical_overflow="visible") if is_live else nullcontext()
        with area as screen:
            while not gathered.is_over:
                view.print_lines(await gathered.next())
                if screen is not None:
                    screen.update(view.summary(time.time()), refresh=True)
        if not is_live:
            console.print(view.last_line(time.time()), markup=False, highlight=False, soft_wrap=True)


async def _show_below_cell(run: SweepRun, gathered: _Gathered, area: notebook.Area, unpause_by: str | None) -> None:
    view = View(run, Console(file=io.StringIO(), width=notebook.WIDTH), is_live=True, unpause_by=unpause_by)
    while not gathered.is_over:
        area.add(view.lines(await gathered.next()))
        try:
            area.show(view.summary(time.time()))
        except Exception as error:  # whatever a kernel may raise whose notebook is gone
            log.warning("the notebook cannot be written, and the sweep goes on without it: %s", error)
            return


class _Gathered:
    """What happens to a run, `REFRESH_S` at a time.

    Attributes:
        is_over: The run has ended, and all was given.
    """

    def __init__(self, run: SweepRun) -> None:
        self.is_over = False
        self._from = run.updates()
        self._updates: list[Update] = []
        self._ended = anyio.Event()

    async def gather(self) -> None:
        """Take what comes, until the end."""
        async for update in self._from:
            self._updates.append(update)
        self._ended.set()

    async def next(self) -> list[Update]:
        """What has happened since the last time, which may be nothing."""
        with anyio.move_on_after(REFRESH_S):
            await self._ended.wait()
        self.is_over = self._ended.is_set()
        found, self._updates = self._updates, []
        return found


@contextmanager
def going_on(console: Console) -> Iterator[None]:
    """The block writes to a console. Where that fails, it ends without an error, and the console writes no more."""
    fault: OSError
    try:
        yield
        return
    except OSError as error:
        fault = error
    except SystemExit as error:  # rich's answer to a closed pipe
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        fault = error.__context__
    console.quiet = True
    why = os.strerror(fault.errno) if fault.errno else str(fault)
    log.warning("the display cannot be written, and the sweep goes on without it: %s", why)


class View:
    """What is shown of one run."""

    def __init__(self, run: SweepRun, console: Console, *, is_live: bool, unpause_by: str | None = None) -> None:
        self._run = run
        self._paused = "paused" if unpause_by is None else f"paused ({unpause_by})"
        self._console = console
        self._is_live = is_live
        self._tally = Tally(run.trials, time.time())
        self._best = run.best
        directions = list(run.snapshot().directions.values())
        self._direction = directions[0] if len(directions) == 1 else None

    def print_lines(self, updates: list[Update]) -> None:
        """Print `lines`; on a terminal no more than one can read."""
        lines = self.lines(updates)
        hidden = len(lines) - MAX_LINES_PER_REFRESH if self._is_live else 0
        if hidden > 0:
            lines = [f"... {hidden} more lines ...", *lines[hidden:]]
        if lines:
            text = "\n".join(visible(line, self._console.encoding) for line in lines)
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def lines(self, updates: list[Update]) -> list[str]:
        """A line for each trial that ended, in the words that users of Optuna know, and for each fault of a plugin.

        There is one for each pause and stop, too, where no summary tells of it.
        """
        trials = self._run.trials if updates else ()
        lines: list[str] = []
        for update in updates:
            self._tally.see(update)
            if isinstance(update, TrialFinished):
                trial = trials[update.trial]
                self._see_best(trial)
                lines.append(line_of(trial, self._best))
            elif isinstance(update, PluginFailed):
                lines.append(f"The {update.where} failed: {update.error}")
            elif isinstance(update, UpdatesSkipped):
                lines.append(f"... {update.count} updates came too fast to be shown ...")
            elif not self._is_live:
                lines.extend(self._steered(update))
        return lines

    def summary(self, now: float) -> RenderableType:
        """How far the run is, how fast it goes, and the best trial."""
        rows = Table.grid(padding=(0, 1))
        rows.add_row("")
        rows.add_row(self._progress(now))
        standing = self._standing()
        rows.add_row(Text.assemble(counts_text(self._run.counts), *((", ", (standing, "yellow")) if standing else ())))
        if self._best is not None:
            exact = self._run.is_over
            rows.add_row(self._best_text(self._best, exact=exact))
        return rows

    def last_line(self, now: float) -> str:
        """The whole sweep in one line."""
        elapsed = duration_text(self._tally.elapsed_s(now))
        result = self._run.snapshot()
        line = f"Sweep ended after {elapsed} ({result.reason or 'broken off'}): {counts_text(result.counts).plain}."
        return visible(f"{line} {best_line(result)}".rstrip(), self._console.encoding)

    def _progress(self, now: float) -> RenderableType:
        n_final = sum(self._run.counts[state] for state in FINAL_STATES)
        n_trials = self._run.n_trials
        parts = [f"{n_final} trials" if n_trials is None else f"{n_final}/{n_trials} trials"]
        rate = self._tally.rate(now)
        if rate is not None:
            parts.append(f"{rate:.3g} trials/s")
        parts.append(f"elapsed {duration_text(self._tally.elapsed_s(now))}")
        if n_trials is not None and not self._run.is_over:
            left = self._tally.left_s(now, n_trials - n_final, self._run.concurrency)
            parts.append("left -:--" if left is None else f"left {duration_text(left)}")
        text = Text("  ".join(parts))
        if n_trials is None:
            return text
        row = Table.grid(padding=(0, 2))
        row.add_row(ProgressBar(total=n_trials, completed=n_final, width=min(30, self._console.width // 3)), text)
        return row

    def _standing(self) -> str:
        """What holds new trials up."""
        if self._run.is_stopping:
            return "stopping"
        return visible(self._paused, self._console.encoding) if self._run.is_paused and not self._run.is_over else ""

    def _steered(self, update: Update) -> list[str]:
        """What a pause, its end, or a stop is told by; a stop that is over already needs no word."""
        if isinstance(update, SweepPaused):
            return [f"Sweep {self._paused}: no more trials begin for now."]
        if isinstance(update, SweepUnpaused):
            return ["Sweep unpaused: it goes on."]
        if isinstance(update, SweepStopping) and not self._run.is_over:
            return [f"Sweep stopping ({update.reason}): no more trials begin."]
        return []

    def _best_text(self, best: TrialRecord, *, exact: bool) -> Text:
        text = Text("best ")
        text.append(f"{value_text(best.value, exact=exact)}", style="bold green")
        text.append(f" in trial {best.number}  ")
        text.append(visible(params_text(best.params, exact=exact), self._console.encoding))
        return text

    def _see_best(self, trial: TrialRecord) -> None:
        if trial.state is not State.COMPLETE or self._direction is None or trial.value is None:
            return
        if self._best is None or self._best.value is None or is_better(self._direction, trial.value, self._best.value):
            self._best = trial


def counts_text(counts: dict[State, int]) -> Text:
    """Such as "running 2 · complete 9 · pruned 3"; states without a trial are left out."""
    parts = [Text(f"{state.lower()} {count}", style=STYLES[state]) for state, count in counts.items() if count]
    return Text(", ").join(parts) if parts else Text("no trials yet")


def best_line(result: Result) -> str:
    """The best trial in one line, exactly, or the size of the Pareto front; "" when no trial is COMPLETE."""
    if len(result.directions) > 1:
        numbers = [trial.number for trial in result.best_trials]
        shown = ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")
        return f"Best trials (Pareto front): {shown}." if numbers else ""
    best = result.best
    if best is None:
        return ""
    return f"Best is trial {best.number} with value: {best.value} and parameters: {best.params}."
