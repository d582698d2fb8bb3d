"""`quality-bbob` and `quality-curves` run, show what they promise, and find exactly what plain Optuna finds where DESIGN says so."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.environments import ROOT

# A hundred searches, and curves that may have to be fetched.
pytestmark = [pytest.mark.deep, pytest.mark.timeout(600)]

SAMPLERS, FUNCTIONS = ("tpe", "cmaes", "random", "sobol"), (1, 8, 15, 21)
PRUNERS, CURVES_BY = ("none", "median", "asha", "hyperband"), ("random", "tpe")
PARTS = ("", "_half", "_quarter")
FOUND = ("regret", "quarter", "half", "half_time", "epochs", "hours")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Gives what a quick run of a workload writes as JSON; runs it once."""

    @cache
    def of(name: str) -> dict[str, Any]:
        if name == "quality-bbob":
            pytest.importorskip("cocoex")
        file: Path = tmp_path_factory.mktemp(name) / "measured.json"
        command = [
            sys.executable,
            "-m",
            "benchmarks",
            "run",
            name,
            "--quick",
            "--repetitions",
            "2",
            "--json",
            str(file),
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=550, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["workloads"][name]
        assert found["failed"] == {}
        return found

    return of


def test_bbob_measures_regrets_of_each_sampler_on_each_function_beside_optunas(measured: Any) -> None:
    expected = {
        f"f{number}_{sampler}{whose}{part}"
        for number in FUNCTIONS
        for sampler in SAMPLERS
        for whose in ("", "_optuna")
        for part in PARTS
    }
    expected |= {
        f"less_optuna_{sampler}{part}{end}" for sampler in SAMPLERS for part in PARTS for end in ("", "_up_to")
    }
    expected |= {f"{sampler}_alone_differing" for sampler in ("tpe", "cmaes")}
    expected |= {f"differing_{sampler}" for sampler in ("tpe", "cmaes")}
    figures = measured("quality-bbob")["figures"]
    assert set(figures) == expected
    assert [key for key in expected if key[0] == "f" and not figures[key]["median"] > 0] == []


def test_on_bbob_optunas_samplers_suggest_what_they_suggest_in_plain_optuna(measured: Any) -> None:
    figures = measured("quality-bbob")["figures"]
    for sampler in ("tpe", "cmaes"):
        assert figures[f"differing_{sampler}"]["samples"] == [0]
        for key in [f"f{number}_{sampler}" for number in FUNCTIONS]:
            assert figures[key]["samples"] == figures[f"{key}_optuna"]["samples"]


def test_bbob_judges_differences_and_what_must_not_differ(measured: Any) -> None:
    assert [(goal["figure"], goal["at_most"]) for goal in measured("quality-bbob")["goals"]] == [
        ("less_optuna_tpe_up_to", 0.02),
        ("differing_tpe", 0),
        ("less_optuna_cmaes_up_to", 0.02),
        ("differing_cmaes", 0),
        ("less_optuna_random_up_to", 0.02),
        ("less_optuna_sobol_up_to", 0.02),
    ]


def test_curves_measure_each_pruner_against_epochs_and_time_beside_optunas(measured: Any) -> None:
    expected = {
        f"{sampler}_{pruner}{whose}_{what}"
        for sampler in CURVES_BY
        for pruner in PRUNERS
        for whose in ("", "_optuna")
        for what in FOUND
    }
    expected |= {f"{sampler}_{pruner}_alone_differing" for sampler in CURVES_BY for pruner in PRUNERS}
    expected |= {
        f"less_optuna_{pruner}{part}{end}"
        for pruner in PRUNERS
        for part in (*PARTS, "_half_time")
        for end in ("", "_up_to")
    }
    expected |= {f"differing_{pruner}" for pruner in PRUNERS}
    assert set(measured("quality-curves")["figures"]) == expected


def test_on_curves_every_pruner_prunes_what_optunas_prunes(measured: Any) -> None:
    figures = measured("quality-curves")["figures"]
    for pruner in PRUNERS:
        assert figures[f"differing_{pruner}"]["samples"] == [0]
        for sampler in CURVES_BY:
            for what in FOUND:
                ours, theirs = (figures[f"{sampler}_{pruner}{whose}_{what}"] for whose in ("", "_optuna"))
                assert ours["samples"] == theirs["samples"]


def test_pruners_save_epochs(measured: Any) -> None:
    figures = measured("quality-curves")["figures"]
    for pruner in PRUNERS[1:]:
        assert figures[f"random_{pruner}_epochs"]["median"] < figures["random_none_epochs"]["median"]


def test_curves_judge_differences_and_what_must_not_differ(measured: Any) -> None:
    ends = ("_up_to", "_half_up_to", "_half_time_up_to")
    assert [(goal["figure"], goal["at_most"]) for goal in measured("quality-curves")["goals"]] == [
        goal
        for pruner in PRUNERS
        for goal in (*((f"less_optuna_{pruner}{end}", 0.02) for end in ends), (f"differing_{pruner}", 0))
    ]
