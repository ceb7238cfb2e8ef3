"""Decides the shape of dense deposits: strings of soft-edged ellipsoids along a curve, with a wanted mass.

The one shape function for coronary plaque and for everything that only looks like it. Decides neither where deposits
lie (:mod:`calcium`, :mod:`distractors`) nor how they are drawn on a voxel grid (:mod:`raster`).
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from coronary.virtual_patient.shapes import Field, Points, as_points

Material = Literal["hydroxyapatite", "iodine", "metal"]

# Concentration falls linearly to zero over this part of a blob's normalised radius, centred near its surface.
EDGE_WIDTH: Final = 0.35
EDGE_END: Final = 1.12


@dataclass(frozen=True)
class Deposit:
    """Blobs ``k``: centres (patient LPS mm), frames (rows: unit axes), semi-axes (mm), concentrations.

    Concentration is mg/cm³ of hydroxyapatite or iodine; for metal it is the HU at 120 kVp. Overlapping blobs do not
    add: the densest one counts, so material displaces material and mass follows from the geometry alone.
    """

    material: Material
    centres: Points
    frames: Points
    semi_axes_mm: Points
    concentration: Field

    def scaled(self, factor: float) -> "Deposit":
        """Return the deposit with every semi-axis multiplied by ``factor``."""
        return replace(self, semi_axes_mm=as_points(self.semi_axes_mm * np.float32(factor)))

    def reach_mm(self) -> Field:
        """Return the half extent of each blob along LPS, shape ``[k, 3]``."""
        spans = self.frames * self.semi_axes_mm[:, :, None] * EDGE_END
        return np.asarray(np.sqrt(np.sum(spans**2, axis=1)), dtype=np.float32)

    def mean_position(self) -> Points:
        """Return the centre weighted with blob volume and concentration, patient LPS mm."""
        weight = np.prod(self.semi_axes_mm, axis=1) * self.concentration
        return as_points(weight @ self.centres / weight.sum())


def blob_concentration(
    dx: Field, dy: Field, dz: Field, inverse_axes: Points, concentration: float
) -> npt.NDArray[np.float32]:
    """Return the concentration of one blob at offsets that broadcast to a box; ``inverse_axes`` is 3×3 (1/mm)."""
    total: npt.NDArray[np.float32] | None = None
    for row in inverse_axes:
        q = row[0] * dx + row[1] * dy + row[2] * dz
        total = q * q if total is None else total + q * q
    assert total is not None
    return np.asarray(concentration * np.clip((EDGE_END - np.sqrt(total)) / EDGE_WIDTH, 0.0, 1.0), dtype=np.float32)


def integrate(deposit: Deposit, step_mm: float | None = None) -> tuple[float, float]:
    """Return volume (mm³, where anything is deposited) and content (mm³ × concentration) by midpoint quadrature.

    The step follows the smallest semi-axis, between 0.08 and 0.4 mm.
    """
    smallest = float(deposit.semi_axes_mm.min())
    step = step_mm or float(np.clip(smallest / 3.5, 0.08, 0.4))
    reach = deposit.reach_mm()
    low = np.min(deposit.centres - reach, axis=0)
    shape = np.maximum(2, np.ceil((np.max(deposit.centres + reach, axis=0) - low) / step)).astype(int)
    if int(np.prod(shape)) > 4_000_000:
        return integrate(deposit, step * 1.5)
    box = np.zeros(tuple(shape[::-1]), dtype=np.float32)
    axes = [low[i] + (np.arange(shape[i]) + 0.5) * step for i in range(3)]
    for k in range(len(deposit.centres)):
        first = np.maximum(0, np.floor((deposit.centres[k] - reach[k] - low) / step)).astype(int)
        last = np.minimum(shape, np.ceil((deposit.centres[k] + reach[k] - low) / step) + 1).astype(int)
        dx, dy, dz = ((axes[i][first[i] : last[i]] - deposit.centres[k, i]).astype(np.float32) for i in range(3))
        inverse = deposit.frames[k] / deposit.semi_axes_mm[k][:, None]
        values = blob_concentration(
            dx[None, None, :], dy[None, :, None], dz[:, None, None], inverse, float(deposit.concentration[k])
        )
        view = box[first[2] : last[2], first[1] : last[1], first[0] : last[0]]
        np.maximum(view, values, out=view)
    return float(np.count_nonzero(box)) * step**3, float(box.sum(dtype=np.float64)) * step**3


@dataclass(frozen=True)
class Course:
    """A curve deposits follow: points ``[n, 3]`` (patient LPS mm) and the distance from it (mm) at which they sit."""

    points: Points
    radius_mm: Field

    def length_mm(self) -> float:
        """Return the curve's length."""
        return float(np.linalg.norm(np.diff(self.points, axis=0), axis=1).sum())

    @cached_property
    def _s(self) -> npt.NDArray[np.float64]:
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

    @cached_property
    def _frames(self) -> Points:
        return transported_frames(self.points)

    def frame_at(self, position_mm: float) -> tuple[Points, Points, float]:
        """Return place, frame (rows: tangent and two normals without twist) and radius at an arc length."""
        s, frames = self._s, self._frames
        index = int(np.clip(np.searchsorted(s, position_mm), 1, len(s) - 1))
        weight = np.clip((position_mm - s[index - 1]) / max(s[index] - s[index - 1], 1e-6), 0.0, 1.0)
        place = (1 - weight) * self.points[index - 1] + weight * self.points[index]
        radius = (1 - weight) * self.radius_mm[index - 1] + weight * self.radius_mm[index]
        return as_points(place), frames[index], float(radius)


