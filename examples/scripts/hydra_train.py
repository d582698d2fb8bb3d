"""A training configured by Hydra, with its configuration in the file.

python hydra_train.py optimizer.lr=0.01
asyncsweep run hydra_train.py --style name=value optimizer.lr="tag(log, interval(1e-4, 1e-1))" model.depth="range(1, 5)" --trials 20
"""

from dataclasses import dataclass, field

import hydra
from hydra.core.config_store import ConfigStore

import asyncsweep


@dataclass
class Model:
    depth: int = 2
    activation: str = "relu"


@dataclass
class Optimizer:
    lr: float = 0.01


@dataclass
class Config:
    model: Model = field(default_factory=Model)
    optimizer: Optimizer = field(default_factory=Optimizer)
    # Hydra writes no files of its own: a sweep keeps what each trial prints.
    defaults: list = field(default_factory=lambda: ["_self_", {"override hydra/job_logging": "disabled"}])
    hydra: dict = field(default_factory=lambda: {"run": {"dir": "."}, "output_subdir": None})


ConfigStore.instance().store(name="config", node=Config)


@hydra.main(version_base=None, config_name="config")
def main(config: Config) -> None:
    loss = abs(config.optimizer.lr - 0.01) + 1 / config.model.depth
    asyncsweep.finish(loss=loss)


if __name__ == "__main__":
    main()
