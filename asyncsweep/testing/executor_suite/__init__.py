"""The parts of `ExecutorSuite`, one file for each thing that executors have to do. It is `asyncsweep.testing.executors` that is to be used.

Not rewritten by pytest, a failed assertion in them would not show its values.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    *(
        f"{__name__}.{part}"
        for part in ("bench", "stand", "trials", "kills", "changing_slots", "places_ahead", "leaving")
    )
)
