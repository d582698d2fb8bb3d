"""Sweep a Lightning script that knows nothing of sweeps: every `Trainer` that it makes gets a callback, and the file stays as it is.

    python examples/traced_script.py

The class of the Lightning tutorial that runs scripts traced them for the same purpose. Here a hook stands in the place of
`Trainer.__init__`, in the process of the trial alone.
"""

import asyncio
from pathlib import Path

import asyncsweep as sw

SCRIPT = Path(__file__).parent / "scripts" / "plain_lightning.py"


def with_report(original, trainer, *args, callbacks=None, **options):
    from asyncsweep.integrations.lightning import ReportCallback  # where the trial runs

    given = callbacks if isinstance(callbacks, list) else [] if callbacks is None else [callbacks]
    return original(trainer, *args, callbacks=[*given, ReportCallback("val_loss")], **options)


async def main() -> sw.Result:
    script = sw.Script(SCRIPT, preload=["lightning.pytorch"], patch={"lightning.pytorch:Trainer": with_report})
    sweep = sw.Sweep(script, {"lr": sw.Float(0.001, 0.1, log=True)}, pruner="median", n_trials=4, concurrency=2, seed=0)
    return await sweep.run(progress=True)


if __name__ == "__main__":
    best = asyncio.run(main()).best
    print(f"The best loss is {best.value:.4f}, with {best.params}")
