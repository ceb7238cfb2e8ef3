"""From a contrast CT volume to the input of the two networks: one implementation for training and serving.

Decides the grids (fine for the coronary tree, coarse for the aorta and the vesselness), the attenuation mapping of the
scan and the channels. Nothing here is as large as the original volume twice: the fine grid is kept in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.ccta_scoring.attenuation_mapping import AttenuationMapping
from coronary.ccta_scoring.attenuation_mixture import (
    AttenuationMixture,
    attenuation_histogram,
    fit_attenuation_mixture,
)
from coronary.ccta_scoring.vesselness import measure_vesselness
from coronary.contract import Refusal
from coronary.ct_volume import CtVolume
from coronary.imaging.resampling import CropGrid, resample_linear

#: Fine grid: half of the narrowest lumen that is scored (1.5 mm) is more than a pixel.
PIXEL_MM = 0.5
CROP_PIXELS = 320

#: Coarse grid, the same 160 mm around the heart with voxels of 1 mm along all three axes.
COARSE_MM = 1.0
COARSE_PIXELS = 160

#: Neighbouring slices that the tree network sees, mm along the normal: near ones show where a vessel goes on, far ones
#: which chamber it lies on. Paper 1, section 2.4, has five adjacent slices.
TREE_OFFSETS_MM = (-5.0, -2.0, -0.75, 0.0, 0.75, 2.0, 5.0)

#: Channels of the tree network: the slices, and the vesselness of the middle one.
TREE_CHANNELS = len(TREE_OFFSETS_MM) + 1

#: What the tree network says of each pixel: artery or not, calcium or not, and what calcium adds to the attenuation,
#: as a share of EXCESS_RANGE times the blood of the scan.
TREE_ANSWERS = ("artery", "calcium", "excess")
EXCESS_RANGE = 4.0

#: Neighbouring coarse slices that the aorta network sees, mm.
AORTA_OFFSETS_MM = (-6.0, -3.0, 0.0, 3.0, 6.0)
AORTA_CHANNELS = len(AORTA_OFFSETS_MM)

#: Highest value of a mapped voxel kept in a byte.
BYTE = 255


@dataclass(frozen=True, slots=True, eq=False)
class PreparedScan:
    """A contrast scan on the networks' grids.

    Parameters
    ----------
    mapped
        Shape (slices, CROP_PIXELS, CROP_PIXELS): mapped attenuation, 0 to BYTE, original slices.
    coarse
        Shape (coarse slices, COARSE_PIXELS, COARSE_PIXELS): the same with 1 mm voxels; first slice at the original's.
    coarse_vesselness
        Shape of ``coarse``, 0 to BYTE.
    grid, coarse_grid
        Where the crops lie in the original slices.
    slice_spacing_mm
        Distance between original slices.
    mixture
        Peaks of the attenuation histogram.
    """

    mapped: NDArray[np.uint8]
    coarse: NDArray[np.uint8]
    coarse_vesselness: NDArray[np.uint8]
    grid: CropGrid
    coarse_grid: CropGrid
    slice_spacing_mm: float
    mixture: AttenuationMixture


def prepare(volume: CtVolume, center_lps_mm: tuple[float, float, float]) -> PreparedScan | Refusal:
    """Map and resample `volume` around the heart.

    Returns
    -------
    PreparedScan or Refusal
        ``NO_CONTRAST`` where no bright blood shows around the heart.
    """
    spacing_mm = volume.spacing_zyx_mm[0]
    grid = CropGrid.around(volume, center_lps_mm, PIXEL_MM, CROP_PIXELS)
    fine_hu = resample_linear(volume.voxels_hu, grid)
    mixture = fit_attenuation_mixture(attenuation_histogram(fine_hu))
    if mixture is None:
        return Refusal("NO_CONTRAST", "No contrast-filled blood was found around the heart.")
    mapping = AttenuationMapping.of_mixture(mixture)
    coarse_grid = CropGrid.around(volume, center_lps_mm, COARSE_MM, COARSE_PIXELS)
    coarse_hu = _with_slices_every(resample_linear(volume.voxels_hu, coarse_grid), spacing_mm, COARSE_MM)
    return PreparedScan(
        mapped=_as_bytes(mapping, fine_hu),
        coarse=_as_bytes(mapping, coarse_hu),
        coarse_vesselness=np.round(BYTE * measure_vesselness(coarse_hu, (COARSE_MM,) * 3)).astype(np.uint8),
        grid=grid,
        coarse_grid=coarse_grid,
        slice_spacing_mm=spacing_mm,
        mixture=mixture,
    )


def tree_channels(prepared: PreparedScan, z: int) -> NDArray[np.uint8]:
    """Bytes of one slice's channels for the tree network, shape (TREE_CHANNELS, CROP_PIXELS, CROP_PIXELS)."""
    channels = np.empty((TREE_CHANNELS, CROP_PIXELS, CROP_PIXELS), np.uint8)
    channels[:-1] = prepared.mapped[_slices_at(z, TREE_OFFSETS_MM, prepared.slice_spacing_mm, len(prepared.mapped))]
    channels[-1] = _vesselness_at(prepared, z)
    return channels


