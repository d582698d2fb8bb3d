"""The choice of a sampler, pruner or executor: by name, by name with options, or as an object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import msgspec

from asyncsweep.core.records import PluginSpec
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.contracts import Host
from asyncsweep.hooks.nearest import did_you_mean, listed
from asyncsweep.hooks.offers import CONTRACTS, Kind
from asyncsweep.pruners.nop import NopPruner
from asyncsweep.samplers import optunas
from asyncsweep.worker.secrets import learn

if TYPE_CHECKING:  # plugins are loaded for a sweep, not for an import
    from asyncsweep.hooks.registry import Registry

HOSTS = get_args(Host)
_HOSTED = ("sampler", "pruner")

# What a journal calls a list of executors.
SEVERAL = "several"

# How a sweep goes on without what was attached to it.
_NOTHING = {"stop_when": "None", "exporters": "()"}


class Choice(NamedTuple):
    """A name with options; `host` is where a sampler or pruner runs, "" for where it wants to."""

    kind: Kind
    name: str
    options: dict[str, Any]
    host: str = ""


def sampler(name: str, /, *, host: Host | Literal[""] = "", **options: Any) -> Choice:
    """A sampler with options: `sampler("tpe", n_startup_trials=20)`.

    `host` chooses where it runs: "inline" (on the event loop, which waits for it), "thread", or "process" (a child process;
    the default for all but the samplers that answer within microseconds).
    """
    return Choice("sampler", name, options, host)


def pruner(name: str, /, *, host: Host | Literal[""] = "", **options: Any) -> Choice:
    """A pruner with options: `pruner("median", n_warmup_steps=5)`. For `host` see `sampler`."""
    return Choice("pruner", name, options, host)


def executor(name: str, /, **options: Any) -> Choice:
    """An executor with options: `executor("process", fresh=True)`."""
    return Choice("executor", name, options)


def choose(kind: Kind, value: Any) -> Choice | None:
    """The choice that a setting makes by name; None when it is an object.

    Raises:
        ConfigError: It is a mapping without a name, or a choice of another kind.
    """
    if isinstance(value, str):
        return Choice(kind, value, {})
    if isinstance(value, Choice):
        if value.kind != kind:
            raise ConfigError(f"{kind}={value.kind}({value.name!r}): that is a {value.kind}, not a {kind}")
        return value
    if isinstance(value, Mapping):
        options = dict(value)
        name = options.pop("name", None)
        if not isinstance(name, str):
            raise ConfigError(
                f'{kind}={dict(value)!r}: a mapping needs a "name", as in {{"name": "tpe", "n_startup_trials": 20}}'
            )
        host = options.pop("host", "") if kind in _HOSTED else ""
        return Choice(kind, name, options, host)
    return None


def without_nop(pruner: Any) -> Any:
    """The pruner; None, for nobody, where it is a `NopPruner`, ours or Optuna's, which needs no asking."""
    is_known = isinstance(pruner, NopPruner) or optunas.is_pruner(pruner)
    return None if is_known and type(pruner).__name__ == NopPruner.__name__ else pruner


def members_of(value: Any) -> list[tuple[str, Any]] | None:
    """The executors of a list, each with a name that no other one has; None for what is one executor.

    Raises:
        ConfigError: The list is empty, or a member has no name that it could have.
    """
    if not isinstance(value, list | tuple) or isinstance(value, Choice):
        return None
    if not value:
        raise ConfigError("executor=[]: expected one executor at least; None is the default one")
    members: list[tuple[str, Any]] = []
    for place, member in enumerate(value):
        if isinstance(member, list | tuple) and not isinstance(member, Choice):
            raise ConfigError(f"executor[{place}]={member!r}: expected one executor, not a list of them")
        choice = choose("executor", member)
        name = type(member).__qualname__ if choice is None else choice.name
        n_before = sum(spec_of("executor", other).name == name for _, other in members)
        members.append((f"{name}-{n_before + 1}" if n_before else name, member))
    return members


