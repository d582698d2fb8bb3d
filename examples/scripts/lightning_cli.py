"""A LightningCLI: any argument of the model, the data and the trainer can be searched.

    python lightning_cli.py fit --model.lr 0.01
    asyncsweep run lightning_cli.py --model.lr "log_uniform(0.001, 0.1)" --data.batch_size "[32, 64]" \\
        --preload lightning.pytorch.cli -- fit

What follows the last -- goes to the script as it is. The callback reports "val_loss" after each epoch.
"""

import lightning.pytorch as pl
import torch
from lightning.pytorch.cli import LightningCLI

from asyncsweep.integrations.lightning import ReportCallback


class Model(pl.LightningModule):
    def __init__(self, lr: float = 0.01, width: int = 8) -> None:
        super().__init__()
        self.lr = lr
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Linear(width, 1))

    def loss(self, batch):
        x, y = batch
        return torch.nn.functional.mse_loss(self.layers(x).squeeze(1), y)

    def training_step(self, batch, index):
        return self.loss(batch)

    def validation_step(self, batch, index):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class Data(pl.LightningDataModule):
    def __init__(self, batch_size: int = 32) -> None:
        super().__init__()
        self.batch_size = batch_size
        x = torch.randn(128, 4, generator=torch.Generator().manual_seed(0))
        self.data = torch.utils.data.TensorDataset(x, x.sum(1))

    def train_dataloader(self):
        return torch.utils.data.DataLoader(self.data, self.batch_size)

    def val_dataloader(self):
        return torch.utils.data.DataLoader(self.data, self.batch_size)


if __name__ == "__main__":
    LightningCLI(
        Model,
        Data,
        seed_everything_default=0,
        save_config_callback=None,  # it would refuse to write its file for a second trial in the same folder
        trainer_defaults={
            "max_epochs": 3,
            "accelerator": "cpu",
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "callbacks": [ReportCallback("val_loss")],
        },
    )
