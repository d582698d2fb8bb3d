"""A user who steers a sweep at odd moments, in every state that it can be in."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from asyncsweep.core import events as ev
from asyncsweep.core.records import ErrorInfo, State
from asyncsweep.testing.simulation.controller import Controller
from asyncsweep.testing.simulation.objective import LEVELS, SPACE, value_of
from asyncsweep.testing.simulation.world import World

_WITHIN_S = 40.0
_PAUSE_S = 10.0
_THINKS_S = 5.0

Order = Callable[[Controller], None]


class User:
    """Gives some orders, and never leaves a sweep paused or a trial untold for long.

    Args:
        world: The world.
        random: Draws the orders.
        n_orders: How many.
        controller: Gives the process that runs now; None while there is none.
    """

    def __init__(
        self, world: World, random: Random, n_orders: int, controller: Callable[[], Controller | None]
    ) -> None:
        self._world = world
        self._random = random
        self._controller = controller
        self._orders: list[tuple[Order, float]] = [
            (self._pause, 0.25),
            (self._unpause, 0.05),
            (self._cancel, 0.2),
            (self._enqueue, 0.2),
            (self._ask, 0.2),
            (self._stop, 0.1),
        ]
        for _ in range(n_orders):
            (order,) = random.choices([order for order, _ in self._orders], [weight for _, weight in self._orders])
            world.after(random.random() * _WITHIN_S, lambda order=order: self._give(order))  # type: ignore[misc]

    def look(self) -> None:
        """See to a sweep that another process took up: it is as the user left it."""
        controller = self._controller()
        if controller is not None and controller.machine.paused:
            self._later(self._unpause)

    def _give(self, order: Order) -> None:
        controller = self._controller()
        if controller is not None and not controller.driver.is_over:
            order(controller)

    def _later(self, order: Order) -> None:
        self._world.after(self._random.random() * _PAUSE_S, lambda: self._give(order))

    def _pause(self, controller: Controller) -> None:
        controller.order(ev.Paused())
        self._later(self._unpause)

    def _unpause(self, controller: Controller) -> None:
        controller.order(ev.Unpaused())

    def _cancel(self, controller: Controller) -> None:
        n_trials = len(controller.machine.trials)
        if n_trials:
            controller.order(ev.TrialCancelled(self._random.randrange(n_trials)))

    def _enqueue(self, controller: Controller) -> None:
        if controller.machine.may_ask:
            controller.order(ev.Enqueued({next(iter(SPACE)): self._random.randrange(LEVELS) / LEVELS}))

    def _stop(self, controller: Controller) -> None:
        controller.order(ev.StopRequested("enough", now=self._random.random() < 0.5))

    def _ask(self, controller: Controller) -> None:
        """Take a trial, think, and tell what came out; nobody else would end it."""
        machine = controller.machine
        if not machine.may_ask or machine.spec.reproducible:
            return
        number = len(machine.trials)
        controller.order(ev.ExternalAsked())
        if number < len(machine.trials):
            self._world.after(self._random.random() * _THINKS_S, lambda: self._tell(controller, number))

    def _tell(self, controller: Controller, number: int) -> None:
        if (
            controller is not self._controller()
            or controller.driver.is_over
            or number >= len(controller.machine.trials)
        ):
            return
        trial = controller.machine.trials[number]
        if not trial.external or trial.is_final:
            return
        if trial.state is not State.RUNNING:  # the sampler takes its time
            self._world.after(1.0, lambda: self._tell(controller, number))
            return
        roll = self._random.random()
        if roll < 0.6:
            controller.order(ev.Finished(number, trial.attempt, {"value": value_of(trial.params)}))
        elif roll < 0.8:
            controller.order(ev.Failed(number, trial.attempt, ErrorInfo("TrialError", "told as FAILED")))
        else:
            controller.order(ev.TrialCancelled(number))
