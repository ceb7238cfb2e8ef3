"""Virtual patients to train on: more look-alikes of calcium than patients have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from coronary.virtual_patient import Variant, VirtualPatient, draw_patient


def training_patient(seed: int, look_alike_shares: Mapping[str, float], *, varied_share: float = 0.0) -> VirtualPatient:
    """The patient of a training seed.

    Every fourth has no calcium; each kind of look-alike is there with the share given; `varied_share` of the patients
    have a heart drawn far beyond anatomy (:mod:`coronary.virtual_patient.heart_varied`).
    """
    rng = np.random.default_rng([seed, 1])
    draws = rng.uniform(size=len(look_alike_shares))
    kinds = [kind for (kind, share), draw in zip(look_alike_shares.items(), draws, strict=True) if draw < share]
    variant: Variant = "varied" if rng.uniform() < varied_share else "standard"
    return draw_patient(seed, variant=variant, calcium="none" if seed % 4 == 0 else "present", distractors=kinds)
