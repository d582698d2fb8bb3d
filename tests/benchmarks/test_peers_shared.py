"""What the adapters share counts right; and what each adapter says at its head is so."""

from __future__ import annotations

import ast
import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from asyncsweep import Categorical, Float, Int
from benchmarks.harness.environments import PEERS, ROOT
from benchmarks.peers.shared import lag, measured
from benchmarks.peers.shared.in_asyncsweep import DOMAINS
from benchmarks.peers.shared.objectives import Nap, bowl, noop, reported
from benchmarks.peers.shared.of_trial import Evaluating, Reporting
from benchmarks.peers.shared.pipe_loop import PipeLoop, children
from benchmarks.peers.shared.processes import Claims
from benchmarks.peers.shared.space import SPACE

ADAPTERS = sorted(PEERS.glob("with_*.py"))
INSTALLED_HERE = {"asyncsweep", "raw"}


class FakeTrial:
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.params = {"momentum": 0.25}
        self.reports: list[tuple[float, int]] = []
        self.judged: list[int] = []

    def report(self, value: float, step: int) -> None:
        self.reports.append((value, step))

    def report_or_prune(self, value: float, step: int) -> None:
        self.report(value, step)
        self.judged.append(step)


def test_the_same_space_is_asked_for_in_each_of_optunas_ways() -> None:
    from benchmarks.peers.shared.in_optuna import DISTRIBUTIONS, study_in, suggest_all

    trial = study_in().ask()
    assert set(suggest_all(trial)) == set(SPACE)
    assert trial.distributions == DISTRIBUTIONS


def test_the_space_as_data_gives_domains_of_ours_with_its_bounds() -> None:
    assert list(DOMAINS) == list(SPACE)
    assert DOMAINS["lr"] == Float(1e-5, 1e-1, log=True)
    assert DOMAINS["dropout"] == Float(0.0, 1.0, step=0.1)
    assert DOMAINS["width"] == Int(1, 1024, log=True)
    assert DOMAINS["nesterov"] == Categorical((True, False))


def test_the_rate_counts_the_trials_of_the_time_it_spans() -> None:
    found = measured.rate(10, 10, began_at=100.0, ended_at=102.0, n_timed=8)
    assert (found["trials_per_s"], found["n_complete"], found["wall_s"]) == (4.0, 10, 2.0)


def test_a_rate_with_a_missing_trial_is_refused() -> None:
    with pytest.raises(RuntimeError, match="9 of 10 trials"):
        measured.rate(10, 9, began_at=100.0, ended_at=102.0)


def test_reports_are_counted_as_they_were_made() -> None:
    found = measured.reports(4, 4, n_reports=250, n_pruned=2, began_at=10.0, ended_at=15.0)
    assert found == {"reports_per_s": 50.0, "n_reports": 250, "n_pruned": 2, "wall_s": 5.0}


def test_the_share_begins_when_all_workers_are_busy_and_ends_with_the_last_begin() -> None:
    found = measured.share([(0.0, 4.0), (1.0, 2.0), (3.0, 5.0), (4.0, 6.0), (5.0, 7.0)], 5, workers=2)
    # From 1 to 5 two workers have 8 s: 1-4, 1-2, 3-5 and 4-5 are 7 of them. From 0 to 7 they have 14, and trials had 11.
    assert found == {"share": 7 / 8, "share_whole": 11 / 14, "lost_start": 1 / 14, "lost_end": 1 / 14}


def test_the_share_begins_with_the_first_trial_where_workers_are_never_all_busy() -> None:
    found = measured.share([(0.0, 1.0), (2.0, 3.0), (4.0, 5.0)], 3, workers=2)
    assert found == {"share": 2 / 8, "share_whole": 3 / 10, "lost_start": 0.0, "lost_end": 1 / 10}


def test_a_share_with_a_missing_trial_is_refused() -> None:
    with pytest.raises(RuntimeError, match="1 of 2 trials"):
        measured.share([(0.0, 1.0)], 2, workers=1)


def test_a_share_of_no_more_trials_than_workers_is_refused() -> None:
    with pytest.raises(RuntimeError, match="too few to keep 2 workers busy"):
        measured.share([(0.0, 2.0), (1.0, 2.0)], 2, workers=2)


