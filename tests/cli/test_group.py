"""The command as a whole: its help, its version, and what it does with words that it does not know."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

import asyncsweep
from asyncsweep.cli.group import _COMMANDS
from asyncsweep.cli.group import asyncsweep as command


def test_the_version_is_that_of_the_package() -> None:
    assert CliRunner().invoke(command, ["--version"]).output == f"asyncsweep {asyncsweep.__version__}\n"


@pytest.mark.parametrize("name", ["", *sorted(_COMMANDS)])
def test_every_help_text_has_examples(name: str) -> None:
    answer = CliRunner().invoke(command, [*([name] if name else []), "--help"])
    assert answer.exit_code == 0
    assert "Examples:\n" in answer.output


def test_an_unknown_command_is_answered_with_the_nearest_one() -> None:
    answer = CliRunner().invoke(command, ["shwo", "x"])
    assert answer.exit_code == 2
    assert "no command 'shwo' (did you mean 'show'?); there are: completion, demo, " in answer.output