def aorta_channels(prepared: PreparedScan, coarse_z: int) -> NDArray[np.uint8]:
    """Bytes of one coarse slice's channels for the aorta network, (AORTA_CHANNELS, COARSE_PIXELS, COARSE_PIXELS)."""
    return prepared.coarse[_slices_at(coarse_z, AORTA_OFFSETS_MM, COARSE_MM, len(prepared.coarse))]


def network_input(channels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bytes of channels as the networks take them: -1 to 1, same shape."""
    return channels.astype(np.float32) / np.float32(0.5 * BYTE) - np.float32(1.0)


def _slices_at(z: int, offsets_mm: tuple[float, ...], spacing_mm: float, slices: int) -> list[int]:
    """Indices of the slices nearest to the offsets around slice `z`; the ends of the volume are repeated."""
    return [min(max(z + round(offset / spacing_mm), 0), slices - 1) for offset in offsets_mm]


def _vesselness_at(prepared: PreparedScan, z: int) -> NDArray[np.uint8]:
    """Vesselness of an original slice on the fine grid: linear in the plane, nearest along the normal."""
    nearest = min(round(z * prepared.slice_spacing_mm / COARSE_MM), len(prepared.coarse_vesselness) - 1)
    step = PIXEL_MM / COARSE_MM
    first = 0.5 * (COARSE_PIXELS - 1) - 0.5 * (CROP_PIXELS - 1) * step
    return np.asarray(
        ndimage.affine_transform(
            prepared.coarse_vesselness[nearest],
            [step, step],
            offset=first,
            output_shape=(CROP_PIXELS, CROP_PIXELS),
            order=1,
            mode="nearest",
        )
    )


def _with_slices_every(voxels_hu: NDArray[np.int16], spacing_mm: float, wanted_mm: float) -> NDArray[np.int16]:
    """Slices at multiples of `wanted_mm` from the first one, linearly interpolated."""
    count = int((len(voxels_hu) - 1) * spacing_mm / wanted_mm) + 1
    resampled = np.empty((count, *voxels_hu.shape[1:]), np.int16)
    for k in range(count):
        at = k * wanted_mm / spacing_mm
        below = min(int(at), len(voxels_hu) - 1)
        above = min(below + 1, len(voxels_hu) - 1)
        weight = np.float32(at - below)
        resampled[k] = np.round((1 - weight) * voxels_hu[below] + weight * voxels_hu[above])
    return resampled


def _as_bytes(mapping: AttenuationMapping, voxels_hu: NDArray[np.int16]) -> NDArray[np.uint8]:
    mapped = np.empty(voxels_hu.shape, np.uint8)
    for z, plane in enumerate(voxels_hu):
        mapped[z] = np.round(BYTE * mapping.apply(plane))
    return mapped
