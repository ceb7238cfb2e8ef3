"""All arteries of a tree measured together: the left main is too short to show how wide it would be without disease.

Decides the healthy diameter of the left main alone; each other artery shows its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from coronary.coronary_tree import Centerline
from coronary.ct_volume import CtVolume
from coronary.stenosis.lumen_profile import LumenProfile, measure_profile

#: Diameter of an artery that divides, as a share of the sum of those it divides into (Finet et al., EuroIntervention
#: 2008;3:490-498).
DIVIDING_SHARE: Final = 0.678


def measure_profiles(
    volume: CtVolume, lines: Sequence[Centerline], blood_hu: float, left_out: CtVolume | None = None
) -> tuple[LumenProfile, ...]:
    """Measure the lumen of every artery, in their order; parameters as in :func:`.lumen_profile.measure_profile`.

    The left main is at least as wide, without disease, as LAD and LCX say where they leave it: narrowed over its whole
    length it would otherwise pass for a thin artery.
    """
    profiles = {line.name: measure_profile(volume, line, blood_hu, left_out) for line in lines}
    if {"LM", "LAD", "LCX"} <= profiles.keys():
        expected_mm = DIVIDING_SHARE * (profiles["LAD"].healthy_mm[0] + profiles["LCX"].healthy_mm[0])
        left_main = profiles["LM"]
        profiles["LM"] = replace(left_main, healthy_mm=np.maximum(left_main.healthy_mm, expected_mm))
    return tuple(profiles[line.name] for line in lines)
