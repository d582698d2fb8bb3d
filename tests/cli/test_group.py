"""The command as a whole: its help, its version, and what it does with words that it does not know."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

import asyncsweep
from asyncsweep.cli.group import _COMMANDS
from asyncsweep.cli.group import asyncsweep as command
from tests.cli import made
from tests.cli.conftest import COMMAND, Cli


def test_the_version_is_that_of_the_package() -> None:
    assert CliRunner().invoke(command, ["--version"]).output == f"asyncsweep {asyncsweep.__version__}\n"


@pytest.mark.parametrize("name", ["", *sorted(_COMMANDS)])
def test_every_help_text_has_examples(name: str) -> None:
    answer = CliRunner().invoke(command, [*([name] if name else []), "--help"])
    assert answer.exit_code == 0
    assert "Examples:\n" in answer.output or "Commands:\n" in answer.output  # those have examples of their own


def test_an_unknown_command_is_answered_with_the_nearest_one() -> None:
    answer = CliRunner().invoke(command, ["shwo", "x"])
    assert answer.exit_code == 2
    assert "no command 'shwo' (did you mean 'show'?); there are: artifacts, completion, " in answer.output


def test_who_reads_no_further_ends_a_listing_without_a_word(
    cli: Cli, folder: Path, environment: dict[str, str]
) -> None:
    cli("run", "objectives:square", "--x", "uniform(0, 1)", "--sampler", "random", "--directory", "d", "--trials", "3")
    for line in ("show d --json", "plugins"):
        reading, writing = os.pipe()
        os.close(reading)
        listing = subprocess.Popen(
            [*COMMAND, *line.split()], cwd=folder, env=environment, stdout=writing, stderr=subprocess.PIPE, text=True
        )
        os.close(writing)
        _, said = listing.communicate(timeout=50)
        assert (said, listing.returncode) == ("", 141), line


def test_output_that_cannot_be_written_is_told_in_one_line(folder: Path, environment: dict[str, str]) -> None:
    made.put(folder / "d", made.ended().journal)
    for line in ("ls", "show d", "show d --json", "--help"):
        for where, said in ((" > /dev/full", "error: standard output: No space left on device\n"), (">&-", "")):
            done = subprocess.run(
                ["sh", "-c", f"{shlex.join([*COMMAND, *line.split()])} {where}"],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=50,
                check=False,
            )
            assert (done.stderr, done.returncode) == (said, 1 if said else 0), (line, where)
