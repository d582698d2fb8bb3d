"""`asyncsweep plugins`: what is installed, and what of it is broken."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint

import pytest
from click.testing import CliRunner

from asyncsweep import __version__
from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.hooks import installed
from asyncsweep.hooks.offers import Source


def plugins(*arguments: str) -> str:
    answer = CliRunner().invoke(command, ["plugins", *arguments], env={"COLUMNS": "160"})
    assert answer.exit_code == 0
    assert answer.stderr == ""
    return answer.output


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point whose module is not there."""
    entry = EntryPoint("spiral", "no_such_module", "asyncsweep")
    monkeypatch.setattr(installed, "_entry_points", lambda: [(Source("spiral", "sweep-spiral", "1.2"), entry.load)])


def test_the_built_in_names_are_listed_with_their_origin() -> None:
    rows = [line.split() for line in plugins().splitlines()]
    for kind, name in (("sampler", "tpe"), ("pruner", "median"), ("executor", "process"), ("exporter", "jsonl")):
        assert [kind, name, "asyncsweep", __version__, "ok"] in rows


@pytest.mark.usefixtures("broken")
def test_a_broken_plugin_is_marked_with_its_error() -> None:
    lines = plugins().splitlines()
    row = next(line for line in lines if "sweep-spiral 1.2" in line)
    assert row.split()[-1] == "broken"
    assert "ModuleNotFoundError: No module named 'no_such_module'" in " ".join(lines)
    assert lines[-1] == "1 broken"


@pytest.mark.usefixtures("broken")
def test_json_has_one_object_for_each_row() -> None:
    rows = json.loads(plugins("--json"))
    assert set(rows[0]) == {"kind", "name", "distribution", "version", "path", "status", "error"}
    broken = [row for row in rows if row["status"] == "broken"]
    assert [(row["name"], row["distribution"], row["version"]) for row in broken] == [("spiral", "sweep-spiral", "1.2")]
