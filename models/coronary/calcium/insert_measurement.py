"""Measurement of calcified objects without vessels: phantom inserts of known mass.

Decides volume, mass and Agatston score per connected object, and a mass that needs no threshold. Says nothing about a
patient: no vessels, no risk category.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from coronary.calcium.calcium_score import MassCalibration
from coronary.calcium.calcium_voxels import find_calcium
from coronary.calcium.score_scales import AGATSTON_THRESHOLD_HU, MINIMUM_CALCIUM_AREA_MM2
from coronary.calcium.scoring import measure_lesion, pieces_in_order
from coronary.calcium.vessels import Vessel
from coronary.calcium.voxel_grid import VoxelGrid, checked_affine


@dataclass(frozen=True, slots=True)
class LesionMeasurement:
    """One 6-connected object above a threshold.

    ``agatston`` (per slice, 3 mm) and ``agatston_paper`` are None when the threshold was not 130 HU: the score is not
    defined for another. ``mass_mg`` is None without a calibration.
    """

    label: int
    agatston: float | None
    agatston_paper: float | None
    volume_mm3: float
    mass_mg: float | None
    peak_hu: float
    mean_hu: float
    center_lps_mm: tuple[float, float, float]
    slices: tuple[int, ...]
    voxel_count: int
    threshold_hu: float


@dataclass(frozen=True, slots=True)
class IntegratedMass:
    """Mass from the attenuation above background integrated over a region; no threshold is involved."""

    mass_mg: float
    integrated_hu_mm3: float
    background_hu: float
    voxel_count: int


def measure_lesions(
    voxels_hu: NDArray[Any],
    mask: NDArray[np.bool_],
    spacing_zyx_mm: ArrayLike,
    affine_lps: ArrayLike,
    *,
    threshold_hu: float = AGATSTON_THRESHOLD_HU,
    minimum_area_mm2: float = MINIMUM_CALCIUM_AREA_MM2,
    mass_calibration: MassCalibration | None = None,
) -> tuple[LesionMeasurement, ...]:
    """Measure every 6-connected object inside a mask, ordered by the z, y, x of its centroid.

    Parameters
    ----------
    voxels_hu
        Shape (slices, rows, columns), HU.
    mask
        Same shape: where to look.
    spacing_zyx_mm, affine_lps, mass_calibration
        As in :func:`coronary.calcium.score_calcium`.
    threshold_hu
        Objects are what reaches it.
    minimum_area_mm2
        Objects with less area, summed over slices, are dropped; a 1 mm insert needs 0.

    Raises
    ------
    ValueError
        If shapes, spacing or affine do not fit together, or a voxel in the mask is not finite.
    """
    grid = VoxelGrid.checked(spacing_zyx_mm)
    affine = checked_affine(affine_lps, grid)
    # Without vessels there is one label, and a lesion is a whole union component.
    one_label = mask.astype(np.bool_).astype(np.uint8) * np.uint8(Vessel.LM)
    objects = find_calcium(voxels_hu, one_label, grid, threshold_hu=threshold_hu, minimum_area_mm2=minimum_area_mm2)
    measurements = []
    for label, piece in enumerate(pieces_in_order(objects), start=1):
        lesion = measure_lesion(label, piece, objects, grid, affine, mass_calibration)
        is_agatston = threshold_hu == AGATSTON_THRESHOLD_HU
        measurements.append(
            LesionMeasurement(
                label=label,
                agatston=lesion.agatston if is_agatston else None,
                agatston_paper=lesion.agatston_paper if is_agatston else None,
                volume_mm3=lesion.volume_mm3,
                mass_mg=lesion.mass_mg,
                peak_hu=lesion.peak_hu,
                mean_hu=lesion.mean_hu,
                center_lps_mm=lesion.center_lps_mm,
                slices=lesion.slices,
                voxel_count=lesion.voxel_count,
                threshold_hu=float(threshold_hu),
            )
        )
    return tuple(measurements)


def integrated_mass(
    voxels_hu: NDArray[Any],
    region: NDArray[np.bool_],
    spacing_zyx_mm: ArrayLike,
    *,
    background_hu: float,
    mass_calibration: MassCalibration,
) -> IntegratedMass:
    """Mass from integrated attenuation: factor x sum(HU - background) x voxel volume.

    Blurring moves attenuation from voxel to voxel and does not change its sum, so the result does not depend on a
    threshold or on the measured volume as long as the region holds the whole object and its blurred rim. The factor is
    mg/(HU cm³) of attenuation *above background*, i.e. the slope of a calibration line.

    Parameters
    ----------
    region
        Shape of the volume: object and rim, nothing else that differs from the background.
    background_hu
        Attenuation of what surrounds the object, e.g. the median of :func:`surrounding_shell`.

    Raises
    ------
    ValueError
        If shapes differ, the region is empty, or a value is not finite.

    Notes
    -----
    Integrated-intensity technique of the Molloi laboratory ("Integrated intensity-based technique for coronary artery
    calcium mass measurement: A phantom study", Med Phys 2023), with the calibration written as a slope.
    """
    grid = VoxelGrid.checked(spacing_zyx_mm)
    if voxels_hu.shape != region.shape:
        raise ValueError(f"voxels have shape {voxels_hu.shape} and the region {region.shape}, expected the same")
    hu = voxels_hu[region.astype(np.bool_)]
    if hu.size == 0 or not np.all(np.isfinite(hu)) or not math.isfinite(background_hu):
        raise ValueError(f"region of {hu.size} voxels, background {background_hu} HU: expected finite values")
    integrated_hu_mm3 = (math.fsum(hu.tolist()) - hu.size * background_hu) * grid.voxel_volume_mm3
    return IntegratedMass(
        mass_mg=mass_calibration.mass_mg(integrated_hu_mm3),
        integrated_hu_mm3=integrated_hu_mm3,
        background_hu=float(background_hu),
        voxel_count=int(hu.size),
    )


def surrounding_shell(
    mask: NDArray[np.bool_], spacing_zyx_mm: ArrayLike, *, inner_mm: float, outer_mm: float
) -> NDArray[np.bool_]:
    """Voxels whose distance to the mask is above ``inner_mm`` and at most ``outer_mm``; the mask itself is excluded.

    With ``inner_mm=0`` the shell touches the mask. ValueError if the mask is empty or 0 ≤ inner < outer does not hold.
    """
    grid = VoxelGrid.checked(spacing_zyx_mm)
    if not 0 <= inner_mm < outer_mm:
        raise ValueError(f"shell from {inner_mm} to {outer_mm} mm, expected 0 <= inner < outer")
    if not mask.any():
        raise ValueError("the mask is empty, nothing surrounds it")
    distance_mm = ndimage.distance_transform_edt(~mask.astype(np.bool_), sampling=grid.spacing_zyx_mm)
    return np.asarray((distance_mm > inner_mm) & (distance_mm <= outer_mm))
