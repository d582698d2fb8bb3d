"""From what an objective returned or raised to the message that ends its attempt."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from asyncsweep.errors import TrialError, TrialPruned
from asyncsweep.wire.messages import FAILED, FINISHED, PRUNED
from asyncsweep.worker.secrets import redacted
from asyncsweep.worker.values import real, shown

# (tag, payload): metrics for FINISHED, (type, message, traceback, bases) for FAILED, None for PRUNED.
Outcome = tuple[int, Any]
# Type, message, traceback and bases of an error.
Description = tuple[str, str, str, tuple[str, ...]]

_TEXT_LIMIT = 16_000
_TYPE_NAME_LIMIT = 200
METRIC_NAME_LIMIT = 1_000
_MOST_BASES = 20


def metrics_of(returned: Any, names: Sequence[str]) -> dict[str, float]:
    """The metrics by name; those with a direction come first, in its order.

    Raises:
        TrialError: The value is no number, no mapping of numbers, or no sequence with one number for each direction.
    """
    if isinstance(returned, Mapping):
        return {metric_name(name): _number(value, f"metric {str(name)!r}") for name, value in returned.items()}
    if isinstance(returned, (tuple, list)):
        if len(returned) != len(names):
            raise TrialError(
                f"the objective returned {len(returned)} values for {len(names)} metrics ({', '.join(names)})"
            )
        return {name: _number(value, f"metric {name!r}") for name, value in zip(names, returned, strict=True)}
    if len(names) > 1:
        raise TrialError(
            f"the objective returned one value for {len(names)} metrics ({', '.join(names)}): return a mapping"
        )
    return {names[0]: _number(returned, "value")}


def metric_name(name: Any) -> str:
    """The name of a metric as text.

    Raises:
        TrialError: It cannot be stored, or is longer than 1,000 characters.
    """
    text = str(name)
    if len(text) > METRIC_NAME_LIMIT:
        raise TrialError(
            f"the metric name {text[:80]!r}... has {len(text)} characters; at most {METRIC_NAME_LIMIT} are allowed"
        )
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise TrialError(f"the metric name {text!r:.80} is no valid Unicode text") from None
    return text


def _number(value: Any, what: str) -> float:
    if value is not None and not isinstance(value, (str, bytes, bytearray)):
        try:
            return real(value)
        except (TypeError, ValueError, OverflowError):
            pass  # told below, with the value
    raise TrialError(f"the {what} that the objective returned must be a number, not {_shown(value)}")


def _shown(value: Any) -> str:
    return "None" if value is None else f"{shown(value)} ({type(value).__name__})"


def finished(returned: Any, names: Sequence[str]) -> Outcome:
    """The outcome of an objective that returned."""
    if type(returned) is float and len(names) == 1:
        return FINISHED, {names[0]: returned}
    try:
        return FINISHED, metrics_of(returned, names)
    except TrialError as error:
        return FAILED, ("TrialError", redacted(str(error)), "", ("AsyncSweepError", "ValueError"))
    except Exception as error:  # of the returned object's own __float__ or __repr__; a tensor with two elements does it
        return FAILED, describe(error)


def raised(error: BaseException, *, first_frame_is_ours: bool = True) -> Outcome:
    """The outcome of an objective that raised; `TrialPruned`, ours or Optuna's, is no failure (see `is_pruned`)."""
    if is_pruned(error):
        return PRUNED, None
    return FAILED, describe(error, first_frame_is_ours=first_frame_is_ours)


def is_pruned(error: BaseException) -> bool:
    """Whether the error is `TrialPruned`, a group of nothing else, or was raised `from` such a one."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if _is_of_pruning(cause):
            return True
        cause = cause.__cause__
    return False


def was_pruned_before(error: BaseException) -> bool:
    """Whether the error is of pruning itself, or was raised while one of pruning was handled."""
    seen: set[int] = set()
    context: BaseException | None = error
    while context is not None and id(context) not in seen:
        seen.add(id(context))
        if is_pruned(context):
            return True
        context = context.__context__
    return False


def _is_of_pruning(error: BaseException) -> bool:
    kinds = type(error).__mro__
    if isinstance(error, TrialPruned) or any(
        kind.__name__ == "TrialPruned" and kind.__module__.startswith("optuna.") for kind in kinds
    ):
        return True
    if any(kind.__name__ == "BaseExceptionGroup" for kind in kinds):  # Python 3.10 has none of its own
        leaves = getattr(error, "exceptions", ())
        return bool(leaves) and all(is_pruned(leaf) for leaf in leaves)
    return False


def describe(error: BaseException, *, first_frame_is_ours: bool = True) -> Description:
    """Type, message, traceback and bases of an exception as texts that any decoder accepts, without secrets.

    Args:
        error: The exception.
        first_frame_is_ours: Whether its traceback begins with our own call of the objective, which is left out.
    """
    try:
        message = str(error)
    except Exception as second:  # an exception whose own text raises is still reported
        message = f"(its message cannot be shown: {type(second).__name__})"
    frames = error.__traceback__
    if first_frame_is_ours and frames is not None:
        frames = frames.tb_next or frames
    try:
        text = "".join(traceback.format_exception(type(error), error, frames))
    except Exception as second:
        text = f"(the traceback cannot be shown: {type(second).__name__})"
    bases = tuple(_short(base) for base in type(error).__mro__[1:] if base not in (Exception, BaseException, object))
    return _short(type(error)), plain(message), plain(text), bases[:_MOST_BASES]


def plain(text: str) -> str:
    """A text that any decoder accepts, without secrets; of a very long one the beginning and the end."""
    return _clean(redacted(text))


def _short(kind: type) -> str:
    name = kind.__name__
    return _clean(name if len(name) <= _TYPE_NAME_LIMIT else name[:_TYPE_NAME_LIMIT] + "...")


def _clean(text: str) -> str:
    if len(text) > _TEXT_LIMIT:
        half = _TEXT_LIMIT // 2
        text = f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
