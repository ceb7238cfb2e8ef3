"""A thorax of a few ellipses, for tests of what finds the heart and measures its blood."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coronary.ct_volume import CtVolume

#: Middle of the heart of `thorax_volume`, LPS mm (x to the left, y to the back).
HEART_LPS_MM = (25.0, -15.0)


def thorax_volume(
    blood_hu: float = 45.0,
    *,
    field_mm: float = 360.0,
    pixel_mm: float = 1.5,
    slices: int = 30,
    spacing_mm: float = 4.0,
    noise_sd_hu: float = 20.0,
    field_centre_mm: tuple[float, float] = (0.0, 0.0),
) -> CtVolume:
    """Soft-tissue body with lungs, a heart with blood of `blood_hu` in myocardium, aorta and a bony spine."""
    count = round(field_mm / pixel_mm)
    offsets = (np.arange(count) - (count - 1) / 2) * pixel_mm
    x, y = np.meshgrid(offsets + field_centre_mm[0], offsets + field_centre_mm[1])
    heart_x, heart_y = HEART_LPS_MM
    plane = np.full((count, count), -1000.0)
    plane[_ellipse(x, y, (0, 0), (170, 110))] = 40
    for side in (-1, 1):
        plane[_ellipse(x, y, (side * 80, 0), (62, 85))] = -850
    plane[_ellipse(x, y, (0, 65), (22, 22))] = 220
    plane[_ellipse(x, y, (heart_x, heart_y), (58, 48))] = 45
    plane[_ellipse(x, y, (heart_x, heart_y), (46, 36))] = blood_hu
    plane[_ellipse(x, y, (26, 48), (13, 13))] = blood_hu
    noise = np.random.default_rng(3).normal(0, noise_sd_hu, (slices, count, count))
    affine = np.diag([pixel_mm, pixel_mm, spacing_mm, 1.0])
    affine[:3, 3] = offsets[0] + field_centre_mm[0], offsets[0] + field_centre_mm[1], -60.0
    return CtVolume(np.clip(plane + noise, -1024, 3071).astype(np.int16), affine)


def _ellipse(
    x: NDArray[np.float64], y: NDArray[np.float64], middle: tuple[float, float], radii: tuple[float, float]
) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = ((x - middle[0]) / radii[0]) ** 2 + ((y - middle[1]) / radii[1]) ** 2 < 1
    return inside
