"""Attenuation of the blood pool without a network: is there contrast agent in the heart?

Decides nothing about routing; it measures. Enhanced or not, the inside of the heart is the largest homogeneous soft
tissue near its middle; the brightest such tissue is blood, because contrast agent raises blood above muscle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from coronary.ct_volume import CtVolume
from coronary.imaging.heart_region import find_heart_region

#: In-plane pixel size of the measurement, mm: averages noise of single voxels away.
WORKING_PIXEL_MM = 3.0

#: Half side of the square around the heart that is looked at, mm.
HALF_WIDTH_MM = 60.0

#: Attenuation that blood can have, from anaemic unenhanced to 80 kV arterial, HU.
BLOOD_HU = (5.0, 1100.0)

#: A working pixel is homogeneous when its neighbourhood varies less than this, HU.
LARGEST_SPREAD_HU = 35.0

#: The measurement needs this much homogeneous tissue, cm³: less than any heart, more than any implant.
MINIMUM_VOLUME_CM3 = 20.0

#: Share of the homogeneous heart, brightest first, that is taken for blood: one chamber's worth.
BRIGHTEST_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class BloodPool:
    """Measured blood pool: median and SD of the homogeneous bright tissue of the heart in HU, and its volume."""

    median_hu: float
    sd_hu: float
    volume_cm3: float


def measure_blood_pool(volume: CtVolume) -> BloodPool | None:
    """Measure the blood pool of the heart, or None where no homogeneous soft tissue lies in the heart region.

    Notes
    -----
    The median of the brightest quarter follows contrast agent in any one chamber (an arterial scan may leave the
    right heart unenhanced) and is unmoved by calcium, bone and leads, which are not homogeneous over 9 mm.
    """
    spacing_mm, row_mm, column_mm = volume.spacing_zyx_mm
    steps = max(1, round(WORKING_PIXEL_MM / row_mm)), max(1, round(WORKING_PIXEL_MM / column_mm))
    every = max(1, round(WORKING_PIXEL_MM / spacing_mm))
    coarse = np.stack(
        [
            ndimage.uniform_filter(plane.astype(np.float32), steps)[
                steps[0] // 2 :: steps[0], steps[1] // 2 :: steps[1]
            ]
            for plane in volume.voxels_hu[::every]
        ]
    )
    _, row, column = volume.to_index_zyx(np.array(find_heart_region(volume).center_lps_mm))
    half = HALF_WIDTH_MM / (steps[0] * row_mm), HALF_WIDTH_MM / (steps[1] * column_mm)
    rows = slice(max(0, int(row / steps[0] - half[0])), max(0, int(row / steps[0] + half[0])) + 1)
    columns = slice(max(0, int(column / steps[1] - half[1])), max(0, int(column / steps[1] + half[1])) + 1)
    heart = coarse[:, rows, columns]
    mean = ndimage.uniform_filter(heart, (1, 3, 3))
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(heart**2, (1, 3, 3)) - mean**2, 0))
    blood = (spread < LARGEST_SPREAD_HU) & (mean > BLOOD_HU[0]) & (mean < BLOOD_HU[1])
    blood = ndimage.binary_opening(blood, np.ones((1, 3, 3), bool))
    values = heart[blood]
    pixel_cm3 = steps[0] * row_mm * steps[1] * column_mm * every * spacing_mm / 1000
    if values.size * pixel_cm3 < MINIMUM_VOLUME_CM3:
        return None
    brightest = values[values >= np.quantile(values, 1 - BRIGHTEST_SHARE)]
    return BloodPool(float(np.median(brightest)), float(brightest.std()), float(values.size * pixel_cm3))
