"""The hooks that a plugin may implement. The docstrings below are their documentation.

A plugin is a module (or an object) with functions of these names, each marked with `asyncsweep.hookimpl`:

    import asyncsweep

    @asyncsweep.hookimpl
    def asyncsweep_samplers():
        return {"spiral": "my_package.spiral:SpiralSampler"}

Its distribution names the module in its `pyproject.toml`:

    [project.entry-points.asyncsweep]
    spiral = "my_package.plugin"

A hook takes the arguments that it needs and may leave out the others. Every implementation is called by itself, so that
one which raises keeps no other from its call; hook wrappers are therefore refused, and so are `async def` hooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pluggy

from asyncsweep.core.effects import Update
from asyncsweep.core.records import SweepSpec

GROUP = "asyncsweep"
"""The entry-point group, which is also pluggy's name of the project."""

Target = type | str
"""A class, or "package.module:Class", which is imported when somebody asks for its name."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)
"""Marks a function as the implementation of a hook."""


@hookspec
def asyncsweep_samplers() -> Mapping[str, Target] | None:
    """Samplers by name; see `asyncsweep.hooks.contracts.Sampler`.

    Called once, when plugins are loaded: import nothing heavy, give "package.module:Class" instead of the class.
    """


@hookspec
def asyncsweep_pruners() -> Mapping[str, Target] | None:
    """Pruners by name; see `asyncsweep.hooks.contracts.Pruner`. Called as `asyncsweep_samplers` is."""


@hookspec
def asyncsweep_executors() -> Mapping[str, Target] | None:
    """Executors by name; see `asyncsweep.hooks.contracts.Executor`. Called as `asyncsweep_samplers` is."""


@hookspec
def asyncsweep_exporters() -> Mapping[str, Target] | None:
    """Exporters by name; see `asyncsweep.hooks.contracts.Exporter`. Called as `asyncsweep_samplers` is."""


@hookspec
def asyncsweep_check(spec: SweepSpec) -> Sequence[str] | None:
    """Complaints about a sweep that is about to start; any complaint refuses it.

    Called once for each sweep, before its first trial. Raising is a fault of the plugin and refuses the sweep too.
    """


@hookspec
def asyncsweep_on_updates(updates: Sequence[Update]) -> None:
    """See what happens, in order: called once for each batch of public updates.

    Runs on the sweep's event loop: be short and never wait. Whoever has more to do writes an exporter. An exception is
    reported and the sweep goes on.
    """


@hookspec
def asyncsweep_finished(result: object) -> None:
    """See the `asyncsweep.Result` of a sweep that ended: called once. An exception is reported and changes nothing."""
