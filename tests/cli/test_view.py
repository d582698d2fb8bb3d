"""`asyncsweep view`, and `run --view`: real processes, and a client that reads what a page would."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from asyncsweep.cli import browser, view
from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.core.records import PluginSpec
from asyncsweep.steering import runtime
from tests.cli import made
from tests.cli.conftest import COMMAND, Cli

WAIT_S = 50
X = ("--x", "uniform(0, 1)", "--sampler", "random")

pytestmark = pytest.mark.timeout(150)

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def environment(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """With a folder of its own for sockets, and without a display."""
    with tempfile.TemporaryDirectory(prefix="as-", dir="/tmp") as folder:
        unseen = {name: value for name, value in environment.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
        yield {**unseen, "XDG_RUNTIME_DIR": folder}


@pytest.fixture
def start(folder: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Start `asyncsweep ARGS...`; what still runs in the end is killed."""
    with ExitStack() as stack:

        def begin(*args: str, **more: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [*COMMAND, *args],
                cwd=folder,
                env={**environment, **more},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.callback(end, process, signal.SIGKILL)
            return process

        yield begin


def end(process: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[int, str, str]:
    """Signal a process; gives its exit code, and what it still said."""
    if process.poll() is None:
        process.send_signal(number)
    if process.stdout is not None and process.stdout.closed:
        return process.wait(timeout=WAIT_S), "", ""
    said, aside = process.communicate(timeout=WAIT_S)
    return process.returncode, said, aside


def url_of(process: subprocess.Popen[str]) -> str:
    """The link, which is in the first line that begins so."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Viewer: "):
            return line.removeprefix("Viewer: ").rstrip("\n")
    raise AssertionError(process.communicate())


class Client:
    """A viewer that keeps what it is told."""

    def __init__(self, connection: ClientConnection, sweep: str | None) -> None:
        self._connection = connection
        self.hello = self._next()
        self.rows: dict[int, list[Any]] = {}
        self.status: dict[str, Any] = {}
        self.answers: list[dict[str, Any]] = []
        self._n_received = 0
        self.send(type="open", **({} if sweep is None else {"sweep": sweep}))

    def until(self, so: Callable[[Client], bool]) -> Client:
        """Take what comes until something is so."""
        give_up = time.monotonic() + WAIT_S
        while not so(self):
            assert time.monotonic() < give_up, (self.status, self.rows)
            self._take(self._next())
        return self

    def ended(self, state: str = "ENDED") -> Client:
        return self.until(lambda client: client.status.get("state") == state)

    def states(self) -> dict[int, str]:
        return {number: row[1] for number, row in self.rows.items()}

    def send(self, **message: Any) -> None:
        self._connection.send(json.dumps(message))

    def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._connection.recv(timeout=WAIT_S))
        return message

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "answer":
            self.answers.append(message)
            return
        if kind == "snapshot" and message["part"] == 0:
            self.rows.clear()
        if kind in ("snapshot", "delta"):
            self.rows.update((row[0], row) for row in message["rows"])
        if kind == "status":
            self.status = message
        self._n_received += 1
        self.send(type="ack", received=self._n_received)


@contextmanager
def viewing(url: str, sweep: str | None = None) -> Iterator[Client]:
    """Connect as the page does with a link."""
    found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/#token=([\w-]{43})(?:&control=([\w-]{43}))?", url)
    assert found is not None, url
    port, token, control = found.groups()
    offered = ["asyncsweep.v1.json", f"asyncsweep.token.{token}"]
    offered += [f"asyncsweep.control.{control}"] if control else []
    with connect(
        f"ws://127.0.0.1:{port}/stream",
        origin=Origin(f"http://127.0.0.1:{port}"),
        subprotocols=[Subprotocol(one) for one in offered],
        compression=None,
    ) as connection:
        yield Client(connection, sweep)


def test_a_finished_sweep_is_served_until_ctrl_c(folder: Path, start: Start) -> None:
    made.put(folder / "first", made.ended(3).journal)
    before = sorted(path.name for path in (folder / "first").iterdir())
    process = start("view", "first")
    with viewing(url_of(process)) as client:
        assert client.hello["sweeps"] == ["first"] and client.hello["control"] is False
        client.until(lambda client: bool(client.status) and len(client.rows) == 3)
        assert client.status["state"] == "ENDED" and client.status["reason"] == "n_trials reached"
        assert client.states() == dict.fromkeys(range(3), "COMPLETE") and client.status["best"]["number"] == 0
        process.send_signal(signal.SIGINT)
        with pytest.raises(ConnectionClosed):
            client.until(lambda client: False)
    assert end(process, 0) == (130, "", "Ctrl-C ends it.\nInterrupted: the page is not served any more.\n")
    assert sorted(path.name for path in (folder / "first").iterdir()) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_process_ends_it_cleanly(
    number: int, folder: Path, start: Start, environment: dict[str, str], tmp_path: Path
) -> None:
    made.put(folder / "first", made.ended(1).journal)
    seen, script = tmp_path / "seen", tmp_path / "my-browser"
    script.write_text(f'#!/bin/sh\necho "$@" > {seen}.new && mv {seen}.new {seen}\n')
    script.chmod(0o700)
    process = start("view", "first", "--browser", BROWSER=str(script))
    url = url_of(process)
    give_up = time.monotonic() + WAIT_S
    while not seen.exists() and time.monotonic() < give_up:
        time.sleep(0.01)
    # What a browser is told on its command line has no token: it is the path of a file that has it.
    address = seen.read_text().strip()
    token = url.partition("token=")[2]
    assert address.startswith("file:///") and token not in address
    file = Path(address.removeprefix("file://"))
    assert file.parent == Path(environment["XDG_RUNTIME_DIR"], "asyncsweep") and url in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    code, _, said = end(process, number)
    assert (code, said.splitlines()[-1]) == (130, "Interrupted: the page is not served any more.")
    assert not file.exists()


def test_a_sweep_that_is_killed_and_resumed_is_followed(folder: Path, start: Start) -> None:
    running = start("run", "objectives:forever", *X, "--trials", "2", "--parallel", "1", "--directory", "d", "--plain")
    give_up = time.monotonic() + WAIT_S
    while not list(folder.glob("worker-*")) and time.monotonic() < give_up:
        time.sleep(0.01)
    process = start("view", "d", "--control")
    with viewing(url_of(process)) as client:
        client.until(lambda client: client.states() == {0: "RUNNING"} and client.status.get("state") == "RUNNING")
        client.send(type="ask", id=1, what="pause")
        client.ended("PAUSED")
        client.until(lambda client: bool(client.answers))
        assert client.answers[0]["id"] == 1 and "error" not in client.answers[0]
        end(running, signal.SIGKILL)
        client.ended("INTERRUPTED")
        client.send(type="ask", id=2, what="unpause")
        client.until(lambda client: len(client.answers) == 2)
        assert "error" in client.answers[1]
        (folder / "go").touch()
        resumed = start("resume", "d", "--plain")
        client.ended()
        client.until(lambda client: client.states() == {0: "COMPLETE", 1: "COMPLETE"})
        assert client.rows[0][2] == 2  # its second attempt
        assert end(resumed, 0)[0] == 0
    assert end(process)[0] == 130


def test_a_run_with_view_shows_itself_and_says_how_to_look_again(folder: Path, start: Start) -> None:
    process = start("run", "objectives:forever", *X, "--trials", "1", "--view", "--no-browser")
    with viewing(url_of(process)) as client:
        assert client.hello["sweeps"] == ["objectives-forever-1"] and client.hello["control"] is False
        client.until(lambda client: client.states() == {0: "RUNNING"})
        (folder / "go").touch()
        client.ended().until(lambda client: client.states() == {0: "COMPLETE"})
        code, said, aside = end(process, 0)
    assert (code, aside) == (0, "")
    assert said.splitlines()[-1] == "Look at it with: asyncsweep view sweeps/objectives-forever-1"


def test_a_resumed_run_with_view_is_interrupted_as_ever(folder: Path, start: Start, cli: Cli) -> None:
    made.put(folder / "d", made.open_still(objective="objectives:forever", executor=PluginSpec("process")).journal)
    process = start("resume", "d", "objectives:forever", "--view", "--no-browser", "--json")
    assert process.stderr is not None
    line = next(line for line in process.stderr if line.startswith("Viewer: "))
    with viewing(line.removeprefix("Viewer: ").strip()) as client:
        client.until(lambda client: client.states().get(2) == "RUNNING" and client.rows[2][2] == 2)
        process.send_signal(signal.SIGINT)
        client.ended("STOPPING")
        (folder / "go").touch()
        client.ended()
    code, said, aside = end(process, 0)
    assert code == 130 and json.loads(said)["reason"] == "interrupted"
    assert aside.splitlines()[-1] == "Interrupted. Go on with: asyncsweep resume d objectives:forever"


def test_several_sweeps_are_served_under_names_of_their_own(folder: Path, start: Start) -> None:
    for name in ("a/first", "b/first", "b/second"):
        made.put(folder / name, made.ended(len(name) - 5).journal)
    process = start("view", "a/first", "b/first", "b/second/", "b/../b/second")
    url = url_of(process)
    with viewing(url, "b/first") as client:
        assert client.hello["sweeps"] == ["a/first", "b/first", "second"]
        client.until(lambda client: len(client.rows) == 2)
    with viewing(url, "second") as client:
        client.until(lambda client: len(client.rows) == 3)
    assert end(process)[0] == 130


def test_a_damaged_sweep_is_served_up_to_the_damage(folder: Path, start: Start) -> None:
    path = made.put(folder / "d", made.ended(12).journal) / "journal.asyncsweep"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    process = start("view", "d")
    with viewing(url_of(process)) as client:
        client.until(
            lambda client: "asyncsweep journal check" in client.status.get("problem", "") and bool(client.rows)
        )
    assert end(process)[0] == 130


def test_a_journal_that_is_replaced_is_shown_anew(folder: Path, start: Start) -> None:
    made.put(folder / "d", made.ended(5).journal)
    process = start("view", "d")
    with viewing(url_of(process)) as client:
        client.until(lambda client: len(client.rows) == 5)
        made.put(folder / "other", made.ended(2).journal)
        os.replace(folder / "other" / "journal.asyncsweep", folder / "d" / "journal.asyncsweep")
        client.until(lambda client: len(client.rows) == 2)
    assert end(process)[0] == 130


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere"], 2, "error: directory='HERE/nowhere' is no folder"),
        (["."], 2, "error: directory='HERE' holds no sweep (journal.asyncsweep is not there)"),
        (["d", "no-journal"], 1, "error: HERE/no-journal/journal.asyncsweep is no asyncsweep journal"),
        ([], 2, "Missing argument 'DIR...'"),
        (["d", "--port", "70000"], 2, "Invalid value for '--port'"),
        (["d", "--host", "0.0.0.0"], 2, "error: --host '0.0.0.0': other computers reach that"),
        (["d", "--host", "0.0.0.0"], 2, "or say --allow-remote"),
        (["d", "--host", "0.0.0.0", "--allow-remote"], 2, "by which names it is visited, --known-as NAME"),
    ],
    ids=str,
)
def test_bad_usage_is_told(
    words: list[str], code: int, said: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    made.put(folder / "d", made.ended(1).journal)
    (folder / "no-journal").mkdir()
    (folder / "no-journal" / "journal.asyncsweep").write_text("nothing of ours")
    answer = CliRunner().invoke(command, ["view", *words])
    assert answer.exit_code == code and said.replace("HERE", str(folder)) in answer.output


def test_a_port_that_is_taken_is_told(folder: Path, start: Start, cli: Cli) -> None:
    made.put(folder / "d", made.ended(1).journal)
    process = start("view", "d")
    port = re.findall(r":(\d+)/", url_of(process))[0]
    done = cli("view", "d", "--port", port)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith(f"error: --port {port}: something else")
    done = cli("run", "objectives:square", *X, "--trials", "1", "--view", "--view-port", port)
    assert done.returncode == 2 and f"error: --view-port {port}: the page cannot be served there" in done.stderr
    assert not (folder / "sweeps").exists()
    assert end(process)[0] == 130


@pytest.mark.parametrize(
    "words", [["view", "d"], ["run", "objectives:square", *X, "--view"]], ids=lambda words: words[0]
)
def test_without_the_extra_the_mend_is_told_before_anything_begins(
    words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    made.put(folder / "d", made.ended(1).journal)
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "websockets" else found(name))
    answer = CliRunner().invoke(command, words)
    assert answer.exit_code == 2 and 'pip install "asyncsweep[viewer]"' in answer.output
    assert not (folder / "sweeps").exists()


@pytest.mark.parametrize("option", ["--view-port=80", "--no-browser"])
def test_options_of_a_page_need_one(option: str) -> None:
    answer = CliRunner().invoke(command, ["run", "objectives:square", *X, "--in-memory", option])
    assert answer.exit_code == 2 and f"error: {option.partition('=')[0]}: it is for the page of a run" in answer.output


@pytest.mark.parametrize(
    ("is_terminal", "variables", "likely"),
    [
        (True, {"DISPLAY": ":0"}, True),
        (True, {"WAYLAND_DISPLAY": "wayland-0"}, True),
        (False, {"DISPLAY": ":0"}, False),
        (True, {}, False),
        (True, {"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, False),
    ],
    ids=str,
)
def test_a_browser_is_opened_where_it_is_likely_seen(
    is_terminal: bool, variables: dict[str, str], likely: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    opened: list[str] = []
    monkeypatch.setattr(browser, "_open", opened.append)
    with browser.opened("http://127.0.0.1:1/#token=x", None):
        assert len(opened) == likely
    with browser.opened("http://127.0.0.1:1/#token=x", False):
        assert len(opened) == likely


def test_a_link_that_cannot_be_opened_is_a_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> str:
        raise PermissionError("/tmp/asyncsweep-0 is the user 7's, not ours")

    monkeypatch.setattr(runtime, "folder", refuse)
    with browser.opened("http://127.0.0.1:1/#token=x", True):
        pass
    assert capsys.readouterr().err == "note: no browser was opened: /tmp/asyncsweep-0 is the user 7's, not ours\n"


def test_what_killed_viewers_left_is_removed_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "folder", lambda: str(tmp_path))
    monkeypatch.setattr(browser, "_open", lambda address: None)
    for name, age_s in (("view-old.html", 90_000), ("view-new.html", 100), ("other.html", 90_000)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    with browser.opened("http://127.0.0.1:1/#token=x", True):
        assert len(list(tmp_path.iterdir())) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.html", "view-new.html"]


def test_each_directory_is_shown_once_in_the_order_given() -> None:
    assert view._named(("b/x", "a/x", "c", "b/./x", "/")) == {"b/x": "b/x", "a/x": "a/x", "c": "c", "/": "/"}
