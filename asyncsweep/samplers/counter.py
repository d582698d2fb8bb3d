"""Random numbers that are pure functions of (seed, trial, position) or (seed, trial, name).

There is no generator whose state would have to be kept, journaled or restored: number k of trial n is looked up, in any
order and in any process. One BLAKE2b hash gives eight 64-bit words, so the numbers are of cryptographic quality and cost
little: most of a draw's time is spent outside of the hash.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct

SCALE = 2.0**-53
"""`(word >> 11) * SCALE` is uniform in [0, 1), with every bit of a float's precision."""

_KEY_BYTES = 16
_WORDS_PER_HASH = 8
_unpack = Struct("<8Q").unpack


def key(seed: int) -> bytes:
    """What stands for a seed in `words` and `unit`: 16 bytes."""
    return blake2b(b"%d" % seed, digest_size=_KEY_BYTES).digest()


def words(key: bytes, trial: int, count: int) -> tuple[int, ...]:
    """At least `count` independent 64-bit words for a trial; a smaller count gives a prefix of a larger one's."""
    prefix = key + trial.to_bytes(8, "little")
    if count <= _WORDS_PER_HASH:
        return _unpack(blake2b(prefix).digest())
    found: tuple[int, ...] = ()
    for block in range((count + _WORDS_PER_HASH - 1) // _WORDS_PER_HASH):
        found += _unpack(blake2b(prefix + b"\0" * block).digest())
    return found


def unit(key: bytes, trial: int, name: str) -> float:
    """A number in [0, 1) for a named parameter of a trial."""
    # The leading "n" keeps the names apart from the zeros that `words` appends.
    digest = blake2b(key + trial.to_bytes(8, "little") + b"n" + name.encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) * SCALE
