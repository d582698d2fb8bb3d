"""Sweeps under `asyncio.run`, in an interpreter of their own: the test runner's event loop knows its name in every callback,
a plain one does not, and sniffio (which comes with trio and many others) then finds no running loop there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAD = """
import asyncio, os, sniffio, sys, time
import asyncsweep as sw

def quick(x):
    return x

def long_unless_first(trial):
    if trial.number:
        open(sys.argv[1], "w").close()
        time.sleep(30)
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.01)
    return 0.0

def sweep(objective, **settings):
    settings = {"sampler": "random", "n_trials": 4, "concurrency": 2, "grace_s": 1.0, **settings}
    return sw.Sweep(objective, {"x": sw.Float(0, 1)}, **settings)

def states(result):
    print(*(f"{state.value}={count}" for state, count in result.counts.items() if count))
"""
CASES = {
    "a new process for each trial": (
        'states(asyncio.run(sweep(quick, executor={"name": "process", "fresh": True}).run()))',
        "COMPLETE=4",
    ),
    "a target is reached while another trial runs": (
        'states(asyncio.run(sweep(long_unless_first, n_trials=2, executor="process", target=0.5).run()))',
        "COMPLETE=1 CANCELLED=1",
    ),
    "the hosted sampler's answer starts a thread": (
        'states(asyncio.run(sweep(quick, executor="thread", sampler="tpe").run()))',
        "COMPLETE=4",
    ),
    "parameters that do not fit into the socket at once": (
        'big = sw.Sweep(lambda x: len(x), {"x": "b" * 2**20}, executor="process", sampler="tpe", n_trials=3)\n'
        "states(asyncio.run(big.run()))",
        "COMPLETE=3",
    ),
    "the program ends by an exception while a sweep starts": (
        "async def main():\n"
        '    task = asyncio.create_task(sweep(quick, executor="process").run())\n'
        "    await asyncio.sleep(0)\n"
        '    raise RuntimeError("done")\n'
        "try:\n    asyncio.run(main())\n"
        "except RuntimeError as error:\n    print(error)",
        "done",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_sweep_under_plain_asyncio_ends_as_it_should(case: str, tmp_path: Path) -> None:
    code, expected = CASES[case]
    code = HEAD.replace("sys.argv[1]", repr(str(tmp_path / "second-runs"))) + code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=40, check=False)
    assert (done.stdout.strip(), done.returncode) == (expected, 0), done.stderr


def test_a_sweep_is_not_steered_from_another_thread() -> None:
    code = """
async def main():
    async with sweep(quick, executor="process", n_trials=1).start() as run:
        try:
            await asyncio.to_thread(run.stop)
        except sw.ConfigError as error:
            print("thread" in str(error))
"""
    done = subprocess.run(
        [sys.executable, "-c", HEAD + code + "asyncio.run(main())"],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("True", 0), done.stderr
