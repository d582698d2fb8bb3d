"""A sweep: its settings, checked; `run` and `start` bring it to life."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from asyncsweep import arguments, checks, settings
from asyncsweep.core.records import Direction, Fsync, Keep, PluginSpec, Retry, SweepSpec
from asyncsweep.core.resources import refusal
from asyncsweep.driver.objective import Objective
from asyncsweep.errors import ConfigError
from asyncsweep.space import Space

if TYPE_CHECKING:  # imported when they are needed: what a sweep in memory, or one that never runs, can do without
    from asyncsweep.history.admission import Past
    from asyncsweep.hooks.registry import Registry
    from asyncsweep.reopening import Found
    from asyncsweep.result import Result
    from asyncsweep.run import SweepRun

_NO_PARAMETERS = Space({})
_TPES_RANDOM_TRIALS = 10
# Far beyond what one process can serve: a number above it is a mistake.


class Sweep:
    """A hyperparameter sweep.

    Args:
        objective: What is evaluated: a callable, a class whose instances are callable (built once in each worker), or a
            text "package.module:function"; an `sw.Script(...)` or `sw.Command(...)` is a program. When all its required parameters are in the space it is called with them by
            name; otherwise, with one parameter, it gets the `Trial`. It returns a number, or metric names with numbers.
        space: Parameter name to `Float`, `Int`, `Categorical`, an Optuna distribution, or a constant. Left out, the objective
            asks for its parameters while it runs: `trial.suggest_float(...)`.
        direction: "minimize" or "maximize"; or metric names with directions. Several are a multi-objective sweep.
        sampler: Who suggests parameters: a name, a mapping with a name and options, `sw.sampler(...)`, an object, or an
            Optuna sampler.
        pruner: Who ends hopeless trials early; chosen as the sampler is. None: nobody.
        executor: Where trials run; chosen as the sampler is. None: "inline" for `async def`, otherwise "process". A list: several
            at a time, each with its own slots.
        n_trials: How many trials there will be, all final states counted. None: no limit.
        concurrency: How many trials run at a time. Left out: as many as the executor has slots, where it knows that by itself or
            is a list; else 1.
        needs: What each trial needs of a worker's resources, such as `{"gpus": 1}`; it is launched on no other worker.
        timeout: Seconds after which the sweep stops and running trials are CANCELLED; time between processes does not count.
        trial_timeout: Seconds after which an attempt is ended.
        grace_s: Seconds that a trial has to end by itself when it is stopped, before force is used.
        retries: How often a failed trial is tried again; `sw.Retry(...)` says after which errors, and how soon.
        max_failures: More FAILED trials than this end the sweep with `TooManyFailures`.
        target: A value of the metric that is good enough to stop.
        patience: Stop after so many trials without a better value.
        seed: A whole number from 0 to 2**32 - 1; None draws one. With a seed the first suggestions are the sampler's own, too;
            without one, the first of "tpe", which are random, do not wait for its process.
        enqueue: Parameters to be tried first, all of them or some: trials 0, 1, ... The sampler fills in what is missing.
        reproducible: True for a sweep that comes out the same, with the same seed, however fast its trials are; a number W
            for one that does so at any concurrency up to W (True: up to `concurrency`). Each suggestion and verdict knows
            the trials up to W before its own, in their order, and slots may idle while those run.
        stop_when: Called with the `SweepRun` after each batch of finished trials; a true answer stops the sweep.
        history: An earlier search to learn from: another sweep's directory, a `Result`, an Optuna study or storage URL, a CSV
            file, a DataFrame or a list of dicts; with options by `sw.History(...)`. Its trials count for nothing but the
            sampler and the pruner. It is read at once; `sweep.history` tells what was taken.
        directory: Where the journal, logs and checkpoints of this sweep live. None: in memory only.
        fsync: When what the journal has survives a power loss: "always" (before anything is launched or shown), "batch"
            (within 50 ms), or "never" (when the system gets to it). A crash of the process loses nothing in any case.
        keep: Of which trials logs, checkpoints and artifacts are kept once they are final: "all", "failed", or "best" (and
            failed).
        exporters: Names or objects that get every update.
        plugins: Modules or objects with hooks, for this sweep alone.

    Raises:
        ConfigError: An argument is wrong; the message names it, its value and what is accepted.
        PluginError: The code behind a name is broken.
        TypeError: There is no such argument; the message names what there is instead.
    """

    @arguments.answering
    def __init__(
        self,
        objective: Callable[..., Any] | str,
        space: Mapping[str, Any] | Space = _NO_PARAMETERS,
        *,
        direction: str | Mapping[str, Direction] = "minimize",
        sampler: Any = "tpe",
        pruner: Any = None,
        executor: Any = None,
        n_trials: int | None = 100,
        concurrency: int | None = None,
        needs: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        trial_timeout: float | None = None,
        grace_s: float = 5.0,
        retries: int | Retry = 0,
        max_failures: int | None = None,
        target: float | None = None,
        patience: int | None = None,
        seed: int | None = None,
        enqueue: Sequence[Mapping[str, Any]] = (),
        reproducible: bool | int = False,
        stop_when: Callable[[SweepRun], bool] | None = None,
        history: Any = None,
        directory: str | Path | None = None,
        fsync: Fsync = "batch",
        keep: Keep = "all",
        exporters: Sequence[Any] = (),
        plugins: Sequence[object] = (),
    ) -> None:
        self.space = space if isinstance(space, Space) else Space(space)
        self.objective = Objective(objective, self.space)
        self.directory = checks.directory(directory)
        self.registry = _registry(plugins)
        self.sampler = sampler
        self._is_seeded = seed is not None
        self.pruner = settings.without_nop(pruner)
        self.executor = self._default_executor() if executor is None else executor
        self.stop_when = checks.hook("stop_when", stop_when)
        self.exporters = checks.sequence("exporters", exporters)
        self.enqueued = [_wanted(self.space, place, params) for place, params in enumerate(_listed(enqueue))]
        self.is_resumed = False
        self.spec = SweepSpec(
            space=self.space.domains,
            directions=checks.directions(direction),
            n_trials=checks.count("n_trials", n_trials, least=1, none="no limit"),
            concurrency=checks.count(
                "concurrency", 1 if concurrency is None else concurrency, least=1, most=checks.MOST_CONCURRENT
            ),
            needs=checks.needs(needs),
            timeout=checks.seconds("timeout", timeout, none="no limit"),
            trial_timeout=checks.seconds("trial_timeout", trial_timeout, none="no limit"),
            grace_s=checks.seconds("grace_s", grace_s, zero=True),
            retries=checks.retry(retries),
            reproducible=_window(reproducible, 1 if concurrency is None else concurrency),
            max_failures=checks.count("max_failures", max_failures, least=0, none="no limit"),
            target=checks.number("target", target, none="no target"),
            patience=checks.count("patience", patience, least=1, none="endless patience"),
            seed=_seed(seed),
            fsync=checks.one_of("fsync", fsync, checks.FSYNCS),
            keep=checks.one_of("keep", keep, checks.KEEPS),
            sampler=settings.spec_of("sampler", sampler),
            pruner=PluginSpec("nop") if self.pruner is None else settings.spec_of("pruner", self.pruner),
            executor=settings.spec_of("executor", self.executor),
            objective=self.objective.name,
            attached=settings.attached(self.stop_when, self.exporters),
        )
        self._check(concurrency, reproducible)
        self.history = None if history is None else _load(history, self.space, self.spec.directions)
        if self.history is not None:
            self.spec = msgspec.structs.replace(self.spec, n_history=len(self.history.trials))
        if self.directory is not None:
            from asyncsweep.journal import journal  # a sweep in memory never needs it

            journal.refuse_used(self.directory)

    async def run(self, *, progress: bool = False) -> Result:
        """Run the sweep to its end. One that was paused when its process ended goes on.

        Cancelling the awaiting task stops the trials; nothing is left behind, and a sweep with a directory can be resumed.

        Args:
            progress: Show on the standard output how far it is (see `asyncsweep.progress.show`).

        Raises:
            ConfigError: The objective, sampler or executor cannot be used.
            TooManyFailures: More than `max_failures` trials failed; it carries the result.
            PluginError: The sampler or executor broke; it carries the result as `.result`.
            JournalError: The journal cannot be written.
        """
        async with self.start() as run:
            if run.is_paused:  # before it was resumed; who has no handle could not unpause it
                run.unpause()
            if progress:
                from asyncsweep.progress import show  # brings rich

                await show(run)
            return await run.result()

    def start(self) -> SweepRun:
        """The same sweep, watched and steered: `async with sweep.start() as run: ...`.

        Leaving the block normally waits for the end of the sweep; leaving it by an exception stops it.
        """
        from asyncsweep.driver.plan import INLINE, Plan
        from asyncsweep.run import SweepRun  # brings the event loop's library, which settings alone do not need

        sampler, pruner = self._make_sampler(), self._make_pruner()
        executor = self._make_executor()
        for member in getattr(executor, "members", {"": executor}).values():
            self._warn_of_environment(member)
        if not self.is_resumed:  # what was enqueued before is in the journal
            self._check_suggestions(sampler)
        plan = Plan(
            spec=self.spec,
            space=self.space,
            objective=self.objective,
            directory=self.directory,
            is_resumed=self.is_resumed,
            sampler=sampler,
            pruner=pruner,
            sampler_host=settings.host_of("sampler", self.sampler, sampler),
            pruner_host=INLINE if pruner is None else settings.host_of("pruner", self.pruner, pruner),
            executor=executor,
            exporters=self._make_exporters(),
            registry=self.registry,
            stop_when=self.stop_when,
            enqueued=self.enqueued,
            n_first=self._n_first(sampler),
            history=() if self.history is None else self.history.trials,
        )
        return SweepRun(plan)

    @classmethod
    def open(cls, directory: str | Path, objective: Callable[..., Any] | str, **changes: Any) -> Sweep:
        """A sweep that goes on where the journal in `directory` ends.

        Args:
            directory: Where the earlier sweep lived.
            objective: As for `Sweep`; code is not in the journal.
            **changes: Settings that shall be different from now on; what was given as an object is given again here.

        Raises:
            ConfigError: There is no sweep, or a setting cannot be changed or must be given again.
            JournalError: The journal is damaged, or is of a newer version.
        """
        from asyncsweep import reopening  # a sweep in memory never needs it

        path = _present(directory)
        return cls._reopened(path, reopening.read(path), objective, changes)

    @classmethod
    async def resume(cls, directory: str | Path, objective: Callable[..., Any] | str, **changes: Any) -> Result:
        """`open(...)` and `run()`; a long journal is read in a thread."""
        import anyio  # settings alone do not need it
        import anyio.to_thread

        from asyncsweep import reopening

        path = _present(directory)
        found = await anyio.to_thread.run_sync(reopening.read, path, limiter=anyio.CapacityLimiter(1))
        return await cls._reopened(path, found, objective, changes).run()

    @classmethod
    def _reopened(cls, path: Path, found: Found, objective: Callable[..., Any] | str, changes: dict[str, Any]) -> Sweep:
        """The sweep of a journal with what the user wants different."""
        spec = found.spec
        sweep = cls(objective, spec.space, direction=spec.directions, seed=spec.seed, **found.settings(changes))
        sweep.directory = path
        sweep.is_resumed = True
        sweep.spec = msgspec.structs.replace(sweep.spec, n_history=spec.n_history)
        return sweep

    def _default_executor(self) -> str:
        return "inline" if self.objective.is_async else "process"

    def _check(self, concurrency: int | None, reproducible: bool | int) -> None:
        """What depends on several arguments."""
        executor = self._make_executor()
        if concurrency is None:
            self._leave_to(executor, reproducible)
        spec = self.spec
        self.objective.check(tuple(spec.directions), spec.concurrency or checks.MOST_CONCURRENT)
        several = len(spec.directions) > 1
        for name in ("target", "patience"):
            if several and getattr(spec, name) is not None:
                raise ConfigError(
                    f"{name}={getattr(spec, name)!r}: it needs one direction, there are {len(spec.directions)}"
                )
        if several and self.pruner is not None and spec.pruner.name != "nop":
            raise ConfigError(
                f"pruner={spec.pruner.name!r}: pruning needs one direction, there are {len(spec.directions)}"
            )
        if spec.reproducible and spec.concurrency > spec.reproducible:
            raise ConfigError(
                f"concurrency={spec.concurrency}: reproducible={spec.reproducible} allows at most {spec.reproducible}"
            )
        settings.host_of("sampler", self.sampler, self._make_sampler())
        pruner = self._make_pruner()
        if pruner is not None:
            settings.host_of("pruner", self.pruner, pruner)
        self._make_exporters()
        members = getattr(executor, "members", None)
        if members is not None and concurrency is not None:
            raise ConfigError(
                f"concurrency={concurrency}: several executors have slots of their own; leave it out, and say it to each: "
                '{"name": "process", "slots": 2}'
            )
        executors = {spec.executor.name: executor} if members is None else members
        for name, member in executors.items():
            self.objective.check_executor(name, member)
        refused = refusal(spec.needs, executors)
        if refused is not None:
            raise ConfigError(refused)
        shown = msgspec.structs.replace(spec, space=dict(spec.space), directions=dict(spec.directions))
        complaints = self.registry.check(shown)  # who checks it must not change it
        if complaints:
            raise ConfigError("; ".join(complaints))

    def _leave_to(self, executor: Any, reproducible: bool | int) -> None:
        """Nobody said how many trials run at a time: as many as the executor has slots, where it has its own."""
        if not hasattr(executor, "members") and not getattr(executor, "own_slots", False):
            return
        if reproducible is True:
            raise ConfigError(
                "reproducible=True: without concurrency=... say for how many trials at a time, as in reproducible=8"
            )
        self.spec = msgspec.structs.replace(self.spec, concurrency=0)

    def _check_suggestions(self, sampler: Any) -> None:
        """A reproducible sweep's parameters are known before a trial begins, or depend on nothing but its number."""
        n_trials = self.spec.n_trials
        all_enqueued = n_trials is not None and n_trials <= len(self.enqueued)
        if (
            self.spec.reproducible
            and not len(self.space)
            and not getattr(sampler, "by_number", False)
            and not all_enqueued
        ):
            raise ConfigError(
                f"reproducible={self.spec.reproducible}: the space is empty, and what an objective asks for while it runs "
                f"depends on timing with the sampler {self.spec.sampler.name!r}; put the parameters into the space, or use "
                "sampler='random' or 'sobol'"
            )

    def _n_first(self, sampler: Any) -> int:
        """How many trials need not wait for the sampler's process.

        Optuna's TPE draws its first ten at random, and so can we. With a seed they are Optuna's own draws.
        """
        choice = settings.choose("sampler", self.sampler)
        is_plain_tpe = choice is not None and (choice.name, choice.options) == ("tpe", {})
        if (
            not is_plain_tpe
            or self._is_seeded
            or self.is_resumed
            or self.spec.reproducible
            or self.history is not None
            or not len(self.space)
            or settings.host_of("sampler", self.sampler, sampler) != "process"
        ):
            return 0
        return min(self.spec.concurrency or _TPES_RANDOM_TRIALS, _TPES_RANDOM_TRIALS)

    def _warn_of_environment(self, executor: Any) -> None:
        """Say which variables the objective reads and will not find, although they are set here."""
        pass_env = getattr(executor, "pass_env", None)
        if pass_env is None:
            return
        from asyncsweep.link.environment import read_in

        names = read_in(self.objective.source(), os.environ, pass_env)
        if names:
            warnings.warn(
                f"{self.objective.name} reads {', '.join(names)} from its environment, which workers do not get: "
                f"executor={{'name': 'process', 'pass_env': {[*pass_env, *names]}}} passes on what is set here "
                f"(on the command line {' '.join(f'--pass-env {name}' for name in names)})",
                stacklevel=3,
            )

    def _make_sampler(self) -> Any:
        """A new sampler, unless the user gave an object."""
        return settings.make("sampler", self.sampler, self.registry)

    def _make_pruner(self) -> Any | None:
        """A new pruner, unless the user gave an object; None for nobody."""
        return None if self.pruner is None else settings.make("pruner", self.pruner, self.registry)

    def _make_executor(self) -> Any:
        """A new executor, unless the user gave an object."""
        return settings.make("executor", self.executor, self.registry)

    def _make_exporters(self) -> list[Any]:
        """New exporters, but for those that the user gave as objects."""
        return [settings.make("exporter", exporter, self.registry) for exporter in self.exporters]


