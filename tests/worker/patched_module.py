"""What tests put hooks into; the scripts of these tests import it."""

from __future__ import annotations


class Base:
    def inherited(self, x: int) -> str:
        return f"inherited {x}"


class Model(Base):
    constant = 5

    def __init__(self, depth: int = 1) -> None:
        self.depth = depth

    def fit(self, x: int, *, y: int = 0) -> str:
        """Fit."""
        return f"fit {self.depth} {x} {y}"

    @staticmethod
    def static(x: int) -> str:
        return f"static {x}"

    @classmethod
    def of_class(cls, x: int) -> str:
        return f"{cls.__name__} {x}"

    @property
    def size(self) -> int:
        return 3

    async def wait(self, x: int) -> str:
        return f"waited {x}"


def function(x: int) -> str:
    return f"function {x}"
