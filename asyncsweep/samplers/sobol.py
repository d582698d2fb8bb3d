"""Scrambled Sobol' points: trials that cover the space more evenly than random ones.

Point n is the exclusive or of the direction numbers at the bits of n's Gray code, so any point is found without the ones
before it. Scrambling multiplies each dimension's digits by a random lower triangular matrix and adds a random digital shift
(Matousek 1998): every block of 2^m points stays as evenly spread as before, and each point alone is uniform. The matrices go
into the direction numbers beforehand; all dimensions lie side by side in one long integer, so that a point takes a few
exclusive ors.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Any, ClassVar

from asyncsweep.core.records import Direction
from asyncsweep.errors import ConfigError, SpaceExhausted
from asyncsweep.hooks.contracts import FinishedTrial, Host, Params, TrialRef
from asyncsweep.samplers import counter
from asyncsweep.samplers.counter import SCALE
from asyncsweep.samplers.sobol_directions import BITS, direction_numbers
from asyncsweep.space import Domain, Space

_FLOAT_BITS = 53
_LANE_BITS = 64


class SobolSampler:
    """Gives trial k point k of a Sobol' sequence over the space.

    Each parameter that is not constant has its own dimension, which goes unused where the parameter is fixed or inactive.
    The points are best spread when their number is a power of two.

    Args:
        scramble: Scramble the sequence by the sweep's seed; without it the first point has every parameter at its low end.

    Raises:
        ConfigError: `scramble` is not a bool.
    """

    host: ClassVar[Host] = "inline"
    by_number: ClassVar[bool] = True

    def __init__(self, *, scramble: bool = True) -> None:
        if not isinstance(scramble, bool):
            raise ConfigError(f"sampler.scramble: expected True or False, got {scramble!r}")
        self._scramble = scramble

    def open(self, space: Space, directions: Mapping[str, Direction], seed: int) -> None:
        """Compute the direction numbers."""
        self._space = space
        self._key = counter.key(seed)
        self._columns, self._shift = _packed(space.dimensions, self._key if self._scramble else None)
        self._lanes = Struct(f"<{space.dimensions}Q")

    def ask(self, trial: TrialRef) -> Params:
        """The trial's point, as values of every active parameter.

        Raises:
            SpaceExhausted: The trial's number is 2**32 or more, which is the length of the sequence.
        """
        if trial.number >> BITS:
            raise SpaceExhausted(f"the Sobol' sequence has 2**{BITS} points")
        point = self._shift
        code = trial.number ^ trial.number >> 1
        while code:
            point ^= self._columns[code.bit_length() - 1]
            code ^= 1 << code.bit_length() - 1
        lanes = self._lanes.unpack(point.to_bytes(self._lanes.size, "little"))
        return self._space.at([lane * SCALE for lane in lanes], trial.fixed)

    def tell(self, trial: FinishedTrial) -> None:
        """Nothing to learn."""

    def suggest(self, trial: TrialRef, name: str, domain: Domain) -> Any:
        """A random value: a parameter that is not in the space has no dimension."""
        return domain.from_unit(counter.unit(self._key, trial.number, name))


def _packed(dimensions: int, key: bytes | None) -> tuple[list[int], int]:
    """The direction numbers and the shift, 53 bits for each dimension, side by side; scrambled unless `key` is None."""
    columns = [0] * BITS
    shift = 0
    for dimension, numbers in enumerate(direction_numbers(dimensions)):
        lane = dimension * _LANE_BITS
        matrix = [1 << (_FLOAT_BITS - 1 - bit) for bit in range(BITS)]
        if key is not None:
            # Column `bit` of the matrix: 1 on the diagonal, anything below it.
            *below, offset = counter.words(key, dimension, BITS + 1)[: BITS + 1]
            matrix = [top | word & (top - 1) for top, word in zip(matrix, below, strict=True)]
            shift |= offset >> (_LANE_BITS - _FLOAT_BITS) << lane
        for bit, number in enumerate(numbers):
            scrambled = 0
            for column in range(BITS):
                if number >> (BITS - 1 - column) & 1:
                    scrambled ^= matrix[column]
            columns[bit] |= scrambled << lane
    return columns, shift
