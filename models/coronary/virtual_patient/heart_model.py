"""Decides what every heart model offers: named solids, landmarks and the mapping from patient to heart coordinates.

The two models (:mod:`heart_standard`, :mod:`heart_external`) decide the shapes; coronaries and painting use only this.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from coronary.virtual_patient.shapes import Field, Points, SignedDistance, as_points, smooth_minimum


@dataclass(frozen=True)
class Pose:
    """Similarity and smooth warp between patient LPS mm and the heart's own canonical coordinates.

    ``warp_*`` are the amplitudes (mm), wave vectors (1/mm) and phases of a sum of sines that bends the heart.
    """

    centre: Points
    rotation: Points
    scale: float
    warp_amplitude: Points
    warp_wave: Points
    warp_phase: Points

    def to_canonical(self, points: Points) -> Points:
        """Return canonical coordinates of patient points ``[..., 3]``."""
        p = as_points(points)
        phase = p @ self.warp_wave.T + self.warp_phase
        bent = p + np.sin(phase, dtype=np.float32) @ self.warp_amplitude
        return as_points((bent - self.centre) @ self.rotation / self.scale + self.centre)

    def to_patient(self, points: npt.ArrayLike) -> Points:
        """Return patient coordinates of canonical points; fixed-point inverse of :meth:`to_canonical`."""
        rigid = (as_points(points) - self.centre) * self.scale @ self.rotation.T + self.centre
        p = rigid
        for _ in range(6):
            phase = p @ self.warp_wave.T + self.warp_phase
            p = rigid - np.sin(phase, dtype=np.float32) @ self.warp_amplitude
        return as_points(p)

    def direction_to_patient(self, direction: npt.ArrayLike) -> Points:
        """Return the patient direction of a canonical unit vector (the warp is ignored)."""
        return as_points(as_points(direction) @ self.rotation.T)


@dataclass(frozen=True)
class Landmarks:
    """Canonical places (mm) that coronaries, calcium and distractors start from; directions are unit vectors.

    ``descending_aorta`` alone is in patient coordinates, because it does not turn with the heart.
    """

    axis: Points
    lateral: Points
    superior: Points
    mitral_centre: Points
    mitral_radius_mm: float
    tricuspid_centre: Points
    left_ventricle_length_mm: float
    aortic_valve_centre: Points
    aortic_axis: Points
    aortic_valve_radius_mm: float
    left_ostium: Points
    right_ostium: Points
    left_bifurcation: Points
    ascending_aorta: Points
    ascending_aorta_radii_mm: Points
    descending_aorta: Points
    superior_vena_cava: Points
    right_atrium_centre: Points


@dataclass(frozen=True)
class HeartModel:
    """One patient's heart and great vessels.

    ``canonical`` maps a structure to its outer signed distance in canonical coordinates; ``body_fixed`` does so in
    patient coordinates for what does not turn with the heart; ``cavities`` holds the blood pools and valve orifices
    that are more than a wall thickness inside an outer surface (canonical); ``wall_mm`` is the wall between an outer
    surface and the blood. ``fat_mm`` is the thickness of epicardial fat over convex surface; it grows by ``fat_tilt``
    (mm per 40 mm) away from the heart's centre. ``vessel_lift_mm`` and ``groove_twist_deg`` move the arteries out of
    and along their grooves.
    """

    pose: Pose
    canonical: Mapping[str, SignedDistance]
    body_fixed: Mapping[str, SignedDistance]
    cavities: Mapping[str, SignedDistance]
    wall_mm: Mapping[str, float]
    landmarks: Landmarks
    fat_mm: float
    sac_blend_mm: float
    fat_tilt: Points = field(default_factory=lambda: as_points((0.0, 0.0, 0.0)))
    vessel_lift_mm: float = 0.0
    groove_twist_deg: float = 0.0
    sac_members: tuple[str, ...] = field(default=("lv", "rv", "la", "laa", "ra", "raa", "root"))

    def distance(self, name: str, points: Points) -> Field:
        """Return the outer signed distance (mm) of one structure at patient points."""
        return np.asarray(self.canonical[name](self.pose.to_canonical(points)) * self.pose.scale, dtype=np.float32)

    def distances(self, points: Points) -> dict[str, Field]:
        """Return the outer signed distance of every structure at patient points."""
        q = self.pose.to_canonical(points)
        found = {name: np.asarray(f(q) * self.pose.scale, dtype=np.float32) for name, f in self.canonical.items()}
        return found | {name: f(as_points(points)) for name, f in self.body_fixed.items()}

    def cavity_distances(self, points: Points) -> dict[str, Field]:
        """Return the signed distance of every separately modelled blood pool at patient points."""
        q = self.pose.to_canonical(points)
        return {name: np.asarray(f(q) * self.pose.scale, dtype=np.float32) for name, f in self.cavities.items()}

    def muscle_surface(self, points: Points) -> Field:
        """Return the signed distance to the heart's outer muscle and vessel surface (sharp union)."""
        q = self.pose.to_canonical(points)
        best = self.canonical["lv"](q)
        for name in ("rv", "la", "laa", "ra", "raa", "root", "pulmonary_trunk"):
            best = np.minimum(best, self.canonical[name](q))
        return np.asarray(best * self.pose.scale, dtype=np.float32)

    def sac(self, distances: Mapping[str, Field], points: Points | None = None) -> Field:
        """Return the signed distance of the pericardial sac: the smooth hull of the heart, pushed out by fat.

        ``points`` (patient LPS mm) are needed only where fat is uneven.
        """
        hull = distances["lv"]
        for name in self.sac_members[1:]:
            hull = smooth_minimum(hull, distances[name], self.sac_blend_mm)
        fat: Field | np.float32 = np.float32(self.fat_mm)
        if points is not None and self.fat_tilt.any():
            fat = as_points(
                np.maximum(fat + (as_points(points) - self.pose.centre) @ self.fat_tilt / np.float32(40.0), 1.8)
            )
        return np.asarray(hull - fat, dtype=np.float32)
