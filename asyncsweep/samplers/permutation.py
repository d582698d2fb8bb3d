"""A shuffled order of very many things, without a list of them."""

from __future__ import annotations

from hashlib import shake_256

_ROUNDS = 4


class Permutation:
    """A pseudo-random permutation of 0, 1, ..., size - 1, computed for one number at a time.

    A Feistel network of four rounds permutes the next power of four (Luby and Rackoff 1988); a number that lands outside of
    `size` is permuted again until it lands inside, which takes less than four tries on average.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._half_bits = max(1, ((size - 1).bit_length() + 1) // 2)
        self._half_bytes = (self._half_bits + 7) // 8
        self._mask = (1 << self._half_bits) - 1
        self._key = b"%d" % seed

    def __getitem__(self, number: int) -> int:
        """Where `number` (0 <= number < size) goes."""
        while True:
            number = self._permuted(number)
            if number < self._size:
                return number

    def _permuted(self, number: int) -> int:
        left, right = number >> self._half_bits, number & self._mask
        for step in range(_ROUNDS):
            mixed = shake_256(b"%s/%d/%d" % (self._key, step, right)).digest(self._half_bytes)
            left, right = right, left ^ (int.from_bytes(mixed, "little") & self._mask)
        return left << self._half_bits | right
