"""wandb's service process, which all its runs in a process share: started for the first sweep, ended after the last.

Where the application uses wandb itself, the service is the application's, and stays.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

_lock = threading.Lock()
_users = 0
_is_ours = False


class Service:
    """The service for one exporter.

    Args:
        wandb: The module, which is imported where it is used.
    """

    def __init__(self, wandb: Any) -> None:
        self._wandb = wandb

    def start(self, settings: Mapping[str, Any]) -> None:
        """Have the service run.

        Raises:
            wandb.errors.Error: It cannot be used, such as online without a key.
        """
        global _users, _is_ours
        from wandb.sdk import wandb_setup

        with _lock:
            if not _users:
                _is_ours = getattr(wandb_setup, "_singleton", None) is None
            _users += 1
        try:
            if _is_ours:
                self._wandb.setup(settings=self._wandb.Settings(silent=True, console="off"))
            if settings["mode"] == "online":
                self._wandb.login()
        except BaseException:
            self.stop()
            raise

    def run(self, settings: Mapping[str, Any], **options: Any) -> Any:
        """A new run, beside all others of the process."""
        return self._wandb.init(settings=self._wandb.Settings(**settings), reinit="create_new", **options)

    def stop(self) -> None:
        """End the service when nobody else uses it."""
        global _users
        with _lock:
            _users -= 1
            if _users or not _is_ours or self._wandb.run is not None:
                return
            self._wandb.teardown()
