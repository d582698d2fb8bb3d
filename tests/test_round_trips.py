"""Any value comes back from wherever it was kept: the journal, the links, a reopened sweep, CSV and JSON (docs/values.md)."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import asyncsweep as sw
from asyncsweep.cells import cell
from asyncsweep.core import events as ev
from asyncsweep.core.records import ErrorInfo
from asyncsweep.journal import format as layout
from asyncsweep.search import wire as search_wire
from asyncsweep.space.values import identity
from asyncsweep.testing.events import spec
from asyncsweep.wire.stream import Decoder, pack
from tests.test_values import choosing, read_back, strict_json

DEEP = os.environ.get("ASYNCSWEEP_DEEP") == "1"

pytestmark = pytest.mark.timeout(1_800 if DEEP else 120)


def examples(here: int, deep: int = 2_000) -> Callable[[Any], Any]:
    """How many examples the normal run has, and the deep one."""
    return settings(
        max_examples=deep if DEEP else here,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    )


TEXTS = st.text(max_size=12)
NAMES = st.text(min_size=1, max_size=12)
FLOATS = st.floats() | st.sampled_from([0.0, -0.0, 5e-324, 1.7976931348623157e308])
INTS = st.integers(-(2**63), 2**64 - 1) | st.sampled_from([-(2**63), 2**63 - 1, 2**63, 2**64 - 1, 2**53 + 1])
SCALARS = st.none() | st.booleans() | INTS | FLOATS | TEXTS | st.binary(max_size=12)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=8
)
PARAMS = st.dictionaries(NAMES, VALUES, max_size=4)
METRICS = st.dictionaries(TEXTS, FLOATS, max_size=3)
STEPS = st.integers(0, 2**62)


def told(record: Any) -> str:
    """Everything about it, types and signs of zeros included; NaN equals itself here."""
    return repr(record)


# -- the journal -------------------------------------------------------------------------------------------------------

EVENTS = st.one_of(
    st.builds(ev.Enqueued, PARAMS),
    st.builds(ev.Suggested, st.just(0), PARAMS, st.none() | PARAMS),
    st.builds(ev.ParamSuggested, st.just(0), st.just(1), NAMES, VALUES),
    st.builds(ev.ParamAsked, st.just(0), st.just(1), NAMES, st.builds(sw.Categorical, st.lists(VALUES).map(tuple))),
    st.builds(ev.Reported, st.just(0), st.just(1), STEPS, FLOATS, st.none() | METRICS),
    st.builds(ev.SeriesReported, st.just(0), st.just(1), st.lists(st.tuples(STEPS, FLOATS), min_size=1)),
    st.builds(ev.SeriesUpForVerdict, st.just(0), st.just(1), STEPS, st.lists(st.tuples(STEPS, FLOATS), min_size=1)),
    st.builds(ev.AttrSet, st.just(0), st.just(1), TEXTS, VALUES),
    st.builds(ev.ConstraintSet, st.just(0), st.just(1), TEXTS, FLOATS),
    st.builds(ev.Finished, st.just(0), st.just(1), METRICS),
    st.builds(ev.Failed, st.just(0), st.just(1), st.builds(ErrorInfo, TEXTS, TEXTS, TEXTS, st.lists(TEXTS).map(tuple))),
)


@examples(100)
@given(EVENTS)
def test_an_event_comes_back_from_the_journal_as_it_went_in(event: ev.Event) -> None:
    first = ev.SweepOpened(spec(), seq=1, at=1.0)
    event.seq, event.at = 2, 1.5
    _, found = layout.decode(layout.header() + layout.encode(first) + layout.encode(event), "journal").events
    assert told(found) == told(event)


async def says_everything(trial: sw.Trial) -> dict[str, float]:
    """Say what the parameters tell to say."""
    told = trial.params["told"]
    for step, (value, further) in enumerate(told["reports"]):
        trial.report({**further, "value": value}, step)
    for key, value in told["attrs"].items():
        trial.set_user_attr(key, value)
    for key, value in told["constraints"].items():
        trial.set_constraint(key, value)
    if told["error"] is not None:
        raise ValueError(told["error"])
    return {**told["metrics"], "value": told["value"]}


TELLINGS = st.fixed_dictionaries(
    {
        "reports": st.lists(st.tuples(FLOATS, METRICS).map(list), max_size=3),
        "attrs": PARAMS,
        "constraints": st.dictionaries(TEXTS, st.floats(allow_nan=False), max_size=2),
        "error": st.none() | TEXTS,
        "metrics": METRICS,
        "value": FLOATS,
    }
)


@examples(15)
@given(told_of=st.lists(TELLINGS, min_size=1, max_size=5), params=PARAMS)
def test_a_reopened_sweep_equals_the_live_one(told_of: list[Any], params: dict[str, Any]) -> None:
    async def live_and_reopened(directory: str) -> list[list[str]]:
        space = {**params, "told": sw.Categorical(unique(told_of))}
        sweep = sw.Sweep(says_everything, space, sampler="grid", seed=1, directory=directory, fsync="never")
        live = await sweep.run()
        reopened = await sw.Sweep.resume(directory, says_everything)
        assert len(live.trials) == len(unique(told_of))
        return [[told(trial) for trial in result.trials] for result in (live, reopened)]

    with tempfile.TemporaryDirectory() as folder:
        live, reopened = anyio.run(live_and_reopened, os.path.join(folder, "sweep"))
    assert reopened == live


def unique(values: list[Any]) -> list[Any]:
    return list({identity(value): value for value in values}.values())


# -- the links ---------------------------------------------------------------------------------------------------------


@examples(100)
@given(st.lists(VALUES, max_size=4))
def test_a_message_comes_out_of_a_stream_as_it_went_in(values: list[Any]) -> None:
    decoder = Decoder()
    decoder.feed(pack((1, *values)))
    assert told(list(decoder)) == told([[1, *values]])


def echoes(trial: sw.Trial) -> float:
    """Give everything back that came over the link."""
    for place, value in enumerate(trial.params["told"]):
        trial.set_user_attr(str(place), value)
        found = trial.suggest_categorical(f"choice {place}", [value])
        assert told(found) == told(value)
    return 0.0


@examples(2, deep=100)
@given(st.lists(VALUES, min_size=20, max_size=20))
def test_values_come_back_from_a_worker_process_as_they_went_in(values: list[Any]) -> None:
    sweep = sw.Sweep(echoes, {"told": values}, sampler="random", seed=1, n_trials=1, executor="process")
    (trial,) = anyio.run(sweep.run).trials
    assert trial.error is None
    assert told(list(trial.user_attrs.values())) == told(values)
    assert told([trial.params[f"choice {place}"] for place in range(20)]) == told(values)


@examples(100)
@given(
    params=PARAMS,
    metrics=METRICS,
    reports=st.lists(st.tuples(STEPS, FLOATS), max_size=4),
    attrs=st.none() | PARAMS,
    constraints=st.none() | METRICS,
    choices=st.lists(VALUES, min_size=1, max_size=4),
)
def test_a_trial_reaches_the_sampler_host_as_it_is(
    params: dict[str, Any],
    metrics: dict[str, float],
    reports: list[tuple[int, float]],
    attrs: dict[str, Any] | None,
    constraints: dict[str, float] | None,
    choices: list[Any],
) -> None:
    trial = sw.TrialRecord(3, sw.State.COMPLETE, attempt=1, attrs=attrs, sampler_attrs=attrs, constraints=constraints)
    trial.param_names, trial.param_values = tuple(params), tuple(params.values())
    trial.metric_names, trial.metric_values = tuple(metrics), tuple(metrics.values())
    trial.domains = {"p": sw.Categorical(tuple(choices))}
    if reports:
        trial.steps, trial.reported = array("q"), array("d")
        for step, value in reports:
            trial.steps.append(step)
            trial.reported.append(value)
    decoder = Decoder()
    decoder.feed(pack(search_wire.packed(trial)))
    (message,) = decoder
    assert told(search_wire.unpacked(message)) == told(trial)


# -- files -------------------------------------------------------------------------------------------------------------

CHOICES = st.lists(VALUES, min_size=1, max_size=5, unique_by=lambda value: repr(identity(value)))


@examples(100)
@given(choices=CHOICES, data=st.data())
def test_a_choice_is_read_from_csv_as_it_was_or_refused_because_two_look_the_same(
    choices: list[Any], data: st.DataObject, tmp_path: Path
) -> None:
    picked = data.draw(st.lists(st.sampled_from(choices), min_size=1, max_size=4))
    result = choosing(choices, picked)
    texts = [str(cell(choice)) for choice in choices if not isinstance(choice, str)]
    if any(texts.count(str(cell(value))) > 1 for value in picked if not isinstance(value, str)):
        with pytest.raises(sw.ConfigError, match=r" may be |is missing"):
            read_back(result, tmp_path)
    else:
        assert told(read_back(result, tmp_path)) == told(picked)


@pytest.mark.parametrize(
    "choices",
    [
        [None, ""],
        [None, b""],
        ["", b""],
        [False, b""],
        [None, "", b""],
        [float("nan"), ""],
        ["None", None],
        [b"a", "61"],
    ],
    ids=str,
)
def test_choices_that_look_like_nothing_or_like_each_other_are_told_apart(choices: list[Any], tmp_path: Path) -> None:
    assert told(read_back(choosing(choices, choices), tmp_path)) == told(choices)


@examples(100)
@given(low=st.floats(-1e300, 1e300), width=st.floats(0, 1e300), unit=st.floats(0, 1, exclude_max=True), value=FLOATS)
def test_numbers_are_read_from_csv_as_they_were(
    low: float, width: float, unit: float, value: float, tmp_path: Path
) -> None:
    assume(value == value)
    domain = sw.Float(low, low + width)
    trial = sw.TrialRecord(0, sw.State.COMPLETE, attempt=1)
    trial.param_names, trial.param_values = ("x",), (domain.from_unit(unit),)
    trial.metric_names, trial.metric_values = ("value", "further"), (value, -value)
    trial.constraints = {"c": value}
    result = sw.Result(choosing_spec(domain), [trial])
    result.to_csv(tmp_path / "result.csv")
    past = sw.Sweep(echoes, {"x": domain}, history=tmp_path / "result.csv").history
    assert past is not None
    (found,) = past.trials
    assert told((found.params, found.metrics, found.constraints)) == told(
        (trial.params, trial.metrics, trial.constraints)
    )


def choosing_spec(domain: sw.Float) -> Any:
    return msgspec.structs.replace(sw.Sweep(echoes, {"x": domain}).spec)


@examples(100)
@given(params=PARAMS, metrics=METRICS, attrs=PARAMS, reports=st.lists(FLOATS, max_size=3), message=TEXTS)
def test_json_has_every_value_by_the_rules(
    params: dict[str, Any],
    metrics: dict[str, float],
    attrs: dict[str, Any],
    reports: list[float],
    message: str,
    tmp_path: Path,
) -> None:
    trial = sw.TrialRecord(0, sw.State.FAILED, attempt=1, attrs=attrs, error=ErrorInfo("ValueError", message))
    trial.param_names, trial.param_values = tuple(params), tuple(params.values())
    trial.metric_names, trial.metric_values = tuple(metrics), tuple(metrics.values())
    trial.steps, trial.reported = array("q", range(len(reports))), array("d", reports)
    sw.Result(choosing_spec(sw.Float(0, 1)), [trial]).to_json(tmp_path / "result.json")
    (found,) = strict_json(tmp_path / "result.json")["trials"]
    expected = by_the_rules([params, metrics, attrs, [list(pair) for pair in enumerate(reports)]])
    assert told([found["params"], found["metrics"], found["user_attrs"], found["reports"]]) == told(expected)
    assert found["error"] == (f"ValueError: {message}" if message else "ValueError")


def by_the_rules(value: Any) -> Any:
    """The last table of docs/values.md, once more."""
    if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[repr(value)]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [by_the_rules(item) for item in value]
    return {key: by_the_rules(item) for key, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("value", ["x" * 10**6, 'a,"b"\r\n\0' * 50_000, ["x" * 10**6]], ids=["long", "odd", "list"])
def test_a_very_long_choice_is_read_from_csv_as_it_was(value: Any, tmp_path: Path) -> None:
    assert read_back(choosing([value, "another"], [value]), tmp_path) == [value]
