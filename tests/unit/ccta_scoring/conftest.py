"""A straight contrast-filled vessel with calcium of known mass, blurred and noisy, its centreline, and a network that
knows its calcium."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from coronary.calcium import Vessel
from coronary.ccta_scoring import CenterlinePoints, ContrastCalibration, score_contrast_scan
from coronary.contract import CalciumEstimate
from coronary.ct_volume import CtVolume

#: HU of 1 mg/mL of iodine and of 1 mg/cm³ of hydroxyapatite by tube voltage (phantom design, table 1.1).
IODINE_HU = {80: 40.9, 90: 35.4, 100: 31.3, 120: 25.6}
CALCIUM_HU = {80: 1.83, 90: 1.64, 100: 1.50, 120: 1.32}
FAT_HU, WALL_HU, MATRIX_HU = -90.0, 50.0, 50.0
NOISE_HU = 22.0
SUPERSAMPLING = 2


@dataclass(frozen=True)
class Plaque:
    """An ellipsoid of calcium: centre (z along the vessel, y, x; mm from its middle), semi-axes (mm), mg/cm³."""

    center_zyx_mm: tuple[float, float, float]
    axes_mm: tuple[float, float, float] = (3.0, 0.9, 0.9)
    density_mg_cm3: float = 700.0

    @property
    def mass_mg(self) -> float:
        return 4.0 / 3.0 * np.pi * float(np.prod(self.axes_mm)) * self.density_mg_cm3 / 1000.0


@dataclass(frozen=True)
class Tube:
    """One rendered vessel and everything known about it."""

    volume: CtVolume
    centerlines: CenterlinePoints
    calibration: ContrastCalibration
    lumen_hu: float
    excess_hu: np.ndarray

    @property
    def estimate(self):
        """The truth as the network would say it: calcium is what adds 130 HU."""
        index = np.argwhere(self.excess_hu >= 20)
        excess = self.excess_hu[tuple(index.T)]
        return CalciumEstimate(index, np.clip(0.5 * excess / 130.0, 0.0, 1.0), excess)

    def scored(self, **changes):
        """Score of the vessel with some of the inputs replaced."""
        inputs = {
            "volume": self.volume,
            "centerlines": self.centerlines,
            "calibration": self.calibration,
            "estimate": self.estimate,
        }
        return score_contrast_scan(**{**inputs, **changes})


@cache
def make_tube(
    *,
    kvp=100,
    iodine_mg_ml=14.0,
    plaques=(),
    radius_mm=1.7,
    narrow_to_mm=None,
    chamber_hu=None,
    spacing_zyx_mm=(0.5, 0.4, 0.4),
    shape_zyx_mm=(28.0, 16.0, 16.0),
    noise_hu=NOISE_HU,
    vessel=Vessel.LAD,
):
    """Render a vessel along z through the middle of the volume.

    ``narrow_to_mm`` narrows the lumen by soft plaque in the middle 6 mm; ``chamber_hu`` puts a half space of blood
    3 mm beside the axis.
    """
    lumen_hu = 40.0 + iodine_mg_ml * IODINE_HU[kvp]
    fine = np.array(spacing_zyx_mm) / SUPERSAMPLING
    counts = [round(size / step) * SUPERSAMPLING for size, step in zip(shape_zyx_mm, spacing_zyx_mm, strict=True)]
    z, y, x = np.meshgrid(
        *((np.arange(n) - 0.5 * (n - 1)) * step for n, step in zip(counts, fine, strict=True)), indexing="ij"
    )
    distance = np.hypot(y, x)
    free_mm = np.full_like(z, radius_mm)
    if narrow_to_mm is not None:
        free_mm[np.abs(z) < 3.0] = narrow_to_mm
    hu = np.where(distance < radius_mm + 0.55, WALL_HU, FAT_HU)
    hu = np.where(distance < free_mm, lumen_hu, hu)
    if chamber_hu is not None:
        hu = np.where(x > radius_mm + 1.3, chamber_hu, hu)
    added = np.zeros_like(hu)
    for plaque in plaques:
        inside = sum(
            ((axis - middle) / semi) ** 2
            for axis, middle, semi in zip((z, y, x), plaque.center_zyx_mm, plaque.axes_mm, strict=True)
        )
        hu = np.where(inside < 1.0, MATRIX_HU + plaque.density_mg_cm3 * CALCIUM_HU[kvp], hu)
        added = np.where(inside < 1.0, plaque.density_mg_cm3 * CALCIUM_HU[kvp], added)
    hu, added = (
        ndimage.gaussian_filter(each, 0.42 / fine)
        .reshape(*(v for n in counts for v in (n // SUPERSAMPLING, SUPERSAMPLING)))
        .mean(axis=(1, 3, 5))
        for each in (hu, added)
    )
    grain = ndimage.gaussian_filter(np.random.default_rng(7).normal(size=hu.shape), (0.0, 0.7, 0.7))
    hu += noise_hu * grain / grain.std()
    affine = np.diag([*spacing_zyx_mm[::-1], 1.0])
    affine[:3, 3] = [-0.5 * (n - 1) * step for n, step in zip(hu.shape[::-1], spacing_zyx_mm[::-1], strict=True)]
    along = np.arange(-0.5 * shape_zyx_mm[0] + 0.5, 0.5 * shape_zyx_mm[0] - 0.4, 0.5)
    points = np.stack([np.zeros_like(along), np.zeros_like(along), along], axis=1)
    return Tube(
        volume=CtVolume(np.rint(hu).astype(np.int16), affine),
        centerlines=CenterlinePoints(
            points, np.full(len(points), radius_mm), np.full(len(points), int(vessel), np.uint8)
        ),
        calibration=ContrastCalibration(lumen_hu, 1.03 * lumen_hu, noise_hu, kvp),
        lumen_hu=lumen_hu,
        excess_hu=added,
    )


@pytest.fixture(scope="session")
def tube():
    """Builder of vessels; keyword arguments of :func:`make_tube`."""
    return make_tube


@pytest.fixture(scope="session")
def plaque():
    """Builder of plaques."""
    return Plaque
