"""The streams of a worker, whatever an objective puts in their place."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

REPLACES = """
import os, sys
from asyncsweep.worker.output import Output
class Stream:
    closed = False
    def flush(self):
        raise RuntimeError("my own")
output = Output()
sys.stdout = Stream()
output.flush()
output.restore()
os.write(1, b"goes on")
sys.stdout = sys.__stdout__
"""


def test_a_stream_of_the_objective_that_cannot_be_flushed_costs_nothing() -> None:
    ended = subprocess.run([sys.executable, "-c", REPLACES], capture_output=True, text=True, timeout=20, check=False)
    assert ended.stdout == "goes on", ended.stderr


AS_PYTHON = """
import os, sys
from asyncsweep.worker.output import Output
def told():
    return [(s.name, s.mode, s.buffer.raw.name, s.encoding, s.errors) for s in (sys.stdout, sys.stderr)]
before = told()
output = Output()
os.environ.update(eval(sys.argv[1]))
output.give_up()
print(told() == before if not eval(sys.argv[1]) else told())
"""


def streams_of(late: dict[str, str], **variables: str) -> str:
    command = [sys.executable, "-c", AS_PYTHON, repr(late)]
    environment = {**os.environ, **variables}
    environment.pop("PYTHONUNBUFFERED", None)  # there would be no buffers to look into
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
    return ended.stdout.strip() or ended.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "C.UTF-8"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": ":replace"},
    ],
    ids=str,
)
def test_a_scripts_streams_are_as_python_makes_them(variables: dict[str, str]) -> None:
    assert streams_of({}, **variables) == "True"


def test_a_scripts_streams_follow_the_variable_that_it_is_given() -> None:
    told = streams_of({"PYTHONIOENCODING": "latin-1:replace"}, PYTHONIOENCODING="utf-8")
    assert eval(told) == [
        ("<stdout>", "w", "<stdout>", "iso8859-1", "replace"),
        ("<stderr>", "w", "<stderr>", "iso8859-1", "backslashreplace"),
    ]


def test_an_encoding_that_does_not_exist_changes_nothing() -> None:
    told = streams_of({"PYTHONIOENCODING": "nonsense"}, PYTHONIOENCODING="utf-8")
    assert eval(told)[0][3:] == ("utf-8", "strict")
