"""How long until the next attempt.

Delay before attempt ``n + 1``: ``backoff_ms`` x 2 to the (n - 1), at most ``backoff_max_ms``, of which the upper half is jitter
derived from the message and the attempt, so that the same history always gives the same delay (tests/vectors/retry.json).
"""

from __future__ import annotations

_MASK = 0xFFFFFFFF


def spread(position: int, index: int, attempt: int) -> int:
    """A number from 0 to 2**32 - 1 that differs from message to message: a 32-bit finaliser (murmur3's) over the three."""
    value = (position * 0x9E3779B1 ^ index * 0x85EBCA77 ^ attempt * 0xC2B2AE3D) & _MASK
    value ^= value >> 16
    value = value * 0x85EBCA6B & _MASK
    value ^= value >> 13
    value = value * 0xC2B2AE35 & _MASK
    return value ^ value >> 16


def retry_delay_ms(attempt: int, backoff_ms: int, backoff_max_ms: int, position: int, index: int) -> int:
    """Delay after the failed attempt number ``attempt`` (from 1), milliseconds: between half of the exponential delay and all of it."""
    full = min(backoff_ms << min(attempt - 1, 40), backoff_max_ms)
    half = full // 2
    return half + ((full - half) * spread(position, index, attempt) >> 32)
