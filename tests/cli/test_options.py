"""Options of the command line as settings of a sweep."""

from __future__ import annotations

import os
from typing import Any

import click
import pytest
from click.testing import CliRunner

import asyncsweep as sw
from asyncsweep.cli.options import settings_of, sweep_options
from asyncsweep.errors import ConfigError


def settings(*args: str, base: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {}

    @click.command()
    @sweep_options
    def command(**options: Any) -> None:
        found.update(settings_of(options, base))

    answer = CliRunner().invoke(command, args)
    if isinstance(answer.exception, ConfigError):
        raise answer.exception
    assert answer.exit_code == 0, answer.output
    return found


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("", {}),
        ("--trials 20 --parallel 2", {"n_trials": 20, "concurrency": 2}),
        ("--n-trials none --timeout none --target none", {"n_trials": None, "timeout": None, "target": None}),
        ("--algorithm grid_search", {"sampler": "grid"}),
        ("--algorithm optuna --sampler-option n_startup_trials=5", {"sampler": {"name": "tpe", "n_startup_trials": 5}}),
        ("--executor-option fresh=true", {"executor": {"name": "process", "fresh": True}}),
        ("--executor-option fresh=true --executor gpu", {"executor": {"name": "gpu", "fresh": True}}),
        ("--pass-env A --pass-env B_*", {"executor": {"name": "process", "pass_env": ["A", "B_*"]}}),
        (
            "--exporter csv --exporter a/b --exporter-option csv.path=x.csv",
            {"exporters": [{"name": "csv", "path": "x.csv"}, {"name": "a/b"}]},
        ),
        (
            "--exporter csv --exporter-option csv.path=~/x.csv",
            {"exporters": [{"name": "csv", "path": os.path.expanduser("~/x.csv")}]},
        ),
        ("--retries 2 --retry-on OSError", {"retries": sw.Retry(2, ("OSError",))}),
        ("--needs gpus=1,memory_gib=8", {"needs": {"gpus": 1.0, "memory_gib": 8.0}}),
        (
            "--needs gpus=0.25 --needs host=gpu1,labels.zone=a --needs labels.disk=ssd",
            {"needs": {"gpus": 0.25, "host": "gpu1", "labels": {"zone": "a", "disk": "ssd"}}},
        ),
        ("--needs none", {"needs": None}),
    ],
)
def test_options_become_settings(args: str, expected: dict[str, Any]) -> None:
    assert settings(*args.split()) == expected


@pytest.mark.parametrize(
    ("args", "base", "expected"),
    [
        (
            "--executor-option fresh=true",
            {"executor": {"name": "process", "pass_env": ["A"]}},
            {"executor": {"name": "process", "pass_env": ["A"], "fresh": True}},
        ),
        ("--sampler-option seed=1", {"sampler": "tpe"}, {"sampler": {"name": "tpe", "seed": 1}}),
        (
            "--sampler random --sampler-option seed=1",
            {"sampler": {"name": "tpe", "n_startup_trials": 5}},
            {"sampler": {"name": "random", "seed": 1}},
        ),
        ("--retry-on OSError", {"retries": 3}, {"retries": sw.Retry(3, ("OSError",))}),
    ],
)
def test_options_of_a_part_are_added_to_what_it_has(args: str, base: dict[str, Any], expected: dict[str, Any]) -> None:
    assert settings(*args.split(), base=base) == expected


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        ("--algorithm optuna --sampler tpe", "they say the same; leave one out"),
        ("--exporter csv --exporter-option cvs.path=1", "expected EXPORTER.NAME=VALUE; --exporter has csv"),
        ("--backoff 1 2", "--backoff: say how often by --retries N"),
        ("--sampler-option x", "--sampler-option 'x': expected NAME=..., such as n_startup_trials=20"),
    ],
)
def test_options_that_contradict_each_other_are_refused(args: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        settings(*args.split())


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        ("--needs gpus", "--needs 'gpus': expected NAME=..., such as gpus=1"),
        ("--needs gpus=many", "--needs gpus=many: expected a number"),
        ("--needs labels=a", "expected a number; a label is given as labels.NAME=TEXT"),
        ("--needs gpus=1 --needs gpus=2", "'gpus' is given twice"),
        ("--needs gpus=1,", "--needs '': expected NAME="),
    ],
)
def test_needs_that_say_nothing_are_refused(args: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        settings(*args.split())


def test_options_of_the_executor_are_refused_where_there_are_several() -> None:
    several = {"executor": ["thread", {"name": "process", "slots": 2}]}
    for option in ("--pass-env A", "--executor-option fresh=true"):
        with pytest.raises(ConfigError, match="there are 2 executors; say it in the file, or choose one by --executor"):
            settings(*option.split(), base=several)
    chosen = settings("--executor", "process", "--pass-env", "A", base=several)
    assert chosen == {"executor": {"name": "process", "pass_env": ["A"]}}
