"""A sweep in a terminal: it is watched, interrupted, steered from a second terminal, and the terminal is left clean."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asyncsweep.driver.replay import replay
from asyncsweep.journal import journal
from tests.cli.conftest import COMMAND, Cli

WAIT_S = 60
CTRL_C = b"\x03"
SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"
# It makes the terminal its own, as a shell's login does, so that Ctrl-C comes as a signal.
_AT_TERMINAL = "import os, sys; os.login_tty(int(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"

STUBBORN = """
import os, signal
from objectives import forever

def objective(x):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return forever(x)
"""
# Blocks the process of the sweep until a file is there.
BLOCKING = """
import os, time
import asyncsweep

def block():
    open("blocked", "w").close()
    while not os.path.exists("released"):
        time.sleep(0.005)
"""

pytestmark = pytest.mark.timeout(150)


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], *args: str) -> None:
        self._ours, theirs = pty.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", _AT_TERMINAL, str(theirs), *COMMAND, *args],
            cwd=folder,
            env={**environment, "COLUMNS": "150", "LINES": "40"},
            pass_fds=[theirs],
        )
        os.close(theirs)

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def wait_for(self, text: str) -> None:
        """Read until the text was shown."""
        deadline = time.monotonic() + WAIT_S
        while text not in self.plain:
            assert self._read(deadline), self.shown

    def end(self) -> int:
        """Read to the end; gives the exit code."""
        deadline = time.monotonic() + WAIT_S
        while self._read(deadline):
            pass
        return self.process.wait(timeout=WAIT_S)

    def hang_up(self) -> None:
        os.close(self._ours)
        self._ours = -1

    @property
    def plain(self) -> str:
        """What was shown, without colours and movements, in one line."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n", "", self.shown)

    @property
    def screen(self) -> str:
        """What is to be seen now: lines that are not wiped or written over. It has as many lines as are needed."""
        lines, row, column = [""], 0, 0
        for command, control, text in re.findall(r"\x1b\[([0-9;?]*[A-Za-z])|([\r\n])|([^\x1b\r\n]+)", self.shown):
            if control == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif control == "\r":
                column = 0
            elif text:
                line = lines[row].ljust(column)
                lines[row] = line[:column] + text + line[column + len(text) :]
                column += len(text)
            elif command.endswith("A"):
                row -= int(command[:-1] or 1)
            elif command == "2K":
                lines[row] = ""
        return "\n".join(line.rstrip() for line in lines)

    def close(self) -> None:
        if self._ours >= 0:
            os.close(self._ours)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=WAIT_S)

    def _read(self, deadline: float) -> bool:
        if not select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise AssertionError(f"nothing more was shown in time:\n{self.shown}")
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)


Start = Callable[..., Terminal]


