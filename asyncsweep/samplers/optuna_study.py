"""An Optuna sampler and an Optuna pruner, sharing one study in memory, as our sampler and our pruner.

It runs in the sampler host and imports optuna in `open`. Rules:

- The study's trial numbers are ours. A number that is passed over belongs to a trial that runs and that nothing is known of
  yet (it was suggested before the process died): it gets an empty running trial, filled in when it is told of.
- A trial that was asked for here is Optuna's own `Trial`, so that what plain Optuna would suggest and prune is what comes
  out. Any other is added to the study as it was told.
- The sampler's state lives in attributes of trials and of the study. `attrs` gives out those that a trial brought about and
  `tell` puts them back. Pickled state (CMA-ES) is neither given out nor taken: whoever can write the journal could run code
  with it. Such a sampler finds its way back from the trials' other attributes, a generation for each trial.
- After history was told, the sampler starts from a new seed at its first `ask`; else it would repeat its first draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar

from asyncsweep.core.records import Direction, State
from asyncsweep.errors import ConfigError, SpaceExhausted
from asyncsweep.hooks.contracts import FinishedTrial, Host, Params, TrialRef, VerdictSteps
from asyncsweep.samplers.optuna_domains import OptunaDomain
from asyncsweep.samplers.optuna_recipe import Recipe
from asyncsweep.space import Constant, Domain, Space

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.trial import TrialState

_STUDY_ATTRS = "asyncsweep:study"
_PICKLED = ":optimizer"
_RUNG = "completed_rung_"


class _Running:
    """A trial that Optuna knows as running, and the steps that it knows of."""

    __slots__ = ("steps", "trial")

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.steps: set[int] = set()

    def report(self, step: int, value: float) -> None:
        # Of several reports at one step Optuna keeps the first, with a warning.
        if step not in self.steps:
            self.steps.add(step)
            self.trial.report(value, step)


class OptunaStudy:
    """Plays an Optuna sampler, an Optuna pruner, or both.

    As a sampler it keeps the contract `Sampler`; as a pruner it has the methods of `Pruner` but for `open`, which is the
    sampler's. `tell` and `finish` are one: for each trial one of them is enough, and the second does nothing.

    Args:
        sampler: An Optuna sampler, or how to build one; None for Optuna's random one.
        pruner: An Optuna pruner; None for a study that prunes nothing.

    Attributes:
        pruner: As given; may be set until `open`.
    """

    host: ClassVar[Host] = "process"

    def __init__(self, sampler: BaseSampler | Recipe | None = None, pruner: BasePruner | None = None) -> None:
        self._recipe = sampler
        self.pruner = pruner

    def open(self, space: Space, directions: Mapping[str, Direction], seed: int) -> None:
        """Create the study.

        Raises:
            ConfigError: The sampler's options, the space or the directions do not fit it.
        """
        import optuna

        recipe = Recipe("random", "RandomSampler", {}) if self._recipe is None else self._recipe
        if isinstance(recipe, Recipe):
            recipe.check(space, directions)
        if self.pruner is not None and len(directions) > 1:
            raise ConfigError(f"pruner: Optuna's pruners take one direction, got {', '.join(directions)}; leave it out")
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # every trial is logged by us
        self._space = space
        self._metrics = tuple(directions)
        self._seed = seed
        self._recipe = recipe
        self._domains = {n: OptunaDomain(d) for n, d in space.domains.items() if not isinstance(d, Constant)}
        self._storage: BaseStorage = optuna.storages.InMemoryStorage()
        self._study: Study = optuna.create_study(
            storage=self._storage,
            study_name=f"asyncsweep-{seed}",
            directions=list(directions.values()),
            sampler=recipe.build(seed) if isinstance(recipe, Recipe) else recipe,
            pruner=optuna.pruners.NopPruner() if self.pruner is None else self.pruner,
        )
        # A sampler that has nothing left calls `stop`, which raises outside of `optimize`.
        self._study.stop = self._stop  # type: ignore[method-assign]
        self._study_id = self._storage.get_study_id_from_name(self._study.study_name)
        self._study_attrs: dict[str, Any] = {}
        self._running: dict[int, _Running] = {}
        self._asked = False
        self._retold = False
        self._exhausted = False

    def ask(self, trial: TrialRef) -> Params:
        """What the sampler suggests, parameter by parameter in the space's order; `fixed` ones are enqueued."""
        if self._exhausted:
            raise SpaceExhausted("the Optuna sampler has nothing left to suggest")
        if self._retold and not self._asked:
            self._reseed(trial.number)
        self._asked = True
        running = self._begin(trial)
        # Optuna itself answers with the fixed values, and so knows of them.
        return self._space.walk(lambda name, domain: self._domains[name].suggest(running.trial, name))

    def suggest(self, trial: TrialRef, name: str, domain: Domain) -> Any:
        """What the sampler suggests for a parameter that the objective asked for while it runs."""
        running = self._running.get(trial.number) or self._begin(trial)
        found = self._domains[name] = OptunaDomain(domain)
        return found.suggest(running.trial, name)

    def attrs(self, trial: int) -> dict[str, Any]:
        """What the sampler keeps of the trial and changed in the study since the last call; see `tell`."""
        own = self._storage.get_trial_system_attrs(self._trial_id(trial))
        attrs = {key: value for key, value in own.items() if _PICKLED not in key}
        study = self._storage.get_study_system_attrs(self._study_id)
        changed = {k: v for k, v in study.items() if k not in self._study_attrs or self._study_attrs[k] != v}
        if changed:
            attrs[_STUDY_ATTRS] = changed
            self._study_attrs |= changed
        return attrs

    def report(self, trial: int, step: int, value: float) -> None:
        """A running trial's value at a step. Sweeps with several directions have no reports in Optuna."""
        if len(self._metrics) == 1:
            (self._running.get(trial) or self._begin(TrialRef(trial))).report(step, value)

    def restart(self, trial: int) -> None:
        """Have Optuna forget what the trial's earlier attempt reported, and the rungs of successive halving that it won."""
        import optuna

        if trial in self._running:
            trial_id = self._trial_id(trial)
            stored = self._storage.get_trial(trial_id)  # the trial itself: a storage in memory gives out no copies
            stored.intermediate_values.clear()
            for key in [key for key in stored.system_attrs if key.startswith(_RUNG)]:
                del stored.system_attrs[key]
            self._running[trial] = _Running(optuna.Trial(self._study, trial_id))

    def judge(self, trial: int, step: int) -> bool:
        """The pruner's verdict on what the trial reported."""
        return (self._running.get(trial) or self._begin(TrialRef(trial))).trial.should_prune()

    def verdict_steps(self) -> VerdictSteps | None:
        """Every step, or None without a pruner."""
        return None if self.pruner is None else VerdictSteps()

    def tell(self, trial: FinishedTrial) -> None:
        """Learn from a final trial; one that was not asked for here is added, with its reports and attributes."""
        running = self._running.pop(trial.number, None)
        if running is not None:
            self._complete_params(trial)
        elif trial.number >= self._n_trials():
            self._retold = True
            self._fill_to(trial.number)
            self._add(trial)
        elif self._storage.get_trial(self._trial_id(trial.number)).state.is_finished():
            return
        else:
            self._complete_params(trial)
            self._restore_attrs(trial)
            running = self._begin(TrialRef(trial.number))
            del self._running[trial.number]
        if running is not None and len(self._metrics) == 1:
            for step, value in trial.reports:
                running.report(step, value)
        values = [trial.metrics[name] for name in self._metrics] if trial.state == State.COMPLETE else None
        self._study.tell(trial.number, values, state=_optunas(trial.state))

    def finish(self, trial: FinishedTrial) -> None:
        """The same as `tell`."""
        self.tell(trial)

    def _begin(self, trial: TrialRef) -> _Running:
        """Have Optuna start the trial."""
        import optuna

        self._fill_to(trial.number)
        fixed = {n: self._domains[n].told(v) if n in self._domains else v for n, v in trial.fixed.items()}
        if trial.number == self._n_trials():
            if fixed:
                self._study.enqueue_trial(fixed)
            started = self._study.ask()
        else:
            trial_id = self._trial_id(trial.number)
            if fixed:
                self._storage.set_trial_system_attr(trial_id, "fixed_params", fixed)
            started = optuna.Trial(self._study, trial_id)
        running = self._running[trial.number] = _Running(started)
        return running

    def _fill_to(self, number: int) -> None:
        """Give the trials before this one, as far as nothing is known of them, their numbers."""
        import optuna

        for _ in range(self._n_trials(), number):
            self._study.add_trial(optuna.create_trial(state=optuna.trial.TrialState.RUNNING))

    def _add(self, trial: FinishedTrial) -> None:
        import optuna

        params = {name: value for name, value in trial.params.items() if name in self._domains}
        reports: dict[int, float] = {}
        for step, value in trial.reports:
            reports.setdefault(step, value)
        self._study.add_trial(
            optuna.create_trial(
                state=optuna.trial.TrialState.RUNNING,
                params={name: self._domains[name].told(value) for name, value in params.items()},
                distributions={name: self._domains[name].distribution() for name in params},
                intermediate_values=reports,
                system_attrs=_own_attrs(trial),
            )
        )
        self._restore_study_attrs(trial)

    def _complete_params(self, trial: FinishedTrial) -> None:
        """Tell Optuna of the parameters that it did not suggest."""
        trial_id = self._trial_id(trial.number)
        known = self._storage.get_trial(trial_id).params
        for name, value in trial.params.items():
            if name in self._domains and name not in known:
                distribution = self._domains[name].distribution()
                internal = distribution.to_internal_repr(self._domains[name].told(value))
                self._storage.set_trial_param(trial_id, name, internal, distribution)

    def _restore_attrs(self, trial: FinishedTrial) -> None:
        for key, value in _own_attrs(trial).items():
            self._storage.set_trial_system_attr(self._trial_id(trial.number), key, value)
        self._restore_study_attrs(trial)

    def _restore_study_attrs(self, trial: FinishedTrial) -> None:
        for key, value in (trial.sampler_attrs or {}).get(_STUDY_ATTRS, {}).items():
            self._study_attrs[key] = value
            self._storage.set_study_system_attr(self._study_id, key, value)

    def _reseed(self, number: int) -> None:
        if isinstance(self._recipe, Recipe):
            digest = blake2b(b"%d/%d" % (self._seed, number), digest_size=4).digest()
            self._study.sampler = self._recipe.build(int.from_bytes(digest, "little"))
        else:
            self._study.sampler.reseed_rng()

    def _stop(self) -> None:
        self._exhausted = True

    def _n_trials(self) -> int:
        return self._storage.get_n_trials(self._study_id)

    def _trial_id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)


def _own_attrs(trial: FinishedTrial) -> dict[str, Any]:
    attrs = trial.sampler_attrs or {}
    return {key: value for key, value in attrs.items() if key != _STUDY_ATTRS and _PICKLED not in key}


def _optunas(state: State) -> TrialState:
    from optuna.trial import TrialState

    if state == State.COMPLETE:
        return TrialState.COMPLETE
    return TrialState.PRUNED if state == State.PRUNED else TrialState.FAIL
