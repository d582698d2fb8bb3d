"""Domains from text, as the command line and files give them. Nothing is evaluated.

    uniform(-10, 10)    uniform(0, 1, step=0.25)    log_uniform(1e-4, 1e-1)
    int_uniform(3, 15)  int_uniform(0, 8, step=2)   int_log_uniform(1, 1000)
    categorical(a, b, 3)      also a list: [32, 64]

What Hydra has is understood too:

    a, b, 3    choice(a, b, 3)    interval(0, 1)    range(10)    range(1, 10)    range(0, 1, step=0.25)
    int(interval(1, 10))    float(range(1, 10))    tag(log, interval(1e-4, 1e-1))    tag(log, int(interval(1, 100)))

A range ends before its second number, as in Python; all else includes both. Whatever is none of these is a constant: a number,
true, false, null, a JSON object, "quoted" or bare text. `space/reading.py` tells what a value is.

A script or program reads its arguments itself, so what is written for one is passed on *as it was written*: a constant or choices
whose spelling a value would not keep (7e3, 1.10, .5, true, a number beyond 64 bits) are texts for it. `1, 2` and `0.1` stay numbers.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from typing import Any

from asyncsweep.errors import ConfigError
from asyncsweep.space.domains import Categorical, Constant, Domain, Float, Int
from asyncsweep.space.reading import as_written, integer, is_list, items, real, split, value_of
from asyncsweep.space.structs import replace
from asyncsweep.space.values import shown

# Bounds the work that hostile text can cause.
MAX_CHARACTERS = 100_000
MAX_NESTED = 8

_CALL = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*\((.*)\)", re.DOTALL)
_OPTION = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", re.DOTALL)
_EXAMPLES = "uniform(-10, 10), log_uniform(1e-4, 1e-1), int_uniform(3, 15), int_log_uniform(1, 1000), categorical(a, b)"
# Above this share of a step the end of a range of floats is a value of its own, and not the rounding of one.
_ROUNDING = 1e-6
_MOST_STEPS = 2**53


def parse_domain(text: str, name: str | None = None, *, for_program: bool = False) -> Domain:
    """The domain that the text describes, checked; see the head of this module for the forms.

    Args:
        text: What the user wrote.
        name: The parameter's name, for the errors.
        for_program: Whether constants and choices are for a program, which gets them as they were written.

    Raises:
        ConfigError: The text has none of the forms, or describes a bad domain.
    """
    what = "domain" if name is None else f"parameter {name!r}"
    if not isinstance(text, str):
        raise ConfigError(f"{what}: {shown(text)} is of type {type(text).__name__}; give text such as {_EXAMPLES}")
    text = text.strip()
    if not text:
        raise ConfigError(
            f"{what}: the text is empty; give one such as {_EXAMPLES}, or '\"\"' for a value without characters"
        )
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{what}: the text has {len(text)} characters; give at most {MAX_CHARACTERS}")
    what = f"{what}: {shown(text)}"
    try:
        domain = _parse(text, for_program=for_program)
    except ConfigError as error:
        raise ConfigError(f"{what}: {error}") from error
    return domain.checked(what)


def _parse(text: str, depth: int = 0, *, for_program: bool = False) -> Domain:
    choices = as_written if for_program else _values
    if is_list(text):
        return Categorical(choices(split(text)))
    call = _CALL.fullmatch(text)
    if call is None and text[0] == "[":
        return Categorical(choices(items(text)) if for_program else value_of(text))
    if call is None:
        return Constant(choices([text])[0])
    name, inside = call.groups()
    if depth > MAX_NESTED:
        raise ConfigError(f"it is nested more than {MAX_NESTED} deep; leave brackets out")
    if name in _OF_DOMAINS:
        return _OF_DOMAINS[name](split(inside), depth + 1)
    if name in _OF_CHOICES:
        return Categorical(choices(split(inside)))
    if name in _REFUSED:
        raise ConfigError(f"{name}(...) of Hydra is not understood: {_REFUSED[name]}; quote it if it is text")
    read = _FORMS.get(name)
    if read is None:
        known = (*_FORMS, *_OF_CHOICES, *_OF_DOMAINS)
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(f"{name} is unknown; {hint}there are: {', '.join(known)}; quote it if it is text")
    return read(split(inside))


def _uniform(
    kind: Callable[..., Domain], number: Callable[[str, str], float], *, log: bool
) -> Callable[[list[str]], Domain]:
    def read(arguments: list[str]) -> Domain:
        options: dict[str, Any] = {}
        while arguments and (option := _OPTION.fullmatch(arguments[-1])):
            key, text = option.groups()
            if key != "step" or log:
                accepted = "there are no options" if log else "the only option is step"
                raise ConfigError(f"option {key} is unknown; {accepted}")
            if key in options:
                raise ConfigError(f"option {key} is given twice; leave one out")
            options[key] = number(text, key)
            arguments = arguments[:-1]
        if len(arguments) != 2:
            raise ConfigError(f"it has {len(arguments)} values; give two, low and high")
        low, high = (number(text, field) for text, field in zip(arguments, ("low", "high"), strict=True))
        return kind(low, high, log=log, **options)

    return read


def _values(texts: list[str]) -> list[Any]:
    return [value_of(text) for text in texts]


def _interval(arguments: list[str]) -> Domain:
    """Hydra's interval of floats."""
    given = _named(arguments, ("start", "end"))
    if len(given) != 2:
        raise ConfigError(f"it has {len(given)} values; give two, start and end")
    return Float(real(given["start"], "start"), real(given["end"], "end"))


