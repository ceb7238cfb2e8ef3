"""From frames with a position to a regular, orthogonal grid of slices, or the reason why they are none.

Decides what counts as regular, as a gap, as a tilted gantry. Never fills or resamples:
interpolated calcium is no calcium.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agatha.assemble.instances import Frame
from agatha.assemble.refused import Refused

#: Two planes closer than this along the normal are at one position, mm.
SAME_POSITION_MM: Final = 0.01

#: Two orientations are the same when no direction cosine differs by more than rounding does.
ORIENTATION_TOLERANCE: Final = 2e-4

#: Direction cosines may miss unit length or a right angle by this much before they are called wrong.
COSINE_TOLERANCE: Final = 1e-2

#: A step is regular when it is within either of the median: 1 % or 0.05 mm.
RELATIVE_STEP_TOLERANCE: Final = 0.01
ABSOLUTE_STEP_TOLERANCE_MM: Final = 0.05

#: Planes closer together than this are no CT reconstruction; the tolerance above would accept any disorder of them.
MINIMUM_SPACING_MM: Final = 0.1

#: In-plane shift from one slice to the next above which the volume is sheared, mm. GantryDetectorTilt is not asked: it
#: is nominal, and its sign depends on the vendor.
MAXIMUM_SHIFT_MM: Final = 0.1


#: The same over the whole volume: two pixels, which shifts lesions against their neighbours.
MAXIMUM_TOTAL_SHIFT_MM: Final = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A frame and where it lies along the normal of the series."""

    frame: Frame
    along_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class SliceGrid:
    """Frames in volume order, and the affine of ``CtVolume``."""

    frames: tuple[Frame, ...]
    affine_lps: NDArray[np.float64]


def image_normal(frame: Frame) -> NDArray[np.float64] | None:
    """Unit normal of the image plane, row direction × column direction (PS3.3 C.7.6.2.1.1); None without a plane."""
    if len(frame.orientation) != 6:
        return None
    normal = np.cross(frame.orientation[:3], frame.orientation[3:])
    length = float(np.linalg.norm(normal))
    return normal / length if length > 0 else None


def place_frames(frames: Sequence[Frame]) -> list[Plane]:
    """Check that every frame has its geometry and that all share one orientation; sort along the normal.

    Raises
    ------
    Refused
        ``MISSING_GEOMETRY``, ``INVALID_GEOMETRY``, ``MIXED_ORIENTATION``.
    """
    for frame in frames:
        _check_geometry(frame)
    reference = frames[0]
    for frame in frames:
        difference = np.max(np.abs(np.subtract(frame.orientation, reference.orientation)))
        if difference > ORIENTATION_TOLERANCE:
            text = (
                f"The orientation of the slices is not constant: {frame.name} differs from {reference.name} by "
                f"{difference:.4f} in a direction cosine."
            )
            raise Refused("MIXED_ORIENTATION", text, largest_difference=float(difference), instance=frame.name)
    normal = _axes(reference)[2]
    planes = [Plane(frame, float(np.dot(frame.position_lps_mm, normal))) for frame in frames]
    return sorted(planes, key=lambda plane: (plane.along_mm, plane.frame.order))


