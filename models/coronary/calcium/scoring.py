"""Scoring of one volume with labelled vessels: Agatston in two named conventions, volume, mass, lesions.

Decides how counts become numbers. Scores and volumes come from whole numbers of (weighted) pixels that are multiplied
by the voxel geometry once, so a total does not depend on how its vessels are labelled. Finds no vessel by itself: the
labels are given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coronary.calcium.calcium_score import CalciumScore, Lesion, MassCalibration
from coronary.calcium.calcium_voxels import CalciumVoxels, find_calcium
from coronary.calcium.score_scales import AGATSTON_THRESHOLD_HU, cac_drs, risk_category
from coronary.calcium.vessels import Vessel, VesselValues
from coronary.calcium.voxel_grid import VoxelGrid, centroid_lps_mm, checked_affine


def score_calcium(
    voxels_hu: NDArray[Any],
    vessel_labels: NDArray[Any],
    spacing_zyx_mm: ArrayLike,
    affine_lps: ArrayLike,
    *,
    mass_calibration: MassCalibration | None = None,
) -> CalciumScore:
    """Score the labelled calcium of a volume, in both conventions at once.

    Calcium is what has a vessel label and at least 130 HU. Its 6-connected components over the union of the four
    vessels are dropped as noise below 1 mm² (area summed over slices) and then split by vessel into lesions. Density
    weights belong to the union (in-slice region or 3-D component) and are shared out by pixels, so re-labelling a
    vessel moves score between vessels and never changes the total.

    Parameters
    ----------
    voxels_hu
        Shape (slices, rows, columns). Integers are exact; float volumes are accepted and not rounded.
    vessel_labels
        Same shape, integers: 0 none, otherwise a :class:`Vessel`. Labelled voxels below 130 HU are ignored.
    spacing_zyx_mm
        Distance between voxel centres; z from slice positions, never from SliceThickness.
    affine_lps
        Shape (4, 4), (column x, row y, slice z, 1) → LPS mm, as in :class:`coronary.ct_volume.CtVolume`.
    mass_calibration
        Without one the mass is None, not a guess.

    Raises
    ------
    ValueError
        If shapes, labels, spacing or affine do not fit together, or a labelled voxel is not finite.

    Notes
    -----
    Agatston et al., J Am Coll Cardiol 1990;15:827–832; paper 4, equations 1–3. Two deviations of ``agatston`` from the
    1990 score: noise is judged on the whole 3-D calcium (paper 4) instead of region by region, and in-slice regions
    are 4-connected.
    """
    grid = VoxelGrid.checked(spacing_zyx_mm)
    affine = checked_affine(affine_lps, grid)
    calcium = find_calcium(voxels_hu, vessel_labels, grid, threshold_hu=AGATSTON_THRESHOLD_HU)
    lesions = tuple(
        measure_lesion(label, piece, calcium, grid, affine, mass_calibration)
        for label, piece in enumerate(pieces_in_order(calcium), start=1)
    )
    agatston = _per_vessel([lesion.weighted_pixels for lesion in lesions], lesions, grid.agatston_per_weighted_pixel)
    return CalciumScore(
        agatston=agatston,
        agatston_paper=_per_vessel([les.weighted_pixels_paper for les in lesions], lesions, grid.pixel_area_mm2),
        volume_mm3=_per_vessel([lesion.voxel_count for lesion in lesions], lesions, grid.voxel_volume_mm3),
        mass_mg=None if mass_calibration is None else _mass_per_vessel(calcium, grid, mass_calibration),
        lesions=lesions,
        risk_category=risk_category(agatston.total),
        cac_drs=cac_drs(agatston.total, len({lesion.vessel for lesion in lesions})),
        mass_calibration=mass_calibration,
    )


def lesion_label_map(
    voxels_hu: NDArray[Any], vessel_labels: NDArray[Any], spacing_zyx_mm: ArrayLike
) -> NDArray[np.uint16]:
    """Map of the scored voxels, shape of the volume: n where ``score_calcium(...).lesions[n - 1]`` is, else 0.

    Its non-zero voxels are exactly the scored ones. ValueError as :func:`score_calcium`, and if there are more lesions
    than 16 bits can number.
    """
    grid = VoxelGrid.checked(spacing_zyx_mm)
    calcium = find_calcium(voxels_hu, vessel_labels, grid, threshold_hu=AGATSTON_THRESHOLD_HU)
    pieces = pieces_in_order(calcium)
    if len(pieces) > np.iinfo(np.uint16).max:
        raise ValueError(f"{len(pieces)} lesions, a 16-bit map holds {np.iinfo(np.uint16).max}")
    labels = np.zeros(voxels_hu.shape, dtype=np.uint16)
    for label, piece in enumerate(pieces, start=1):
        labels[tuple(calcium.index_zyx[piece].T)] = label
    return labels


def pieces_in_order(calcium: CalciumVoxels) -> list[NDArray[np.int64]]:
    """Voxel numbers of each lesion, ordered by vessel, centroid (z, y, x), then first voxel in raster order."""
    by_piece = np.argsort(calcium.piece, kind="stable")
    borders = np.flatnonzero(np.diff(calcium.piece[by_piece])) + 1
    pieces = np.split(by_piece, borders) if by_piece.size else []

    def position(piece: NDArray[np.int64]) -> tuple[float, ...]:
        return (float(calcium.vessel[piece[0]]), *calcium.index_zyx[piece].mean(axis=0).tolist(), float(piece[0]))

    return sorted(pieces, key=position)


def measure_lesion(
    label: int,
    piece: NDArray[np.int64],
    calcium: CalciumVoxels,
    grid: VoxelGrid,
    affine_lps: NDArray[np.float64],
    calibration: MassCalibration | None,
) -> Lesion:
    """Turn the voxels numbered ``piece`` into one lesion (also used for phantom inserts, which have no vessel)."""
    hu = calcium.hu[piece]
    index_zyx = calcium.index_zyx[piece]
    weighted_pixels = int(calcium.region_weight[piece].sum())
    weighted_pixels_paper = int(calcium.component_weight[piece].sum())
    # fsum rounds once, so neither the order of voxels nor the dtype changes a mean or a mass.
    integrated_hu = math.fsum(hu.tolist())
    return Lesion(
        label=label,
        vessel=Vessel(int(calcium.vessel[piece[0]])),
        agatston=weighted_pixels * grid.agatston_per_weighted_pixel,
        agatston_paper=weighted_pixels_paper * grid.pixel_area_mm2,
        volume_mm3=len(piece) * grid.voxel_volume_mm3,
        mass_mg=None if calibration is None else calibration.mass_mg(integrated_hu * grid.voxel_volume_mm3),
        peak_hu=float(hu.max()),
        mean_hu=integrated_hu / len(piece),
        center_lps_mm=centroid_lps_mm(index_zyx, affine_lps),
        slices=tuple(np.unique(index_zyx[:, 0]).tolist()),
        voxel_count=len(piece),
        weighted_pixels=weighted_pixels,
        weighted_pixels_paper=weighted_pixels_paper,
    )


def _per_vessel(counts: Sequence[int], lesions: Sequence[Lesion], unit: float) -> VesselValues:
    """Whole counts of the lesions, added per vessel and over all, times one unit each."""
    by_vessel = dict.fromkeys(Vessel, 0)
    for count, lesion in zip(counts, lesions, strict=True):
        by_vessel[lesion.vessel] += count
    return VesselValues.from_vessels({v: count * unit for v, count in by_vessel.items()}, total=sum(counts) * unit)


def _mass_per_vessel(calcium: CalciumVoxels, grid: VoxelGrid, calibration: MassCalibration) -> VesselValues:
    def mass_mg(hu: NDArray[Any]) -> float:
        return calibration.mass_mg(math.fsum(hu.tolist()) * grid.voxel_volume_mm3)

    by_vessel = {vessel: mass_mg(calcium.hu[calcium.vessel == vessel]) for vessel in Vessel}
    return VesselValues.from_vessels(by_vessel, total=mass_mg(calcium.hu))
