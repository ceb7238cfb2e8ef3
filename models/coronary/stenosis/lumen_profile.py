"""How wide the lumen is along an artery, and how wide it would be without disease.

Decides what of a cross-section is lumen. Knows attenuations and geometry; which image it measures (the scan itself, or
one without calcium) is the caller's choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coronary.coronary_tree import Centerline
from coronary.coronary_tree.curves import smoothed
from coronary.ct_volume import CtVolume
from coronary.imaging.curved_planes import cross_sections, offsets_mm
from coronary.stenosis.healthy_diameter import healthy_diameter_mm

#: Attenuation that is no lumen at all, HU: fibrous plaque and wall. Between this and blood a voxel counts in part.
WALL_HU: Final = 60.0

#: Pixel of the cross-sections, mm: a third of the point spread.
PIXEL_MM: Final = 0.2

#: The cross-section is looked at this far beyond the healthy lumen, mm: its blurred border lies there, a neighbouring
#: vein or branch does not yet.
BORDER_MM: Final = 0.6

#: Smoothing along the artery, of attenuations and then of areas, standard deviation in mm: less than the shortest
#: narrowing.
ALONG_SIGMA_MM: Final = 0.5

#: Share of blood below which a pixel holds none: counted up over a cross-section, the noise of wall and plaque would be
#: a lumen of 0.7 mm. On the calcium-free twins of 13 virtual patients with severe calcium (943002-943053, 20 stenoses
#: of at least 50 %) the mean error of those is -5 points with it, -15 without.
LEAST_BLOOD: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class LumenProfile:
    """Lumen along one artery; arrays have shape (n,), one entry per point of its centreline.

    Parameters
    ----------
    name
        Of the artery.
    arc_length_mm, segment
        Of its centreline.
    diameter_mm
        Diameter of the circle with the area of the lumen.
    healthy_mm
        The same without narrowing, from the wider parts of the artery.
    covered_share
        Share (0 to 1) of the healthy cross-section that was left out as calcium.
    """

    name: str
    arc_length_mm: NDArray[np.float64]
    segment: NDArray[np.uint8]
    diameter_mm: NDArray[np.float64]
    healthy_mm: NDArray[np.float64]
    covered_share: NDArray[np.float64]

    @property
    def narrowing(self) -> NDArray[np.float64]:
        """Share of the healthy diameter that is lost, 0 to 1; 1 where no lumen was seen to tell what is healthy."""
        left = np.divide(
            self.diameter_mm, self.healthy_mm, out=np.zeros_like(self.diameter_mm), where=self.healthy_mm > 0.0
        )
        return np.clip(1.0 - left, 0.0, 1.0)


def measure_profile(
    volume: CtVolume, line: Centerline, blood_hu: float, left_out: CtVolume | None = None
) -> LumenProfile:
    """Measure the lumen across every point of a centreline.

    The area is the sum of what each pixel holds of blood, so a lumen narrower than the point spread keeps its area.

    Parameters
    ----------
    blood_hu
        Attenuation of the coronary lumen (the calibration factor).
    left_out
        1 in voxels that are no lumen whatever their attenuation, such as calcium, 0 elsewhere.
    """
    radius_mm = _healthy_radius_mm(line)
    half_width_mm = float(radius_mm.max()) + BORDER_MM + PIXEL_MM
    frames = line.frames()
    planes_hu = cross_sections(volume, line.points_lps_mm, frames, half_width_mm, PIXEL_MM)
    hu = smoothed(planes_hu.astype(np.float64), ALONG_SIGMA_MM)
    share = (hu - WALL_HU) / (blood_hu - WALL_HU)
    blood = np.clip((share - LEAST_BLOOD) / (1.0 - LEAST_BLOOD), 0.0, 1.0)
    across = offsets_mm(half_width_mm, PIXEL_MM)
    from_middle = np.hypot(across[:, None], across[None, :])
    # Pixels on the border of the window count by the part of them that lies inside.
    window = np.clip((radius_mm[:, None, None] + BORDER_MM - from_middle) / PIXEL_MM + 0.5, 0.0, 1.0)
    covered = np.zeros(len(line.points_lps_mm))
    if left_out is not None:
        is_calcium = cross_sections(left_out, line.points_lps_mm, frames, half_width_mm, PIXEL_MM) >= 0.5
        blood[is_calcium] = 0.0
        healthy = from_middle <= radius_mm[:, None, None]
        covered = (is_calcium & healthy).sum(axis=(1, 2)) / healthy.sum(axis=(1, 2))
    area_mm2 = smoothed((blood * window).sum(axis=(1, 2)) * PIXEL_MM**2, ALONG_SIGMA_MM)
    diameter_mm = 2.0 * np.sqrt(np.maximum(area_mm2, 0.0) / np.pi)
    return LumenProfile(
        name=line.name,
        arc_length_mm=line.arc_length_mm,
        segment=line.segment,
        diameter_mm=diameter_mm,
        healthy_mm=healthy_diameter_mm(line.arc_length_mm, diameter_mm),
        covered_share=covered,
    )


def _healthy_radius_mm(line: Centerline) -> NDArray[np.float64]:
    return 0.5 * healthy_diameter_mm(line.arc_length_mm, 2.0 * line.radius_mm)
