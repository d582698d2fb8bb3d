"""Without the plugin (`pip install -e plugins/asyncsweep-wandb`), its tests are left out, but not under CI=true."""

from __future__ import annotations

import os
from importlib.util import find_spec

if os.environ.get("CI") != "true" and not (find_spec("asyncsweep_wandb") and find_spec("wandb")):
    collect_ignore_glob = ["test_*.py"]
