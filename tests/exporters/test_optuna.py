"""The mirror in a storage of Optuna, read back with optuna, as optuna-dashboard does."""

from __future__ import annotations

import logging
import math
import traceback
from pathlib import Path
from typing import Any

import anyio
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

import asyncsweep as sw
from asyncsweep.core.effects import TrialReported, TrialStarted, TrialSuggested, Update
from asyncsweep.core.records import ErrorInfo
from asyncsweep.exporters.optuna_mirror import OptunaExporter
from asyncsweep.exporters.optuna_storages import Address
from asyncsweep.hooks.contracts import SweepInfo
from tests.exporters.sweeps import SPACE, quick, run

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """That exporters run on each event loop is in `test_threaded.py`."""
    return "asyncio"


@pytest.fixture(autouse=True)
def silent() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def journal(path: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(path)))


def study(path: Path, name: str = "sweep") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=journal(path))


def exporters(path: Path, **options: Any) -> list[dict[str, Any]]:
    return [{"name": "optuna", "storage": str(path), **options}]


async def test_a_sweep_is_a_study_of_the_same_trials_in_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/optuna.db"
    result = await run(exporters=[{"name": "optuna", "storage": url}], direction="maximize")
    mirrored = optuna.load_study(study_name="sweep", storage=url)
    assert mirrored.direction.name == "MAXIMIZE" and mirrored.metric_names == ["value"]
    assert [t.state.name for t in mirrored.trials] == ["COMPLETE", "FAIL", "PRUNED", "COMPLETE", "COMPLETE"]
    for trial, mirror in zip(result.trials, mirrored.trials, strict=True):
        assert (mirror.number, mirror.params["x"]) == (trial.number, trial.params["x"])
        assert mirror.intermediate_values == dict(trial.reports)
        assert mirror.user_attrs["epochs"] == 3 and mirror.user_attrs["note"] == "good"
        assert mirror.constraints == {"size": -1.0}
    assert mirrored.trials[0].values == [result.trials[0].value]
    assert mirrored.trials[0].user_attrs["accuracy"] == 0.5
    assert mirrored.trials[1].system_attrs["fail_reason"] == "ValueError: no luck"
    assert mirrored.trials[2].value == result.trials[2].value
    mirrored._storage.remove_session()
    mirrored._storage._backend.engine.dispose()  # type: ignore[attr-defined]


async def test_it_shows_what_runs_with_its_curve(tmp_path: Path) -> None:
    exporter = opened(tmp_path)
    exporter.write([suggested(0), started(0), reported(0, 0, 0.5), reported(0, 1, 0.25)], ())
    (trial,) = study(tmp_path / "o.log").trials
    assert (trial.state, trial.intermediate_values) == (TrialState.RUNNING, {0: 0.5, 1: 0.25})
    assert (trial.params, trial.user_attrs) == ({"x": 0.5, "kind": 1}, {"epochs": 3})
    assert trial.datetime_start is not None and trial.datetime_start.timestamp() == 10.0


async def test_a_trial_that_is_passed_over_waits_and_gets_its_number(tmp_path: Path) -> None:
    exporter = opened(tmp_path)
    exporter.write([suggested(0), suggested(1), started(1)], ())
    assert [t.state.name for t in study(tmp_path / "o.log").trials] == ["WAITING", "RUNNING"]
    exporter.write([started(0)], ())
    exporter.write((), [complete(0, 0.25), complete(1, 0.75)])
    found = study(tmp_path / "o.log").trials
    assert [(t.number, t.state.name, t.value, t.params["x"]) for t in found] == [
        (0, "COMPLETE", 0.25, 0.5),
        (1, "COMPLETE", 0.75, 0.5),
    ]


async def test_what_was_missed_of_a_trial_is_there_in_the_end(tmp_path: Path) -> None:
    exporter = opened(tmp_path)
    exporter.write([started(0), reported(0, 1, 0.25)], ())  # what was suggested was missed, and a report
    exporter.write((), [complete(0, 0.5, reports={0: 0.5, 1: 0.25, 2: 0.125})])
    (trial,) = study(tmp_path / "o.log").trials
    assert trial.params == {"x": 0.5, "kind": 1}
    assert trial.intermediate_values == {0: 0.5, 1: 0.25, 2: 0.125}


async def test_a_retried_trial_has_the_curve_of_its_last_attempt(tmp_path: Path) -> None:
    exporter = opened(tmp_path)
    exporter.write([suggested(0), started(0), *(reported(0, step, 9.0) for step in range(3))], ())
    exporter.write([started(0, attempt=2), reported(0, 0, 0.5)], ())
    assert study(tmp_path / "o.log").trials[0].intermediate_values[0] == 0.5
    record = complete(0, 0.5, reports={0: 0.5})
    record.attempt, record.failures = 2, (ErrorInfo("OSError", "gone"),)
    exporter.write((), [record])
    (trial,) = study(tmp_path / "o.log").trials
    assert {step: v for step, v in trial.intermediate_values.items() if not math.isnan(v)} == {0: 0.5}
    assert trial.user_attrs["asyncsweep:attempts"] == 2
    assert trial.user_attrs["asyncsweep:failures"] == ["OSError: gone"]


