"""Errors about settings name what was typed."""

from __future__ import annotations

import pytest

from asyncsweep.cli.wording import as_typed
from tests.cli.conftest import Cli

LIMIT = "n_trials=0: expected a whole number >= 1, or None for no limit"
USED = "directory='d' holds a sweep already: go on with it by Sweep.resume(directory, objective), or name another directory"


@pytest.mark.parametrize(
    ("words", "text", "told"),
    [
        ("--trials 0", LIMIT, "--trials 0: expected a whole number >= 1, or none for no limit"),
        ("--n-trials=0", LIMIT, "--n-trials 0: expected a whole number >= 1, or none for no limit"),
        ("sweep.toml", LIMIT, LIMIT),
        ("--keep x", "keep='x': expected all, best, failed", "--keep 'x': expected all, best, failed"),
        (
            "--exporter jsonl",
            "exporter.path: the exporter 'jsonl' needs this option",
            "--exporter-option jsonl.path: the exporter 'jsonl' needs this option",
        ),
        ("--sampler-option a=1", "sampler.a: the sampler has none", "--sampler-option a: the sampler has none"),
        ("--sampler-option a=1", "sampler.a=1: expected text", "--sampler-option a=1: expected text"),
        ("sweep.toml", "sampler.a: the sampler has none", "sampler.a: the sampler has none"),
        (
            "--directory d",
            USED,
            "'d' holds a sweep already: go on with it by asyncsweep resume 'd', or name another directory",
        ),
        ("x", 'say: Sweep(direction={"loss": "minimize"})', "say: --direction loss=minimize"),
        ("--trials 1", "d: there is no sweep in it", "d: there is no sweep in it"),
    ],
)
def test_an_error_names_what_was_typed(words: str, text: str, told: str) -> None:
    assert as_typed(text, words.split()) == told


def test_the_command_line_tells_of_its_own_options(cli: Cli) -> None:
    done = cli("run", "objectives:square", "--x", "uniform(0, 1)", "--in-memory", "--trials", "0")
    assert done.stderr == "error: --trials 0: expected a whole number >= 1, or none for no limit\n"


def test_a_module_that_reads_the_command_line_is_told_of_with_the_way_out(cli: Cli, folder) -> None:  # type: ignore[no-untyped-def]
    (folder / "reading.py").write_text("import sys\nsys.exit(2)\n")
    done = cli(
        "run", "reading:objective", "--x", "uniform(0, 1)", "--in-memory", "--sampler", "random", "--trials", "1"
    )
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: objective='reading:objective': to import reading ended the process (SystemExit: 2), as a script does"
    )
    assert done.stderr.endswith("run it as a script: asyncsweep run reading.py --objective objective ...\n")