def test_quantiles_are_in_milliseconds() -> None:
    found = measured.quantiles("ask_ms", [number / 1000 for number in range(200)])
    assert found == pytest.approx({"ask_ms_p50": 100, "ask_ms_p99": 198, "ask_ms_max": 199})


def test_quantiles_of_nothing_are_refused() -> None:
    with pytest.raises(RuntimeError, match="nothing was measured of lag_ms"):
        measured.quantiles("lag_ms", [])


def test_a_nap_writes_when_it_began_and_ended(tmp_path: Path) -> None:
    file = tmp_path / "spans"
    nap = Nap(str(file), 0.001, 0.002)
    assert [nap({"momentum": 0.5}), nap({"momentum": 0.0})] == [0.5, 0.0]
    (first, second) = measured.spans(file)
    assert first[1] - first[0] >= 0.0015 and second[1] - second[0] >= 0.001 and second[0] >= first[1]


def test_the_lag_is_measured_while_work_is_done_and_its_error_passes() -> None:
    async def work() -> None:
        await asyncio.sleep(0.01)

    async def broken() -> None:
        await asyncio.sleep(0.005)
        raise ValueError("broken")

    assert set(asyncio.run(lag.lag_during(work))) == {"lag_ms_p50", "lag_ms_p99", "lag_ms_max"}
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(lag.lag_during(broken))


def test_every_trial_is_claimed_once() -> None:
    claims = Claims(2)
    assert [claims.take() for _ in range(4)] == [True, True, False, False]


@pytest.mark.parametrize("is_pruned", [False, True])
def test_a_trial_reports_at_every_step_and_is_judged_only_with_a_pruner(is_pruned: bool) -> None:
    trial = FakeTrial()
    assert Reporting(3, is_pruned)(trial) == 0.25
    assert trial.reports == [(reported(step), step) for step in (1, 2, 3)]
    assert trial.judged == ([1, 2, 3] if is_pruned else [])


def test_a_function_of_parameters_is_called_with_those_of_the_trial() -> None:
    assert Evaluating(noop)(FakeTrial()) == 0.25


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda file: file.stem)
def test_an_adapter_is_short_and_imports_neither_us_nor_the_harness(adapter: Path) -> None:
    text = adapter.read_text(encoding="utf-8")
    tree = ast.parse(text)
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    code = [line for line in text.splitlines() if line.strip()]
    assert len(code) < 100
    assert not any(name.startswith("benchmarks.harness") for name in imported)
    assert adapter.stem == "with_asyncsweep" or not any(name.split(".")[0] == "asyncsweep" for name in imported)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda file: file.stem)
def test_an_adapter_has_exact_pins_and_marks_of_workloads_that_it_has(adapter: Path) -> None:
    name = adapter.stem.removeprefix("with_")
    tree = ast.parse(adapter.read_text(encoding="utf-8"))
    workloads = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if (
            isinstance(node, ast.Assign | ast.AnnAssign)
            and isinstance(target, ast.Name)
            and target.id in {"LESS", "MOST"}
        ):
            assert node.value is not None
            assert set(ast.literal_eval(node.value)) <= workloads
    if name not in INSTALLED_HERE:
        pins = (PEERS / f"{name}.txt").read_text(encoding="utf-8").split()
        assert pins and all(pin.count("==") == 1 for pin in pins)


def call(name: str, workload: str, **arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.peers", name, workload, json.dumps(arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)


def test_the_last_line_is_what_was_measured_with_the_versions() -> None:
    done = call("by_hand", "overhead", n_trials=10)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["n_complete"] == 10 and told["trials_per_s"] > 0
    assert set(told["versions"]) == {"optuna"}


def test_what_is_not_offered_is_told_in_the_last_line_of_the_errors() -> None:
    done = call("optuna", "overhead", n_trials=10, workers=2, durable=False)
    assert done.returncode and done.stderr.splitlines()[-1].startswith("NotImplementedError: processes of Optuna's")


def test_the_hand_written_loop_hands_every_verdict_back() -> None:
    from benchmarks.peers.shared.in_optuna import study_in

    with children(2, lambda params, report: float("nan") if report(bowl(params), 1) else 1.0, is_pruned=True) as pipes:
        study = study_in(pruner="median")
        asyncio.run(PipeLoop(study, pipes, is_pruned=True, n_trials=40).run())
    states = [trial.state.name for trial in study.trials]
    assert len(states) == 40 and set(states) == {"COMPLETE", "PRUNED"}
