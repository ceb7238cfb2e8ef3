"""Decides the course of the cardiac veins, which contrast CT shows next to the arteries and readers must not follow.

Only contrast scans paint them; without contrast they cannot be told from the fat groove's other vessels.
"""

from dataclasses import dataclass

import numpy as np

from coronary.virtual_patient.coronary_tree import Branch, CoronaryTree
from coronary.virtual_patient.groove import resampled, smoothed, trace_ring
from coronary.virtual_patient.heart_model import HeartModel
from coronary.virtual_patient.random_streams import stream
from coronary.virtual_patient.shapes import Field, Points, as_points, gradient


@dataclass(frozen=True)
class Vein:
    """One cardiac vein: points ``[n, 3]`` in patient LPS mm and its radius (mm) at each."""

    name: str
    points: Points
    radius_mm: Field


def build_veins(heart: HeartModel, tree: CoronaryTree, seed: int) -> tuple[Vein, ...]:
    """Trace the great cardiac vein, the coronary sinus and the middle cardiac vein of one patient."""
    rng = stream(seed, "veins")
    lad, descending = tree.branch("LAD"), tree.branch("PDA")
    great = _beside(heart, lad, 0.15, rng.uniform(0.6, 0.9), rng.uniform(1.2, 1.8))
    ring = trace_ring(heart, "la", "lv", heart.landmarks.mitral_centre, 40.0, -112.0, 6.5)
    sinus = _outside(heart, resampled(smoothed(ring)), 2.5)
    middle = _beside(heart, descending, 0.0, 0.8, 1.5)
    return (
        Vein("great cardiac vein", great, np.linspace(1.9, 0.8, len(great), dtype=np.float32)),
        Vein("coronary sinus", sinus, np.linspace(1.9, rng.uniform(3.5, 5.5), len(sinus), dtype=np.float32)),
        Vein("middle cardiac vein", middle, np.linspace(1.7, 0.7, len(middle), dtype=np.float32)),
    )


def _beside(heart: HeartModel, branch: Branch, start: float, end: float, vein_radius_mm: float) -> Points:
    """Return a path along part of an artery, beside it over the muscle."""
    first, last = int(start * (len(branch.points) - 1)), int(end * (len(branch.points) - 1))
    points = branch.points[first : last + 1]
    outward = gradient(heart.muscle_surface, points)
    side = np.cross(np.gradient(points, axis=0), outward)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-6)
    distance = branch.radius_mm[first : last + 1, None] + vein_radius_mm + 1.6
    return _outside(heart, resampled(smoothed(as_points(points + distance * side))), vein_radius_mm)


def _outside(heart: HeartModel, path: Points, clearance_mm: float) -> Points:
    """Push points out of muscle and appendages until they are ``clearance_mm`` clear."""
    moved = path
    for _ in range(5):
        slope = gradient(heart.muscle_surface, moved)
        push = np.clip(clearance_mm - heart.muscle_surface(moved), 0.0, 4.0)
        moved = as_points(moved + push[:, None] * slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 0.3))
    return resampled(smoothed(moved))
