"""A training configured by Hydra, with its configuration in the file.

    python hydra_train.py optimizer.lr=0.01
    asyncsweep run hydra_train.py optimizer.lr="tag(log, interval(1e-4, 1e-1))" model.depth="range(1, 5)" --trials 20

Parameters that are given as NAME=... reach the script as NAME=..., which is what Hydra reads.
"""

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

import asyncsweep

CONFIG = {
    "model": {"depth": 2, "activation": "relu"},
    "optimizer": {"lr": 0.01},
    # Hydra writes no files of its own: a sweep keeps what each trial prints.
    "defaults": ["_self_", {"override hydra/job_logging": "disabled"}],
    "hydra": {"run": {"dir": "."}, "output_subdir": None},
}
ConfigStore.instance().store(name="config", node=CONFIG)


@hydra.main(version_base=None, config_name="config")
def main(config: DictConfig) -> None:
    loss = abs(config.optimizer.lr - 0.01) + 1 / config.model.depth
    asyncsweep.finish(loss=loss)


if __name__ == "__main__":
    main()