def host_of(kind: Kind, value: Any, made: Any) -> str:
    """Where a sampler or pruner runs: where the setting says, or else where the object `made` of it wants to.

    Raises:
        ConfigError: There is no such place.
    """
    choice = choose(kind, value)
    host: Any = "" if choice is None else choice.host
    if isinstance(host, str) and not host:
        host = getattr(made, "host", "process")
    if not isinstance(host, str) or host not in HOSTS:
        hint = did_you_mean(host, HOSTS) if isinstance(host, str) else ""
        raise ConfigError(f"{kind}.host={host!r}: expected {listed(HOSTS)}{hint}")
    return host


def make(kind: Kind, value: Any, registry: Registry) -> Any:
    """The object that a setting stands for.

    Raises:
        ConfigError: The name is unknown, an option is wrong, or the object is no sampler, pruner or executor.
        PluginError: The code behind the name is broken.
    """
    members = members_of(value) if kind == "executor" else None
    if members is not None:
        from asyncsweep.driver.crew import Crew  # brings the event loop's library

        return Crew([(name, make(kind, member, registry)) for name, member in members])
    choice = choose(kind, value)
    if choice is not None:
        return registry.build(kind, choice.name, choice.options)
    if (kind == "sampler" and optunas.is_sampler(value)) or (kind == "pruner" and optunas.is_pruner(value)):
        return value
    missing = [name for name in vars(CONTRACTS[kind]) if not name.startswith("_") and not hasattr(value, name)]
    if missing or isinstance(value, type):
        hint = "give an instance, not the class" if isinstance(value, type) else f"it lacks {', '.join(missing)}"
        raise ConfigError(
            f"{kind}={value!r}: expected a name, a mapping with a name, or an object of the contract "
            f"{CONTRACTS[kind].__name__}; {hint}; installed: {listed(registry.names(kind))}"
        )
    return value


def spec_of(kind: Kind, value: Any) -> PluginSpec:
    """The setting as the journal keeps it."""
    members = members_of(value) if kind == "executor" else None
    if members is not None:
        specs = [spec_of(kind, member) for _, member in members]
        given = any(spec.given for spec in specs)
        return PluginSpec(SEVERAL, {} if given else {"members": list(map(msgspec.to_builtins, specs))}, given=given)
    choice = choose(kind, value)
    if choice is None:
        return PluginSpec(type(value).__qualname__, {}, given=True)
    try:
        msgspec.msgpack.encode(choice.options)
    except (TypeError, ValueError, OverflowError):  # a function among them, say: as an object, it is given again
        return PluginSpec(choice.name, {}, choice.host, given=True)
    if learn(choice.options):  # no journal has a password or a key
        return PluginSpec(choice.name, {}, choice.host, given=True)
    return PluginSpec(choice.name, choice.options, choice.host)


def attached(stop_when: Any, exporters: Sequence[Any]) -> dict[str, tuple[PluginSpec, ...]]:
    """What the user attached, as the journal keeps it."""
    found: dict[str, tuple[PluginSpec, ...]] = {}
    if stop_when is not None:
        name = getattr(stop_when, "__qualname__", type(stop_when).__qualname__)
        found["stop_when"] = (PluginSpec(name, {}, given=True),)
    if exporters:
        found["exporters"] = tuple(spec_of("exporter", exporter) for exporter in exporters)
    return found


def restored(setting: str, spec: PluginSpec) -> Any:
    """A setting from the journal, by name.

    Raises:
        ConfigError: It was given as an object.
    """
    if spec.given:
        nothing = _NOTHING.get(setting)
        raise ConfigError(
            f"{setting}: the sweep was made with an object ({spec.name}), or a secret for one, which is not in the journal; "
            f"give {setting}=..." + (f" again, or {setting}={nothing}" if nothing else "")
        )
    if spec.name == SEVERAL and setting == "executor":
        return [restored(setting, msgspec.convert(member, PluginSpec)) for member in spec.options["members"]]
    return {"name": spec.name, **spec.options, **({"host": spec.host} if spec.host else {})}
