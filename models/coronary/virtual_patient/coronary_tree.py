"""Decides the course, calibre and stenoses of the coronary arteries of a heart model, in patient LPS mm.

Main vessels run where two chambers meet (both at the same distance: the fat groove); branches run over muscle.
Diameters after Dodge 1992, dominance and lengths after the table in the phantom's model card. No calcium here.
"""

from dataclasses import dataclass

import numpy as np

from coronary.virtual_patient.groove import CENTRELINE_STEP_MM, resampled, smoothed, trace_groove, trace_ring
from coronary.virtual_patient.heart_model import HeartModel
from coronary.virtual_patient.random_streams import clipped_normal, stream
from coronary.virtual_patient.shapes import Field, Points, as_points, gradient

VESSEL_LABELS = {"LM": 1, "LAD": 2, "LCX": 3, "RCA": 4}


@dataclass(frozen=True)
class Branch:
    """One artery: points ``[n, 3]`` in patient LPS mm, healthy radius (mm) and SCCT segment id at each point.

    ``vessel`` is the calcium-scoring territory (LM, LAD, LCX, RCA) and ``name`` the artery itself (for example D1).
    """

    name: str
    vessel: str
    points: Points
    radius_mm: Field
    segment: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

    def arc_length_mm(self) -> Field:
        """Return the arc length (mm) from the branch's origin at each point."""
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)]).astype(np.float32)


@dataclass(frozen=True)
class CoronaryTree:
    """All branches of one patient and which side supplies the posterior descending artery."""

    dominance: str
    branches: tuple[Branch, ...]

    def branch(self, name: str) -> Branch:
        """Return the branch called ``name``."""
        return next(b for b in self.branches if b.name == name)


def build_coronary_tree(heart: HeartModel, seed: int, female: bool) -> CoronaryTree:
    """Trace the coronary arteries of one heart. Diameters of women are 9 % smaller (Dodge 1992)."""
    rng = stream(seed, "coronary_tree")
    dominance = str(rng.choice(["right", "left", "codominant"], p=[0.893, 0.052, 0.055]))
    calibre = (0.91 if female else 1.0) * clipped_normal(rng, 1.0, 0.07, 0.8, 1.2)
    left = dominance == "left"
    tracer = _Tracer(heart, rng, calibre)
    main = tracer.left_main()
    lad = tracer.anterior_descending(main)
    circumflex = tracer.circumflex(main, -95.0 if left else -20.0, (4.2 if left else 3.4))
    right = tracer.right_coronary(212.0 if left else 282.0, (2.8 if left else 3.9))
    branches = [main, lad, circumflex, right]
    branches += tracer.diagonals(lad)
    branches += tracer.marginals(circumflex)
    if rng.uniform() < 0.28:
        branches.append(tracer.ramus(main))
    branches.append(tracer.posterior_descending(circumflex if left else right, 15 if left else 4))
    branches += tracer.acute_marginal(right)
    return CoronaryTree(dominance=dominance, branches=tuple(branches))


