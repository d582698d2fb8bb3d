"""The streams of a worker, whatever an objective puts in their place."""

from __future__ import annotations

import subprocess
import sys

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
