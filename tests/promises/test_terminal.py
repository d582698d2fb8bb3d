"""Promise S15: a terminal is shown no control character of a sweep's. 30 payloads, in every place, through every command."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import click
import pytest

import asyncsweep as sw
from asyncsweep.cli import plugins
from asyncsweep.cli.group import asyncsweep
from asyncsweep.hooks.registry import Row
from asyncsweep.progress.text import visible, visible_lines
from tests.promises import noisy
from tests.promises.noisy import ALL, FOLDER, MARKUP, PAYLOADS

PARAMS = {f"{name} {payload}": payload for name, payload in PAYLOADS.items()}

# Every command as words; "DIR" stands for the sweep's directory, whose name is hostile too, "COPY" for one that may be changed,
# "NEW" for one that is not there. Where a command refuses what it is asked, the refusal is looked at.
COMMANDS: dict[str, list[list[str]]] = {
    "artifacts get": [["DIR", "0", "--to", "NEW"], ["DIR", "--to", "NEW"], ["DIR", "0", ALL, "--to", "NEW"], ["DIR", ALL]],
    "artifacts ls": [["DIR"], ["DIR", "--trial", "0"], ["DIR", "--json"], [ALL]],
    "export csv": [["DIR"], [ALL]],
    "export html": [["DIR"]],
    "export json": [["DIR"]],
    "export optuna": [["DIR", "--storage", "sqlite:///NEW"], ["DIR", "--storage", ALL]],
    "import": [["DIR", "NEW"], ["DIR", "NEW", "--json"], [ALL, "NEW"]],
    "journal check": [["DIR"], ["DIR", "--json"], [ALL]],
    "journal dump": [["DIR"]],
    "journal repair": [["DIR", "--dry-run"], ["DIR", "--json"]],
    "logs": [["DIR"], ["DIR", "0"], ["DIR", "1", "--tail", "3"], ["DIR", "0", "--raw"], ["DIR", "--json"], ["DIR", ALL]],
    "ls": [["PARENT"], ["PARENT", "--json"], [ALL]],
    "pause": [["DIR"]],
    "plugins": [[], ["--json"]],
    "rm": [["--yes", "COPY"], ["--yes", "--artifacts", "COPY"], [ALL]],
    "resume": [["COPY", "tests.promises.noisy:hostile", "--n-trials", "4"], ["COPY"], [ALL]],
    "run": [
        ["tests.promises.noisy:hostile", "--n-trials", "2", "--directory", "NEW", "--sampler", "random", "--space", f"[red]x\x1b[31m\u202e=categorical({json.dumps(PAYLOADS['title'])})"],
        [ALL, "--directory", "NEW"],
        ["tests.promises.noisy:hostile", "--directory", "NEW", "--space", ALL],
    ],
    "show": [["DIR"], ["DIR", "--trial", "0"], ["DIR", "--trial", "1"], ["DIR", "--json"], [ALL]],
    "stop": [["DIR", "--reason", ALL]],
    "unpause": [["DIR"]],
    "view": [[ALL], ["DIR", "--known-as", ALL], ["DIR", "--host", "192.0.2.1"]],
}  # fmt: skip
# Commands that show nothing of a sweep's, with the reason.
NOT_LOOKED_AT = {
    "demo": "it runs a sweep of ours, with names of ours",
    "completion": "it prints a script of click's for shells",
    "init": "it writes a file of ours, and prints its name",
}


class Terminal(io.TextIOWrapper):
    """A stream that says that it is a terminal, and keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="\n", write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> str:
        self.flush()
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode("utf-8", "surrogateescape")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep in whose every text there are the payloads."""
    directory = tmp_path_factory.mktemp("sweeps") / FOLDER

    async def run() -> None:
        settings: dict[str, Any] = {"sampler": "random", "executor": "process", "n_trials": 3, "max_failures": 5}
        direction: Any = {ALL: "minimize", MARKUP: "maximize"}
        async with sw.Sweep(noisy.hostile, PARAMS, direction=direction, directory=directory, **settings).start() as run:
            await run.result()
            run.stop(ALL)

    anyio.run(run)
    return directory


def leaves(command: click.Command, path: str = "") -> Iterator[str]:
    """The names of all commands below one."""
    if not isinstance(command, click.Group):
        yield path
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from leaves(below, f"{path} {name}".strip())


def test_there_are_thirty() -> None:
    assert len(set(PAYLOADS.values())) == 30
    assert all(not payload.isprintable() for payload in PAYLOADS.values())


def test_every_command_is_looked_at() -> None:
    assert set(leaves(asyncsweep)) <= {*COMMANDS, *NOT_LOOKED_AT}


@pytest.mark.parametrize("command", sorted(set(COMMANDS) & set(leaves(asyncsweep))))
def test_no_command_shows_a_control_character(
    command: str, sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")  # then rich has no escapes of its own
    monkeypatch.setattr(plugins, "Registry", lambda *_: Plugins())
    for number, words in enumerate(COMMANDS[command]):
        copy = tmp_path / f"{number}" / FOLDER
        if "COPY" in words:
            shutil.copytree(sweep, copy)
        new = f"{tmp_path}/new-{number}"
        places = {
            "DIR": str(sweep),
            "COPY": str(copy),
            "PARENT": str(sweep.parent),
            "NEW": new,
            "sqlite:///NEW": f"sqlite:///{new}",
        }
        shown = on_a_terminal([*command.split(), *(places.get(word, word) for word in words)], monkeypatch)
        assert bad(shown) == [], (words, shown)
        assert shown, words


class Plugins:
    def describe(self) -> list[Row]:
        states = ("ok", "broken", "conflict", "off")
        return [Row("sampler", ALL, ALL, ALL, ALL, status, f"{ALL}\n{MARKUP}") for status in states]


def on_a_terminal(words: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What a command writes to both streams."""
    with monkeypatch.context() as patched:
        streams = Terminal(), Terminal()
        patched.setattr(sys, "stdout", streams[0])
        patched.setattr(sys, "stderr", streams[1])
        with contextlib.suppress(SystemExit):  # click ends so
            asyncsweep.main(words, prog_name="asyncsweep")
    return "".join(stream.shown for stream in streams)


def bad(shown: str) -> list[str]:
    return sorted({character for character in shown if not character.isprintable() and character != "\n"})


def test_names_and_errors_are_shown_as_escapes(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "10000")
    shown = on_a_terminal(["show", str(sweep), "--trial", "1"], monkeypatch)
    for payload in PAYLOADS.values():
        assert visible(payload) in shown or repr(payload)[1:-1] in shown
    assert MARKUP in shown
    assert visible(FOLDER)[:20] in on_a_terminal(["ls", str(sweep.parent)], monkeypatch)
    assert visible_lines(PAYLOADS["clipboard"]) in on_a_terminal(["logs", str(sweep), "0"], monkeypatch)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252"])
def test_a_payload_is_escaped_in_every_encoding(payload: str, encoding: str) -> None:
    for shown in (visible(payload, encoding), visible_lines(f"{payload}\n{payload}", encoding).replace("\n", "")):
        assert bad(shown) == []
        shown.encode(encoding)
