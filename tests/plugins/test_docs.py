"""docs/plugins.md is followed from the empty folder to the sweep.

The one thing that is not done as the page says is `pip install`: it would fetch the build backend from the network. What
it leaves behind is written instead: the `.dist-info` with the entry points of the page's own pyproject.toml, in a folder on
`sys.path` beside the files.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"


def shown(language: str) -> list[str]:
    """The blocks of a language, in the page's order."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    return found


def files() -> dict[str, str]:
    """What the page shows as files: each block of code begins with its file's name."""
    blocks = [re.fullmatch(r"# ([\w./]+)\n(.*)", block, flags=re.DOTALL) for block in shown("toml") + shown("python")]
    assert None not in blocks
    return {block[1]: block[2] for block in blocks if block is not None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder when everything on the page is written and installed."""
    folder = tmp_path_factory.mktemp("spiral")
    for name, text in files().items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    project = tomllib.loads(files()["pyproject.toml"])["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = "".join(f"{name} = {module}\n" for name, module in project["entry-points"]["asyncsweep"].items())
    (info / "entry_points.txt").write_text(f"[asyncsweep]\n{points}")
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "160"}
    environment.pop("ASYNCSWEEP_PLUGINS", None)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_the_page_runs_these_commands() -> None:
    commands = [shlex.split(line) for block in shown("sh") for line in block.splitlines()]
    assert commands == [
        ["pip", "install", "-e", ".", "pytest"],
        ["asyncsweep", "plugins"],
    ]
    assert re.findall(r"`(python [^`]+)`", PAGE.read_text()) == ["python -m pytest tests", "python use.py"]


def test_the_plugin_of_the_page_passes_its_tests(folder: Path) -> None:
    done = run(folder, "-m", "pytest", "tests", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_asyncsweep_plugins_shows_what_the_page_adds(folder: Path) -> None:
    rows = json.loads(run(folder, "-m", "asyncsweep.cli", "plugins", "--json").stdout)
    found = [(row["kind"], row["name"], row["status"]) for row in rows if row["distribution"] == "sweep-spiral"]
    assert found == [
        ("plugin", "spiral", "ok"),
        ("sampler", "spiral", "ok"),
        ("pruner", "limit", "ok"),
        ("exporter", "tally", "ok"),
    ]


def test_the_sweep_of_the_page_uses_all_three(folder: Path) -> None:
    done = run(folder, "use.py")
    assert (done.stdout, done.stderr, done.returncode) == ("True True\n", "", 0)
    assert (folder / "tally.txt").read_text() == "30 trials\n"


def test_the_name_with_its_distribution_is_the_same_sampler(folder: Path) -> None:
    code = (folder / "use.py").read_text().replace('"name": "spiral"', '"name": "sweep-spiral/spiral"')
    assert run(folder, "-c", code).stdout == "True True\n"
