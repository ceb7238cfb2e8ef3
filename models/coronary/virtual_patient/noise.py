"""Decides the noise of a scan: correlated as a filtered back-projection leaves it, stronger behind more tissue.

Depends on seed, grid and acquisition only, so a scan and its calcium-free twin carry the identical noise.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.ndimage import gaussian_filter, map_coordinates, rotate

from coronary.virtual_patient.acquisition import Acquisition
from coronary.virtual_patient.patient import VirtualPatient
from coronary.virtual_patient.random_streams import stream
from coronary.virtual_patient.raster import Grid
from coronary.virtual_patient.shapes import Field

_MAP_STEP_MM: Final = 9.0
_MAP_PLANES: Final = 6


def noise_amplitude(
    shape: tuple[int, int], pixel_mm: float, peak_per_mm: float, floor: float, family: str = "gaussian"
) -> npt.NDArray[np.float32]:
    """Return the amplitude filter whose square is ramp × MTF² (gaussian or raised-cosine family), mean power 1."""
    fy, fx = np.fft.fftfreq(shape[0], pixel_mm), np.fft.rfftfreq(shape[1], pixel_mm)
    f = np.hypot(fy[:, None], fx[None, :])
    if family == "gaussian":
        power = (f + floor) * np.exp(-((f / (np.sqrt(2.0) * peak_per_mm)) ** 2))
    else:
        cut = 2.2 * peak_per_mm
        power = (f + floor) * np.where(f < cut, np.cos(0.5 * np.pi * f / cut) ** 2, 0.0) ** 1.2
    power[0, 0] = 0.0
    weight = np.full(power.shape, 2.0)
    weight[:, 0] = 1.0
    if shape[1] % 2 == 0:
        weight[:, -1] = 1.0
    return np.asarray(np.sqrt(power / ((power * weight).sum() / (shape[0] * shape[1]))), dtype=np.float32)


def correlated_slices(
    seed: int,
    protocol: str,
    shape: tuple[int, int, int],
    amplitude: npt.NDArray[np.float32],
    slice_overlap: float,
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield unit-variance noise slice by slice; neighbours share ``slice_overlap`` (0 to 0.9) of their rays."""
    rng = stream(seed, f"noise {protocol}")
    previous: npt.NDArray[np.float32] | None = None
    for _ in range(shape[0]):
        white = rng.standard_normal(shape[1:], dtype=np.float32)
        if previous is not None and slice_overlap > 0:
            white = np.float32(slice_overlap) * previous + np.float32(np.sqrt(1 - slice_overlap**2)) * white
        previous = white
        yield np.asarray(fft.irfft2(fft.rfft2(white) * amplitude, s=shape[1:]), dtype=np.float32)


def relative_noise_map(attenuation_hu: Field, step_mm: float, depth: float) -> npt.NDArray[np.float32]:
    """Return relative noise SD ``[z, y, x]`` on a coarse HU grid from the water-equivalent length of the rays.

    The variance at a place is the mean over eight directions of exp(µ·length); ``depth`` (0 to 1) weakens it, as tube
    current modulation does. The median over tissue in the middle third (the heart) is 1.
    """
    water = np.clip(attenuation_hu / 1000.0 + 1.0, 0.0, 2.0) * 0.019 * step_mm
    variance = np.zeros_like(water)
    directions = 8
    for i in range(directions):
        turned = rotate(water, 180.0 * i / directions, axes=(2, 1), reshape=False, order=1, mode="constant", cval=0.0)
        length = np.broadcast_to(turned.sum(axis=1, keepdims=True), turned.shape)
        back = rotate(
            np.exp(length.astype(np.float32)),
            -180.0 * i / directions,
            axes=(2, 1),
            reshape=False,
            order=1,
            mode="nearest",
        )
        variance += back
    sd = np.sqrt(np.maximum(variance / directions, 1e-6)) ** depth
    sd = gaussian_filter(sd, (0.5, 1.5, 1.5))
    rows, columns = (slice(count // 3, count - count // 3) for count in attenuation_hu.shape[1:])
    heart = sd[:, rows, columns][attenuation_hu[:, rows, columns] > -300]
    return np.asarray(np.clip(sd / np.median(heart), 0.4, 2.2), dtype=np.float32)


def scan_noise(patient: VirtualPatient, acquisition: Acquisition, grid: Grid) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the noise (HU) of each slice of a scan, stronger where rays cross more tissue."""
    amplitude = noise_amplitude(
        grid.shape_zyx[1:],
        grid.pixel_mm,
        acquisition.noise_peak_per_mm,
        acquisition.noise_floor,
        acquisition.noise_family,
    )
    overlap = float(np.clip(1.0 - acquisition.slice_spacing_mm / acquisition.slice_thickness_mm, 0.0, 0.9))
    slices = correlated_slices(acquisition.seed, acquisition.protocol, grid.shape_zyx, amplitude, overlap)
    x = np.arange(-171.0, 172.0, _MAP_STEP_MM, dtype=np.float32)
    z = np.linspace(grid.z_mm[0], grid.z_mm[-1], _MAP_PLANES, dtype=np.float32)
    relative = relative_noise_map(_water_map(patient, acquisition, x, z), _MAP_STEP_MM, acquisition.noise_depth)
    at_y, at_x = (grid.y_mm - x[0]) / _MAP_STEP_MM, (grid.x_mm - x[0]) / _MAP_STEP_MM
    at_z = (grid.z_mm - z[0]) / max(float(z[1] - z[0]), 1e-3)
    where = np.meshgrid(at_y, at_x, indexing="ij")
    for k, noise in enumerate(slices):
        lower = int(np.clip(at_z[k], 0, _MAP_PLANES - 2))
        plane = relative[lower] + (at_z[k] - lower) * (relative[lower + 1] - relative[lower])
        grown = map_coordinates(plane, where, order=1, mode="nearest")
        yield np.asarray(noise * (acquisition.noise_sd_hu * grown), dtype=np.float32)


def _water_map(patient: VirtualPatient, acquisition: Acquisition, x: Field, z: Field) -> Field:
    """Return a coarse HU map ``[z, y, x]`` of the whole chest: soft tissue, lungs and spine."""
    zz, yy, xx = np.meshgrid(z, x, x, indexing="ij")
    p = acquisition.to_patient(np.stack([xx, yy, zz], axis=-1))
    hearts = patient.heart.distances(p)
    chest = patient.thorax.distances(p, patient.heart, hearts, patient.heart.sac(hearts, p))
    hu = np.where(chest["skin"] < 0, 20.0, -1000.0)
    hu = np.where(chest["lungs"] < 0, -850.0, hu)
    return np.where((chest["vertebra"] < 0) | (chest["vertebral_arch"] < 0), 280.0, hu).astype(np.float32)
