"""Cubes of a contrast scan at one voxel size, part of them hidden: what the inpainting networks see and answer.

Decides voxel size, attenuation range and what "hidden" means, for training and serving alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from coronary.ct_volume import CtVolume
from coronary.imaging.sampling import sample_linear

#: A patch is a cube of so many voxels of this size (paper 2, section 2.1).
PATCH_VOXELS: Final = 32
PATCH_MM: Final = 0.47

#: Sides of the hidden cube in the middle, voxels: the paper's, and the smaller one that did better there.
HIDDEN_VOXELS: Final = (16, 8)

#: Attenuation of 0 and 1 at the inpainting networks, HU: lung and fat are one dark, dense calcium one bright.
RANGE_HU: Final = (-300.0, 1200.0)

#: Attenuation of 0 at the removal network, HU: wall and plaque without calcium; blood is 1.
WALL_HU: Final = 60.0

#: What the removal network is shown of a patch: blood and tissue in detail, and calcium up to the densest.
FINE_RANGE: Final = (-1.0, 2.0)
COARSE_RANGE: Final = (0.0, 12.0)


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


def cubes_over(
    places_mm: NDArray[np.float64], reach_mm: float
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.intp]]]:
    """Cubes that together cover all places, each place once.

    Parameters
    ----------
    places_mm
        Shape (n, 3), along the axes of the cubes.
    reach_mm
        From the middle of a cube to its faces.

    Yields
    ------
    middle, covered
        Shape (3,), and the indices of the places that this cube and none before it covers.
    """
    left = np.arange(len(places_mm))
    while len(left):
        first = places_mm[left[0]]
        near = places_mm[left][np.all(np.abs(places_mm[left] - first) <= reach_mm, axis=1)]
        # Where the cube covers the first place and much of what lies around it.
        middle: NDArray[np.float64] = np.clip(near.mean(axis=0), first - reach_mm, first + reach_mm)
        is_covered = np.all(np.abs(places_mm[left] - middle) <= reach_mm, axis=1)
        yield middle, left[is_covered]
        left = left[~is_covered]


def at_places(
    patch: NDArray[np.float32], places_mm: NDArray[np.float64], middle_mm: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Values of a patch at places (n, 3) along its axes, interpolated linearly; `middle_mm` is that of the patch."""
    # Columns are x, y, z; the patch is z, y, x.
    at = (places_mm - middle_mm)[:, ::-1].T / PATCH_MM + 0.5 * (PATCH_VOXELS - 1)
    return np.asarray(map_coordinates(patch, at, order=1, mode="nearest"), dtype=np.float32)


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


def removal_input(patches_hu: NDArray[np.float32], blood_hu: NDArray[np.float32] | float) -> NDArray[np.float32]:
    """Attenuation in units of the contrast between wall and blood, finely and coarsely, nothing hidden.

    Parameters
    ----------
    patches_hu
        Shape (n, 32, 32, 32), HU.
    blood_hu
        Attenuation of the coronary lumen, of all patches or of each, shape (n, 1, 1, 1).

    Returns
    -------
    ndarray
        Shape (n, 2, 32, 32, 32).
    """
    relative = (patches_hu - WALL_HU) / (blood_hu - WALL_HU)
    fine = np.clip(relative, *FINE_RANGE)
    coarse = np.clip(relative, *COARSE_RANGE) / COARSE_RANGE[1]
    return np.stack([fine, coarse], axis=1).astype(np.float32)