async def test_a_cancelled_trial_has_failed_and_says_so(tmp_path: Path) -> None:
    exporter = opened(tmp_path)
    exporter.write([suggested(0), started(0)], [sw.TrialRecord(0, sw.State.CANCELLED, finished_at=20.0)])
    (trial,) = study(tmp_path / "o.log").trials
    assert (trial.state.name, trial.user_attrs["asyncsweep:state"]) == ("FAIL", "CANCELLED")


async def test_asked_parameters_whose_domain_changes_are_user_attributes(tmp_path: Path) -> None:
    async def asking(trial: Any) -> float:
        low = 0.0 if trial.number < 2 else 0.5
        await trial.suggest_float_async("rate", low, 1.0)
        if trial.number < 2:
            await trial.suggest_categorical_async("kind", ["a", "b"])
        else:
            await trial.suggest_categorical_async("kind", ["a", "b", "c"])
        return 0.5

    await run(asking, {}, n_trials=3, exporters=exporters(tmp_path / "o.log"))
    found = study(tmp_path / "o.log").trials
    assert [sorted(t.params) for t in found] == [["kind", "rate"], ["kind", "rate"], ["rate"]]
    assert found[2].user_attrs["kind"] in ("a", "b", "c")


async def test_several_directions_have_their_names(tmp_path: Path) -> None:
    async def two(trial: Any) -> Any:
        return {"loss": 0.5, "size": 3.0}

    await run(
        two, direction={"loss": "minimize", "size": "maximize"}, n_trials=1, exporters=exporters(tmp_path / "o.log")
    )
    found = study(tmp_path / "o.log")
    assert (found.metric_names, found.trials[0].values) == (["loss", "size"], [0.5, 3.0])


async def test_a_resumed_sweep_goes_on_in_its_study(tmp_path: Path) -> None:
    await run(quick, directory=tmp_path / "mine", n_trials=3, exporters=exporters(tmp_path / "o.log"))
    with anyio.fail_after(50):
        result = await sw.Sweep.resume(tmp_path / "mine", quick, n_trials=5)
    found = study(tmp_path / "o.log", "mine").trials
    assert [(t.number, t.state.name, t.value) for t in found] == [
        (t.number, "COMPLETE", t.value) for t in result.trials
    ]


async def test_what_the_study_lacks_is_added_by_a_resume_elsewhere(tmp_path: Path) -> None:
    """The mirror was taken away; the sweep's folder was moved, too."""
    await run(quick, directory=tmp_path / "mine", n_trials=3, exporters=exporters(tmp_path / "o.log", study_name="s"))
    (tmp_path / "mine").rename(tmp_path / "moved")
    with anyio.fail_after(50):
        await sw.Sweep.resume(tmp_path / "moved", quick, n_trials=4)
    assert len(study(tmp_path / "o.log", "s").trials) == 4
    (tmp_path / "o.log").unlink()
    with anyio.fail_after(50):
        await sw.Sweep.resume(tmp_path / "moved", quick, n_trials=5)
    assert len(study(tmp_path / "o.log", "s").trials) == 5


async def test_a_trial_that_ran_when_the_process_ended_goes_on_in_the_study(tmp_path: Path) -> None:
    first = opened(tmp_path, directory=tmp_path)
    first.write([suggested(0), started(0), reported(0, 0, 9.0), reported(0, 1, 9.0)], ())
    first.close()
    second = opened(tmp_path, directory=tmp_path, trials=[sw.TrialRecord(0, sw.State.RUNNING)])
    second.write([started(0, attempt=2)], [])
    second.write((), [complete(0, 0.5, reports={0: 0.5})])
    (trial,) = study(tmp_path / "o.log").trials
    assert trial.state is TrialState.COMPLETE
    assert {step: v for step, v in trial.intermediate_values.items() if not math.isnan(v)} == {0: 0.5}


async def test_a_sweep_in_memory_takes_the_next_free_name(tmp_path: Path) -> None:
    for _ in range(2):
        await run(quick, n_trials=1, exporters=exporters(tmp_path / "o.log"))
    assert sorted(optuna.get_all_study_names(journal(tmp_path / "o.log"))) == ["sweep", "sweep-2"]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
async def test_a_foreign_study_is_refused_and_left_alone(direction: str, tmp_path: Path) -> None:
    foreign = optuna.create_study(study_name="theirs", direction=direction, storage=journal(tmp_path / "o.log"))
    foreign.add_trial(optuna.trial.create_trial(value=7.0))
    with pytest.raises(sw.ConfigError, match=r"^exporter\.study_name: there is a study 'theirs' .* give another"):
        await run(quick, exporters=exporters(tmp_path / "o.log", study_name="theirs"))
    assert len(study(tmp_path / "o.log", "theirs").trials) == 1


