"""What a golden journal says, as JSON: the trials with everything that a user sees of them, and how the sweep ended.

The text is compared, so that -0.0 and 0.0, 1 and 1.0, and the order of parameters are told apart.
"""

from __future__ import annotations

import json

from asyncsweep.cells import json_value
from asyncsweep.core.machine import Machine
from asyncsweep.core.records import TrialRecord
from asyncsweep.journal.inspection import ending


def expected(machine: Machine) -> str:
    """The text beside a golden journal."""
    finish = ending(machine)
    document = {
        "last_event": machine.seq,
        "directions": machine.spec.directions,
        "parameters": sorted(machine.spec.space),
        "n_trials": machine.spec.n_trials,
        "sampler": machine.spec.sampler.name,
        "ended": None if finish is None else finish.reason,
        "history": [_trial(trial) for trial in machine.history],
        "trials": [_trial(trial) for trial in machine.trials],
    }
    return json.dumps(json_value(document), indent=1, allow_nan=False) + "\n"


def _trial(trial: TrialRecord) -> dict[str, object]:
    return {
        "number": trial.number,
        "state": trial.state.value,
        "attempt": trial.attempt,
        "params": trial.params,
        "metrics": trial.metrics,
        "reports": [[step, value] for step, value in trial.reports],
        "error": None if trial.error is None else str(trial.error),
        "failures": [str(failure) for failure in trial.failures],
        "user_attrs": trial.user_attrs,
        "constraints": trial.constraints or {},
        "sampler_attrs": trial.sampler_attrs or {},
        "pruner_attrs": trial.pruner_attrs or {},
        "asked_at": trial.asked_at,
        "started_at": trial.started_at,
        "finished_at": trial.finished_at,
    }
