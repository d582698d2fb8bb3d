"""Large searches on disk, written directly: a sweep's journal, Optuna's journal, Optuna's SQLite.

To run 100,000 trials through Optuna's storages would take hours, so their files are written in their own layouts, record by
record, from trials drawn here. `check_layouts` has Optuna write a few trials and compares what is written here with that, so a
new layout of Optuna's is an error and not a wrong figure. Ours is what a machine was told, as a driver would journal it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import optuna
from optuna.distributions import distribution_to_json
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import TrialState

from asyncsweep import Space
from asyncsweep.core import events as ev
from asyncsweep.core.machine import Machine
from asyncsweep.core.records import PluginSpec, SweepSpec
from asyncsweep.core.snapshot import freeze
from asyncsweep.hooks.contracts import TrialRef
from asyncsweep.journal import format as layout
from asyncsweep.journal.writer import NAME
from asyncsweep.samplers.random import RandomSampler
from benchmarks.sweeping.space import TEN, TEN_IN_OPTUNA

STUDY = "large"
REPORTS_PER_TRIAL = 10

_BEGAN_AT = 1_790_000_000.0
_TRIAL_S = 1.0
_WRITTEN_AT_ONCE = 1_000
_CHECKED = 3


class Drawn(NamedTuple):
    """One trial that ended."""

    params: dict[str, Any]
    reports: list[float]
    value: float


def drawn(n_trials: int) -> Iterator[Drawn]:
    """Random trials, the same ones every time."""
    sampler, random = RandomSampler(), Random(1)
    sampler.open(Space(TEN), {"value": "minimize"}, 1)
    for number in range(n_trials):
        reports = [random.random() for _ in range(REPORTS_PER_TRIAL)]
        yield Drawn(sampler.ask(TrialRef(number)), reports, reports[-1])


# -- ours --------------------------------------------------------------------------------------------------------------


def write_sweep(directory: Path, n_trials: int) -> Machine:
    """A sweep's directory with the journal of a sweep that ended; gives the machine as it was then."""
    directory.mkdir()
    machine = Machine()
    with open(directory / NAME, "xb") as file:
        file.write(layout.header())
        for event in _events(n_trials):
            event.seq = machine.seq + 1
            machine.check(event)
            file.write(layout.encode(event))
            machine.handle(event)
    if not all(trial.is_final for trial in machine.trials) or len(machine.trials) != n_trials:
        raise RuntimeError("the journal was not written as it was meant")
    return machine


def write_compacted(directory: Path, machine: Machine) -> None:
    """The directory of the same sweep, when its journal was compacted: a snapshot in place of what happened."""
    directory.mkdir()
    with open(directory / NAME, "xb") as file:
        file.write(layout.header())
        for event in freeze(machine):
            file.write(layout.encode(event))


def _events(n_trials: int) -> Iterator[ev.Event]:
    spec = SweepSpec(
        space=TEN,
        directions={"value": "minimize"},
        n_trials=n_trials,
        sampler=PluginSpec("random"),
        executor=PluginSpec("inline"),
        objective="durability:objective",
    )
    yield ev.SweepOpened(spec, at=_BEGAN_AT)
    yield ev.WorkerJoined("inline", 1, at=_BEGAN_AT)
    for number, trial in enumerate(drawn(n_trials)):
        began_at = _BEGAN_AT + number * _TRIAL_S
        yield ev.Suggested(number, trial.params, at=began_at)
        yield ev.Started(number, 1, at=began_at)
        for step, value in enumerate(trial.reports):
            yield ev.Reported(number, 1, step, value, at=began_at + (step + 1) * _TRIAL_S / (REPORTS_PER_TRIAL + 1))
        yield ev.Finished(number, 1, {"value": trial.value}, at=began_at + _TRIAL_S)


# -- Optuna's journal ---------------------------------------------------------------------------------------------------

# The numbers that Optuna's journal has for what happens.
_CREATE_STUDY, _CREATE_TRIAL, _SET_PARAM, _SET_STATE, _SET_REPORT = 0, 4, 5, 6, 7


def write_journal_storage(path: Path, trials: Iterable[Drawn]) -> None:
    """Optuna's journal of one study whose trials asked, reported and ended one after the other."""
    with open(path, "x", encoding="utf-8") as file:
        for line in _lines(trials):
            file.write(line)


def _lines(trials: Iterable[Drawn]) -> Iterator[str]:
    worker = {"worker_id": "4fd63f1b-9a22-4f3c-a55c-6a1c2d1b6c0e-139812345678656"}
    directions = [int(StudyDirection.MINIMIZE)]
    yield _line({"op_code": _CREATE_STUDY, **worker, "study_name": STUDY, "directions": directions})
    domains = {name: distribution_to_json(distribution) for name, distribution in TEN_IN_OPTUNA.items()}
    for number, trial in enumerate(trials):
        began_at = datetime.fromtimestamp(_BEGAN_AT + number * _TRIAL_S, UTC)
        start = began_at.isoformat(timespec="microseconds")
        yield _line({"op_code": _CREATE_TRIAL, **worker, "study_id": 0, "datetime_start": start})
        about = {**worker, "trial_id": number}
        for name, domain in domains.items():
            value = TEN_IN_OPTUNA[name].to_internal_repr(trial.params[name])
            param = {"param_name": name, "param_value_internal": value, "distribution": domain}
            yield _line({"op_code": _SET_PARAM, **about, **param})
        for step, value in enumerate(trial.reports):
            yield _line({"op_code": _SET_REPORT, **about, "step": step, "intermediate_value": value})
        end = (began_at + timedelta(seconds=_TRIAL_S)).isoformat(timespec="microseconds")
        ended = {"state": int(TrialState.COMPLETE), "values": [trial.value], "datetime_complete": end}
        yield _line({"op_code": _SET_STATE, **about, **ended})


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":")) + "\n"