@pytest.fixture
def start(folder: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a sweep of three trials, two at a time, in the directory d."""
    environment["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    terminals: list[Terminal] = []

    def begin(target: str = "objectives:forever", *more: str) -> Terminal:
        args = ("--x", "uniform(0, 1)", "--sampler", "random", "--trials", "3", "--parallel", "2", "--directory", "d")
        terminals.append(Terminal(folder, environment, "run", target, *args, *more))
        return terminals[-1]

    yield begin
    for terminal in terminals:
        terminal.close()


def workers(folder: Path, n: int) -> list[int]:
    """The processes that run `forever`, once there are n."""
    return wait_until(lambda: [int(path.name.removeprefix("worker-")) for path in folder.glob("worker-*")], n)


def wait_until(look: Callable[[], list[int]], n: int) -> list[int]:
    deadline = time.monotonic() + WAIT_S
    while len(found := look()) < n:
        assert time.monotonic() < deadline
    return found


def are_gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + WAIT_S
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        pass
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def states(folder: Path) -> list[str]:
    return [trial.state.value for trial in replay(journal.read(folder / "d").events, "d").trials]


def left_clean(terminal: Terminal) -> bool:
    return terminal.shown.rfind(SHOW_CURSOR) > terminal.shown.rfind(HIDE_CURSOR)


def test_ctrl_c_once_lets_running_trials_end_and_begins_no_more(start: Start, folder: Path, cli: Cli) -> None:
    terminal = start()
    workers(folder, 2)
    terminal.wait_for("0/3 trials")
    terminal.type(CTRL_C)
    terminal.wait_for("Interrupted: 2 trials still run and may end; Ctrl-C again stops now.")
    (folder / "go").touch()
    assert terminal.end() == 130
    terminal.wait_for("Interrupted. Go on with: asyncsweep resume d")
    assert left_clean(terminal)
    lines = [line for line in terminal.screen.split("\n") if "Interrupted" in line or " trials " in line]
    assert [line.strip("━╺╸ ").partition("  ")[0] for line in lines] == [
        "Interrupted: 2 trials still run and may end; Ctrl-C again stops now.",
        "2/3 trials",
        "Interrupted. Go on with: asyncsweep resume d",
    ]
    assert states(folder) == ["COMPLETE", "COMPLETE"]
    assert "complete 3." in cli("resume", "d").stdout


def test_ctrl_c_twice_stops_now_and_what_ran_is_repeated(start: Start, folder: Path, cli: Cli) -> None:
    terminal = start()
    pids = workers(folder, 2)
    terminal.type(CTRL_C)
    terminal.wait_for("Ctrl-C again stops now")
    terminal.type(CTRL_C)
    assert terminal.end() == 130
    terminal.wait_for("Stopping now")
    assert left_clean(terminal)
    assert "Traceback" not in terminal.shown
    assert are_gone(pids)
    assert states(folder) == ["RUNNING", "RUNNING"]
    (folder / "go").touch()
    assert "complete 3." in cli("resume", "d").stdout


def test_a_third_ctrl_c_waits_for_nothing(start: Start, folder: Path) -> None:
    (folder / "stubborn.py").write_text(STUBBORN)
    terminal = start("stubborn:objective")
    pids = workers(folder, 2)
    for said in ("stops now", "Stopping now; Ctrl-C again ends this process at once.", ""):
        terminal.type(CTRL_C)
        terminal.wait_for(said)
    assert terminal.end() == 130
    assert left_clean(terminal)
    assert are_gone(pids)


def test_a_closed_terminal_stops_the_sweep_which_can_be_resumed(start: Start, folder: Path, cli: Cli) -> None:
    terminal = start()
    pids = workers(folder, 2)
    terminal.wait_for("0/3 trials")
    terminal.hang_up()
    assert terminal.process.wait(timeout=WAIT_S) == 130
    assert are_gone(pids)
    (folder / "go").touch()
    assert "complete 3." in cli("resume", "d").stdout


def test_a_second_terminal_pauses_unpauses_and_stops_which_the_first_one_shows(
    start: Start, folder: Path, cli: Cli
) -> None:
    terminal = start()
    pids = workers(folder, 2)
    for verb, shown in (
        ("pause", f"running 2, paused (asyncsweep unpause {folder}/d)"),
        ("unpause", "running 2  "),
        ("stop", "running 2, stopping"),
    ):
        done = cli(verb, "d")
        assert done.returncode == 0, done.stderr
        terminal.shown = ""
        terminal.wait_for(shown)
    (folder / "go").touch()
    assert terminal.end() == 0
    assert "complete 2" in terminal.plain
    assert len(pids) == 2 and states(folder) == ["COMPLETE", "COMPLETE"]


def test_a_paused_sweep_goes_on_when_it_is_resumed(start: Start, folder: Path, cli: Cli) -> None:
    terminal = start()
    workers(folder, 2)
    assert cli("pause", "d").returncode == 0
    terminal.type(CTRL_C)
    terminal.wait_for("Ctrl-C again stops now")  # two at once are one signal
    terminal.type(CTRL_C)
    assert terminal.end() == 130
    (folder / "go").touch()
    done = cli("resume", "d")
    assert "It was paused, and goes on." in done.stdout
    assert "complete 3." in done.stdout


def test_the_result_of_an_interrupted_sweep_in_memory_is_shown(folder: Path, environment: dict[str, str]) -> None:
    args = ("run", "objectives:forever", "--x", "uniform(0, 1)", "--sampler=random", "--in-memory", "--plain")
    sweep = subprocess.Popen(
        [*COMMAND, *args], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    workers(folder, 1)
    sweep.terminate()
    shown, said = sweep.communicate(timeout=WAIT_S)
    assert "(interrupted): cancelled 1." in shown
    assert said.endswith("Interrupted. Nothing was kept; without --in-memory a sweep can be resumed.\n")
    assert sweep.returncode == 130


@pytest.mark.parametrize("where", ["> /dev/full", ">&-", "| true"])
def test_a_sweep_goes_on_where_its_display_cannot_be_written(
    folder: Path, environment: dict[str, str], where: str
) -> None:
    words = "run objectives:square --x uniform(0,1) --sampler random --trials 3 --plain --directory d"
    command = shlex.join([*COMMAND, *words.split()])
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {where}"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    why = {"> /dev/full": "No space left on device", "| true": "Broken pipe"}.get(where)
    warning = f"the display cannot be written, and the sweep goes on without it: {why}\n" if why else ""
    assert (done.stderr, done.returncode) == (warning, 0)
    assert states(folder) == ["COMPLETE"] * 3


@pytest.mark.parametrize("when", ["before", "after"])
def test_ctrl_c_before_or_after_the_sweep_leaves_no_traceback(
    folder: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory, when: str
) -> None:
    environment["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    hook = "block()" if when == "before" else "@asyncsweep.hookimpl\ndef asyncsweep_finished(result):\n    block()"
    (folder / "blocking.py").write_text(BLOCKING + hook)
    (folder / "sweep.toml").write_text(
        'objective = "objectives:square"\nn_trials = 1\nsampler = "random"\nplugins = ["blocking"]\nspace = {x = "uniform(0, 1)"}'
    )
    sweep = subprocess.Popen(
        [*COMMAND, "run", "sweep.toml"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: [1] if (folder / "blocked").exists() else [], 1)
    sweep.send_signal(signal.SIGINT)
    if when == "after":
        (folder / "released").touch()
    shown, said = sweep.communicate(timeout=WAIT_S)
    assert "Traceback" not in said
    assert sweep.returncode == (130 if when == "before" else 0), said
    assert ("Trial 0 finished" in shown) == (when == "after")


def test_what_nohup_ignores_is_ignored(folder: Path, environment: dict[str, str]) -> None:
    args = ("run", "objectives:forever", "--x", "uniform(0, 1)", "--sampler=random", "--in-memory", "--trials", "1")
    sweep = subprocess.Popen(
        ["nohup", *COMMAND, *args],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    workers(folder, 1)
    sweep.send_signal(signal.SIGHUP)
    (folder / "go").touch()
    shown, said = sweep.communicate(timeout=WAIT_S)
    assert (sweep.returncode, "complete 1." in shown) == (0, True), said
