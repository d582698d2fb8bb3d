"""What must hold of the machine after every event, checked while it runs: in tests, and by the driver in debug mode.

watch = Watch(machine)                  # before the machine's first event
effects = machine.handle(event)
watch.see(event, effects)               # raises InvariantBroken
"""

from asyncsweep.core.invariants.watch import INVARIANTS, InvariantBroken, Watch, state_of

__all__ = ["INVARIANTS", "InvariantBroken", "Watch", "state_of"]
