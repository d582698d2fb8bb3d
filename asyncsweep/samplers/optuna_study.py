"""An Optuna sampler, and the study in memory that it may share with an Optuna pruner, as our sampler.

It runs in the sampler host and imports optuna in `open`. Rules:

- A trial that was asked for here is Optuna's own `Trial`, so that what plain Optuna would suggest and prune is what comes
  out. Any other is put into the study as it was told (`optuna_trials`).
- The sampler's state lives in attributes of trials and of the study. `attrs` gives out those that a trial brought about and
  `tell` puts them back (`optuna_attrs`). A sampler with pickled state (CMA-ES) finds its way back from the trials' other
  attributes, a generation for each trial.
- After trials of this sweep were told, the sampler starts from a new seed at its first `ask`; else it would repeat its
  first draws. Trials of an earlier search alone change no seed.
- In a hurry an ask may be answered from fewer trials and with others in one fit (`optuna_storage`, `optuna_hurry`).
  Otherwise nothing is between Optuna and its own answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar

from asyncsweep.core.records import Direction, State
from asyncsweep.errors import ConfigError, SpaceExhausted
from asyncsweep.hooks.contracts import FinishedTrial, Host, Params, TrialRef
from asyncsweep.samplers.optuna_attrs import Attributes
from asyncsweep.samplers.optuna_domains import OptunaDomain
from asyncsweep.samplers.optuna_partial import PartialFixedRecipe
from asyncsweep.samplers.optuna_recipe import Recipe
from asyncsweep.samplers.optuna_running import RunningTrials
from asyncsweep.samplers.optuna_trials import StudyTrials, optunas_state
from asyncsweep.samplers.optunas import quiet
from asyncsweep.space import Domain, Space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial


class OptunaStudy:
    """Plays an Optuna sampler, and holds the study for `OptunaPruner`.

    Args:
        sampler: An Optuna sampler, or how to build one; None for Optuna's random one.
        pruner: An Optuna pruner; None for a study that prunes nothing.

    Attributes:
        pruner: As given; may be set until `open`.
    """

    host: ClassVar[Host] = "process"

    def __init__(
        self, sampler: BaseSampler | Recipe | PartialFixedRecipe | None = None, pruner: BasePruner | None = None
    ) -> None:
        self._recipe = Recipe("random", {}) if sampler is None else sampler
        self.pruner = pruner
        self.called = getattr(sampler, "name", type(sampler).__name__)
        # What an instance of somebody's class suggests has to be looked at.
        self.is_ours = isinstance(self._recipe, Recipe)

    def open(self, space: Space, directions: Mapping[str, Direction], seed: int) -> None:
        """Create the study.

        Args:
            space: The space.
            directions: Metric name to direction; the name "" stands for the first metric of a trial.
            seed: The seed.

        Raises:
            ConfigError: The sampler's options, the space or the directions do not fit it.
        """
        import optuna

        from asyncsweep.samplers.optuna_storage import StudyStorage

        if isinstance(self._recipe, Recipe | PartialFixedRecipe):
            self._recipe = self._recipe.ready(space, directions)
        if self.pruner is not None and len(directions) > 1:
            raise ConfigError(f"pruner: Optuna's pruners take one direction, got {', '.join(directions)}; leave it out")
        self._space = space
        self._seed = seed
        self._storage = StudyStorage()
        with quiet():
            self._study: Study = optuna.create_study(
                storage=self._storage,
                study_name=f"asyncsweep-{seed}",
                directions=list(directions.values()),
                sampler=self._sampler(seed, again=False),
                pruner=optuna.pruners.NopPruner() if self.pruner is None else self.pruner,
            )
        # A sampler that has nothing left calls `stop`, which raises outside of `optimize`.
        self._study.stop = self._stop  # type: ignore[method-assign]
        study_id = self._storage.get_study_id_from_name(self._study.study_name)
        self._trials = StudyTrials(self._storage, study_id, space, tuple(filter(None, directions)))
        self._attributes = Attributes(self._storage, study_id)
        self._running = RunningTrials(self._study, self._trials, takes_reports=len(directions) == 1)
        self._asked = False
        self._last_retold: int | None = None
        self._has_retold = False
        self._exhausted = False
        self._hurried = 0

    def ask(self, trial: TrialRef) -> Params:
        """What the sampler suggests, parameter by parameter in the space's order; `fixed` ones are enqueued."""
        if not self._asked:
            self._asked = True
            self._take_up(trial.number)
        if self._exhausted:
            raise SpaceExhausted("the Optuna sampler has nothing left to suggest")
        view: AbstractContextManager[None] = self._storage.shortened() if self._hurried else nullcontext()
        try:
            with view:
                started = self._running.begin(trial)
                # Optuna itself answers with the fixed values, and so knows of them.
                return self._space.walk(lambda name, domain: self._trials.domains[name].suggest(started, name))
        finally:
            if self._hurried:
                self._hurried -= 1
                if not self._hurried:
                    self._hurry_sampler(0)

    def suggest(self, trial: TrialRef, name: str, domain: Domain) -> Any:
        """What the sampler suggests for a parameter that the objective asked for while it runs."""
        found = self._trials.domains[name] = OptunaDomain(domain)
        return found.suggest(self._running.trial(trial.number), name)

    def attrs(self, trial: int) -> dict[str, Any]:
        """What the sampler keeps of the trial and changed in the study since the last call; see `tell`."""
        return self._attributes.of_sampler(self._trials.id(trial))

    def tell(self, trial: FinishedTrial) -> None:
        """Learn from a final trial; one that was not asked for here is added, with its reports and attributes."""
        if trial.number not in self._trials:
            self._running.forget_early(trial.number)
            self._retell(trial)
            return
        trial_id = self._trials.id(trial.number)
        if self._storage.get_trial(trial_id).state.is_finished():
            return
        self._trials.complete(trial)
        if trial.number not in self._running:
            self._attributes.restore_study(trial.sampler_attrs)
        self._running.end(trial)
        values = self._trials.values(trial) if trial.state == State.COMPLETE else None
        self._study.tell(self._trials.place(trial.number), values, state=optunas_state(trial.state))
        self._attributes.ended(trial_id)

    def pending(self, trial: FinishedTrial) -> None:
        """After a restart, know of a trial that runs: its parameters count as those of any other running trial."""
        if trial.number not in self._trials:
            self._has_retold = True
            self._trials.add(trial)
        elif trial.number in self._running or self._trials.frozen(trial.number).state.is_finished():
            return
        else:
            self._trials.complete(trial)
        self._attributes.restore_study(trial.sampler_attrs)
        self._attributes.restore_pruner(self._trials.id(trial.number), trial.pruner_attrs or {})

    def hurry(self, asks: int) -> None:
        """Answer the next `asks` asks quickly. What is quicker only with TPE changes nothing with other samplers."""
        from optuna.samplers import TPESampler

        if isinstance(self._study.sampler, TPESampler):
            self._hurried = asks
            self._hurry_sampler(asks)

    # -- for the pruner ------------------------------------------------------------------------------------------------

    def report(self, trial: int, step: int, value: float) -> None:
        """A running trial's value at a step. Sweeps with several directions have no reports in Optuna."""
        self._running.report(trial, step, value)

    def restart(self, trial: int) -> None:
        """Have Optuna forget what the trial's earlier attempt reported, and what the pruner kept of it."""
        if trial in self._trials:
            stored = self._trials.frozen(trial)
            for key in self._attributes.forget_verdicts(self._trials.id(trial)):
                del stored.system_attrs[key]
        self._running.restart(trial)

    def judge(self, trial: int) -> bool:
        """The pruner's verdict on what the trial reported."""
        running = self._running.reported(trial)
        trial_id = self._trials.id(trial)
        before = self._attributes.before_verdict(trial_id)
        verdict = running.should_prune()
        self._attributes.judged(trial_id, before)
        return verdict

    def verdict_attrs(self, trial: int) -> dict[str, Any]:
        """What the pruner keeps of the trial and was not given out yet."""
        return self._attributes.of_pruner(self._trials.id(trial))

    def restore(self, trial: int, attrs: Mapping[str, Any]) -> None:
        """Put back what the pruner kept of a trial that runs."""
        self._running.trial(trial)
        self._attributes.restore_pruner(self._trials.id(trial), attrs)

    # ------------------------------------------------------------------------------------------------------------------

    def _retell(self, trial: FinishedTrial) -> None:
        from optuna.samplers import BruteForceSampler, GridSampler

        added = self._trials.add(trial)
        self._attributes.restore_study(trial.sampler_attrs)
        self._has_retold |= trial.number >= 0
        if isinstance(self._study.sampler, BruteForceSampler | GridSampler) and not self._asked:
            # These only look whether anything is left, at all trials each time: once is enough.
            self._last_retold = trial.number
        else:
            self._after(added, trial)
        self._trials.finish(trial)

    def _after(self, added: FrozenTrial, trial: FinishedTrial) -> None:
        self._study.sampler.after_trial(self._study, added, optunas_state(trial.state), self._trials.values(trial))

    def _take_up(self, number: int) -> None:
        """Go on with a search of which trials were told."""
        if self._last_retold is not None:
            last = self._trials.frozen(self._last_retold)
            self._study.sampler.after_trial(self._study, last, last.state, last.values)
        if self._has_retold:
            if isinstance(self._recipe, Recipe | PartialFixedRecipe):
                digest = blake2b(b"%d/%d" % (self._seed, number), digest_size=4).digest()
                self._study.sampler = self._sampler(int.from_bytes(digest, "little"), again=True)
                self._hurry_sampler(self._hurried)
            else:
                self._study.sampler.reseed_rng()

    def _sampler(self, seed: int, *, again: bool) -> BaseSampler:
        if isinstance(self._recipe, Recipe | PartialFixedRecipe):
            return self._recipe.build(seed, again=again)
        return self._recipe

    def _hurry_sampler(self, asks: int) -> None:
        from asyncsweep.samplers.optuna_hurry import HurriedTPESampler

        if isinstance(self._study.sampler, HurriedTPESampler):
            self._study.sampler.hurry(asks)

    def _stop(self) -> None:
        self._exhausted = True