async def test_a_study_that_was_made_for_it_is_taken(tmp_path: Path) -> None:
    optuna.create_study(study_name="mine", storage=journal(tmp_path / "o.log"))
    await run(quick, n_trials=1, exporters=exporters(tmp_path / "o.log", study_name="mine"))
    assert len(study(tmp_path / "o.log", "mine").trials) == 1


async def test_a_busy_database_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = opened(tmp_path)
    create, failed = exporter._storage.create_new_trial, []

    def busy(*args: Any) -> int:
        if len(failed) < 2:
            failed.append(True)
            raise optuna.exceptions.StorageInternalError("database is locked")
        return create(*args)

    monkeypatch.setattr(exporter._storage, "create_new_trial", busy)
    monkeypatch.setattr("asyncsweep.exporters.optuna_mirror.time.sleep", lambda _: None)
    exporter.write([suggested(0), started(0)], ())
    assert len(study(tmp_path / "o.log").trials) == 1


SECRET = "p@ss/w:ord"
HOSTILE = [
    "postgresql://user:p%40ss%2Fw%3Aord@localhost:1/db",
    "mysql+nodriver://user:p%40ss%2Fw%3Aord@localhost/db",
    "sqlite:////no/such/folder/x.db?password=p%40ss%2Fw%3Aord",
    "bogus://user:p%40ss%2Fw%3Aord@@@/",
]


@pytest.mark.parametrize("url", HOSTILE)
async def test_a_password_reaches_no_message(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(sw.ConfigError, match=r"^exporter\.storage: ") as caught:
        await run(quick, exporters=[{"name": "optuna", "storage": url}])
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert not any(form in told for form in (SECRET, "p%40ss", "w%3Aord", "ss/w"))


def test_an_error_with_a_password_in_it_is_told_without() -> None:
    address = Address(HOSTILE[0])
    told = address.without_secrets(ValueError(f"cannot reach {HOSTILE[0]}, password {SECRET}"))
    assert "***" in str(told) and SECRET not in str(told) and "p%40ss" not in str(told)
    harmless = ValueError("cannot reach it")
    assert address.without_secrets(harmless) is harmless


async def test_a_password_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE", str(tmp_path / "o.log"))
    await run(quick, n_trials=1, exporters=[{"name": "optuna", "storage": "${STORAGE}"}])
    assert len(study(tmp_path / "o.log").trials) == 1
    monkeypatch.delenv("STORAGE")
    with pytest.raises(sw.ConfigError, match=r"the environment variable STORAGE in '\$\{STORAGE\}' is not set"):
        await run(quick, exporters=[{"name": "optuna", "storage": "${STORAGE}"}])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"storage": 3}, "expected a URL such as sqlite:///optuna.db, or a path, got int"),
        ({"storage": ""}, "expected a URL such as sqlite:///optuna.db, or a path, got str"),
        ({"storage": "optuna.db"}, "for a database of SQLite write 'sqlite:///optuna.db'"),
        (
            {"storage": "o.log", "study_name": ""},
            "exporter.study_name: expected a name, or None for the sweep's, got ''",
        ),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(sw.ConfigError) as caught:
        OptunaExporter(**options)
    assert message in str(caught.value)


# -- builders ------------------------------------------------------------------------------------------------------------

PARAMS = {"x": 0.5, "kind": 1, "epochs": 3}


def opened(folder: Path, directory: Path | None = None, trials: list[sw.TrialRecord] | None = None) -> OptunaExporter:
    """An exporter into `folder/o.log`, to be called directly."""
    exporter = OptunaExporter(str(folder / "o.log"), "sweep")
    there = tuple(trials or ())
    exporter.open(SweepInfo("sweep", directory, sw.Space(SPACE), {"value": "minimize"}, "f", lambda: there))
    return exporter


def suggested(trial: int) -> Update:
    return TrialSuggested(at=9.0, trial=trial, params=PARAMS)


def started(trial: int, attempt: int = 1) -> Update:
    return TrialStarted(at=10.0, trial=trial, attempt=attempt, worker="w")


def reported(trial: int, step: int, value: float) -> Update:
    return TrialReported(at=11.0, trial=trial, step=step, value=value)


def complete(number: int, value: float, reports: dict[int, float] | None = None) -> sw.TrialRecord:
    from array import array

    record = sw.TrialRecord(number, sw.State.COMPLETE, attempt=1, started_at=10.0, finished_at=20.0)
    record.param_names, record.param_values = tuple(PARAMS), tuple(PARAMS.values())
    record.metric_names, record.metric_values = ("value",), (value,)
    record.steps, record.reported = array("q", reports or {}), array("d", (reports or {}).values())
    return record