def repeats(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Planes that share their place along the normal with others; `planes` sorted along it."""
    return [group for group in by_position(planes) if len(group) > 1]


def by_position(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Planes grouped by their place along the normal, in order; `planes` sorted along it."""
    groups: list[list[Plane]] = []
    for plane in planes:
        if groups and plane.along_mm - groups[-1][0].along_mm < SAME_POSITION_MM:
            groups[-1].append(plane)
        else:
            groups.append([plane])
    return groups


def grid_problem(planes: Sequence[Plane]) -> str | None:
    """Code of the refusal that `slice_grid` would raise, None for a grid."""
    try:
        slice_grid(planes)
    except Refused as refused:
        return refused.refusal.code
    return None


def slice_grid(planes: Sequence[Plane]) -> SliceGrid:
    """Order the planes into a grid; `planes` sorted along the normal, no position twice.

    The step that is judged is the median. The grid is laid with the mean step: positions written with few decimals
    (0.62, 0.63, 0.62 … for 0.625 mm) would otherwise add up to millimetres over a long volume.

    Raises
    ------
    Refused
        ``TOO_FEW_SLICES``, ``TILTED_GANTRY``, ``IN_PLANE_SHIFT``, ``GAP_BETWEEN_SLICES``, ``IRREGULAR_SPACING``.
    """
    if len(planes) < 2:
        raise Refused(
            "TOO_FEW_SLICES", f"A volume needs at least 2 slices, there is {len(planes)}.", slices=len(planes)
        )
    along = np.array([plane.along_mm for plane in planes])
    _check_shift(planes, along)
    _check_steps(along)
    row, column, normal = _axes(planes[0].frame)
    row_spacing, column_spacing = planes[0].frame.pixel_spacing_mm
    affine = np.eye(4)
    affine[:3, 0] = row * column_spacing
    affine[:3, 1] = column * row_spacing
    affine[:3, 2] = normal * round(float(along[-1] - along[0]) / (len(planes) - 1), 6)
    affine[:3, 3] = planes[0].frame.position_lps_mm
    return SliceGrid(tuple(plane.frame for plane in planes), affine)


def _check_shift(planes: Sequence[Plane], along: NDArray[np.float64]) -> None:
    normal = _axes(planes[0].frame)[2]
    in_plane = np.array([plane.frame.position_lps_mm for plane in planes]) - along[:, None] * normal
    shifts = np.linalg.norm(np.diff(in_plane, axis=0), axis=1)
    total = float(np.max(np.linalg.norm(in_plane - in_plane[0], axis=1)))
    worst = int(np.argmax(shifts))
    if shifts[worst] <= MAXIMUM_SHIFT_MM and total <= MAXIMUM_TOTAL_SHIFT_MM:
        return
    shift, at = float(shifts[worst]), float(along[worst])
    if shift > MAXIMUM_SHIFT_MM >= float(np.median(shifts)):
        text = f"The slices are shifted by {shift:.2f} mm in their plane, between {at:.2f} mm and the next slice."
        raise Refused("IN_PLANE_SHIFT", text, shift_mm=shift, position_mm=at)
    tilt = float(np.degrees(np.arctan2(np.median(shifts), np.median(np.diff(along)))))
    text = (
        f"The slices drift in their plane, by up to {shift:.2f} mm per step and {total:.2f} mm in all: the gantry was "
        f"tilted by {tilt:.1f}°."
    )
    raise Refused("TILTED_GANTRY", text, shift_mm=shift, total_shift_mm=total, tilt_deg=tilt, position_mm=at)


def _check_steps(along: NDArray[np.float64]) -> None:
    steps = np.diff(along)
    median = float(np.median(steps))
    if median < MINIMUM_SPACING_MM:
        text = f"The slices lie {median:.3f} mm apart, closer than {MINIMUM_SPACING_MM} mm."
        raise Refused("IRREGULAR_SPACING", text, spacing_mm=median, position_mm=float(along[0]))
    tolerance = max(RELATIVE_STEP_TOLERANCE * median, ABSOLUTE_STEP_TOLERANCE_MM)
    multiples = np.maximum(np.rint(steps / median), 1)
    is_regular = np.abs(steps - median) <= tolerance
    is_multiple = np.abs(steps - multiples * median) <= multiples * tolerance
    gaps = np.flatnonzero(~is_regular & is_multiple)
    others = np.flatnonzero(~is_regular & ~is_multiple)
    if others.size:
        first = int(others[0])
        text = (
            f"The slices are not evenly spaced: {steps[first]:.2f} mm after {along[first]:.2f} mm along the normal, "
            f"elsewhere {median:.2f} mm."
        )
        detail = {"position_mm": float(along[first]), "step_mm": float(steps[first]), "spacing_mm": median}
        raise Refused("IRREGULAR_SPACING", text, **detail)
    if gaps.size:
        first = int(gaps[0])
        missing = int(multiples[gaps].sum()) - gaps.size
        text = (
            f"{missing} {'slice is' if missing == 1 else 'slices are'} missing, the first after {along[first]:.2f} mm "
            f"along the normal (step {steps[first]:.2f} mm, elsewhere {median:.2f} mm)."
        )
        detail = {"position_mm": float(along[first]), "step_mm": float(steps[first]), "spacing_mm": median}
        raise Refused("GAP_BETWEEN_SLICES", text, missing_slices=missing, **detail)


def _check_geometry(frame: Frame) -> None:
    present = {
        "ImagePositionPatient": len(frame.position_lps_mm) == 3,
        "ImageOrientationPatient": len(frame.orientation) == 6,
        "PixelSpacing": len(frame.pixel_spacing_mm) == 2,
        "Rows": frame.rows > 0,
        "Columns": frame.columns > 0,
    }
    for keyword, is_present in present.items():
        if not is_present:
            text = f"{keyword} is missing or not readable in {frame.name}."
            raise Refused("MISSING_GEOMETRY", text, attribute=keyword, instance=frame.name)
    if min(frame.pixel_spacing_mm) <= 0:
        text = f"PixelSpacing is not positive in {frame.name}."
        raise Refused("INVALID_GEOMETRY", text, attribute="PixelSpacing", instance=frame.name)
    row, column = np.array(frame.orientation[:3]), np.array(frame.orientation[3:])
    lengths = np.array([np.linalg.norm(row), np.linalg.norm(column)])
    if np.max(np.abs(lengths - 1)) > COSINE_TOLERANCE or abs(float(row @ column)) > COSINE_TOLERANCE:
        text = f"ImageOrientationPatient is no pair of perpendicular unit vectors in {frame.name}."
        raise Refused("INVALID_GEOMETRY", text, attribute="ImageOrientationPatient", instance=frame.name)


def _axes(frame: Frame) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors of a row, a column and the normal, made exactly perpendicular (cosines are written rounded)."""
    row = np.array(frame.orientation[:3])
    row = row / np.linalg.norm(row)
    column = np.array(frame.orientation[3:])
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    return row, column, np.cross(row, column)
