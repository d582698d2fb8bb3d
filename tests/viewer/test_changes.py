"""The log of changes, held against one that is a plain dict."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from asyncsweep.viewer import changes
from asyncsweep.viewer.changes import Changes


def expected(last: dict[int, int], seq: int) -> list[tuple[int, int]]:
    return sorted((at, trial) for trial, at in last.items() if at > seq)


@pytest.mark.parametrize("seed", range(20))
def test_what_changed_after_any_place_is_found_in_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "SEGMENT", 8)
    random = Random(seed)
    log, last = Changes(seed), {}
    for _ in range(600):
        # Some trials change again and again, and others once.
        trial = random.choice((random.randrange(5), random.randrange(300)))
        if random.random() < 0.1:
            log.skip()
        log.touch(trial)
        last[trial] = log.seq
        if random.random() < 0.1:
            seq = random.randrange(log.seq + 2)
            assert list(log.after(seq)) == expected(last, seq)
            assert log.changed(trial) == log.seq
    assert list(log.after(0)) == expected(last, 0)
    assert list(log.after(log.seq)) == []


def test_a_trial_that_changes_for_ever_does_not_make_the_log_longer() -> None:
    log = Changes()
    for trial in range(100):
        log.touch(trial)
    for _ in range(20_000):
        log.touch(7)
    assert len(log) <= 2 * 100 + changes.SEGMENT
    assert [trial for _, trial in log.after(0)] == [*(n for n in range(100) if n != 7), 7]


def test_all_trials_that_change_again_and_again_do_not_either() -> None:
    log = Changes()
    for _ in range(30):
        for trial in range(1_000):
            log.touch(trial)
    assert len(log) <= 2 * 1_000 + 2 * changes.SEGMENT


def test_segments_that_become_empty_or_small_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "SEGMENT", 16)
    log, random = Changes(), Random(1)
    for _ in range(20):
        for trial in random.sample(range(500), 400):
            log.touch(trial)
    assert len(log._segments) <= 4 * 500 / 16


def test_the_first_few_are_had_without_looking_at_the_rest() -> None:
    log = Changes()
    for trial in range(10_000):
        log.touch(trial)
    found = log.after(5_000)
    assert list(islice(found, 3)) == [(5_001, 5_000), (5_002, 5_001), (5_003, 5_002)]


def test_a_trial_that_never_changed_has_no_number() -> None:
    log = Changes()
    log.touch(3)
    assert (log.changed(2), log.changed(4), log.changed(-1)) == (0, 0, 0)