def _present(directory: Any) -> Path:
    path = checks.directory(directory)
    if path is None:
        raise ConfigError("directory=None: name the directory of the sweep to open")
    return path


def _registry(plugins: Sequence[object]) -> Registry:
    from asyncsweep.hooks.registry import Registry  # loads plugins, which an import alone should not wait for

    return Registry(plugins)


def _load(history: Any, space: Space, directions: Mapping[str, Direction]) -> Past:
    from asyncsweep.history import load  # brings readers for all that there may be

    return load(history, space, directions)


def _listed(enqueue: Any) -> tuple[Any, ...]:
    return checks.sequence("enqueue", [enqueue] if isinstance(enqueue, Mapping) else enqueue)


def _wanted(space: Space, place: int, params: Any) -> dict[str, Any]:
    try:
        return space.wanted(params)
    except ConfigError as error:
        raise ConfigError(f"enqueue[{place}]: {error}") from error


def _window(reproducible: Any, concurrency: int) -> int:
    """W of a reproducible sweep, 0 for none."""
    if isinstance(reproducible, bool):
        return concurrency if reproducible else 0
    found: int = checks.count(
        "reproducible", reproducible, least=1, most=checks.MOST_CONCURRENT, others="True, False or "
    )
    return found


def _seed(seed: Any) -> int:
    if seed is None:
        return int.from_bytes(os.urandom(4)) >> 1  # `secrets` would cost a tenth of the time that importing us may take
    found: int = checks.count("seed", seed, least=0, most=2**32 - 1, none="a random one")
    return found
