"""What an objective returned or raised, as data."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import optuna
import pytest

from asyncsweep.errors import TrialError, TrialPruned
from asyncsweep.wire.messages import FAILED, FINISHED, PRUNED
from asyncsweep.worker.outcome import describe, finished, metrics_of, raised


@pytest.mark.parametrize("returned", [1.5, Decimal("1.5"), {"value": 1.5}, (1.5,), [1.5]])
def test_a_number_in_any_form_is_the_metric(returned: Any) -> None:
    assert metrics_of(returned, ["value"]) == {"value": 1.5}


def test_a_tuple_follows_the_order_of_the_directions() -> None:
    assert metrics_of((1, 2.0), ["loss", "latency_s"]) == {"loss": 1.0, "latency_s": 2.0}


@pytest.mark.parametrize("returned", [None, "1", b"1", object(), 10**400, {"value": None}, (1.0, 2.0), 1j])
def test_what_is_no_number_is_a_trial_error(returned: Any) -> None:
    with pytest.raises(TrialError):
        metrics_of(returned, ["value"])


def test_one_number_for_several_metrics_is_a_trial_error() -> None:
    with pytest.raises(TrialError, match="return a mapping"):
        metrics_of(1.0, ["loss", "latency_s"])


def test_an_object_whose_repr_raises_is_still_an_outcome() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise ValueError("no repr")

    kind, message, *_ = finished(Odd(), ["value"])[1]
    assert kind == "TrialError"
    assert message.endswith("must be a number, not (a value that cannot be shown: ValueError) (Odd)")


def test_a_number_is_finished() -> None:
    assert finished(1, ["value"]) == (FINISHED, {"value": 1.0})


@pytest.mark.parametrize("error", [TrialPruned(), optuna.TrialPruned()])
def test_pruning_ours_or_optunas_is_no_failure(error: Exception) -> None:
    assert raised(error) == (PRUNED, None)


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def group(*errors: BaseException) -> BaseException:
    import builtins

    kind: Any = getattr(builtins, "BaseExceptionGroup", None) or pytest.skip("Python 3.10 has no groups")
    found: BaseException = kind("of a task group", errors)
    return found


@pytest.mark.parametrize(
    ("make", "tag"),
    [
        pytest.param(lambda: group(TrialPruned(), group(optuna.TrialPruned())), PRUNED, id="group"),
        pytest.param(lambda: group(TrialPruned(), ValueError()), FAILED, id="group with another error"),
        pytest.param(lambda: caused(ValueError(), caused(KeyError(), TrialPruned())), PRUNED, id="cause of a cause"),
        pytest.param(lambda: caused(ValueError(), group(TrialPruned())), PRUNED, id="group as a cause"),
        pytest.param(lambda: caused(ValueError(), KeyError()), FAILED, id="another cause"),
    ],
)
def test_pruning_in_a_group_or_as_a_cause_is_pruning(make: Callable[[], BaseException], tag: int) -> None:
    assert raised(make())[0] == tag


def test_an_error_in_the_handling_of_pruning_is_a_failure() -> None:
    error = KeyError()
    error.__context__ = TrialPruned()
    assert raised(error)[0] == FAILED


def test_an_error_that_is_its_own_cause_is_a_failure() -> None:
    error = ValueError()
    assert raised(caused(error, error))[0] == FAILED


def test_a_traceback_starts_at_the_objective() -> None:
    def objective() -> None:
        raise LookupError("boom")

    try:
        objective()
    except LookupError as error:
        tag, (kind, message, text, bases) = raised(error)
    assert (tag, kind, message, bases) == (FAILED, "LookupError", "boom", ())
    assert text.splitlines()[1].endswith("in objective")


def test_texts_that_no_decoder_accepts_are_escaped() -> None:
    assert describe(ValueError("\ud800"))[1] == "\\ud800"


def test_a_long_message_keeps_both_ends() -> None:
    message = describe(ValueError("a" * 50_000 + "z"))[1]
    assert message.startswith("aaa") and message.endswith("aaz") and len(message) < 17_000


def test_an_exception_whose_text_raises_is_described() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert describe(Odd())[1] == "(its message cannot be shown: RuntimeError)"


def test_the_name_of_a_type_is_cut_when_it_is_long() -> None:
    error = type("E" * 100_000, (Exception,), {})("boom")
    assert describe(error)[:2] == ("E" * 200 + "...", "boom")


def test_a_metric_with_a_long_name_fails_the_trial_with_a_short_message() -> None:
    tag, (kind, message, *_) = finished({"m" * 1_000_000: 1.0}, ["value"])
    assert (tag, kind, "has 1000000 characters" in message, len(message) < 300) == (FAILED, "TrialError", True, True)
