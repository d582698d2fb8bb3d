"""What the checks on a real GPU train. Workers import it by name; torch is imported where it is used."""

from __future__ import annotations

import os
import time
from pathlib import Path

from asyncsweep.worker.trial import Trial

_PATIENCE_S = 240.0


def trains(trial: Trial) -> float:
    """Trains a small model on its device; with `together` it goes on until so many trials have begun."""
    import torch

    trial.set_user_attr("pid", os.getpid())
    trial.set_user_attr("env", os.environ["CUDA_VISIBLE_DEVICES"])
    trial.set_user_attr("n_devices", torch.cuda.device_count())
    trial.set_user_attr("uuid", str(torch.cuda.get_device_properties(0).uuid))
    trial.set_user_attr("began", time.time())
    folder = Path(trial.params["folder"])
    torch.manual_seed(trial.number)
    model = torch.nn.Sequential(torch.nn.Linear(512, 512), torch.nn.ReLU(), torch.nn.Linear(512, 1)).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=trial.params["lr"])
    x = torch.randn(4096, 512, device="cuda")
    y = x[:, :1].clone()
    (folder / str(trial.number)).touch()
    until = time.monotonic() + _PATIENCE_S
    loss = torch.zeros(())
    for step in range(1_000_000):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step >= 200 and len(list(folder.iterdir())) >= trial.params["together"]:
            break
        if time.monotonic() > until:
            raise TimeoutError("the other trials did not begin")
    trial.set_user_attr("allocated_mib", torch.cuda.max_memory_reserved() / 2**20)
    trial.set_user_attr("ended", time.time())
    return float(loss)


def looks_for_another(trial: Trial) -> float:
    """How many of all ways to another device work: by its number, and by changing the environment afterwards."""
    import torch

    torch.zeros(1, device="cuda:0")
    os.environ["CUDA_VISIBLE_DEVICES"] = "0,1,2,3,4,5,6,7"
    n_found = torch.cuda.device_count() - 1
    for number in range(1, 8):
        try:
            torch.zeros(1, device=f"cuda:{number}")
        except (RuntimeError, AssertionError):
            continue
        n_found += 1
    return float(n_found)
