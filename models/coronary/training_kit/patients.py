"""Virtual patients to train on: more look-alikes of calcium than patients have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from coronary.virtual_patient import VirtualPatient, draw_patient


def training_patient(seed: int, look_alike_shares: Mapping[str, float]) -> VirtualPatient:
    """The patient of a training seed: every fourth without calcium, each kind of look-alike with the share given."""
    draws = np.random.default_rng([seed, 1]).uniform(size=len(look_alike_shares))
    kinds = [kind for (kind, share), draw in zip(look_alike_shares.items(), draws, strict=True) if draw < share]
    return draw_patient(seed, calcium="none" if seed % 4 == 0 else "present", distractors=kinds)
