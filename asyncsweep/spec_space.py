"""The space as files have it: domains as text, as on the command line, or as tables.

lr = "log_uniform(1e-5, 1e-1)"
depth = {type = "int", low = 1, high = 8}
opt = {choices = ["sgd", "adam"]}
momentum = {type = "float", low = 0.0, high = 0.99, when = {opt = "sgd"}}
batch = [32, 64]                          choices
layers = {value = [64, 64]}               a constant
epochs = 30                               a constant
model.lr = "uniform(0, 1)"                the parameter "model.lr"
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asyncsweep.errors import ConfigError
from asyncsweep.hooks.nearest import did_you_mean
from asyncsweep.space import Categorical, Domain, Float, Int, parse_domain
from asyncsweep.space.checks import finite, whole
from asyncsweep.space.choices import Constant
from asyncsweep.space.values import shown

_FIELDS = {
    "float": ("low", "high", "log", "step", "when"),
    "int": ("low", "high", "log", "step", "when"),
    "categorical": ("choices", "when"),
    "constant": ("value", "when"),
}
# How others call the ends of a range, and what they have beside them.
_BOUNDS = (("min", "max"), ("lower", "upper"), ("start", "stop"), ("start", "end"))
_FOREIGN = {
    *(name for pair in _BOUNDS for name in pair),
    *("values", "distribution", "log", "step", "q", "mu", "sigma", "probabilities", "scale", "when"),
}
_TELLING = ("type", "low", "high", "choices", "value")


def space_of(value: Any, where: str = "space") -> dict[str, Any]:
    """Parameter names with domains.

    Raises:
        ConfigError: It is no table, or a domain is wrong; the message begins with the path of the fault.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}={shown(value)}: expected a table of parameters with domains")
    found: dict[str, Any] = {}
    for name, one in value.items():
        _take(str(name), one, f"{where}.{name}", found)
    return found


def _take(name: str, value: Any, where: str, found: dict[str, Any]) -> None:
    if name.startswith("-"):
        raise ConfigError(f"{where}: parameters have no dashes in front here; name it {name.lstrip('-') or 'lr'!r}")
    if isinstance(value, Mapping) and value and not any(key in value for key in _TELLING):
        _refuse_foreign(value, where)
        for key, one in value.items():  # TOML makes tables of dotted names
            _take(f"{name}.{key}", one, f"{where}.{key}", found)
        return
    if name in found:
        raise ConfigError(f"{where}: the parameter {name!r} is given twice")
    found[name] = _domain(name, value, where)


def _refuse_foreign(table: Mapping[str, Any], where: str) -> None:
    """Refuse a range or choices as other programs write them, which would become constants with dotted names."""
    if not set(table) <= _FOREIGN:
        return
    for low, high in _BOUNDS:
        ends = (table.get(low), table.get(high))
        if all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends):
            mend = f'{{type = "float", low = {ends[0]!r}, high = {ends[1]!r}}}'
            either = ', or with type = "int"' if all(isinstance(end, int) for end in ends) else ""
            raise ConfigError(f"{where}.{low}: a domain is written otherwise here: {mend}{either}")
    if isinstance(table.get("values"), list):
        raise ConfigError(f"{where}.values: a domain is written otherwise here: {{choices = {shown(table['values'])}}}")
    if "distribution" in table:
        raise ConfigError(
            f"{where}.distribution: a domain is written otherwise here, such as "
            f'{{type = "float", low = 0.0, high = 1.0, log = true}} or "log_uniform(1e-5, 1e-1)"'
        )


def _domain(name: str, value: Any, where: str) -> Domain:
    if isinstance(value, str):
        try:
            return parse_domain(value, name)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
    if isinstance(value, list):
        return Categorical(value).checked(where)
    if isinstance(value, Mapping):
        return _of_table(value, where)
    return Constant(value).checked(where)


def _of_table(table: Mapping[str, Any], where: str) -> Domain:
    kind = table.get("type") or ("categorical" if "choices" in table else "constant" if "value" in table else None)
    if kind is None:
        raise ConfigError(
            f'{where}.type is missing: expected "float" or "int", as in {{type = "float", low = 0, high = 1}}'
        )
    if not isinstance(kind, str) or kind not in _FIELDS:
        near = did_you_mean(kind, _FIELDS) if isinstance(kind, str) else ""
        raise ConfigError(f"{where}.type={shown(kind)}: expected one of {', '.join(_FIELDS)}{near}")
    known = _FIELDS[kind]
    fields = {name: value for name, value in table.items() if name != "type"}
    for field in fields:
        if field not in known:
            raise ConfigError(
                f"{where}.{field}: there is no such field of {kind}{did_you_mean(field, known)}; there are: {', '.join(known)}"
            )
    for field in known[:2] if kind in ("float", "int") else known[:1]:
        if field not in fields:
            raise ConfigError(f"{where}.{field} is missing")
    when = fields.get("when")
    if when is not None and not isinstance(when, Mapping):
        raise ConfigError(f'{where}.when={shown(when)}: expected a table of earlier parameters, as in {{opt = "sgd"}}')
    if kind == "categorical" and not isinstance(fields["choices"], list):
        raise ConfigError(f"{where}.choices={shown(fields['choices'])}: expected a list")
    if kind in ("float", "int"):
        return _range(Float if kind == "float" else Int, fields, where)
    domain: Any = Categorical if kind == "categorical" else Constant
    made: Domain = domain(fields.pop("choices" if kind == "categorical" else "value"), **fields).checked(where)
    return made


def _range(kind: type[Float] | type[Int], fields: dict[str, Any], where: str) -> Domain:
    for name in ("low", "high", "step"):
        if name in fields:
            try:
                (finite if kind is Float else whole)(fields[name], where, name)
            except ConfigError as error:  # which says "space.lr: low=...", for a constructor's argument
                raise ConfigError(str(error).replace(f"{where}: {name}=", f"{where}.{name}=", 1)) from error
    if not isinstance(fields.get("log", False), bool):
        raise ConfigError(f"{where}.log={shown(fields['log'])}: expected true or false")
    return kind(**fields).checked(where)
