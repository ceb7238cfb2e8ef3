"""Attenuation histogram optimisation: one monotone curve per scan that makes scans look alike to a network.

Decides where fat, myocardium and blood of a scan land in the network's input range, so that 80 to 120 kVp and lumens
of 300 to 600 HU give the same values. Measures nothing: the peaks come from :mod:`attenuation_mixture`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coronary.ccta_scoring.attenuation_mixture import HISTOGRAM_HU, AttenuationMixture

#: Input values of fat, myocardium, blood and twice the attenuation of blood. Half of the range lies between muscle and
#: blood, where vessel borders are; the part above blood is for calcium.
FAT_VALUE, MYOCARDIUM_VALUE, BLOOD_VALUE, TWICE_BLOOD_VALUE = 0.15, 0.35, 0.75, 0.95

#: The ends of the attenuation scale map to the ends of the range, so the curve never becomes flat.
LOWEST_VALUE, HIGHEST_VALUE = 0.0, 1.0

#: Neighbouring anchors are at least this far apart, HU; closer ones would make the curve a step.
SMALLEST_DISTANCE_HU = 20.0


@dataclass(frozen=True, slots=True)
class AttenuationMapping:
    """A strictly increasing, piecewise linear curve from HU to the network's input range 0…1.

    ``anchors_hu`` and ``values`` have one entry per knot, both strictly increasing.
    """

    anchors_hu: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def of_mixture(cls, mixture: AttenuationMixture) -> AttenuationMapping:
        """Curve through the peaks of one scan; anchors that come too close are moved apart upwards.

        Notes
        -----
        Paper 1, section 2.4: "a newly developed attenuation histogram optimization algorithm", not described there.
        """
        low, high = (float(end) for end in HISTOGRAM_HU)
        wanted = (mixture.fat_hu, mixture.myocardium_hu, mixture.blood_hu, 2.0 * mixture.blood_hu)
        anchors = [low]
        for anchor in wanted:
            anchors.append(max(anchor, anchors[-1] + SMALLEST_DISTANCE_HU))
        return cls(
            (*anchors, max(high, anchors[-1] + SMALLEST_DISTANCE_HU)),
            (LOWEST_VALUE, FAT_VALUE, MYOCARDIUM_VALUE, BLOOD_VALUE, TWICE_BLOOD_VALUE, HIGHEST_VALUE),
        )

    def apply(self, voxels_hu: NDArray[np.int16]) -> NDArray[np.float32]:
        """Map voxels of any shape; attenuations beyond the ends of the curve get the value of the end."""
        low, high = HISTOGRAM_HU
        table = np.interp(np.arange(low, high + 1), self.anchors_hu, self.values).astype(np.float32)
        return np.asarray(table[np.clip(voxels_hu, low, high).astype(np.int32) - low])
