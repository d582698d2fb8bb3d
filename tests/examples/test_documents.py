"""Every block of code in the README and in docs/ is run, or held against what it speaks of."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.hooks.registry import Registry

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = {"README.md": 5, "cli.md": 10, "plugins.md": 1}  # with so many commands at least
SIZE_LIMIT_BYTES = 100_000

# Runs cells as a notebook does: in one namespace, with `await` at the top level.
NOTEBOOK = """
import ast, asyncio, inspect, json, sys

async def cells():
    for cell in json.loads(sys.argv[1]):
        found = eval(compile(cell, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), globals())
        if inspect.isawaitable(found):
            await found

asyncio.run(cells())
"""


class Block(NamedTuple):
    language: str
    code: str

    @property
    def file(self) -> str | None:
        """The file that the block says it is, by a first line such as "# plugin.py"."""
        found = re.match(r"# (\w+\.py)\n", self.code)
        return None if found is None else found[1]


def blocks(path: Path, language: str) -> list[Block]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [Block(*block) for block in found if block[0] == language]


def commands(*paths: Path) -> list[list[str]]:
    text = "".join(block.code for path in paths for block in blocks(path, "sh"))
    return [shlex.split(line) for line in text.replace("\\\n", "").splitlines()]


def run_here(path: Path) -> list[list[str]]:
    """The commands of a page that are run here: the demo is run elsewhere."""
    return [words[1:] for words in commands(path) if words[0] == "asyncsweep" and words[1] != "demo"]


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def is_script(block: Block) -> bool:
    return "asyncio.run(" in block.code


def with_files(folder: Path, path: Path) -> Path:
    """The folder with the files that a page names."""
    for block in blocks(path, "python"):
        if block.file is not None:
            (folder / block.file).write_text(block.code)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder with the files that the README names."""
    return with_files(tmp_path, ROOT / "README.md")


def test_the_first_thing_in_the_readme_is_a_program_of_eight_lines(tmp_path: Path) -> None:
    first = blocks(ROOT / "README.md", "python")[0]
    assert len(first.code.splitlines()) == 8
    done = python(tmp_path, "-c", first.code)
    assert done.stderr == ""
    assert set(eval(done.stdout)) == {"x", "y"}


def test_the_readme_can_be_pasted_into_a_notebook(folder: Path) -> None:
    cells = [b.code for b in blocks(ROOT / "README.md", "python") if not is_script(b) and b.file is None]
    assert len(cells) >= 5
    done = python(folder, "-c", NOTEBOOK, json.dumps(cells))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Trial 29 " in done.stdout  # of `run(progress=True)`
    assert "finished: <Result: 5 COMPLETE; best is trial " in done.stdout  # of the plugin


def test_the_page_on_search_can_be_pasted_into_a_notebook(tmp_path: Path) -> None:
    cells = [block.code for block in blocks(ROOT / "docs" / "search.md", "python") if not is_script(block)]
    assert len(cells) >= 5
    done = python(tmp_path, "-c", NOTEBOOK, json.dumps(cells))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["scripts.md", "cli.md", "executors.md"])
def test_the_pages_on_scripts_can_be_pasted_into_a_notebook(name: str, tmp_path: Path) -> None:
    path = ROOT / "docs" / name
    folder = with_files(tmp_path, path)
    cells = [block.code for block in blocks(path, "python") if block.file is None]
    assert cells
    done = python(folder, "-c", NOTEBOOK, json.dumps(cells))
    assert (done.returncode, done.stderr) == (0, "")


def test_every_page_with_commands_is_run() -> None:
    assert [path.name for path in DOCUMENTS if run_here(path)] == list(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_the_commands_of_a_page_work(name: str, tmp_path: Path) -> None:
    path = next(path for path in DOCUMENTS if path.name == name)
    folder = with_files(tmp_path, path)
    ran = run_here(path)
    assert len(ran) >= PAGES[name]
    for arguments in ran:
        done = python(folder, "-m", "asyncsweep.cli", *arguments)
        assert (arguments, done.returncode, done.stderr) == (arguments, 0, "")


def test_every_other_command_is_one_that_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for program, *arguments in commands(*DOCUMENTS):
        if program == "make":
            assert set(arguments) <= targets
        elif program == "pip":
            assert arguments[0] == "install"
            assert set(re.findall(r"\[(\w+)\]", arguments[1])) <= set(extras)
        else:
            assert (program, arguments[0] in command.list_commands(None)) == ("asyncsweep", True)  # type: ignore[arg-type]


def test_the_entry_point_names_the_module_of_the_plugin_before_it() -> None:
    stanza = "".join(block.code for block in blocks(ROOT / "README.md", "toml"))
    points = tomllib.loads(stanza)["project"]["entry-points"]["asyncsweep"]
    files = {block.file for block in blocks(ROOT / "README.md", "python")}
    assert {f"{module}.py" for module in points.values()} <= files


@pytest.mark.parametrize("kind", ["sampler", "pruner", "executor"])
def test_the_readmes_tables_have_the_names_that_ship(kind: str) -> None:
    table = (ROOT / "README.md").read_text().split(f"| {kind} |")[1].split("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines()[2:]]
    names = [name for row in rows for name in re.findall(r"`([\w-]+)`", row)]
    shipped = [row.name for row in Registry().describe() if row.kind == kind and row.distribution == "asyncsweep"]
    assert sorted(names) == sorted(shipped)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_that_are_there(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text())
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_language_is_without_its_test(path: Path) -> None:
    languages = set(re.findall(r"^```(\w+)$", path.read_text(), flags=re.MULTILINE))
    assert languages <= {"python", "sh", "toml", "mermaid"}


def test_architecture_names_folders_and_files_that_are_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", text))
    assert named
    assert sorted(name for name in named if not ((ROOT / "asyncsweep" / name).exists() or (ROOT / name).exists())) == []


def test_every_folder_of_the_package_is_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    folders = {path.parent.name for path in (ROOT / "asyncsweep").glob("*/__init__.py")}
    assert sorted(folder for folder in folders if f"{folder}/" not in text) == []


def test_the_picture_is_small_and_loads_nothing() -> None:
    picture = (ROOT / "docs" / "demo.svg").read_text()
    assert len(picture) < SIZE_LIMIT_BYTES
    assert re.findall(r"url\((?!#)|href=|@import|<script", picture) == []
