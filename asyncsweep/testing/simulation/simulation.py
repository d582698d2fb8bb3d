"""One sweep in a world of its own, from its beginning through all that befalls it to its end; from one seed."""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from asyncsweep.core import events as ev
from asyncsweep.core.records import SweepSpec
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.testing.simulation.controller import Controller
from asyncsweep.testing.simulation.disk import Disk
from asyncsweep.testing.simulation.faults import Faults, Found, Planter, ProcessDied
from asyncsweep.testing.simulation.observer import Observer
from asyncsweep.testing.simulation.report import Report, SimulationFailed
from asyncsweep.testing.simulation.setting import setting_of
from asyncsweep.testing.simulation.user import User
from asyncsweep.testing.simulation.world import WallClock, World

_MOST_STEPS = 20_000
_MOST_S = 24 * 3600.0
_DAY_S = 24 * 3600.0
_DOWN_S = 10.0


class Simulation:
    """A sweep with faults planted, in virtual time.

        report = Simulation(7).run()

    The real driver, state machine, journal, retelling and pruners run; workers, links, disk, clocks, the sampler's host and
    the user are models. The same seed gives the same world, in any process.

    Args:
        seed: A whole number.
        faults: What goes wrong, and how often.
    """

    def __init__(self, seed: int, faults: Faults | None = None) -> None:
        self.seed = seed
        self._setting = setting = setting_of(seed)
        self._world = world = World()
        self._random = Random(f"{seed}:world")
        self._planter = Planter(Faults() if faults is None else faults, Random(f"{seed}:faults"))
        self._wall = WallClock(world)
        self._disk = Disk(world, self._random, self._planter)
        self._observer = Observer(world)
        self._spec = setting.spec
        self._resumes_with = setting.resumes_with
        self._n_processes = 0
        self._controller: Controller | None = None
        self._has_begun = False
        self._is_over = False
        self._user = User(world, Random(f"{seed}:user"), setting.n_orders, lambda: self._controller)

    def run(self) -> Report:
        """Have everything happen; gives what did.

        Raises:
            SimulationFailed: A promise was broken; the message has the seed and the last events.
        """
        world = self._world
        world.after(0.0, self._start)
        world.after(1.0, self._every_second)
        while not self._is_over:
            try:
                went_on = world.step()
                self._look()
            except ProcessDied:
                self._die(power_failed=self._planter.strikes("power_fails"))
                continue
            except Found as found:
                raise self._failure(str(found)) from found
            except Exception as error:
                raise self._failure(f"{type(error).__name__}: {error}") from error
            if not went_on or world.n_steps > _MOST_STEPS or world.now > _MOST_S:
                raise self._failure(f"the sweep does not end: {self._story()}")
        return self._report()

    # -- processes --------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """A new process takes the sweep up, or begins it."""
        self._n_processes += 1
        parts = (self._world, self._random, self._planter, self._wall, self._disk, self._observer, self._setting)
        self._controller = controller = Controller(*parts)
        try:
            if not (self._has_begun and controller.resume(self._spec)):
                self._has_begun = True
                controller = self._controller = Controller(*parts)
                controller.begin(self._spec)
        except (ConfigError, OSError):
            if self._disk.files.fault is None:
                raise
            # The disk is full: the user tries again later.
            self._die(power_failed=False)
            return
        self._user.look()

    def _die(self, *, power_failed: bool) -> None:
        """The process, or the whole machine, is gone; a new one is started after a while."""
        if self._controller is not None:
            self._controller.end()
            self._controller = None
        if power_failed and self._spec.fsync != "never":  # which promises nothing then
            self._disk.power_failed()
            self._observer.power_failed()
        else:
            self._disk.process_died()
        self._world.after(self._random.random() * _DOWN_S, self._start)

    def _look(self) -> None:
        """See whether the process has ended."""
        controller = self._controller
        if controller is None or not hasattr(controller, "driver"):
            return
        fault, finish = controller.driver.fault, controller.driver.finish
        if fault is not None:
            if not isinstance(fault, JournalError) or self._disk.files.fault is None:
                raise fault
            self._die(power_failed=False)
        elif finish is not None:
            self._observer.ended(controller.machine, controller.told())
            controller.finish()
            self._ended(controller.machine.spec)

    def _ended(self, spec: SweepSpec) -> None:
        """The sweep is over; perhaps the user wants some more trials."""
        if not self._resumes_with:
            self._is_over = True
            return
        more, self._resumes_with = self._resumes_with, 0
        self._spec = replace(spec, n_trials=(spec.n_trials or 0) + more, timeout=None, target=None)
        self._controller = None
        self._disk.process_died()
        self._world.after(1.0, self._start)

    def _every_second(self) -> None:
        """What happens to machines at any time."""
        strikes = self._planter.strikes
        if strikes("clock_jumps"):
            self._wall.jump(self._random.uniform(-_DAY_S, _DAY_S))
        if strikes("disk_is_full"):
            self._disk.fill()
        self._world.after(1.0, self._every_second)
        if self._controller is not None and strikes("process_killed"):
            raise ProcessDied("killed")

    # -- telling ----------------------------------------------------------------------------------------------------------

    def _report(self) -> Report:
        assert self._controller is not None
        return Report(
            seed=self.seed,
            digest=self._observer.digest,
            n_events=self._observer.n_events,
            n_trials=len(self._controller.machine.trials),
            n_processes=self._n_processes,
            virtual_s=self._world.now,
            planted=dict(self._planter.planted),
        )

    def _story(self) -> str:
        controller = self._controller
        if controller is None or not hasattr(controller, "machine"):
            return "there is no process"
        return "; ".join(controller.machine.story(ev.Paused()))

    def _failure(self, what: str) -> SimulationFailed:
        return SimulationFailed(self.seed, what, self._planter.planted, self._observer.last)