def _range(arguments: list[str]) -> Domain:
    """Hydra's range, which ends before `stop`: of floats where one of its numbers is one."""
    given = _named(arguments, ("start", "stop", "step"))
    if set(given) == {"start"}:
        given = {"start": "0", "stop": given["start"]}
    if "stop" not in given:
        raise ConfigError("it has no end; give range(stop), range(start, stop), or range(start, stop, step)")
    texts = {"start": given.get("start", "0"), "stop": given["stop"], "step": given.get("step", "1")}
    numbers = {field: value_of(text) for field, text in texts.items()}
    if all(type(number) is int for number in numbers.values()):
        start, stop, step = (integer(text, field) for field, text in texts.items())
        last = stop - 1 if step < 1 else start + (stop - 1 - start) // step * step
        _check_range(start, stop, step)
        return Int(start, last, step=1 if start == last else step)
    low, high, width = (real(text, field) for field, text in texts.items())
    _check_range(low, high, width)
    if (high - low) / width > _MOST_STEPS:
        raise ConfigError(f"step={width!r} is too small for a range from {low!r} to {high!r}; use interval(...)")
    intervals = math.ceil((high - low) / width - _ROUNDING) - 1
    return Float(low, low + intervals * width, step=width if intervals > 0 else None)


def _check_range(start: float, stop: float, step: float) -> None:
    if step <= 0:
        raise ConfigError(f"step={step!r} is not above 0; a range of parameters has no direction: swap start and stop")
    if start >= stop:
        raise ConfigError(
            f"start={start!r} is not below stop={stop!r}, so that the range is empty; the end is excluded"
        )


def _named(arguments: list[str], names: tuple[str, ...]) -> dict[str, str]:
    """Arguments by their names: those in front by their places, the others as name=text."""
    given: dict[str, str] = {}
    was_named = False
    for place, argument in enumerate(arguments):
        option = _OPTION.fullmatch(argument)
        was_named = was_named or option is not None
        if option is None and was_named:
            raise ConfigError(f"{shown(argument)} comes after a named one; put it in front, or name it")
        if option is None and place >= len(names):
            raise ConfigError(f"it has {len(arguments)} values; there are only {', '.join(names)}")
        key, text = (names[place], argument) if option is None else option.groups()
        if key not in names:
            raise ConfigError(f"option {key} is unknown; there are {', '.join(names)}")
        if key in given:
            raise ConfigError(f"{key} is given twice; leave one out")
        given[key] = text
    return given


def _int(arguments: list[str], depth: int) -> Domain:
    """The same in whole numbers."""
    domain = _only("int", arguments, depth)
    if isinstance(domain, Float):
        step = 1 if domain.step is None else _whole(domain.step, "step")
        return Int(_whole(domain.low, "low"), _whole(domain.high, "high"), log=domain.log, step=step)
    if isinstance(domain, Categorical):
        return Categorical([_whole(choice, "choice") for choice in domain.choices])
    return Constant(_whole(domain.value, "value")) if isinstance(domain, Constant) else domain


def _float(arguments: list[str], depth: int) -> Domain:
    """The same in floats; of whole numbers without `log` each remains a step."""
    domain = _only("float", arguments, depth)
    if isinstance(domain, Int):
        step = None if domain.log or domain.low == domain.high else float(domain.step)
        return Float(float(domain.low), float(domain.high), log=domain.log, step=step)
    if isinstance(domain, Categorical):
        return Categorical([_number(choice, "choice") for choice in domain.choices])
    return Constant(_number(domain.value, "value")) if isinstance(domain, Constant) else domain


def _tag(arguments: list[str], depth: int) -> Domain:
    """Hydra's tag; the one that a domain can have is `log`."""
    if len(arguments) < 2:
        raise ConfigError("tag needs a tag and a range, as in tag(log, interval(1e-4, 1e-1))")
    *tags, inner = arguments
    unknown = [tag for tag in tags if tag != "log"]
    if unknown:
        raise ConfigError(f"the tag {shown(unknown[0])} is unknown; there is: log")
    domain = _parse(inner, depth)
    if not isinstance(domain, Float | Int):
        raise ConfigError(f"tag(log, ...) needs a range of numbers such as interval(1e-4, 1e-1), not {shown(inner)}")
    return replace(domain, log=True)


def _only(name: str, arguments: list[str], depth: int) -> Domain:
    if len(arguments) != 1:
        raise ConfigError(
            f"{name}(...) needs one domain, as in {name}(interval(1, 10)); it has {len(arguments)} values"
        )
    return _parse(arguments[0], depth)


def _whole(value: Any, field: str) -> int:
    number = _number(value, field)
    if number != math.floor(number):
        raise ConfigError(f"int(...): {field}={shown(value)} is not a whole number; give one, or leave int(...) out")
    return int(value)


def _number(value: Any, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{field}={shown(value)} is not a number; give one, or leave the cast out")
    return float(value)


_FORMS: dict[str, Callable[[list[str]], Domain]] = {
    "uniform": _uniform(Float, real, log=False),
    "log_uniform": _uniform(Float, real, log=True),
    "int_uniform": _uniform(Int, integer, log=False),
    "int_log_uniform": _uniform(Int, integer, log=True),
    "interval": _interval,
    "range": _range,
}
_OF_CHOICES = ("categorical", "choice")
# What is made of another domain.
_OF_DOMAINS: dict[str, Callable[[list[str], int], Domain]] = {"int": _int, "float": _float, "tag": _tag}
_REFUSED = {
    "shuffle": "the sampler decides about the order, so leave it out",
    "sort": "the sampler decides about the order, so leave it out",
    "glob": "name the choices, as in choice(a, b)",
}
