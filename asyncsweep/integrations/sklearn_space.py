"""The space of a search over scikit-learn parameters: everything that users write there, as domains.

A choice that a journal cannot hold as it is, such as an estimator, a function or a tuple, goes through the sweep as a text, and
becomes the object again where an estimator gets it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asyncsweep.errors import ConfigError
from asyncsweep.space import Categorical, Float, Int, Space
from asyncsweep.space.parse import parse_domain
from asyncsweep.space.values import shown

# name -> text -> object, for the parameters whose choices go by text.
Objects = dict[str, dict[str, Any]]

_LABEL_CHARACTERS = 200
_DISTRIBUTIONS = "scipy.stats.uniform, loguniform or randint"


def read_space(given: Any) -> tuple[Space, Objects]:
    """The space, and what its texts stand for.

    Args:
        given: Parameter name -> domain of asyncsweep or Optuna, frozen distribution of SciPy, text such as
            "log_uniform(1e-4, 1e-1)", collection of choices, or one value.

    Raises:
        ConfigError: It is no mapping, it is empty, or something in it is none of these.
    """
    if isinstance(given, Space):
        given = given.domains
    if not isinstance(given, Mapping):
        several = isinstance(given, Sequence) and not isinstance(given, str)
        hint = "; one mapping with `when=` conditions does what several grids do" if several else ""
        raise ConfigError(f"space={shown(given)}: expected a mapping of parameter names to what to try{hint}")
    if not given:
        raise ConfigError("space={}: there is nothing to search")
    objects: Objects = {}
    domains = {name: _domain(name, value, objects) for name, value in given.items()}
    return Space(domains), objects


def objects_of(params: Mapping[str, Any], objects: Objects) -> dict[str, Any]:
    """The parameters as an estimator gets them."""
    return {name: objects[name][value] if name in objects else value for name, value in params.items()}


def _domain(name: Any, value: Any, objects: Objects) -> Any:
    if isinstance(value, str):
        return parse_domain(value, name)
    if isinstance(value, Categorical):
        return _choices(name, value.choices, value.when, objects)
    if hasattr(value, "rvs"):
        return _of_scipy(name, value)
    if hasattr(value, "__len__") and not isinstance(value, Mapping | bytes):
        return _choices(name, value, None, objects)
    return value


def _choices(name: Any, given: Any, when: Any, objects: Objects) -> Categorical:
    choices = [_plain(choice) for choice in given]
    if all(choice is None or type(choice) in (bool, int, float, str) for choice in choices):
        return Categorical(choices, when=when)
    labels: dict[str, Any] = {}
    for choice in choices:
        text = " ".join(str(choice).split())[:_LABEL_CHARACTERS]
        labels[f"{text} #{len(labels)}" if text in labels else text] = choice
    objects[name] = labels
    return Categorical(list(labels), when=when)


def _plain(value: Any) -> Any:
    """A NumPy scalar as Python's own."""
    return value.item() if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () else value


def _of_scipy(name: Any, frozen: Any) -> Float | Int:
    kind = getattr(getattr(frozen, "dist", None), "name", "")
    if kind not in ("uniform", "loguniform", "reciprocal", "randint"):
        raise ConfigError(
            f"parameter {name!r}: {kind or type(frozen).__name__}: expected {_DISTRIBUTIONS}, "
            "or a domain such as sw.Float(1e-5, 1e-1, log=True)"
        )
    low, high = frozen.support()
    if kind == "randint":
        return Int(int(low), int(high))
    return Float(float(low), float(high), log=kind != "uniform")
