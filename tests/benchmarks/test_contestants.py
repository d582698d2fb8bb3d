"""Adapters are called in an interpreter of their own, here one that is played by a small script."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path

import pytest

from benchmarks.harness import environments
from benchmarks.harness.contestants import Contestant, TakesNoPart, known, prepared
from benchmarks.harness.environments import EnvironmentFailed

ADAPTER = '''
"""An adapter."""
import a_library_that_is_not_installed_here

LIBRARIES = ("library",)
LESS = {"overhead": "keeps nothing on disk"}
MOST: dict[str, int] = {"overhead": 1000}


def overhead(n_trials, workers, durable): ...
def startup(): ...
class Helper:
    def embed(self): ...
'''


def contestant(folder: Path, does: str) -> Contestant:
    """One whose interpreter does this, with `arguments`, `os` and `sys` at hand."""
    (folder / "with_peer.py").write_text(ADAPTER)
    program = folder / "program.py"
    program.write_text(f"import os, sys, time\narguments = sys.argv[1:]\n{does}\n")
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(program))} "$@"\n')
    python.chmod(0o755)
    return Contestant("peer", python, "trio", folder, folder)


def test_the_head_of_an_adapter_is_read_without_importing_it(tmp_path: Path) -> None:
    peer = contestant(tmp_path, "")
    assert peer.workloads == {"overhead", "startup"}
    assert (peer.less, peer.most) == ({"overhead": "keeps nothing on disk"}, {"overhead": 1000})


def test_numbers_of_the_last_line_are_the_answer(tmp_path: Path) -> None:
    peer = contestant(tmp_path, """print('noise'); print('{"rate": 5.5, "n": 3, "versions": {"ray": "2.60.0"}}')""")
    before = time.time()
    answer = peer.call("overhead", n_trials=10)
    assert (answer, answer.does_less) == ({"rate": 5.5, "n": 3}, "keeps nothing on disk")
    assert before <= answer.began_at <= time.time()
    assert peer.versions == {"ray": "2.60.0"}


def test_an_answer_may_say_what_it_does_less_itself(tmp_path: Path) -> None:
    peer = contestant(tmp_path, """print('{"rate": 1, "does_less": "loses all"}')""")
    answer = peer.call("overhead").taking({"": "rate"})
    assert (answer, answer.does_less) == ({"": 1}, "loses all")


def test_the_adapter_gets_its_arguments_backend_and_folder(tmp_path: Path) -> None:
    names = "['TMPDIR', 'ASYNCSWEEP_BENCH_BACKEND']"
    told = tmp_path / "told.json"
    does = f"import json; json.dump([arguments, [os.environ[n] for n in {names}]], open({str(told)!r}, 'w')); print('{{}}')"
    contestant(tmp_path, does).call("overhead", n_trials=7, durable=True)
    arguments, environment = json.loads(told.read_text())
    assert arguments[:-1] == ["-m", "benchmarks.peers", "peer", "overhead"]
    assert json.loads(arguments[-1]) == {"n_trials": 7, "durable": True}
    assert environment == [str(tmp_path), "trio"]


def test_more_trials_than_its_most_are_not_run(tmp_path: Path) -> None:
    with pytest.raises(TakesNoPart, match="more than 1,000 trials"):
        contestant(tmp_path, "sys.exit('never run')").call("overhead", n_trials=1001)


def test_what_is_not_implemented_takes_no_part(tmp_path: Path) -> None:
    with pytest.raises(TakesNoPart, match=r"^no processes$"):
        contestant(tmp_path, "raise NotImplementedError('no processes')").call("startup")


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("raise ValueError('it broke')", "ValueError: it broke"),
        ("sys.exit(9)", "ended with 9"),
        ("print('not JSON')", "no JSON object: 'not JSON'"),
        ("print('[1]')", "no JSON object"),
        ("", "no JSON object: ''"),
    ],
)
def test_a_failure_says_why_in_a_line(tmp_path: Path, does: str, says: str) -> None:
    with pytest.raises(RuntimeError, match=says) as caught:
        contestant(tmp_path, does).call("startup")
    assert "\n" not in str(caught.value)


def test_who_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    child = tmp_path / "pid"
    does = f"""
import subprocess
started = subprocess.Popen(['sleep', '60'])
open({str(child)!r}, 'w').write(str(started.pid))
started.wait()"""
    with pytest.raises(RuntimeError, match="longer than 2 s"):
        contestant(tmp_path, does).call("startup", limit_s=2)
    for _ in range(200):  # until the system has taken it away
        status = Path(f"/proc/{child.read_text()}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.02)
    pytest.fail("its child is still there")


def test_our_own_contestants_are_of_this_interpreter(tmp_path: Path) -> None:
    assert prepared("optuna", "asyncio", tmp_path).python == Path(sys.executable)


def test_a_peer_without_pins_has_no_environment(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match=r"benchmarks/peers/nobody\.txt"):
        prepared("nobody", "asyncio", tmp_path)


def test_every_peer_of_another_environment_has_pins_and_every_pin_a_version() -> None:
    assert "optuna" in known()
    for file in environments.PEERS.glob("*.txt"):
        lines = [line.split("#")[0].strip() for line in file.read_text().splitlines()]
        assert [line for line in lines if line and not line.startswith("-") and "==" not in line] == [], file.name
