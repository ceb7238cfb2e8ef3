"""The heart in every slice without a network: k-means and convex hulls (Rim 2021, on which paper 3 builds).

Decides which pixels belong to the heart: what lies between the lungs, without lungs, chest wall and spine. Slice by
slice as in the paper; the attenuations that part air, soft tissue and bone are those of the whole volume.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.cluster.vq import ClusterError, kmeans2
from skimage.morphology import convex_hull_image, disk
from skimage.transform import resize

from coronary.ct_volume import CtVolume
from coronary.imaging.connected_pieces import largest_piece

#: Pixel of the search, mm.
WORKING_PIXEL_MM: Final = 1.5

#: Where k-means begins: air and lung, soft tissue, bone and contrast, HU.
FIRST_MEANS_HU: Final = (-900.0, 0.0, 350.0)

#: Soft tissue and blood without contrast agent are darker than this, HU: where little bone is in the field, the third
#: cluster is soft tissue and the second is fat.
LOWEST_BONE_HU: Final = 100.0

#: Voxels that k-means looks at, at most.
SAMPLED_VOXELS: Final = 200_000

#: Tissue narrower than this is no body (a table, a blanket), and a smaller piece neither, mm and mm².
BODY_OPENING_MM: Final = 9.0
SMALLEST_BODY_MM2: Final = 300.0

#: A piece of air inside the body this large is lung, mm²; smaller ones are bronchi, oesophagus and stomach.
SMALLEST_LUNG_MM2: Final = 900.0

#: Vessels and walls in the lungs narrower than this belong to them, mm.
LUNG_CLOSING_MM: Final = 6.0

#: Pieces of bone nearer to each other than this are one vertebra, mm.
SPINE_CLOSING_MM: Final = 6.0

#: Bridges from the heart to the chest wall narrower than this are cut, mm.
HEART_OPENING_MM: Final = 6.0

#: Less tissue between the lungs than this is no heart, mm².
SMALLEST_HEART_MM2: Final = 1500.0


@dataclass(frozen=True, slots=True)
class TissueBorders:
    """Attenuations that part air from soft tissue and soft tissue from bone, HU."""

    air_hu: float
    bone_hu: float


def tissue_borders(volume: CtVolume) -> TissueBorders:
    """Half-way between the means of three clusters of the attenuations of a volume; bone from LOWEST_BONE_HU on."""
    step = max(1, volume.voxels_hu.size // SAMPLED_VOXELS)
    sampled = np.clip(volume.voxels_hu.reshape(-1)[::step], -1024, 1500).astype(np.float64)
    means = np.array(FIRST_MEANS_HU)
    # A volume without one of the three, such as a phantom without air, keeps the first means.
    with suppress(ClusterError):
        means, _ = kmeans2(sampled, means, minit="matrix", missing="raise")
    air, soft, bone = (float(mean) for mean in np.sort(means.reshape(-1)))
    return TissueBorders(0.5 * (air + soft), max(0.5 * (soft + bone), LOWEST_BONE_HU))


def heart_mask(volume: CtVolume) -> NDArray[np.bool_]:
    """Heart region of a volume, shape of the volume; empty in slices in which no lungs frame any.

    The hull is that of the lungs of all slices seen from the head: where the heart lies against the chest wall, the
    lungs of its own slice reach round only a part of it.
    """
    borders = tissue_borders(volume)
    _, row_mm, column_mm = volume.spacing_zyx_mm
    steps = max(1, round(WORKING_PIXEL_MM / row_mm)), max(1, round(WORKING_PIXEL_MM / column_mm))
    pixel_mm = steps[0] * row_mm, steps[1] * column_mm
    to_back = 1 if volume.affine_lps[1, 1] > 0 else -1
    coarse = np.stack(
        [
            ndimage.uniform_filter(plane.astype(np.float32), steps)[:: steps[0], :: steps[1]]
            for plane in volume.voxels_hu
        ]
    )
    body = np.stack([_body(plane, borders, pixel_mm) for plane in coarse])
    lungs = np.stack([_lungs(*planes, borders, pixel_mm) for planes in zip(coarse, body, strict=True)])
    found = np.zeros(volume.voxels_hu.shape, dtype=np.bool_)
    if not lungs.any():
        return found
    framed = convex_hull_image(lungs.any(axis=0))
    for z in np.flatnonzero(lungs.any(axis=(1, 2))).tolist():
        tissue = framed & body[z] & ~lungs[z] & ~_spine(coarse[z] > borders.bone_hu, lungs[z], pixel_mm, to_back)
        opened = ndimage.binary_opening(tissue, disk(_pixels(HEART_OPENING_MM, pixel_mm)))
        heart = largest_piece(opened, connectivity=8)
        if heart.sum() * pixel_mm[0] * pixel_mm[1] >= SMALLEST_HEART_MM2:
            found[z] = resize(heart, volume.voxels_hu[z].shape, order=0, anti_aliasing=False)
    return found


def _body(plane_hu: NDArray[np.float32], borders: TissueBorders, pixel_mm: tuple[float, float]) -> NDArray[np.bool_]:
    """Tissue; a narrow field of view cuts the chest wall open: what lies between the lungs is then in pieces."""
    tissue = ndimage.binary_opening(plane_hu > borders.air_hu, iterations=_pixels(BODY_OPENING_MM, pixel_mm))
    return _without_smaller(tissue, SMALLEST_BODY_MM2, pixel_mm)


def _lungs(
    plane_hu: NDArray[np.float32], body: NDArray[np.bool_], borders: TissueBorders, pixel_mm: tuple[float, float]
) -> NDArray[np.bool_]:
    """Air inside the body, with the vessels in it."""
    if not body.any():
        return body
    air = convex_hull_image(body) & (plane_hu <= borders.air_hu)
    lungs = _without_smaller(air, SMALLEST_LUNG_MM2, pixel_mm)
    return ndimage.binary_closing(lungs, disk(_pixels(LUNG_CLOSING_MM, pixel_mm)))


def _without_smaller(mask: NDArray[np.bool_], smallest_mm2: float, pixel_mm: tuple[float, float]) -> NDArray[np.bool_]:
    threshold = math.ceil(smallest_mm2 / (pixel_mm[0] * pixel_mm[1]))
    return cc3d.dust(mask, threshold=threshold, connectivity=8).astype(np.bool_)


def _spine(
    bone: NDArray[np.bool_], lungs: NDArray[np.bool_], pixel_mm: tuple[float, float], to_back: int
) -> NDArray[np.bool_]:
    """Convex hull of the vertebra: the largest bone behind the middle of the lungs and between them."""
    rows, columns = np.nonzero(lungs)
    middle_row, middle_column = rows.mean(), columns.mean()
    width = 0.25 * np.ptp(columns)
    row, column = np.indices(bone.shape)
    place = ((row - middle_row) * to_back > 0) & (np.abs(column - middle_column) < width)
    closed = ndimage.binary_closing(bone & place, disk(_pixels(SPINE_CLOSING_MM, pixel_mm)))
    spine = largest_piece(closed, connectivity=8)
    return convex_hull_image(spine) if spine.any() else spine


def _pixels(length_mm: float, pixel_mm: tuple[float, float]) -> int:
    return max(1, round(0.5 * length_mm / max(pixel_mm)))
