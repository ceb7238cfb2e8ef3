"""Decides how one seed becomes many independent random streams, one per named component.

A component added later draws from its own stream and cannot change what earlier components drew for the same seed.
Does not decide any distribution.
"""

import zlib

import numpy as np


def stream(seed: int, component: str) -> np.random.Generator:
    """Return the random generator of one component of one seed.

    The key is the CRC-32 of the component's name: stable across processes and Python versions, unlike ``hash``.
    """
    if seed < 0:
        raise ValueError(f"a seed is not negative, got {seed}")
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(component.encode())]))


def clipped_normal(rng: np.random.Generator, mean: float, sd: float, low: float, high: float) -> float:
    """Draw one normal value and clip it to ``[low, high]``."""
    return float(np.clip(rng.normal(mean, sd), low, high))
