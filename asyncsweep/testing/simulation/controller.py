"""One process of the controller: the real driver, machine, journal, search and pruners, between models of everything else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, cast

from asyncsweep.core import effects as ef
from asyncsweep.core import events as ev
from asyncsweep.core.machine import Machine
from asyncsweep.core.records import SweepSpec
from asyncsweep.driver.clock import Clock
from asyncsweep.driver.crew import Crew
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
from asyncsweep.testing.simulation.setting import PRUNERS, FleetSetting, Setting
from asyncsweep.testing.simulation.syncing import Syncing
from asyncsweep.testing.simulation.workers import Fleet
from asyncsweep.testing.simulation.world import VirtualTimers, WallClock, World

_HOST_START_S = 2.0
_ADDED_WITHIN_S = 15.0


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
    _executor: Fleet | Crew

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
        self._fleets: dict[str, Fleet] = {}
        self._is_dead = False
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
        self._verdicts = verdicts
        self._have_executors(spec)
        driver.executor = cast(Executor, self)  # it is never opened: there is no event loop
        self.post(first)
        for fleet in self._fleets.values():
            fleet.begin()

    def _have_executors(self, spec: SweepSpec) -> None:
        """The executors: the only one is the driver's own until another one is added, as in a session."""
        setting = self._setting
        if len(setting.fleets) == 1:
            fleet = self._fleet(setting.fleets[0], lambda *events: crew.door.post(*events))
            crew = self.driver.crew = Crew(first=cast(Executor, fleet), first_name="fleet")
            crew.listen(self, spec.grace_s)
            self._fleets, self._executor = {"fleet": fleet}, fleet
        else:
            crew = self.driver.crew = Crew()
            crew.listen(self, spec.grace_s)
            for number, one in enumerate(setting.fleets):
                self._seat(f"fleet-{number}", one)
            for name in self._fleets:
                crew.begin(name)
            self._executor = crew
        if setting.added is not None:
            self._world.after(self._random.random() * _ADDED_WITHIN_S, self._add)

    def _fleet(self, setting: FleetSetting, post: Callable[..., None]) -> Fleet:
        fleet: Fleet = Fleet(
            *(self._world, self._random, self._planter, self._setting.landscape, self._verdicts, setting),
            *(self._setting.resizes, lambda: self._may_fail(fleet), post),
        )
        return fleet

    def _seat(self, name: str, setting: FleetSetting) -> None:
        crew = self.driver.crew
        fleet = self._fleets[name] = self._fleet(setting, lambda *events: desk.post(*events))
        crew.members[name] = fleet
        desk = crew.seat(name, fleet)

    def _add(self) -> None:
        """The user adds an executor."""
        if not self._is_dead and not self.driver.is_over and self._setting.added is not None:
            self._seat("added", self._setting.added)
            self.driver.take_in("added")
            self.driver.executor, self._executor = cast(Executor, self), self.driver.crew
            self._fleets["added"].begin()

    def _may_fail(self, fleet: Fleet) -> bool:
        """Whether trials can run elsewhere without an executor: the sweep would end with the last one, or wait for ever."""
        others = (other for other in self._fleets.values() if other is not fleet and not other.has_failed)
        return any(other.setting.fits(self.machine.spec) for other in others)

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
        self._is_dead = True
        for part in (self._syncing, self._host, *self._fleets.values()):
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
        self._executor.launch(job)

    def answer(self, job: JobId, answer: Answer) -> None:
        self._observer.answered(answer)
        self._may_die("answer")
        self._executor.answer(job, answer)

    def kill(self, job: JobId, grace_s: float) -> None:
        self._may_die("kill")
        self._executor.kill(job, grace_s)

    def take_back(self, job: JobId) -> None:
        self._may_die("take back")
        self._executor.take_back(job)

    def _shown(self, updates: Sequence[ef.Update]) -> None:
        self._observer.shown(updates)
        self._may_die("show")

    def _may_die(self, doing: str) -> None:
        if self._planter.strikes("process_dies"):
            raise ProcessDied(f"at {doing}")
