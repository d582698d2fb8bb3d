"""Warm starts from the directory of another sweep."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import asyncsweep as sw
from asyncsweep.journal import journal
from tests.history.sources import loaded, objective, refusal
from tests.small_objectives import SPACE, curve, square

pytestmark = pytest.mark.anyio


async def swept(directory: Path, **settings: Any) -> sw.Result:
    return await sw.Sweep(curve, SPACE, sampler="random", directory=directory, seed=1, **settings).run()


async def test_the_directory_of_a_sweep_gives_what_its_result_gives(tmp_path: Path) -> None:
    result = await swept(tmp_path / "old", pruner="median", n_trials=30)
    past = loaded(tmp_path / "old", SPACE)
    assert past.trials == loaded(result, SPACE).trials
    assert {found.state.value for found in past.trials} == {"COMPLETE", "PRUNED"}


async def test_a_sweep_that_still_runs_gives_what_has_ended(tmp_path: Path) -> None:
    async with sw.Sweep(square, SPACE, sampler="random", n_trials=5, directory=tmp_path / "old").start() as run:
        asked = await run.ask()
        assert loaded(str(tmp_path / "old"), SPACE).left_out >= 1
        run.tell(asked, 0.5)
        run.stop()
        await run.result()


async def test_a_journal_that_was_cut_off_gives_what_it_holds(tmp_path: Path) -> None:
    await swept(tmp_path / "old", n_trials=10)
    path = tmp_path / "old" / journal.NAME
    os.truncate(path, path.stat().st_size // 2)
    past = loaded(tmp_path / "old", SPACE)
    assert 0 < past.taken < 10


async def test_an_earlier_sweep_is_not_changed(tmp_path: Path) -> None:
    await swept(tmp_path / "old", n_trials=3)
    before = {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir()}
    loaded(tmp_path / "old", SPACE)
    assert {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir()} == before


def test_a_directory_without_a_sweep_is_refused(tmp_path: Path) -> None:
    assert f"directory={str(tmp_path)!r} holds no sweep" in refusal(tmp_path)


def test_a_sweep_that_never_began_is_refused(tmp_path: Path) -> None:
    journal.create(tmp_path / "old").close()
    assert "that sweep never began" in refusal(tmp_path / "old")


def test_a_damaged_journal_is_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / journal.NAME).write_bytes(b"no journal at all, but some bytes of another kind")
    with pytest.raises(sw.JournalError, match="journal"):
        loaded(tmp_path)


async def test_history_cannot_be_given_to_a_sweep_that_is_opened_again(tmp_path: Path) -> None:
    await swept(tmp_path / "old", n_trials=3)
    with pytest.raises(sw.ConfigError, match=r"history=\[\]: it cannot be changed in a sweep that has begun"):
        sw.Sweep.open(tmp_path / "old", curve, history=[])


def test_a_plan_hands_over_what_was_taken() -> None:
    sweep = sw.Sweep(objective, SPACE, history=[{"x": 0.5, "value": 1.0}])
    assert sweep.history is not None
    assert sweep.start()._plan.history == sweep.history.trials
