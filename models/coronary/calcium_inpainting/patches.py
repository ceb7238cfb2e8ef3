"""Cubes of a contrast scan at one voxel size, part of them hidden: what the inpainting networks see and answer.

Decides voxel size, attenuation range and what "hidden" means, for training and serving alike.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from coronary.ct_volume import CtVolume
from coronary.imaging.sampling import sample_linear

#: A patch is a cube of so many voxels of this size (paper 2, section 2.1).
PATCH_VOXELS: Final = 32
PATCH_MM: Final = 0.47

#: Sides of the hidden cube in the middle, voxels: the paper's, and the smaller one that did better there.
HIDDEN_VOXELS: Final = (16, 8)

#: Attenuation of 0 and 1 at the networks, HU: lung and fat are one dark, dense calcium one bright.
RANGE_HU: Final = (-300.0, 1200.0)


def patch_axes(affine_lps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions of the columns, rows and slices of a volume in LPS, unit vectors, as columns of (3, 3)."""
    axes: NDArray[np.float64] = affine_lps[:3, :3] / np.linalg.norm(affine_lps[:3, :3], axis=0)
    return axes


def patch_places(middle_lps_mm: NDArray[np.float64], affine_lps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Middles of the voxels of a patch, shape (32, 32, 32, 3), LPS mm, along the axes of the volume (z, y, x).

    `middle_lps_mm` has shape (3,) and lies between the two voxels in the middle of every axis.
    """
    along = (np.arange(PATCH_VOXELS) - 0.5 * (PATCH_VOXELS - 1)) * PATCH_MM
    z, y, x = np.meshgrid(along, along, along, indexing="ij")
    places: NDArray[np.float64] = middle_lps_mm + np.stack([x, y, z], axis=-1) @ patch_axes(affine_lps).T
    return places


def cut_patch(volume: CtVolume, middle_lps_mm: NDArray[np.float64]) -> NDArray[np.float32]:
    """The patch around a point, shape (32, 32, 32), HU, interpolated linearly."""
    return sample_linear(volume, patch_places(middle_lps_mm, volume.affine_lps))


def hidden_cube(side: int) -> NDArray[np.bool_]:
    """Which voxels of a patch are hidden: a cube of `side` voxels in its middle."""
    hidden = np.zeros((PATCH_VOXELS,) * 3, dtype=np.bool_)
    inner = slice((PATCH_VOXELS - side) // 2, (PATCH_VOXELS + side) // 2)
    hidden[inner, inner, inner] = True
    return hidden


def to_unit(hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """Attenuation as the networks see it: 0 to 1 over RANGE_HU, clipped."""
    low, high = RANGE_HU
    return np.asarray(np.clip((hu - low) / (high - low), 0.0, 1.0), dtype=np.float32)


def to_hu(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inverse of :func:`to_unit`, HU."""
    low, high = RANGE_HU
    return np.asarray(unit * (high - low) + low, dtype=np.float32)


def network_input(patches_hu: NDArray[np.float32], hidden: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Attenuation without what is hidden, and what is hidden.

    Parameters
    ----------
    patches_hu
        Shape (n, 32, 32, 32), HU.
    hidden
        Shape (32, 32, 32), or (n, 32, 32, 32) where it differs.

    Returns
    -------
    ndarray
        Shape (n, 2, 32, 32, 32).
    """
    is_hidden = np.broadcast_to(hidden, patches_hu.shape)
    return np.stack([np.where(is_hidden, 0.0, to_unit(patches_hu)), is_hidden.astype(np.float32)], axis=1)
