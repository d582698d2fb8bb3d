"""The display of a running sweep: its arithmetic, its lines, and what it does with hostile text."""

from __future__ import annotations

import io
from functools import partial

import anyio
import pytest
from rich.console import Console

import asyncsweep as sw
from asyncsweep.core.effects import TrialFinished, TrialRetried, TrialStarted
from asyncsweep.core.records import ErrorInfo, State, TrialRecord
from asyncsweep.progress import show
from asyncsweep.progress.tally import Tally
from asyncsweep.progress.text import duration_text, params_text, visible, visible_lines

HOSTILE = "[red]a\x1b[31m\r\n\u202eb\x07"
SHOWN = r"[red]a\x1b[31m\r\n\u202eb\x07"


def started(trial: int, at: float, worker: str = "w") -> TrialStarted:
    return TrialStarted(at=at, trial=trial, attempt=1, worker=worker)


def finished(trial: int, at: float, state: State = State.COMPLETE) -> TrialFinished:
    return TrialFinished(at=at, trial=trial, state=state, metrics={})


def test_nothing_is_known_of_the_end_before_the_first_trial_has_finished() -> None:
    tally = Tally([], 100.0)
    tally.see(started(0, 100.0))
    assert (tally.rate(103.0), tally.left_s(103.0, 10, 2)) == (None, None)


def test_the_time_left_counts_open_trials_by_the_slots_and_running_ones_by_what_they_lack() -> None:
    tally = Tally([], 0.0)
    for update in (started(0, 0.0), finished(0, 9.0), started(1, 9.0), finished(1, 13.0), started(2, 13.0)):
        tally.see(update)
    # Later trials last 4 s; six are open, one of them has run for 1 s: 5 * 4 + 3, on two slots.
    assert tally.left_s(14.0, 6, 2) == 11.5
    assert tally.rate(14.0) == 2 / 14


def test_the_time_left_is_not_divided_by_slots_that_have_nothing_to_do() -> None:
    tally = Tally([], 0.0)
    for update in (started(0, 0.0), finished(0, 4.0)):
        tally.see(update)
    assert tally.left_s(4.0, 1, 8) == 4.0


def test_the_first_trial_of_a_worker_counts_while_there_is_no_other() -> None:
    tally = Tally([], 0.0)
    for update in (started(0, 0.0, "a"), started(1, 0.0, "b"), finished(0, 6.0), finished(1, 8.0)):
        tally.see(update)
    assert tally.left_s(8.0, 2, 1) == 14.0


def test_a_cancelled_trial_says_nothing_about_how_long_a_trial_lasts() -> None:
    tally = Tally([], 0.0)
    for update in (started(0, 0.0), finished(0, 6.0, State.CANCELLED)):
        tally.see(update)
    assert tally.left_s(6.0, 3, 1) is None


def test_a_trial_that_will_be_retried_has_all_of_its_time_before_it() -> None:
    tally = Tally([], 0.0)
    retried = TrialRetried(at=8.0, trial=1, attempt=1, error=ErrorInfo("E"))
    for update in (started(0, 0.0), finished(0, 4.0), started(1, 4.0), retried):
        tally.see(update)
    assert tally.left_s(8.0, 1, 1) == 4.0


