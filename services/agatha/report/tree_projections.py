"""Projections of a contrast scan around the coronary tree, seen from the front, from the left and from the feet.

Decides what is projected: the brightest voxel near an artery, arteries tinted by vessel, calcium marked. Chambers would
hide the arteries, so what is farther away is left out, but for a faint aorta. Views follow the voxel axes nearest to
the axes of the patient; nothing is resampled before it is projected.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from agatha.report.colours import AORTA_RGB, CALCIUM_RGB, VESSEL_RGB
from agatha.report.slice_tiles import CONTRAST_SCAN_WINDOW
from coronary.calcium import Vessel
from coronary.contract import CalciumFindings
from coronary.coronary_tree import CoronaryTree
from coronary.ct_volume import CtVolume

#: What lies this near to a voxel of the tree is projected, mm.
NEAR_MM = 6.0

#: Nearness is decided in cells of this size, mm: exact enough, and a distance map of the voxels would take gigabytes.
_CELL_MM = 1.0

#: Surroundings are shown this bright, so that arteries stand out.
_SURROUNDINGS = 0.5

#: Least brightness of an artery, however thin.
_DIMMEST_ARTERY = 0.55

#: The aorta is this opaque where it is this thick.
_AORTA_OPACITY, _AORTA_MM = 0.45, 30.0

_NOTHING_HU = np.iinfo(np.int16).min

#: Directions in which the three axes of everything here run, LPS: to the feet, to the back, to the left.
_AXES_LPS = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])

Index = NDArray[np.intp]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class View:
    """One direction of view, in axes that run to the feet, to the back and to the left.

    Parameters
    ----------
    ray, rows, columns
        Axis that is projected along, and those that run down and to the right in the picture.
    is_seen_from_end
        Whether the viewer is where the ray's axis ends.
    letters
        Patient directions at the left, right, top and bottom edge.
    """

    title: str
    ray: int
    rows: int
    columns: int
    is_seen_from_end: bool
    letters: tuple[str, str, str, str]


VIEWS = (
    View("From the front", 1, 0, 2, False, ("R", "L", "H", "F")),
    View("From the left", 2, 0, 1, True, ("A", "P", "H", "F")),
    View("From the feet", 0, 1, 2, True, ("R", "L", "A", "P")),
)


@dataclass(frozen=True, slots=True)
class PatientAxes:
    """How the array axes of a volume are ordered and turned to run to the feet, to the back and to the left."""

    order: tuple[int, int, int]
    is_turned: tuple[bool, bool, bool]
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]

    @classmethod
    def of(cls, volume: CtVolume) -> PatientAxes:
        """Axes of a volume: the order in which array and patient axes are nearest to one another."""
        spacing = volume.spacing_zyx_mm
        along = _AXES_LPS @ (volume.affine_lps[:3, :3][:, ::-1] / np.array(spacing))
        order = max(permutations(range(3)), key=lambda axes: float(np.abs(along[range(3), axes]).sum()))
        shape = volume.voxels_hu.shape
        return cls(
            order=(order[0], order[1], order[2]),
            is_turned=(along[0, order[0]] < 0, along[1, order[1]] < 0, along[2, order[2]] < 0),
            shape=(shape[order[0]], shape[order[1]], shape[order[2]]),
            spacing_mm=(spacing[order[0]], spacing[order[1]], spacing[order[2]]),
        )

    def view(self, array_zyx: NDArray[Scalar]) -> NDArray[Scalar]:
        """View of an array of the volume's shape, without a copy."""
        steps = tuple(slice(None, None, -1 if turned else 1) for turned in self.is_turned)
        return array_zyx.transpose(self.order)[steps]

    def index(self, index_zyx: NDArray[np.integer[Any]] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Voxel indices, shape (n, 3), in these axes."""
        turned = np.asarray(index_zyx, dtype=np.float64)[:, self.order]
        last = np.array(self.shape) - 1.0
        return np.where(self.is_turned, last - turned, turned)


@dataclass(frozen=True, eq=False)
class TreeScene:
    """What all views show: the region around the tree and everything in it, in patient axes.

    Parameters
    ----------
    first, shape
        The region: first voxel, in patient axes, and size.
    surroundings_hu
        Per view of :data:`VIEWS`, the brightest voxel near the tree and outside the aorta, or the smallest int16.
    artery_index, artery_hu, artery_vessel
        Voxels of the tree, relative to the region.
    calcium_index
        Scored voxels, relative to the region.
    aorta
        Aorta in the region.
    """

    axes: PatientAxes
    first: tuple[int, int, int]
    shape: tuple[int, int, int]
    surroundings_hu: tuple[NDArray[np.int16], ...]
    artery_index: Index
    artery_hu: NDArray[np.int16]
    artery_vessel: NDArray[np.uint8]
    calcium_index: Index
    aorta: NDArray[np.bool_]

    @classmethod
    def of(cls, volume: CtVolume, findings: CalciumFindings) -> TreeScene:
        """Collect what the views show; ValueError without a coronary tree."""
        if findings.contrast is None or not len(findings.contrast.tree.voxels_zyx):
            raise ValueError("views of a coronary tree need findings with a coronary tree")
        axes = PatientAxes.of(volume)
        tree = findings.contrast.tree
        artery = axes.index(tree.voxels_zyx).astype(np.intp)
        calcium = axes.index(np.argwhere(findings.vessel_labels)).astype(np.intp)
        margin = np.ceil(NEAR_MM / np.array(axes.spacing_mm)).astype(np.intp)
        everything = np.concatenate([artery, calcium])
        first = np.maximum(everything.min(axis=0) - margin, 0)
        end = np.minimum(everything.max(axis=0) + margin + 1, axes.shape)
        region = tuple(slice(int(low), int(high)) for low, high in zip(first, end, strict=True))
        voxels = axes.view(volume.voxels_hu)[region]
        aorta = axes.view(findings.contrast.aorta_mask)[region]
        artery -= first
        shape = voxels.shape
        return cls(
            axes=axes,
            first=(int(first[0]), int(first[1]), int(first[2])),
            shape=(shape[0], shape[1], shape[2]),
            surroundings_hu=_surroundings(voxels, artery, aorta, axes.spacing_mm),
            artery_index=artery,
            artery_hu=voxels[tuple(artery.T)].astype(np.int16),
            artery_vessel=_vessel_of_voxels(tree),
            calcium_index=calcium - first,
            aorta=aorta,
        )

    def extent_mm(self, view: View) -> tuple[float, float]:
        """Height and width of a view."""
        spacing = self.axes.spacing_mm
        return self.shape[view.rows] * spacing[view.rows], self.shape[view.columns] * spacing[view.columns]

    def picture(self, view: View, pixels_per_mm: float) -> Image.Image:
        """Draw a view to scale, RGB."""
        canvas = np.repeat(self._surroundings(view)[..., None], 3, axis=2)
        thickness_mm = self.aorta.sum(axis=view.ray) * self.axes.spacing_mm[view.ray]
        opacity = (_AORTA_OPACITY * np.minimum(thickness_mm / _AORTA_MM, 1))[..., None]
        canvas = canvas * (1 - opacity) + np.array(AORTA_RGB) / 255 * opacity
        vessel, hu = self._arteries(view)
        brightness = _DIMMEST_ARTERY + (1 - _DIMMEST_ARTERY) * CONTRAST_SCAN_WINDOW.grey(hu)
        for each in Vessel:
            canvas[vessel == each] = (np.array(VESSEL_RGB[each]) / 255) * brightness[vessel == each][:, None]
        canvas[self.calcium_index[:, view.rows], self.calcium_index[:, view.columns]] = np.array(CALCIUM_RGB) / 255
        height_mm, width_mm = self.extent_mm(view)
        size = (max(1, round(width_mm * pixels_per_mm)), max(1, round(height_mm * pixels_per_mm)))
        native = Image.fromarray(np.round(canvas * 255).astype(np.uint8))
        return native.resize(size, Image.Resampling.BICUBIC)

    def place(self, view: View, point_lps_mm: NDArray[np.float64], volume: CtVolume) -> tuple[float, float]:
        """Where a point is in a view, mm from the left and from the top."""
        index = self.axes.index(volume.to_index_zyx(point_lps_mm)[None])[0] - np.array(self.first) + 0.5
        spacing = self.axes.spacing_mm
        return index[view.columns] * spacing[view.columns], index[view.rows] * spacing[view.rows]

    def _surroundings(self, view: View) -> NDArray[np.float64]:
        hu = self.surroundings_hu[VIEWS.index(view)]
        return _SURROUNDINGS * CONTRAST_SCAN_WINDOW.grey(hu).astype(np.float64)

    def _arteries(self, view: View) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
        """Vessel that is nearest to the viewer, 0 for none, and the brightest voxel of all arteries."""
        plane = (self.shape[view.rows], self.shape[view.columns])
        at = (self.artery_index[:, view.rows], self.artery_index[:, view.columns])
        brightest = np.full(plane, _NOTHING_HU, dtype=np.int16)
        np.maximum.at(brightest, at, self.artery_hu)
        depth = self.artery_index[:, view.ray]
        # The nearest comes last and is what remains.
        order = np.argsort(depth if view.is_seen_from_end else -depth, kind="stable")
        vessel = np.zeros(plane, dtype=np.uint8)
        vessel[at[0][order], at[1][order]] = self.artery_vessel[order]
        return vessel, brightest


def _surroundings(
    voxels_hu: NDArray[np.int16], artery: Index, aorta: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> tuple[NDArray[np.int16], ...]:
    """Brightest voxel near an artery and outside the aorta along each ray of :data:`VIEWS`, slice by slice."""
    depth, height, width = voxels_hu.shape
    front = np.full((depth, width), _NOTHING_HU, dtype=np.int16)
    left = np.full((depth, height), _NOTHING_HU, dtype=np.int16)
    feet = np.full((height, width), _NOTHING_HU, dtype=np.int16)
    for z, near in enumerate(_near(voxels_hu.shape, artery, spacing_mm)):
        hu = np.where(near & ~aorta[z], voxels_hu[z], _NOTHING_HU).astype(np.int16)
        front[z], left[z] = hu.max(axis=0), hu.max(axis=1)
        np.maximum(feet, hu, out=feet)
    return front, left, feet


def _near(shape: tuple[int, ...], artery: Index, spacing_mm: tuple[float, float, float]) -> Iterator[NDArray[np.bool_]]:
    """Per slice, which voxels are near an artery."""
    cells = [
        ((np.arange(count) + 0.5) * spacing / _CELL_MM).astype(np.intp)
        for count, spacing in zip(shape, spacing_mm, strict=True)
    ]
    far = np.ones([int(cell[-1]) + 1 for cell in cells], dtype=np.bool_)
    far[tuple(cell[artery[:, axis]] for axis, cell in enumerate(cells))] = False
    near = ndimage.distance_transform_edt(far, sampling=_CELL_MM) <= NEAR_MM
    for z in cells[0]:
        yield near[z][np.ix_(cells[1], cells[2])]


def _vessel_of_voxels(tree: CoronaryTree) -> NDArray[np.uint8]:
    """Vessel of each voxel of the tree, without a map as large as the volume."""
    first = np.cumsum([0, *(len(line.vessel) for line in tree.centerlines)])
    vessel: NDArray[np.uint8] = np.concatenate([line.vessel for line in tree.centerlines])
    return vessel[first[tree.voxel_centerline] + tree.voxel_point]