def transported_frames(points: Points) -> Points:
    """Return rotation-minimising frames ``[n, 3, 3]`` (rows: tangent, normal, binormal) along a curve."""
    tangents = np.gradient(points, axis=0)
    tangents /= np.maximum(np.linalg.norm(tangents, axis=1, keepdims=True), 1e-6)
    seed = np.eye(3)[int(np.argmin(np.abs(tangents[0])))]
    normal = seed - (seed @ tangents[0]) * tangents[0]
    frames = np.empty((len(points), 3, 3), dtype=np.float32)
    for i, tangent in enumerate(tangents):
        normal = normal - (normal @ tangent) * tangent
        normal = normal / max(float(np.linalg.norm(normal)), 1e-6)
        frames[i] = (tangent, normal, np.cross(tangent, normal))
    return frames


@dataclass(frozen=True)
class PlaqueStyle:
    """Shape statistics of deposits: ranges of semi-axes (mm), angular scatter (rad) and concentration (mg/cm³)."""

    radial_mm: tuple[float, float] = (0.5, 1.25)
    around_mm: tuple[float, float] = (0.55, 1.7)
    along_mm: tuple[float, float] = (0.7, 2.6)
    scatter_rad: float = 0.55
    depth_mm: tuple[float, float] = (-0.25, 0.45)
    concentration_mg_cm3: tuple[float, float] = (420.0, 1250.0)
    gap_probability: float = 0.07


def string_along(
    rng: np.random.Generator,
    course: Course,
    start_mm: float,
    theta_rad: float,
    mass_mg: float,
    style: PlaqueStyle,
    material: Material = "hydroxyapatite",
) -> Deposit:
    """Lay blobs along ``course`` from ``start_mm`` until they hold about ``mass_mg``, then scale to that mass."""
    density = float(np.exp(rng.uniform(*np.log(style.concentration_mg_cm3))))
    volume = 1000.0 * mass_mg / density
    radial, around = rng.uniform(*style.radial_mm), rng.uniform(*style.around_mm)
    shrink = min(1.0, (volume / (4.19 * radial * around * style.along_mm[0])) ** (1 / 3))
    radial, around = radial * shrink, around * shrink
    remaining, position, theta = volume, start_mm, theta_rad
    rows: list[tuple[Points, Points, Points, float]] = []
    room = course.length_mm() - 0.5
    # On a course that ends before its start is reached, one blob still stands for the deposit.
    while remaining > 0 and len(rows) < 60 and (position < room or not rows):
        along = rng.uniform(*style.along_mm) * max(shrink, 0.45)
        a, b = radial * rng.uniform(0.7, 1.3), around * rng.uniform(0.7, 1.3)
        place, frame, radius = course.frame_at(position)
        direction = np.cos(theta) * frame[1] + np.sin(theta) * frame[2]
        centre = place + max(0.0, radius + rng.uniform(*style.depth_mm)) * direction
        axes = np.stack([frame[0], np.cross(frame[0], direction), direction])
        rows.append((as_points(centre), as_points(axes), as_points((along, b, a)), density * rng.uniform(0.7, 1.25)))
        remaining -= 0.75 * 4.19 * a * b * along
        position += along * rng.uniform(0.7, 1.35) + (
            rng.uniform(1.0, 3.0) if rng.uniform() < style.gap_probability else 0.0
        )
        theta += rng.normal(0.0, style.scatter_rad)
    centres, frames, axes_mm, values = (np.stack(column) for column in zip(*rows, strict=True))
    deposit = Deposit(material, as_points(centres), as_points(frames), as_points(axes_mm), values.astype(np.float32))
    return scaled_to_mass(deposit, mass_mg)


def scaled_to_mass(deposit: Deposit, mass_mg: float) -> Deposit:
    """Return the deposit scaled in size (at most 1.6-fold twice) and then concentration until it holds ``mass_mg``."""
    for _ in range(2):
        _, content = integrate(deposit)
        deposit = deposit.scaled(float(np.clip((1000.0 * mass_mg / content) ** (1 / 3), 0.45, 1.6)))
    _, content = integrate(deposit)
    correction = np.clip(1000.0 * mass_mg / content, 0.5, 1.4)
    return replace(deposit, concentration=(deposit.concentration * correction).astype(np.float32))
