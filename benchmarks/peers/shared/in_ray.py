"""Ray Tune's form of the space, and of trials."""

from __future__ import annotations

import time
from typing import Any

from ray import tune

from benchmarks.peers.shared.objectives import reported
from benchmarks.peers.shared.space import SPACE, Choice, Real, Whole


class Steps(tune.Trainable):
    """One step for each report; a new configuration needs no new actor."""

    def setup(self, config: dict[str, Any]) -> None:
        self._evaluate, self._n_steps = config["evaluate"], config["n_steps"]
        self._params = config

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, float]:
        return {"began_at": self._began_at}  # the median rule pauses trials while it knows too few

    def load_checkpoint(self, checkpoint: dict[str, float] | None) -> None:
        self._began_at = (checkpoint or {})["began_at"]

    def step(self) -> dict[str, Any]:
        step = self.iteration + 1
        if step == 1:
            self._began_at = time.monotonic()
        is_last = step == self._n_steps
        value = self._evaluate(self._params) if is_last else 0.0
        loss = reported(step) if self._n_steps > 1 else value
        return {"loss": loss, "done": is_last, "began_at": self._began_at, "finished_at": time.time()}


def _domain(domain: Real | Whole | Choice) -> Any:
    if isinstance(domain, Choice):
        return tune.choice(domain.options)
    if isinstance(domain, Whole):
        return (tune.lograndint if domain.is_log else tune.randint)(domain.low, domain.high + 1)
    if domain.step is not None:
        return tune.quniform(domain.low, domain.high, domain.step)
    return (tune.loguniform if domain.is_log else tune.uniform)(domain.low, domain.high)


DOMAINS = {name: _domain(domain) for name, domain in SPACE.items()}