# -- Optuna's SQLite ----------------------------------------------------------------------------------------------------


def write_sqlite(path: Path, trials: Iterable[Drawn]) -> None:
    """Optuna's tables of one study; Optuna makes them, the rows are put in."""
    _begin_sqlite(path)
    with closing(sqlite3.connect(path)) as database, database:
        for table, rows in _tables(trials):
            database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)


def _begin_sqlite(path: Path) -> None:
    storage = RDBStorage(f"sqlite:///{path}")
    storage.create_new_study([StudyDirection.MINIMIZE], STUDY)
    storage.remove_session()
    storage.engine.dispose()


def _tables(trials: Iterable[Drawn]) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """Rows for each table, of some trials at a time. Ids count from 1, numbers from 0."""
    domains = {name: distribution_to_json(distribution) for name, distribution in TEN_IN_OPTUNA.items()}
    tables: dict[str, list[tuple[Any, ...]]] = {
        "trials": [],
        "trial_params": [],
        "trial_values": [],
        "trial_intermediate_values": [],
    }
    n_params = n_reports = 0
    for number, trial in enumerate(trials):
        began_at = datetime.fromtimestamp(_BEGAN_AT + number * _TRIAL_S, UTC)
        times = tuple(_sql_time(began_at + timedelta(seconds=_TRIAL_S * done)) for done in (0, 1))
        tables["trials"].append((number + 1, number, 1, "COMPLETE", *times))
        for name, domain in domains.items():
            n_params += 1
            value = TEN_IN_OPTUNA[name].to_internal_repr(trial.params[name])
            tables["trial_params"].append((n_params, number + 1, name, value, domain))
        for step, value in enumerate(trial.reports):
            n_reports += 1
            tables["trial_intermediate_values"].append((n_reports, number + 1, step, value, "FINITE"))
        tables["trial_values"].append((number + 1, number + 1, 0, trial.value, "FINITE"))
        if len(tables["trials"]) == _WRITTEN_AT_ONCE:
            yield from tables.items()
            tables = {name: [] for name in tables}
    if tables["trials"]:
        yield from tables.items()


def _sql_time(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat(" ", timespec="microseconds")


# -- whether Optuna writes the same -------------------------------------------------------------------------------------


def check_layouts(folder: Path) -> None:
    """Compare with what Optuna writes of the same few trials.

    Raises:
        RuntimeError: This version of Optuna writes something else.
    """
    journal, database = folder / "check.log", folder / "check.db"
    _few(JournalStorage(JournalFileBackend(str(journal))))
    _few(RDBStorage(f"sqlite:///{database}"))
    study = optuna.load_study(study_name=STUDY, storage=JournalStorage(JournalFileBackend(str(journal))))
    trials = _drawn_of(study)
    theirs = [_timeless(json.loads(line)) for line in journal.read_text(encoding="utf-8").splitlines()]
    if theirs != [_timeless(json.loads(line)) for line in _lines(trials)]:
        raise RuntimeError(f"Optuna {optuna.__version__} writes another journal than this benchmark")
    ours = folder / "ours.db"
    trials = _drawn_of(optuna.load_study(study_name=STUDY, storage=f"sqlite:///{database}"))
    write_sqlite(ours, trials)
    if _rows(ours) != _rows(database):
        raise RuntimeError(f"Optuna {optuna.__version__} fills other tables than this benchmark")


def _few(storage: Any) -> None:
    study = optuna.create_study(study_name=STUDY, storage=storage, sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(_CHECKED):
        trial = study.ask(TEN_IN_OPTUNA)
        for step in range(REPORTS_PER_TRIAL):
            trial.report(step / 3, step)
        study.tell(trial, trial.params["momentum"])


def _drawn_of(study: optuna.Study) -> list[Drawn]:
    return [Drawn(trial.params, list(trial.intermediate_values.values()), trial.values[0]) for trial in study.trials]


def _timeless(record: dict[str, Any]) -> list[tuple[str, Any]]:
    """A line of the journal, in order, but for what is different each time."""
    varies = ("worker_id", "datetime_start", "datetime_complete")
    return [
        (name, len(str(value)) if name in varies[1:] else None if name in varies else value)
        for name, value in record.items()
    ]


def _rows(path: Path) -> dict[str, list[Any]]:
    """What is in each table, as SQL would say it, but for times and for numbers of rows that mean nothing."""
    found: dict[str, list[Any]] = {}
    with closing(sqlite3.connect(path)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in sorted(names):
            rows = database.execute(f"SELECT * FROM {name}").fetchall()
            if name == "trials":
                rows = [(*row[:4], *(len(time) for time in row[4:])) for row in rows]
            found[name] = (
                sorted(rows, key=repr) if name in ("trials", "studies") else sorted((row[1:] for row in rows), key=repr)
            )
    return found
