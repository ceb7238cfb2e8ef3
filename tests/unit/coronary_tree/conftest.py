"""A small coronary tree with known courses and calibres, drawn as tubes into a volume, beside its aorta."""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from coronary.ct_volume import CtVolume

FAT_HU, ARTERY_HU, VEIN_HU = -80, 400, 180
AORTA_RADIUS_MM = 14.0
STEP_MM = 0.4
SPACING_ZYX_MM = (0.7, 0.7, 0.7)
LOW_LPS_MM, HIGH_LPS_MM = (-52.0, -68.0, -68.0), (80.0, 56.0, 46.0)

#: Places each artery passes (LPS mm; the aorta stands around the origin) and its calibre from end to end. A branch
#: begins on its parent.
LEFT_END = (24.0, -3.0, 19.0)
ARTERIES = {
    "LM": ([(12.0, 0.0, 20.0), (18.0, -1.0, 20.0), LEFT_END], (2.2, 2.1)),
    "LAD": ([LEFT_END, (32, -20, 14), (42, -40, 0), (55, -52, -20), (66, -58, -40)], (1.8, 1.0)),
    "LCX": ([LEFT_END, (32, 10, 12), (36, 24, 2), (32, 36, -12), (22, 42, -22)], (1.7, 1.0)),
    "D1": ([(32, -20, 14), (48, -22, 2), (62, -24, -16)], (1.1, 0.9)),
    "OM1": ([(36, 24, 2), (54, 20, -16), (68, 8, -32)], (1.1, 0.9)),
    "RCA": (
        [(-8, -9, 20), (-22, -24, 16), (-38, -22, 0), (-40, -4, -22), (-28, 16, -36), (-8, 30, -42)],
        (2.0, 1.4),
    ),
    "R-PDA": ([(-8, 30, -42), (10, 16, -50), (28, 2, -60)], (1.2, 0.9)),
}
RAMUS = ([LEFT_END, (42, -4, 8), (60, -6, -12)], (1.2, 0.9))
LEFT_DOMINANT_LCX = ([LEFT_END, (32, 10, 12), (36, 24, 2), (32, 36, -12), (16, 42, -28), (-4, 34, -38)], (2.0, 1.4))
LEFT_PDA = ([(-4, 34, -38), (12, 18, -48), (30, 4, -58)], (1.2, 0.9))
SHORT_RCA = ([(-8, -9, 20), (-22, -24, 16), (-38, -22, 0), (-40, -4, -22)], (1.5, 1.0))


def course(places):
    """Smooth curve through some places, points STEP_MM apart."""
    places = np.array(places, dtype=float)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(places, axis=0), axis=1))])
    return CubicSpline(along, places)(np.arange(0.0, along[-1], STEP_MM))


@dataclass(eq=False)
class Heart:
    """Masks and volume of a drawn heart, and the course of each of its arteries; masks may be edited in place."""

    affine_lps: np.ndarray
    voxels_hu: np.ndarray
    arteries: np.ndarray
    aorta: np.ndarray
    courses: dict = field(default_factory=dict)

    @property
    def volume(self):
        return CtVolume(self.voxels_hu, self.affine_lps)

    def ball(self, center_lps_mm, radius_mm):
        """Slices of the box around a ball and which voxels of it are inside."""
        middle = self.volume.to_index_zyx(np.asarray(center_lps_mm))
        reach = radius_mm / np.array(self.volume.spacing_zyx_mm) + 1
        first = np.maximum(np.floor(middle - reach).astype(int), 0)
        last = np.minimum(np.ceil(middle + reach).astype(int) + 1, self.arteries.shape)
        box = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
        index = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(first, last, strict=True)), indexing="ij"), -1)
        return box, np.linalg.norm(self.volume.to_lps_mm(index) - center_lps_mm, axis=-1) <= radius_mm

    def add(self, places, radius_mm, hu=ARTERY_HU):
        """Draw a tube into the scan and the mask of the arteries; return its course."""
        points = course(places)
        for point, radius in zip(points, np.linspace(*radius_mm, len(points)), strict=True):
            box, inside = self.ball(point, radius)
            self.arteries[box] |= inside
            self.voxels_hu[box][inside & (self.voxels_hu[box] < hu)] = hu
        return points

    def interrupt(self, name, at_mm, gap_mm, *, hu=None):
        """Take a gap out of the mask of one artery; with ``hu`` its lumen in the scan is replaced as well."""
        points = self.courses[name]
        start, end = round((at_mm - gap_mm / 2) / STEP_MM), round((at_mm + gap_mm / 2) / STEP_MM)
        box, inside = self.ball(points[(start + end) // 2], gap_mm / 2 + 4.0)
        index = np.argwhere(inside & self.arteries[box]) + [part.start for part in box]
        distance, nearest = cKDTree(points).query(self.volume.to_lps_mm(index))
        taken = tuple(index[(distance < 3.0) & (nearest >= start) & (nearest < end)].T)
        self.arteries[taken] = False
        if hu is not None:
            self.voxels_hu[taken] = hu


@cache
def _drawn(left_dominant, ramus, without):
    arteries = {name: value for name, value in ARTERIES.items() if name not in without}
    if left_dominant:
        del arteries["R-PDA"]
        arteries |= {"LCX": LEFT_DOMINANT_LCX, "RCA": SHORT_RCA, "L-PDA": LEFT_PDA}
    if ramus:
        arteries["RI"] = RAMUS
    spacing = np.array(SPACING_ZYX_MM[::-1])
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = LOW_LPS_MM
    x, y, z = (np.arange(low, high, step) for low, high, step in zip(LOW_LPS_MM, HIGH_LPS_MM, spacing, strict=True))
    in_aorta = (np.hypot(*np.meshgrid(y, x, indexing="ij")) < AORTA_RADIUS_MM)[None] & (z > 5.0)[:, None, None]
    hu = np.where(in_aorta, ARTERY_HU + 20, FAT_HU).astype(np.int16)
    heart = Heart(affine, hu, np.zeros(hu.shape, dtype=bool), in_aorta)
    for name, (places, radius_mm) in arteries.items():
        heart.courses[name] = heart.add(places, radius_mm)
    return heart


def make_heart(*, left_dominant=False, ramus=False, without=()):
    """A fresh copy of a drawn heart."""
    drawn = _drawn(left_dominant, ramus, tuple(without))
    return Heart(
        drawn.affine_lps, drawn.voxels_hu.copy(), drawn.arteries.copy(), drawn.aorta.copy(), dict(drawn.courses)
    )


@pytest.fixture(scope="session")
def heart():
    """Builder of hearts; keyword arguments of :func:`make_heart`."""
    return make_heart


@pytest.fixture(scope="session")
def vein_hu():
    """Attenuation of a vein in the arterial phase."""
    return VEIN_HU