class _Tracer:
    """Traces branches on one heart; draws in a fixed order from one stream."""

    def __init__(self, heart: HeartModel, rng: np.random.Generator, calibre: float) -> None:
        self.heart = heart
        self.rng = rng
        self.calibre = calibre

    def left_main(self) -> Branch:
        marks, pose = self.heart.landmarks, self.heart.pose
        start, end = pose.to_patient(marks.left_ostium), pose.to_patient(marks.left_bifurcation)
        length = clipped_normal(self.rng, 10.5, 4.0, 4.5, 22.0)
        direction = as_points((end - start) / np.linalg.norm(end - start))
        end = as_points(start + direction * length)
        bend = as_points(self.rng.normal(0.0, 0.8, size=3))
        path = resampled(np.stack([start - 1.5 * direction, start, (start + end) / 2 + bend, end]))
        path = self._keep_outside(path, 2.6, free_start_mm=4.0)
        radius = np.full(len(path), self._radius(4.6, 0.5), dtype=np.float32)
        return Branch("LM", "LM", path, radius, np.full(len(path), 5, dtype=np.uint8))

    def anterior_descending(self, main: Branch) -> Branch:
        marks = self.heart.landmarks
        reach = self.rng.uniform(0.90, 1.05)
        fractions = np.linspace(0.10, reach, 12)
        angle = np.deg2rad(np.interp(fractions, [0.1, 0.5, 1.0], [112.0, 126.0, 140.0]) + self.heart.groove_twist_deg)
        around = np.cos(angle)[:, None] * marks.lateral + np.sin(angle)[:, None] * marks.superior
        guess = marks.mitral_centre + fractions[:, None] * marks.left_ventricle_length_mm * marks.axis + 36.0 * around
        path = trace_groove(self.heart, "lv", "rv", guess, lambda q: q @ marks.axis, 3.6 + self.heart.vessel_lift_mm)
        path = as_points(np.concatenate([main.points[-1:], path[1:]]))
        return self._finish("LAD", "LAD", path, (3.7, 0.4), (1.9, 0.3), ((0.0, 6), (0.22, 7), (0.55, 8)))

    def circumflex(self, main: Branch, end_deg: float, diameter_mm: float) -> Branch:
        path = trace_ring(
            self.heart, "la", "lv", self.heart.landmarks.mitral_centre, 70.0, end_deg + self.rng.normal(0.0, 8.0), 3.4
        )
        path = as_points(np.concatenate([main.points[-1:], path]))
        return self._finish("LCX", "LCX", path, (diameter_mm, 0.45), (1.7, 0.3), ((0.0, 11), (0.40, 13)))

    def right_coronary(self, end_deg: float, diameter_mm: float) -> Branch:
        marks, pose = self.heart.landmarks, self.heart.pose
        start = pose.to_patient(marks.right_ostium)
        root = pose.to_patient(marks.aortic_valve_centre)
        outward = (start - root) * as_points((1.0, 1.0, 0.0))
        outward = as_points(outward / np.linalg.norm(outward))
        ring = trace_ring(
            self.heart, "ra", "rv", marks.tricuspid_centre, 118.0, end_deg + self.rng.normal(0.0, 6.0), 5.2
        )
        path = as_points(np.concatenate([[start - 1.5 * outward, start, start + 6.0 * outward], ring]))
        return self._finish("RCA", "RCA", path, (diameter_mm, 0.5), (2.4, 0.4), ((0.0, 1), (0.30, 2), (0.62, 3)))

    def diagonals(self, lad: Branch) -> list[Branch]:
        count = int(self.rng.integers(1, 4))
        at = np.sort(self.rng.uniform(0.16, 0.55, size=count))
        return [
            self._over_muscle(f"D{i + 1}", "LAD", lad, f, self.rng.uniform(35.0, 70.0), 9 if i == 0 else 10, +1.0)
            for i, f in enumerate(at)
        ]

    def marginals(self, circumflex: Branch) -> list[Branch]:
        count = int(self.rng.integers(1, 4))
        at = np.sort(self.rng.uniform(0.22, 0.8, size=count))
        return [
            self._down_the_wall(f"OM{i + 1}", "LCX", circumflex, f, self.rng.uniform(35.0, 70.0), 12 if i == 0 else 14)
            for i, f in enumerate(at)
        ]

    def ramus(self, main: Branch) -> Branch:
        return self._down_the_wall("RI", "LAD", main, 1.0, self.rng.uniform(40.0, 70.0), 17)

    def acute_marginal(self, right: Branch) -> list[Branch]:
        if self.rng.uniform() < 0.3:
            return []
        return [self._down_the_wall("AM", "RCA", right, self.rng.uniform(0.4, 0.6), self.rng.uniform(25.0, 55.0), 2)]

    def posterior_descending(self, parent: Branch, segment: int) -> Branch:
        marks = self.heart.landmarks
        fractions = np.linspace(0.12, self.rng.uniform(0.55, 0.85), 8)
        angle = np.deg2rad(-128.0)
        around = np.cos(angle) * marks.lateral + np.sin(angle) * marks.superior
        guess = marks.mitral_centre + fractions[:, None] * marks.left_ventricle_length_mm * marks.axis + 36.0 * around
        path = trace_groove(self.heart, "lv", "rv", guess, lambda q: q @ marks.axis, 3.0 + self.heart.vessel_lift_mm)
        path = as_points(np.concatenate([parent.points[-1:], path]))
        return self._finish("PDA", parent.vessel, path, (2.1, 0.3), (1.2, 0.2), ((0.0, segment),))

    def _over_muscle(
        self, name: str, vessel: str, parent: Branch, fraction: float, length_mm: float, segment: int, side: float
    ) -> Branch:
        marks, pose = self.heart.landmarks, self.heart.pose
        start = parent.points[int(fraction * (len(parent.points) - 1))]
        lateral = pose.direction_to_patient(marks.lateral)
        axis = pose.direction_to_patient(marks.axis)
        spread = np.deg2rad(self.rng.uniform(30.0, 55.0))
        direction = np.cos(spread) * axis + side * np.sin(spread) * lateral
        return self._march(name, vessel, start, direction, length_mm, segment, parent, fraction)

    def _down_the_wall(
        self, name: str, vessel: str, parent: Branch, fraction: float, length_mm: float, segment: int
    ) -> Branch:
        start = parent.points[int(fraction * (len(parent.points) - 1))]
        axis = self.heart.pose.direction_to_patient(self.heart.landmarks.axis)
        direction = axis + as_points(self.rng.normal(0.0, 0.15, size=3))
        return self._march(name, vessel, start, direction, length_mm, segment, parent, fraction)

    def _march(
        self,
        name: str,
        vessel: str,
        start: Points,
        direction: Points,
        length_mm: float,
        segment: int,
        parent: Branch,
        fraction: float,
    ) -> Branch:
        """March over the muscle in ``direction``, kept at the surface."""
        steps = max(4, int(length_mm / 6.0))
        path = [as_points(start)]
        for _ in range(steps):
            p = as_points(path[-1] + 6.0 * direction / np.linalg.norm(direction))
            for _ in range(3):
                g = gradient(self.heart.muscle_surface, p)
                p = as_points(p - (self.heart.muscle_surface(p) - 2.2) * g / max(float(g @ g), 0.2))
            path.append(p)
        parent_radius = float(parent.radius_mm[int(fraction * (len(parent.points) - 1))])
        first = min(2 * parent_radius * 0.68, 2.6)
        return self._finish(name, vessel, np.stack(path), (first, 0.2), (1.0, 0.15), ((0.0, segment),))

    def _finish(
        self,
        name: str,
        vessel: str,
        path: Points,
        proximal_mm: tuple[float, float],
        distal_mm: tuple[float, float],
        segments: tuple[tuple[float, int], ...],
    ) -> Branch:
        """Smooth, add tortuosity, keep clear of muscle, and give calibre and segment ids."""
        path = resampled(smoothed(path))
        path = self._keep_outside(path + self._tortuosity(len(path)), 0.5 * proximal_mm[0] + 0.8, free_start_mm=3.0)
        first, last = 2 * self._radius(*proximal_mm) / self.calibre, 2 * self._radius(*distal_mm) / self.calibre
        along = np.linspace(0.0, 1.0, len(path))
        radius = 0.5 * self.calibre * (first + (min(last, first) - first) * along**0.8)
        radius = radius * (1.0 + 0.04 * np.sin(2 * np.pi * along * self.rng.uniform(3, 7) + self.rng.uniform(0, 6.28)))
        ids = np.zeros(len(path), dtype=np.uint8)
        for start, segment in segments:
            ids[along >= start] = segment
        return Branch(name, vessel, path, radius.astype(np.float32), ids)

    def _tortuosity(self, count: int) -> Points:
        along = np.arange(count) * CENTRELINE_STEP_MM
        total = np.zeros((count, 3))
        strength = self.rng.gamma(2.0, 0.35)
        for _ in range(3):
            wavelength = self.rng.uniform(14.0, 45.0)
            amplitude = self.rng.normal(size=3) * strength * wavelength / 45.0
            total += np.sin(2 * np.pi * along[:, None] / wavelength + self.rng.uniform(0, 6.28, size=3)) * amplitude
        ramp = np.clip(along / 8.0, 0.0, 1.0)[:, None]
        return as_points((total - total[:1]) * ramp)

    def _keep_outside(self, path: Points, clearance_mm: float, free_start_mm: float) -> Points:
        """Push points that come closer than ``clearance_mm`` to muscle outwards, except near the origin."""
        free = int(free_start_mm / CENTRELINE_STEP_MM)
        moved = as_points(path).copy()
        for _ in range(4):
            depth = self.heart.muscle_surface(moved)
            g = gradient(self.heart.muscle_surface, moved)
            push = np.clip(clearance_mm - depth, 0.0, 3.0)
            push[: free + 1] = 0.0
            kernel = np.array([1, 2, 3, 4, 3, 2, 1]) / 16.0
            # The middle of the full convolution: "same" would be as long as the kernel for a branch of a few points.
            push = np.convolve(push, kernel)[3 : 3 + len(push)]
            moved += as_points(push[:, None] * g / np.maximum(np.linalg.norm(g, axis=1, keepdims=True), 0.3))
        return resampled(moved)

    def _radius(self, diameter_mm: float, sd_mm: float) -> float:
        return 0.5 * self.calibre * clipped_normal(self.rng, diameter_mm, sd_mm, 0.6 * diameter_mm, 1.5 * diameter_mm)
