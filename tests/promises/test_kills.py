"""Promise R1: a sweep that is killed at any time loses no trial whose end was seen, and tells nobody of one twice.

A process is killed at random instants, again and again, until it has run its sweep. What it did is compared with a file outside,
to which the objective, an observer and the sampler wrote. `ASYNCSWEEP_KILLS` sets how many kills there are in all.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from asyncsweep.driver.replay import replay
from asyncsweep.journal import journal as journals
from asyncsweep.journal.writer import NAME
from tests.promises.killed import N_TRIALS, OUTSIDE, value_of

ROOT = Path(__file__).parents[2]
DEEP = os.environ.get("ASYNCSWEEP_DEEP") == "1"
KILLS = int(os.environ.get("ASYNCSWEEP_KILLS", "1000" if DEEP else "10"))

# executor, sampler, what becomes of interrupted attempts, share of the kills
QUICK = (("inline", "random", "retry"), ("process", "sobol", "fail"), ("inline", "tpe", "retry"))
MORE = (
    ("process", "random", "retry"),
    ("inline", "sobol", "fail"),
    ("process", "tpe", "retry"),
    ("process", "tpe", "fail"),
)
KINDS = (*QUICK, *MORE) if DEEP else QUICK
# So long a life ends before most sweeps do.
LIFE_S = {"inline": 0.15, "process": 0.25}
# Sweeps finish sooner than they are killed where the machine is fast: then another one begins.
MOST_KILLS_OF_A_SWEEP = 6


class Story:
    """One sweep and its many processes.

    Args:
        folder: Where its directory and the file outside are.
        kind: See `KINDS`.
    """

    def __init__(self, folder: Path, kind: tuple[str, str, str]) -> None:
        folder.mkdir()
        self.directory, self.outside, self.kind = folder / "sweep", folder / "outside", kind
        self.environment = {**os.environ, OUTSIDE: str(self.outside)}
        self.command = [sys.executable, "-m", "tests.promises.killed", str(self.directory), *kind]
        self.interrupted: dict[int, int] = {}
        self.final: dict[int, Any] = {}

    def live(self, life_s: float) -> bool:
        """Start a process and kill it when its sweep has run for so long; True when it had to be killed."""
        with subprocess.Popen(
            self.command, env=self.environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            try:
                process.wait(life_s)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        self.look()
        return process.returncode == -signal.SIGKILL

    def look(self) -> None:
        """Read the journal as a stranger: what was final is as it was; and note what ran when the process ended."""
        if not (self.directory / NAME).exists():
            return
        trials = replay(journals.read(self.directory).events, "journal").trials
        final = {t.number: (t.state.value, t.params, t.metrics) for t in trials if t.is_final}
        assert {number: final.get(number) for number in self.final} == self.final
        self.final = final
        # One that was launched may have run: its start may not have been written any more.
        self.interrupted |= {t.number: t.attempt for t in trials if t.worker is not None and not t.is_final}

    def finish(self) -> list[Any]:
        """Let it run to its end; gives its trials: number, state, parameters, metrics, attempt."""
        done = subprocess.run(
            self.command, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        self.look()
        trials: list[Any] = json.loads(done.stdout.splitlines()[-1])
        return trials

    def noted(self, what: str) -> list[list[Any]]:
        """What was written outside: process, then what was said."""
        lines = [json.loads(line) for line in self.outside.read_text(encoding="utf-8").splitlines()]
        return [[line[0], *line[2:]] for line in lines if line[1] == what]


def check(story: Story, trials: list[Any]) -> None:
    by_number = {number: (state, params, metrics) for number, state, params, metrics, _ in trials}
    attempts = {number: attempt for number, *_, attempt in trials}
    assert list(by_number) == list(range(N_TRIALS))
    # No end that was shown is lost or changed, and none was shown twice.
    shown = story.noted("ended")
    assert [(number, state, metrics) for _, number, state, metrics in shown] == [
        (number, by_number[number][0], by_number[number][2]) for _, number, *_ in shown
    ]
    assert [number for number, times in Counter(number for _, number, *_ in shown).items() if times > 1] == []
    # No sampler was told twice, nor of anything that is not so; the last one was told of all.
    told = story.noted("told")
    assert [one for one, times in Counter((process, number) for process, number, *_ in told).items() if times > 1] == []
    # (A sampler is told before the end is written: what a process told last may have gone with it, sampler and all.)
    for process in dict.fromkeys(process for process, *_ in told):
        right = [(state, params, m) == by_number[number] for p, number, state, params, m in told if p == process]
        assert sorted(right, reverse=True) == right
        assert all(right) or process != told[-1][0]
    assert sorted(number for process, number, *_ in told if process == told[-1][0]) == list(range(N_TRIALS))
    # What ran when the process was killed was tried again, or failed, as was wished; everything else is complete.
    policy = story.kind[2]
    for number, (state, _, _) in by_number.items():
        cut_short = number in story.interrupted
        assert state == ("FAILED" if cut_short and policy == "fail" else "COMPLETE")
        assert attempts[number] > story.interrupted.get(number, 0) or policy == "fail"
    # Every result is that of a call that was made with these parameters.
    ran = {(number, json.dumps(params)) for _, number, params in story.noted("ran")}
    for number, (state, params, metrics) in by_number.items():
        if state == "COMPLETE":
            assert (number, json.dumps(params)) in ran
            assert metrics == {"value": value_of(params)}


@pytest.mark.timeout(3600 if DEEP else 120)
@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_a_sweep_killed_at_any_instant_loses_no_trial_and_tells_none_twice(
    kind: tuple[str, str, str], tmp_path: Path
) -> None:
    dice = random.Random(f"{kind}")
    wanted = max(1, round(KILLS / len(KINDS)))
    n_killed = n_sweeps = 0
    while n_killed < wanted:
        story = Story(tmp_path / f"{n_sweeps}", kind)
        n_sweeps += 1
        for _ in range(min(MOST_KILLS_OF_A_SWEEP, wanted - n_killed)):
            if not story.live(dice.uniform(0.0, LIFE_S[kind[0]])):
                break
            n_killed += 1
        check(story, story.finish())
