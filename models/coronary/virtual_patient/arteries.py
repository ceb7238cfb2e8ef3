"""Decides how arteries and veins are painted into a volume: wall, plaque, lumen, and their residual motion.

Without contrast the whole vessel is one soft tissue; with contrast the lumen is separate and labelled per segment.
"""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from coronary.virtual_patient.acquisition import Acquisition
from coronary.virtual_patient.coronary_tree import Branch
from coronary.virtual_patient.lumen import PLAQUE_HU, lumen_radius_mm, narrowing_profile
from coronary.virtual_patient.patient import VirtualPatient
from coronary.virtual_patient.raster import Grid, tube_coverage, window
from coronary.virtual_patient.shapes import Field, Points, as_points

_WALL_MM: Final = 0.5
_CONTRAST_WALL_MM: Final = 0.55
# Displacements below this are invisible at cardiac CT resolution and cost two more passes.
_SMALLEST_MOTION_MM: Final = 0.6


def motion_phases(acquisition: Acquisition) -> tuple[float, ...]:
    """Return the fractions of the residual displacement that are averaged; one if nothing moves by 0.6 mm."""
    largest = max(float(np.linalg.norm(d)) for d in acquisition.displacement_mm.values())
    return (0.0,) if largest < _SMALLEST_MOTION_MM else (-0.5, 0.0, 0.5)


def capsules(points: Points, radius: Field, acquisition: Acquisition, shift: Points | float, every: int) -> Points:
    """Return capsules ``[n, 8]`` in scan LPS mm along patient points, displaced by ``shift``."""
    nodes = np.arange(0, len(points), every)
    if nodes[-1] != len(points) - 1:
        nodes = np.append(nodes, len(points) - 1)
    placed = acquisition.to_scan(points[nodes]) + shift
    r = radius[nodes]
    return as_points(np.concatenate([placed[:-1], placed[1:], r[:-1, None], r[1:, None]], axis=1))


def paint_unenhanced_arteries(
    volume: npt.NDArray[np.float32], patient: VirtualPatient, acquisition: Acquisition, grid: Grid, hu: float
) -> None:
    """Paint all coronary arteries, wall included, with one HU."""

    def outer(branch: Branch) -> Field:
        return branch.radius_mm + np.float32(_WALL_MM)

    _cover(volume, [_all_capsules(patient, acquisition, p, outer, 3) for p in motion_phases(acquisition)], grid, hu)


def paint_enhanced_vessels(
    volume: npt.NDArray[np.float32],
    patient: VirtualPatient,
    acquisition: Acquisition,
    grid: Grid,
    tissue: dict[str, float],
) -> npt.NDArray[np.uint8]:
    """Paint veins, artery walls, non-calcified plaque and lumen; return the lumen's SCCT segment ids."""
    veins = [capsules(v.points, v.radius_mm, acquisition, 0.0, 2) for v in patient.veins]
    _cover(volume, [np.concatenate(veins)], grid, tissue["pool vein"])
    phases = motion_phases(acquisition)

    def outer(branch: Branch) -> Field:
        return branch.radius_mm + np.float32(_CONTRAST_WALL_MM)

    def lumen(branch: Branch) -> Field:
        return lumen_radius_mm(branch, patient.narrowings)

    _cover(volume, [_all_capsules(patient, acquisition, p, outer, 2) for p in phases], grid, tissue["vessel_wall"] + 10)
    for narrowing in patient.narrowings:
        branch = patient.tree.branch(narrowing.branch)
        profile = narrowing_profile(branch, narrowing)
        inside = np.flatnonzero(profile > 0)
        if len(inside) < 2:
            continue
        points, radius = branch.points[inside], (outer(branch) - 0.15 + narrowing.outward_mm * profile)[inside]
        moved = [
            capsules(points, radius, acquisition, p * acquisition.displacement_mm[branch.vessel], 2) for p in phases
        ]
        _cover(volume, moved, grid, PLAQUE_HU[narrowing.composition])
    labels = np.zeros(grid.shape_zyx, dtype=np.uint8)
    segment_of = np.concatenate([_capsule_segments(b, 2) for b in patient.tree.branches])
    rows = [_all_capsules(patient, acquisition, p, lumen, 2) for p in phases]
    _cover(volume, rows, grid, tissue["pool coronary"], labels, segment_of)
    return labels


def _all_capsules(
    patient: VirtualPatient, acquisition: Acquisition, phase: float, radius_of: Callable[[Branch], Field], every: int
) -> Points:
    rows = [
        capsules(b.points, radius_of(b), acquisition, phase * acquisition.displacement_mm[b.vessel], every)
        for b in patient.tree.branches
    ]
    return np.concatenate(rows)


def _capsule_segments(branch: Branch, every: int) -> npt.NDArray[np.uint8]:
    """Return the SCCT segment id of each capsule of a branch, in the order of :func:`capsules`."""
    nodes = np.arange(0, len(branch.points), every)
    if nodes[-1] != len(branch.points) - 1:
        nodes = np.append(nodes, len(branch.points) - 1)
    return branch.segment[nodes[:-1]]


def _cover(
    volume: npt.NDArray[np.float32],
    phases: Iterable[Points],
    grid: Grid,
    hu: float,
    labels: npt.NDArray[np.uint8] | None = None,
    segment_of: npt.NDArray[np.uint8] | None = None,
) -> None:
    """Blend ``hu`` into the volume where capsules lie, averaged over phases; label the middle phase."""
    rows = list(phases)
    part, where = window(grid, np.concatenate(rows))
    if 0 in part.shape_zyx:
        return
    coverage = np.zeros(part.shape_zyx, dtype=np.float32)
    for i, capsule_rows in enumerate(rows):
        if labels is not None and i == len(rows) // 2:
            coverage += tube_coverage(part, capsule_rows, labels[where], segment_of) / len(rows)
        else:
            coverage += tube_coverage(part, capsule_rows) / len(rows)
    volume[where] += coverage * (hu - volume[where])
