"""Decides the streaks that metal and dense contrast leave: bright and dark rays that
fade with distance.

A procedural stand-in for beam hardening, photon starvation and motion; it moves no edge and no calcium.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from coronary.virtual_patient.acquisition import Acquisition
from coronary.virtual_patient.patient import VirtualPatient
from coronary.virtual_patient.random_streams import stream
from coronary.virtual_patient.raster import DepositBox, Grid

_REACH_MM: Final = 60.0
_FADE_MM: Final = 10.0
_METAL_PEAK_HU: Final = 900.0
# Dense contrast in the superior vena cava streaks from about this HU on.
_VEIN_STREAK_HU: Final = 550.0


def add_metal_streaks(volume: npt.NDArray[np.float32], box: DepositBox, grid: Grid, level: float, seed: int) -> None:
    """Add streaks (HU) around a metal object to ``volume`` in place, one pattern per slice the object touches."""
    rng = stream(seed, "metal streaks")
    z0, y0, x0 = box.corner_zyx
    for i, plane in enumerate(box.concentration):
        order = rng.integers(3, 9, size=4)
        phase = rng.uniform(0.0, 2 * np.pi, size=4)
        strength = level * 42.0 * float(np.clip(plane.max() / _METAL_PEAK_HU - 0.3, 0.0, 3.0))
        if strength < 2.0:
            continue
        weight = plane / plane.sum()
        cy = float(grid.y_mm[y0] + grid.pixel_mm * (weight.sum(axis=1) @ np.arange(plane.shape[0])))
        cx = float(grid.x_mm[x0] + grid.pixel_mm * (weight.sum(axis=0) @ np.arange(plane.shape[1])))
        _add_rays(volume[z0 + i], grid, (cx, cy), strength, 3.0, order, phase)


def add_vein_streaks(
    volume: npt.NDArray[np.float32], patient: VirtualPatient, acquisition: Acquisition, grid: Grid, vein_hu: float
) -> None:
    """Add streaks around the superior vena cava to a contrast scan, in slices above the right atrium."""
    strength = acquisition.streak_level * 0.07 * (vein_hu - _VEIN_STREAK_HU)
    if strength < 2.0:
        return
    rng = stream(acquisition.seed, "vein streaks")
    vein = acquisition.to_scan(patient.heart.pose.to_patient(patient.heart.landmarks.superior_vena_cava))
    base = rng.uniform(0.0, 2 * np.pi, size=4)
    for k, z in enumerate(grid.z_mm):
        if z < vein[0, 2]:
            continue
        centre = float(np.interp(z, vein[:, 2], vein[:, 0])), float(np.interp(z, vein[:, 2], vein[:, 1]))
        _add_rays(volume[k], grid, centre, min(strength, 60.0), 9.0, np.array([2, 3, 5, 7]), base + 0.05 * z)


def _add_rays(
    image: npt.NDArray[np.float32],
    grid: Grid,
    centre_xy: tuple[float, float],
    strength: float,
    radius_mm: float,
    order: npt.NDArray[np.integer],
    phase: npt.NDArray[np.float64],
) -> None:
    b = slice(*grid.pixel_range(centre_xy[1] - _REACH_MM, centre_xy[1] + _REACH_MM, grid.y_mm))
    a = slice(*grid.pixel_range(centre_xy[0] - _REACH_MM, centre_xy[0] + _REACH_MM, grid.x_mm))
    dy, dx = grid.y_mm[b, None] - centre_xy[1], grid.x_mm[None, a] - centre_xy[0]
    theta, r = np.arctan2(dy, dx), np.hypot(dx, dy)
    rays = sum(np.cos(2 * m * theta + p) for m, p in zip(order, phase, strict=True)) / 2.0
    fade = np.exp(-r / (_FADE_MM if radius_mm < 5 else 2 * _FADE_MM)) * np.clip(r / radius_mm, 0.0, 1.0)
    image[b, a] += (strength * fade * np.sign(rays) * np.abs(rays) ** 1.5).astype(np.float32)
