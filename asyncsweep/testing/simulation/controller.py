"""One process of the controller: the real driver, machine, journal, search and pruners, between models of everything else."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, cast

from asyncsweep.core import effects as ef
from asyncsweep.core import events as ev
from asyncsweep.core.machine import Machine
from asyncsweep.core.records import SweepSpec
from asyncsweep.driver.clock import Clock
from asyncsweep.driver.driver import Driver
from asyncsweep.driver.replay import steps
from asyncsweep.driver.search import Answerer, OnLoop, Search
from asyncsweep.hooks.contracts import Answer, Executor, Job, JobId
from asyncsweep.journal import journal as journals
from asyncsweep.journal.writer import Journal
from asyncsweep.search.desk import Desk
from asyncsweep.search.parts import Setting as SearchSetting
from asyncsweep.search.parts import desk_of
from asyncsweep.search.retelling import Script
from asyncsweep.space import Space
from asyncsweep.testing.simulation.disk import DIRECTORY, Disk
from asyncsweep.testing.simulation.faults import Planter, ProcessDied
from asyncsweep.testing.simulation.observer import Log, Observer
from asyncsweep.testing.simulation.search import HostModel, ModelSampler, retell
from asyncsweep.testing.simulation.setting import PRUNERS, Setting
from asyncsweep.testing.simulation.syncing import Syncing
from asyncsweep.testing.simulation.workers import Fleet
from asyncsweep.testing.simulation.world import VirtualTimers, WallClock, World

_HOST_START_S = 2.0


class Controller:
    """A process that begins a sweep, or goes on with it.

    Args:
        world: The world.
        random: Draws what is no fault.
        planter: Plants faults.
        wall: The machine's wall clock, which this process reads once.
        disk: The disk.
        observer: Sees what comes out.
        setting: The sweep.

    Attributes:
        driver: The driver.
        machine: The machine.
    """

    driver: Driver
    machine: Machine

    def __init__(
        self,
        world: World,
        random: Random,
        planter: Planter,
        wall: WallClock,
        disk: Disk,
        observer: Observer,
        setting: Setting,
    ) -> None:
        self._world = world
        self._random = random
        self._planter = planter
        self._wall = wall
        self._disk = disk
        self._observer = observer
        self._setting = setting
        self._journal: Journal | None = None
        self._syncing: Syncing | None = None
        self._host: HostModel | None = None
        self._fleet: Fleet | None = None
        self._sampler: ModelSampler | None = None

    # -- beginning --------------------------------------------------------------------------------------------------------

    def begin(self, spec: SweepSpec) -> None:
        """Start a new sweep."""
        self._journal = journals.create(DIRECTORY, self._disk.files)
        self._open(self._observer.new_log(), spec, ev.SweepOpened(spec))

    def resume(self, spec: SweepSpec) -> bool:
        """Go on with the sweep in the journal; False when there is none, because it never began or was never synced."""
        if not self._disk.files.exists(DIRECTORY / journals.NAME):
            self._observer.reopened((), Machine())
            return False
        self._journal, events = journals.resume(DIRECTORY, self._disk.files)
        machine = Machine()
        for _ in steps(machine, events, "the journal"):
            pass
        self._observer.reopened(events, machine)
        if not events:
            self._journal.close()
            return False
        self._open(self._observer.log_of(machine, events), spec, ev.Reopened(spec))
        return True

    def _open(self, log: Log, spec: SweepSpec, first: ev.Event) -> None:
        world, journal = self._world, self._journal
        assert journal is not None
        self.machine = machine = log.machine
        log.is_live = True
        self._observer.process_began(machine)
        timers = VirtualTimers(world, self.post)
        clock = Clock(machine.at, self._wall.read, lambda: world.now)
        self.driver = driver = Driver(
            machine, journal, self._shown, log, clock, timers, waits_for_sync=spec.fsync == "always"
        )
        if spec.fsync == "never":
            journal.never_synced()
        self._syncing = Syncing(world, self._random, self._disk, journal, driver, spec.fsync, self._observer.synced)
        answerer, verdicts = self._answerer(spec)
        driver.search = Search(answerer, answerer if self._setting.pruner else None, machine.history, machine.trials)
        self._fleet = Fleet(
            *(world, self._random, self._planter, self._setting.landscape, verdicts),
            *(self._setting.slots, self._setting.ahead, self.post),
        )
        driver.executor = cast(Executor, self)  # it is never opened: there is no event loop
        self.post(first)
        self._fleet.begin()

    def _answerer(self, spec: SweepSpec) -> tuple[Answerer, Any]:
        """Who answers for the sampler and the pruner, knowing what happened before; and the pruner's verdict steps."""
        machine = self.machine
        pruner = PRUNERS.get(self._setting.pruner)
        setting = SearchSetting(Space(spec.space), spec.directions, spec.seed, spec.reproducible)

        def new_desk() -> tuple[Desk, ModelSampler]:
            sampler = ModelSampler(self._planter)
            return desk_of(setting, sampler, pruner), sampler

        desk, sampler = new_desk()
        if not self._setting.is_hosted:
            self._sampler = sampler
            retell(
                desk, sampler, Script(machine.history, machine.trials, spec.reproducible), lambda number, answer: None
            )
            return OnLoop(desk, True, machine.trials, self.post), desk.verdict_steps()
        self._host = host = HostModel(
            self._world,
            self._random,
            self._planter,
            new_desk,
            machine.history,
            machine.trials,
            spec.reproducible,
            self.post,
        )
        self._world.after(self._random.random() * _HOST_START_S, host.start)
        return host, desk.verdict_steps()

    # -- running ----------------------------------------------------------------------------------------------------------

    def post(self, *events: ev.Event) -> None:
        """Have events handled."""
        self.driver.post(*events)
        if self._syncing is not None:
            self._syncing.dirty()

    def order(self, event: ev.Event) -> None:
        """An order of the user, who then relies on it."""
        self.post(event)
        if self.driver.fault is None:
            self._observer.ordered(event.seq)

    def end(self) -> None:
        """The process is dead: nothing of it happens any more."""
        for part in (self._syncing, self._host, self._fleet):
            if part is not None:
                part.end()
        if hasattr(self, "driver"):
            self.driver.close()

    def finish(self) -> None:
        """The sweep is over, as a session ends: everything is written, synced and closed."""
        assert self._journal is not None and self._syncing is not None
        self._syncing.stop()
        self._journal.commit()
        if self.machine.spec.fsync != "never":
            self._journal.sync()
            self._observer.synced(self.machine.seq)
        self._journal.close()
        self.end()

    def told(self) -> dict[int, str] | None:
        """What the sampler knows: trials and their states; None when its host is down."""
        sampler = self._sampler if self._host is None else self._host.sampler
        return None if sampler is None else sampler.told

    # -- what the driver touches outside ----------------------------------------------------------------------------------

    def launch(self, job: Job) -> None:
        self._observer.launched(job)
        self._may_die("launch")
        assert self._fleet is not None
        self._fleet.launch(job)

    def answer(self, job: JobId, answer: Answer) -> None:
        self._observer.answered(answer)
        self._may_die("answer")
        assert self._fleet is not None
        self._fleet.answer(job, answer)

    def kill(self, job: JobId, grace_s: float) -> None:
        self._may_die("kill")
        assert self._fleet is not None
        self._fleet.kill(job, grace_s)

    def take_back(self, job: JobId) -> None:
        self._may_die("take back")
        assert self._fleet is not None
        self._fleet.take_back(job)

    def _shown(self, updates: Sequence[ef.Update]) -> None:
        self._observer.shown(updates)
        self._may_die("show")

    def _may_die(self, doing: str) -> None:
        if self._planter.strikes("process_dies"):
            raise ProcessDied(f"at {doing}")
