"""What can have a hook in its place, and what cannot."""

from __future__ import annotations

import pytest

from asyncsweep.errors import ConfigError
from asyncsweep.worker.patching import apply
from tests.worker import patched_module

M = "tests.worker.patched_module"


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (f"{M}:Model.fitt", f"Script.patch: '{M}:Model.fitt': Model has no 'fitt' (did you mean 'fit'?)"),
        (f"{M}:Modle.fit", f"Script.patch: '{M}:Modle.fit': {M} has no 'Modle' (did you mean 'Model'?)"),
        (
            f"{M}:Model.size",
            f"Script.patch: '{M}:Model.size': it is a property, and only functions and methods can be hooked",
        ),
        (
            f"{M}:Model.constant",
            f"Script.patch: '{M}:Model.constant': it is a int, and only functions and methods can be hooked",
        ),
        (
            "builtins:str.upper",
            "Script.patch: 'builtins:str.upper': it cannot be replaced: cannot set 'upper' attribute of immutable type 'str'",
        ),
    ],
)
def test_a_target_that_cannot_be_hooked_is_told(target: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        apply({target: print})
    assert str(raised.value) == told


def test_several_hooks_of_one_target_are_called_from_the_last_to_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patched_module, "function", patched_module.function)
    apply({f"{M}:function": lambda original, x: f"one({original(x)})"})
    apply({f"{M}:function": lambda original, x: f"two({original(x)})"})
    assert patched_module.function(1) == "two(one(function 1))"