def test_trials_that_run_already_when_the_watching_begins_are_known() -> None:
    tally = Tally([TrialRecord(0, State.RUNNING, worker="w", started_at=2.0)], 5.0)
    tally.see(finished(0, 6.0))
    assert tally.left_s(6.0, 1, 1) == 4.0


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0:00"), (7, "0:07"), (59.6, "1:00"), (750, "12:30"), (11045, "3:04:05"), (-1, "0:00")]
)
def test_durations_are_written_as_clocks_show_them(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_control_characters_are_shown_as_escapes() -> None:
    assert visible(HOSTILE) == SHOWN


def test_what_an_encoding_lacks_is_shown_as_escapes() -> None:
    assert visible("ü=é", "ascii") == r"\xfc=\xe9"


def test_a_lone_surrogate_can_be_shown() -> None:
    assert visible("a\udc80") == r"a\udc80"


def test_line_breaks_of_a_traceback_are_kept() -> None:
    assert visible_lines("one\n\ttwo\x1b") == "one\n    two\\x1b"


def test_parameters_are_shortened_only_where_that_is_wanted() -> None:
    params = {"lr": 0.123456789, "opt": "sgd"}
    assert params_text(params) == "lr=0.123456789, opt='sgd'"
    assert params_text(params, exact=False) == "lr=0.123457, opt='sgd'"


async def objective(trial) -> float:  # type: ignore[no-untyped-def]
    x: float = trial.params["x"]
    trial.report(x, 0)
    await anyio.lowlevel.checkpoint()
    if trial.should_prune():
        raise sw.TrialPruned
    if trial.number == 3:
        raise ValueError(HOSTILE)
    return x


def sweep(**settings: object) -> sw.Sweep:
    space = {"x": sw.Float(0, 1), HOSTILE: HOSTILE}
    chosen = {"sampler": "random", "n_trials": 20, "concurrency": 2, "seed": 3, **settings}
    return sw.Sweep(objective, space, **chosen)  # type: ignore[arg-type]


async def shown_of(sweep: sw.Sweep, **settings: object) -> tuple[str, sw.Result]:
    console = Console(file=io.StringIO(), width=150, **settings)  # type: ignore[arg-type]
    async with sweep.start() as run:
        await show(run, console=console)
        result = await run.result()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue(), result


@pytest.mark.anyio
async def test_plain_lines_are_optunas_one_for_each_trial_and_one_at_the_end() -> None:
    text, result = await shown_of(sweep(pruner="median"))
    *lines, last = text.splitlines()
    assert len(lines) == 20
    pruned = [trial.number for trial in result.trials if trial.state is sw.State.PRUNED]
    assert pruned
    assert {f"Trial {number} pruned." for number in pruned} == {line for line in lines if line.endswith(" pruned.")}
    assert result.best is not None
    assert f" Best is trial {result.best.number} with value: {result.best.value} and parameters: " in last


@pytest.mark.anyio
async def test_the_best_of_a_line_is_the_best_at_that_time() -> None:
    text, result = await shown_of(sweep(direction="maximize", concurrency=1, n_trials=3))
    values = [trial.value for trial in result.trials]
    for count, line in enumerate(text.splitlines()[:3], start=1):
        best = max(range(count), key=values.__getitem__)
        assert line.endswith(f" Best is trial {best} with value: {values[best]}.")


@pytest.mark.anyio
@pytest.mark.parametrize("is_terminal", [False, True])
async def test_hostile_names_values_and_errors_are_escaped(is_terminal: bool) -> None:
    text, _ = await shown_of(sweep(), force_terminal=is_terminal, color_system=None, legacy_windows=False)
    assert SHOWN in text.replace("\n", "")
    assert "\x1b[31m" not in text and "\x07" not in text and "\u202e" not in text


@pytest.mark.anyio
async def test_a_terminal_shows_the_counts_the_rate_and_the_exact_best_at_the_end() -> None:
    text, result = await shown_of(sweep(), force_terminal=True, color_system=None)
    assert result.best is not None
    tail = text[text.rindex("20/20 trials") :]
    assert "trials/s" in tail and "elapsed 0:0" in tail and "left" not in tail
    assert "complete 19, failed 1" in tail
    assert f"best {result.best.value} in trial {result.best.number}  x={result.best.params['x']}" in tail


@pytest.mark.anyio
async def test_a_sweep_without_a_limit_has_no_bar_and_no_end() -> None:
    text, _ = await shown_of(sweep(n_trials=None, target=0.9), force_terminal=True, color_system=None)
    assert "━" not in text
    assert "left" not in text


@pytest.mark.anyio
async def test_several_directions_end_with_the_pareto_front() -> None:
    async def both(x: float) -> tuple[float, float]:
        return x, -x

    space = {"x": sw.Float(0, 1)}
    text, _ = await shown_of(
        sw.Sweep(both, space, direction={"a": "minimize", "b": "minimize"}, sampler="random", n_trials=3)
    )
    assert text.splitlines()[-1].endswith("complete 3. Best trials (Pareto front): 0, 1, 2.")


@pytest.mark.anyio
async def test_it_ends_with_a_sweep_that_fails() -> None:
    text = io.StringIO()
    async with sweep(max_failures=0).start() as run:
        await show(run, console=Console(file=text, width=150))
        with pytest.raises(sw.TooManyFailures):
            await run.result()
    assert "(TooManyFailures: 1 trials failed, max_failures=0)" in text.getvalue().splitlines()[-1]


@pytest.mark.anyio
async def test_a_resumed_sweep_is_counted_from_where_it_goes_on(tmp_path) -> None:  # type: ignore[no-untyped-def]
    await sweep(directory=tmp_path, n_trials=5).run()
    text, _ = await shown_of(sw.Sweep.open(tmp_path, objective, n_trials=7))
    *lines, last = text.splitlines()
    assert sorted(line.split()[1] for line in lines) == ["5", "6"]
    assert "complete 6, failed 1." in last


@pytest.mark.anyio
async def test_run_shows_its_progress_when_it_is_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    await sweep(n_trials=1).run(progress=True)
    assert capsys.readouterr().out.startswith("Trial 0 finished with value: ")


@pytest.mark.anyio
async def test_run_shows_nothing_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    await sweep(n_trials=1).run()
    assert capsys.readouterr().out == ""


@pytest.mark.anyio
async def test_plain_lines_tell_of_a_pause_its_end_and_a_stop() -> None:
    async def steered(trial) -> float:  # type: ignore[no-untyped-def]
        await go.wait()
        return 0.0

    go = anyio.Event()
    console = Console(file=io.StringIO(), width=150)
    async with sw.Sweep(steered, {"x": sw.Float(0, 1)}, sampler="random", n_trials=2).start() as run:
        run.pause()
        run.unpause()
        run.stop("enough")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(show, run, console=console, unpause_by="asyncsweep unpause d"))
            while "stopping" not in console.file.getvalue():  # type: ignore[attr-defined]
                await anyio.lowlevel.checkpoint()
            go.set()
    assert console.file.getvalue().splitlines()[:3] == [  # type: ignore[attr-defined]
        "Sweep paused (asyncsweep unpause d): no more trials begin for now.",
        "Sweep unpaused: it goes on.",
        "Sweep stopping (enough): no more trials begin.",
    ]
