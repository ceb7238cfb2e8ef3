"""What in the heart is bright enough to be calcium: pieces in each slice, and the views of them that the network sees.

Decides what is looked at and how. A piece is centred in its views, near by and from afar, so a network sees both what
it is and where it lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.calcium import AGATSTON_THRESHOLD_HU, BONE_MM3, MINIMUM_CALCIUM_AREA_MM2
from coronary.calcium.voxel_grid import VoxelGrid
from coronary.ct_volume import CtVolume

#: Rows and columns of a view.
VIEW_PIXELS: Final = 96

#: Pixel of the near and of the far view, and distance of the slices below and above that each shows as well, mm.
VIEWS_MM: Final = ((0.5, 3.0), (2.0, 12.0))

#: Planes of all views of a piece: below, at and above it, near, then far.
CHANNELS: Final = 3 * len(VIEWS_MM)

#: So far from the heart a piece may lie, mm.
MARGIN_MM: Final = 5.0

#: Smoothed slices kept, of about 1 MB each: pieces come slice by slice, and those of thin slices reach over some 60.
KEPT_SLICES: Final = 128

#: Attenuation window of all images of this family, HU. The paper's have the grey values of PNG files and no window is
#: given; a score tells attenuations apart up to 400.
WINDOW_HU: Final = (-200.0, 600.0)


@dataclass(frozen=True, slots=True, eq=False)
class BrightPieces:
    """Pieces of one scan, in the order of the slices; all arrays have one entry per piece.

    Parameters
    ----------
    centre_zyx
        Shape (n, 3): slice, and the middle of the piece in it, voxels.
    object_of
        Number of the connected bright object in three dimensions that the piece is a slice of.
    piece_map
        Shape of the volume: number of the piece from 1 that a voxel is in, 0 elsewhere.
    """

    centre_zyx: NDArray[np.float64]
    object_of: NDArray[np.int64]
    piece_map: NDArray[np.uint32]

    def sums(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """What some values, shape of the volume, add up to in each piece."""
        found = np.bincount(self.piece_map.ravel(), values.ravel(), minlength=len(self.object_of) + 1)
        return found[1:].astype(np.float64)


def bright_pieces(volume: CtVolume, is_heart: NDArray[np.bool_]) -> BrightPieces:
    """Find the pieces in the heart, a mask of the shape of the volume.

    MARGIN_MM around it count as heart: its mask cuts off arteries that lie against the lung. What a score drops as
    noise is dropped here too: objects, 6-connected, of less than 1 mm² summed over slices. Bone is dropped by its size.
    An object that reaches out of the heart counts as a whole; only its slices that touch the heart are pieces.
    """
    grid = VoxelGrid.checked(volume.spacing_zyx_mm)
    _, row_mm, column_mm = grid.spacing_zyx_mm
    reach = [2 * round(MARGIN_MM / size_mm) + 1 for size_mm in (row_mm, column_mm)]
    near_heart = ndimage.maximum_filter(is_heart, (1, *reach))
    objects = cc3d.connected_components(volume.voxels_hu >= AGATSTON_THRESHOLD_HU, connectivity=6)
    voxels = np.bincount(objects.ravel())
    is_bone = voxels * grid.voxel_volume_mm3 >= BONE_MM3
    objects[(is_bone | ~grid.reaches_area(voxels, MINIMUM_CALCIUM_AREA_MM2))[objects]] = 0
    piece_map = np.zeros(volume.voxels_hu.shape, np.uint32)
    centres: list[list[float]] = []
    object_of: list[int] = []
    for z in np.flatnonzero((objects.astype(np.bool_) & near_heart).any(axis=(1, 2))).tolist():
        labels, count = ndimage.label(objects[z])
        in_heart = np.setdiff1d(np.unique(labels[near_heart[z]]), 0)
        new_number = np.zeros(count + 1, np.uint32)
        new_number[in_heart] = len(object_of) + 1 + np.arange(len(in_heart))
        piece_map[z] = new_number[labels]
        middles = np.array(ndimage.center_of_mass(labels > 0, labels, in_heart)).reshape(-1, 2)
        for number, middle in zip(in_heart, middles.tolist(), strict=True):
            centres.append([z, *middle])
            object_of.append(int(objects[z][labels == number][0]))
    return BrightPieces(np.array(centres).reshape(-1, 3), np.array(object_of, np.int64), piece_map)


class PieceViews:
    """What the network sees of the pieces of one scan; slices are smoothed once where pieces come in their order.

    Rows run to the back, columns to the left of the patient, channels to the head, however the scan is stored. Beyond
    its edge the last rows, columns and slices are repeated.
    """

    def __init__(self, volume: CtVolume) -> None:
        self._volume = volume
        self._slice = lru_cache(KEPT_SLICES)(self._smoothed)

    def of(self, centre_zyx: NDArray[np.float64]) -> NDArray[np.float32]:
        """Views around n middles, shape (n, CHANNELS, VIEW_PIXELS, VIEW_PIXELS), the window from -1 to 1."""
        slice_mm, row_mm, column_mm = self._volume.spacing_zyx_mm
        to_left, to_back, to_head = np.sign(np.diag(self._volume.affine_lps)[:3])
        steps = np.arange(VIEW_PIXELS) - 0.5 * (VIEW_PIXELS - 1)
        found = np.zeros((len(centre_zyx), CHANNELS, VIEW_PIXELS, VIEW_PIXELS), np.float32)
        for view, (pixel_mm, between_mm) in enumerate(VIEWS_MM):
            apart = max(1, round(between_mm / slice_mm))
            rows, columns = steps * (to_back * pixel_mm / row_mm), steps * (to_left * pixel_mm / column_mm)
            for k, (z, row, column) in enumerate(centre_zyx.tolist()):
                at = np.meshgrid(row + rows, column + columns, indexing="ij")
                for plane in range(3):
                    z_here = min(max(int(z + (plane - 1) * to_head * apart), 0), len(self._volume.voxels_hu) - 1)
                    here = self._slice(view, z_here)
                    ndimage.map_coordinates(here, at, found[k, 3 * view + plane], order=1, mode="nearest")
        return network_input(found)

    def _smoothed(self, view: int, z: int) -> NDArray[np.float32]:
        """A slice for one of VIEWS_MM; what lies between the pixels of a view is smoothed in."""
        sigma = [0.5 * max(VIEWS_MM[view][0] / size_mm - 1.0, 0.0) for size_mm in self._volume.spacing_zyx_mm[1:]]
        clipped = np.clip(self._volume.voxels_hu[z].astype(np.float32), *WINDOW_HU)
        smoothed: NDArray[np.float32] = ndimage.gaussian_filter(clipped, sigma)
        return smoothed


def network_input(images_hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """Images in HU as a network takes them: the same shape, the window from -1 to 1."""
    low, high = WINDOW_HU
    return np.asarray((np.clip(images_hu, low, high) - low) * (2.0 / (high - low)) - 1.0, dtype=np.float32)
