"""Decides how shapes become voxels: interpolation matrices, antialiased tubes and subsampled deposits.

Knows a grid and geometry in scan LPS mm; no tissue and no HU.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from coronary.virtual_patient.deposits import Deposit, blob_concentration
from coronary.virtual_patient.shapes import Field, Points, as_points

_TUBE_PLANES_PER_SLICE_MM: Final = 1.0
_DEPOSIT_PLANE_MM: Final = 0.5
_DEPOSIT_PIXEL_MM: Final = 0.22


@dataclass(frozen=True)
class Grid:
    """Voxel centres in scan LPS mm: x (toward left), y (toward posterior), z ascending toward the head."""

    x_mm: Field
    y_mm: Field
    z_mm: Field
    pixel_mm: float
    thickness_mm: float

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        """Return the number of slices, rows and columns."""
        return len(self.z_mm), len(self.y_mm), len(self.x_mm)

    def planes(self, count: int) -> Field:
        """Return ``count`` evenly spaced plane positions inside each slice, shape ``[slices, count]``."""
        offsets = ((np.arange(count) + 0.5) / count - 0.5) * self.thickness_mm
        return np.asarray(self.z_mm[:, None] + offsets, dtype=np.float32)

    def pixel_range(self, low: float, high: float, axis_mm: Field) -> tuple[int, int]:
        """Return the half-open index range of pixels whose centres lie within ``[low, high]`` along one axis."""
        first = int(np.clip(np.ceil((low - axis_mm[0]) / self.pixel_mm), 0, len(axis_mm)))
        last = int(np.clip(np.floor((high - axis_mm[0]) / self.pixel_mm) + 1, first, len(axis_mm)))
        return first, last


def interpolation_matrix(fine_mm: Field, coarse_mm: Field) -> npt.NDArray[np.float32]:
    """Return the Catmull–Rom matrix ``[fine, coarse]`` that interpolates a uniformly sampled axis."""
    step = float(coarse_mm[1] - coarse_mm[0]) if len(coarse_mm) > 1 else 1.0
    at = (fine_mm - coarse_mm[0]) / step
    base = np.clip(np.floor(at).astype(int), 0, max(len(coarse_mm) - 2, 0))
    t = np.clip(at - base, 0.0, 1.0)
    weights = np.stack(
        [
            -0.5 * t + t**2 - 0.5 * t**3,
            1.0 - 2.5 * t**2 + 1.5 * t**3,
            0.5 * t + 2.0 * t**2 - 1.5 * t**3,
            -0.5 * t**2 + 0.5 * t**3,
        ]
    )
    matrix = np.zeros((len(fine_mm), len(coarse_mm)), dtype=np.float32)
    rows = np.arange(len(fine_mm))
    for k in range(4):
        np.add.at(matrix, (rows, np.clip(base + k - 1, 0, len(coarse_mm) - 1)), weights[k])
    return matrix


def window(grid: Grid, segments: Points, margin_mm: float = 1.5) -> tuple[Grid, tuple[slice, slice, slice]]:
    """Return the part of a grid that a set of capsules can touch, and where it lies in the full grid."""
    margin = np.maximum(segments[:, 6], segments[:, 7])[:, None] + margin_mm
    low = (np.minimum(segments[:, 0:3], segments[:, 3:6]) - margin).min(axis=0)
    high = (np.maximum(segments[:, 0:3], segments[:, 3:6]) + margin).max(axis=0)
    x = slice(*grid.pixel_range(float(low[0]), float(high[0]), grid.x_mm))
    y = slice(*grid.pixel_range(float(low[1]), float(high[1]), grid.y_mm))
    half = 0.5 * grid.thickness_mm
    touched = np.flatnonzero((grid.z_mm + half > low[2]) & (grid.z_mm - half < high[2]))
    z = slice(int(touched[0]), int(touched[-1]) + 1) if len(touched) else slice(0, 0)
    return Grid(grid.x_mm[x], grid.y_mm[y], grid.z_mm[z], grid.pixel_mm, grid.thickness_mm), (z, y, x)


def tube_coverage(
    grid: Grid,
    segments: Points,
    labels: npt.NDArray[np.uint8] | None = None,
    label_of: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.float32]:
    """Return the fraction of each voxel inside a set of capsules.

    ``segments`` is ``[n, 8]``: start and end in scan LPS mm and the radii there. Antialiased in plane, sampled in
    planes about 1 mm apart through the slice. With ``label_of`` (one per capsule), ``labels`` receives the label of the
    nearest capsule where at least half of the voxel is inside.
    """
    coverage = np.zeros(grid.shape_zyx, dtype=np.float32)
    if len(segments) == 0:
        return coverage
    count = max(1, round(grid.thickness_mm / _TUBE_PLANES_PER_SLICE_MM))
    planes = as_points(grid.planes(count))
    margin = np.maximum(segments[:, 6], segments[:, 7]) + grid.pixel_mm
    low = as_points(np.minimum(segments[:, 0:3], segments[:, 3:6]) - margin[:, None])
    high = as_points(np.maximum(segments[:, 0:3], segments[:, 3:6]) + margin[:, None])
    buffer = np.empty((count, *grid.shape_zyx[1:]), dtype=np.float32)
    owner = None if label_of is None else np.zeros(buffer.shape, dtype=np.uint8)
    for k in range(grid.shape_zyx[0]):
        touching = np.flatnonzero((high[:, 2] > planes[k, 0]) & (low[:, 2] < planes[k, -1]))
        if len(touching) == 0:
            continue
        box = _tube_slice(grid, planes[k], segments, (low, high), touching, buffer, owner, label_of)
        if box is None:
            continue
        y, x = box
        coverage[k, y, x] = np.clip(0.5 - buffer[:, y, x] / grid.pixel_mm, 0.0, 1.0).mean(axis=0)
        if labels is not None and owner is not None:
            labels[k, y, x] = np.where(coverage[k, y, x] >= 0.5, owner[count // 2, y, x], 0)
    return coverage


def _tube_slice(
    grid: Grid,
    planes: Field,
    segments: Points,
    reach: tuple[Points, Points],
    touching: npt.NDArray[np.intp],
    buffer: npt.NDArray[np.float32],
    owner: npt.NDArray[np.uint8] | None,
    label_of: npt.NDArray[np.uint8] | None,
) -> tuple[slice, slice] | None:
    """Fill ``buffer`` with the signed distance to the touching segments; return the rows and columns filled."""
    low, high = reach
    x0, x1 = grid.pixel_range(float(low[touching, 0].min()), float(high[touching, 0].max()), grid.x_mm)
    y0, y1 = grid.pixel_range(float(low[touching, 1].min()), float(high[touching, 1].max()), grid.y_mm)
    if x0 >= x1 or y0 >= y1:
        return None
    buffer[:, y0:y1, x0:x1] = 9.0
    for i in touching:
        a0, a1 = grid.pixel_range(low[i, 0], high[i, 0], grid.x_mm)
        b0, b1 = grid.pixel_range(low[i, 1], high[i, 1], grid.y_mm)
        if a0 >= a1 or b0 >= b1:
            continue
        start, ab, r0, r1 = segments[i, :3], segments[i, 3:6] - segments[i, :3], segments[i, 6], segments[i, 7]
        dx = (grid.x_mm[a0:a1] - start[0])[None, None, :]
        dy = (grid.y_mm[b0:b1] - start[1])[None, :, None]
        dz = (planes - start[2])[:, None, None]
        length2 = max(float(ab @ ab), 1e-6)
        t = np.clip((dx * ab[0] + dy * ab[1] + dz * ab[2]) / length2, 0.0, 1.0)
        d = np.sqrt((dx - t * ab[0]) ** 2 + (dy - t * ab[1]) ** 2 + (dz - t * ab[2]) ** 2) - (r0 + t * (r1 - r0))
        view = buffer[:, b0:b1, a0:a1]
        if owner is not None and label_of is not None:
            owner[:, b0:b1, a0:a1][d < view] = label_of[i]
        np.minimum(view, d, out=view)
    return slice(y0, y1), slice(x0, x1)


@dataclass(frozen=True)
class DepositBox:
    """Mean concentration of one deposit per voxel inside a box that starts at ``corner_zyx``."""

    corner_zyx: tuple[int, int, int]
    concentration: npt.NDArray[np.float32]

    def slices(self) -> tuple[slice, slice, slice]:
        """Return the box as slices of the full grid."""
        z, y, x = self.corner_zyx
        n = self.concentration.shape
        return slice(z, z + n[0]), slice(y, y + n[1]), slice(x, x + n[2])


def deposit_box(grid: Grid, deposit: Deposit, rotation: Points, shift_mm: Points, margin: int = 6) -> DepositBox | None:
    """Return the voxel means of a deposit given in patient LPS mm, subsampled in plane and through the slice.

    ``margin`` pixels of zeros are left around it for blurring. ``None`` when it lies outside the grid.
    """
    centres = as_points(deposit.centres @ rotation.T + shift_mm)
    frames = as_points(deposit.frames @ rotation.T)
    spans = frames * deposit.semi_axes_mm[:, :, None] * 1.12
    reach = np.sqrt(np.sum(spans**2, axis=1))
    low, high = (centres - reach).min(axis=0), (centres + reach).max(axis=0)
    half = 0.5 * grid.pixel_mm
    x0, x1 = grid.pixel_range(low[0] - half, high[0] + half, grid.x_mm)
    y0, y1 = grid.pixel_range(low[1] - half, high[1] + half, grid.y_mm)
    touched = np.flatnonzero(
        (grid.z_mm + 0.5 * grid.thickness_mm > low[2]) & (grid.z_mm - 0.5 * grid.thickness_mm < high[2])
    )
    if x0 >= x1 or y0 >= y1 or len(touched) == 0:
        return None
    x0, x1 = max(0, x0 - margin), min(len(grid.x_mm), x1 + margin)
    y0, y1 = max(0, y0 - margin), min(len(grid.y_mm), y1 + margin)
    z0, z1 = int(touched[0]), int(touched[-1]) + 1
    n = max(1, round(grid.pixel_mm / _DEPOSIT_PIXEL_MM))
    m = max(1, round(grid.thickness_mm / _DEPOSIT_PLANE_MM))
    sub = (((np.arange(n) + 0.5) / n - 0.5) * grid.pixel_mm).astype(np.float32)
    xs = (grid.x_mm[x0:x1, None] + sub).ravel()
    ys = (grid.y_mm[y0:y1, None] + sub).ravel()
    zs = grid.planes(m)[z0:z1].ravel()
    values = np.zeros((len(zs), len(ys), len(xs)), dtype=np.float32)
    order = np.argsort(zs)
    for k in range(len(centres)):
        _add_blob(
            values,
            xs,
            ys,
            zs,
            order,
            centres[k],
            reach[k],
            frames[k] / deposit.semi_axes_mm[k][:, None],
            float(deposit.concentration[k]),
        )
    mean = values.reshape(z1 - z0, m, y1 - y0, n, x1 - x0, n).mean(axis=(1, 3, 5))
    return DepositBox((z0, y0, x0), np.asarray(mean, dtype=np.float32))


def _add_blob(
    values: npt.NDArray[np.float32],
    xs: Field,
    ys: Field,
    zs: Field,
    order: npt.NDArray[np.intp],
    centre: Points,
    reach: Points,
    inverse_axes: Points,
    concentration: float,
) -> None:
    x = slice(*np.searchsorted(xs, (centre[0] - reach[0], centre[0] + reach[0])))
    y = slice(*np.searchsorted(ys, (centre[1] - reach[1], centre[1] + reach[1])))
    z = order[slice(*np.searchsorted(zs[order], (centre[2] - reach[2], centre[2] + reach[2])))]
    if len(z) == 0 or x.start == x.stop or y.start == y.stop:
        return
    blob = blob_concentration(
        (xs[x] - centre[0])[None, None, :],
        (ys[y] - centre[1])[None, :, None],
        (zs[z] - centre[2])[:, None, None],
        inverse_axes,
        concentration,
    )
    values[z, y, x] = np.maximum(values[z, y, x], blob)
