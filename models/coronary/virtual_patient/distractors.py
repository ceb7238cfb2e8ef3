"""Decides which dense things that are not coronary calcium a patient has, and where.

Calcified ones use the same shape function and concentrations as plaque, so that only their place tells them apart.
Prevalences after PMC7899264 (valves), PMC3568504 (mitral annulus) and general experience for the rest.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from coronary.virtual_patient.coronary_tree import CoronaryTree
from coronary.virtual_patient.deposits import Course, Deposit, Material, PlaqueStyle, string_along, transported_frames
from coronary.virtual_patient.heart_model import HeartModel
from coronary.virtual_patient.random_streams import stream
from coronary.virtual_patient.shapes import Points, as_points, gradient

PREVALENCE: Final = {
    "aortic_wall": 0.30,
    "ostial_wall": 0.10,
    "descending_aorta": 0.22,
    "aortic_valve": 0.14,
    "mitral_annulus": 0.08,
    "pericardium": 0.03,
    "node": 0.07,
    "stent": 0.07,
    "lead": 0.04,
    "sternal_wire": 0.05,
    "clip": 0.03,
    "contrast_remnant": 0.03,
}


@dataclass(frozen=True)
class Distractor:
    """A dense thing that must never be scored: what it is, where (patient LPS mm) and its geometry."""

    kind: str
    centre_lps_mm: Points
    deposit: Deposit


#: ``None`` by prevalence, ``True`` at least one, ``False`` none; or the kinds themselves, in any order.
DistractorChoice = bool | Collection[str] | None


def draw_kinds(seed: int, wanted: DistractorChoice = None) -> tuple[str, ...]:
    """Draw which kinds a patient has."""
    if wanted is False:
        return ()
    if wanted is not None and wanted is not True:
        if unknown := set(wanted) - PREVALENCE.keys():
            raise ValueError(f"no such distractor: {', '.join(sorted(unknown))}")
        return tuple(kind for kind in PREVALENCE if kind in wanted)
    rng = stream(seed, "distractors")
    kinds = [kind for kind, share in PREVALENCE.items() if rng.uniform() < share]
    if wanted and not kinds:
        share = np.array(list(PREVALENCE.values()))
        kinds = [str(rng.choice(list(PREVALENCE), p=share / share.sum()))]
    return tuple(kinds)


def draw_distractors(
    heart: HeartModel, tree: CoronaryTree, seed: int, sternum_front: Points, wanted: DistractorChoice
) -> tuple[Distractor, ...]:
    """Draw the distractors of a patient; what `wanted` means is said at DistractorChoice."""
    makers = _Makers(heart, tree, sternum_front)
    found: list[Distractor] = []
    for kind in draw_kinds(seed, wanted):
        own = stream(seed, f"distractor {kind}")
        deposits = getattr(makers, kind)(own)
        found += [Distractor(kind, d.mean_position(), d) for d in deposits]
    return tuple(found)


class _Makers:
    """One method per kind of distractor; each returns its deposits in patient space."""

    def __init__(self, heart: HeartModel, tree: CoronaryTree, sternum_front: Points) -> None:
        self.heart = heart
        self.tree = tree
        self.sternum_front = sternum_front

    def aortic_wall(self, rng: np.random.Generator) -> list[Deposit]:
        marks = self.heart.landmarks
        course = self._course(marks.ascending_aorta[:4], marks.ascending_aorta_radii_mm[:4] - 0.8)
        return self._several(rng, course, int(rng.integers(1, 5)), 9.0)

    def ostial_wall(self, rng: np.random.Generator) -> list[Deposit]:
        """Wall calcium a few millimetres beside a coronary ostium: the hardest negative for LM and RCA."""
        marks = self.heart.landmarks
        ostium = marks.left_ostium if rng.uniform() < 0.6 else marks.right_ostium
        centre = marks.ascending_aorta[0]
        outward = (ostium - centre) * (1, 1, 0)
        angle = np.arctan2(outward[1], outward[0]) + rng.choice([-1, 1]) * rng.uniform(0.3, 0.6)
        radius = float(marks.ascending_aorta_radii_mm[0]) - 1.0
        height = ostium[2] + rng.uniform(-4.0, 6.0)
        start = centre + radius * as_points((np.cos(angle), np.sin(angle), 0.0))
        start[2] = height
        stop = start + as_points((-np.sin(angle), np.cos(angle), rng.normal(0.0, 0.4))) * 8.0
        course = Course(self.heart.pose.to_patient(_between(start, stop, 14)), np.zeros(14, dtype=np.float32))
        return self._several(rng, course, 1, 8.0)

    def descending_aorta(self, rng: np.random.Generator) -> list[Deposit]:
        nodes = self.heart.landmarks.descending_aorta
        fine = np.concatenate([_between(nodes[1], nodes[2], 20)[:-1], _between(nodes[2], nodes[3], 20)])
        course = Course(fine, np.full(len(fine), 11.0, dtype=np.float32))
        return self._several(rng, course, int(rng.integers(1, 6)), 12.0)

    def aortic_valve(self, rng: np.random.Generator) -> list[Deposit]:
        marks = self.heart.landmarks
        deposits: list[Deposit] = []
        for _ in range(int(rng.integers(1, 4))):
            angle, reach = rng.uniform(0, 2 * np.pi), marks.aortic_valve_radius_mm
            rim = as_points((np.cos(angle), np.sin(angle), 0.25)) * reach * 0.85
            start = marks.aortic_valve_centre + rim + 3.0 * marks.aortic_axis
            stop = marks.aortic_valve_centre + 0.25 * rim + 7.0 * marks.aortic_axis
            course = Course(self.heart.pose.to_patient(_between(start, stop, 14)), np.full(14, 0.4, dtype=np.float32))
            deposits += self._several(rng, course, 1, 20.0)
        return deposits

    def mitral_annulus(self, rng: np.random.Generator) -> list[Deposit]:
        marks = self.heart.landmarks
        first, span = rng.uniform(-1.9, 0.3), rng.uniform(0.4, 2.2)
        angle = np.linspace(first, first + span, 40)
        around = np.cos(angle)[:, None] * marks.lateral + np.sin(angle)[:, None] * marks.superior
        ring = marks.mitral_centre + (marks.mitral_radius_mm + 4.0) * around + 1.0 * marks.axis
        course = Course(self.heart.pose.to_patient(ring), np.full(40, 0.6, dtype=np.float32))
        style = PlaqueStyle(radial_mm=(0.7, 2.2), around_mm=(0.7, 2.2))
        return self._several(rng, course, 1, 35.0, style)

    def pericardium(self, rng: np.random.Generator) -> list[Deposit]:
        marks = self.heart.landmarks
        angle = rng.uniform(0, 2 * np.pi)
        around = np.cos(angle) * marks.lateral + np.sin(angle) * marks.superior
        guess = marks.mitral_centre + rng.uniform(0.2, 0.8) * marks.left_ventricle_length_mm * marks.axis + 36 * around
        tangent = as_points(rng.normal(size=3))
        line = self.heart.pose.to_patient(_between(guess - 12 * tangent, guess + 12 * tangent, 30))
        for _ in range(5):
            d = self.heart.sac(self.heart.distances(line), line)
            slope = gradient(lambda p: self.heart.sac(self.heart.distances(p), p), line)
            line = as_points(line - d[:, None] * slope / np.maximum(np.sum(slope**2, axis=1, keepdims=True), 0.25))
        style = PlaqueStyle(radial_mm=(0.4, 0.9), around_mm=(0.8, 2.5), depth_mm=(-0.1, 0.1))
        return self._several(
            rng, Course(line, np.zeros(len(line), dtype=np.float32)), int(rng.integers(1, 3)), 15.0, style
        )

    def node(self, rng: np.random.Generator) -> list[Deposit]:
        deposits: list[Deposit] = []
        for _ in range(int(rng.integers(1, 4))):
            side = rng.choice([-1, 1])
            centre = as_points((side * rng.uniform(28.0, 48.0), rng.uniform(2.0, 24.0), rng.uniform(28.0, 60.0)))
            line = _between(centre, centre + as_points(rng.normal(0.0, 3.0, size=3)), 8)
            style = PlaqueStyle(radial_mm=(0.8, 2.5), around_mm=(0.8, 2.5), scatter_rad=1.6)
            deposits += self._several(rng, Course(line, np.full(8, 0.8, dtype=np.float32)), 1, 14.0, style)
        return deposits

    def stent(self, rng: np.random.Generator) -> list[Deposit]:
        """A zigzag of thin metal on the lumen of a proximal vessel."""
        branch = self.tree.branch(str(rng.choice(["LAD", "RCA", "LCX"], p=[0.5, 0.3, 0.2])))
        course = Course(branch.points, branch.radius_mm)
        start, length = rng.uniform(3.0, 30.0), rng.uniform(12.0, 28.0)
        spots, frames = [], []
        for s in np.arange(start, min(start + length, course.length_mm() - 2.0), 1.1):
            place, frame, radius = course.frame_at(float(s))
            for j in range(7):
                theta = 2 * np.pi * j / 7 + 0.45 * s
                out = np.cos(theta) * frame[1] + np.sin(theta) * frame[2]
                spots.append(place + radius * out)
                frames.append(np.stack([frame[0], np.cross(frame[0], out), out]))
        semi = np.tile(as_points((0.75, 0.22, 0.14)), (len(spots), 1))
        value = np.full(len(spots), rng.uniform(4500.0, 9000.0), dtype=np.float32)
        return [Deposit("metal", as_points(spots), as_points(frames), semi, value)]

    def lead(self, rng: np.random.Generator) -> list[Deposit]:
        marks = self.heart.landmarks
        apex = marks.mitral_centre + rng.uniform(0.5, 0.8) * marks.left_ventricle_length_mm * marks.axis
        apex = apex - 30.0 * marks.lateral - 8.0 * marks.superior
        nodes = [
            marks.superior_vena_cava[2],
            marks.superior_vena_cava[0],
            marks.right_atrium_centre,
            marks.tricuspid_centre,
        ]
        return [_wire(self.heart.pose.to_patient([*nodes, apex]), rng.uniform(0.5, 0.9), rng.uniform(5000.0, 9000.0))]

    def sternal_wire(self, rng: np.random.Generator) -> list[Deposit]:
        wires = []
        for z in np.arange(-40.0, 70.0, 24.0) + rng.uniform(-6.0, 6.0):
            angle = np.linspace(0.2, 2 * np.pi - 0.2, 24)
            loop = np.stack(
                [11.0 * np.cos(angle), 7.5 * np.sin(angle), 2.0 * np.sin(angle + rng.uniform(0, 6))], axis=1
            )
            wires.append(_wire(as_points(loop + self.sternum_front + (0.0, 6.0, z)), 0.5, 8000.0))
        return wires

    def clip(self, rng: np.random.Generator) -> list[Deposit]:
        clips = []
        branch = self.tree.branch("LAD")
        for _ in range(int(rng.integers(2, 7))):
            near = branch.points[int(rng.uniform(0.1, 0.9) * len(branch.points))]
            start = as_points(near + rng.normal(0.0, 1.0, size=3) * (5.0, 3.0, 5.0) + (0.0, -9.0, 0.0))
            clips.append(_wire(_between(start, start + as_points(rng.normal(0.0, 2.5, size=3)), 4), 0.6, 6000.0))
        return clips

    def contrast_remnant(self, rng: np.random.Generator) -> list[Deposit]:
        """Dense contrast left in the superior vena cava, for example from a test bolus."""
        vein = self.heart.landmarks.superior_vena_cava
        course = self.heart.pose.to_patient(_between(vein[0], vein[1], 10))
        return [_wire(course, rng.uniform(4.0, 7.0), rng.uniform(4.0, 30.0), "iodine")]

    def _course(self, nodes: Points, radii: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> Course:
        fine = np.concatenate([_between(a, b, 16)[:-1] for a, b in pairwise(nodes)])
        where = np.linspace(0, len(radii) - 1, len(fine))
        scale = self.heart.pose.scale
        return Course(
            self.heart.pose.to_patient(fine), (scale * np.interp(where, range(len(radii)), radii)).astype(np.float32)
        )

    @staticmethod
    def _several(
        rng: np.random.Generator, course: Course, count: int, median_mg: float, style: PlaqueStyle | None = None
    ) -> list[Deposit]:
        chosen = style or PlaqueStyle()
        return [
            string_along(
                rng,
                course,
                rng.uniform(0.0, 0.7) * course.length_mm(),
                rng.uniform(0, 2 * np.pi),
                float(np.clip(median_mg * np.exp(rng.normal(-0.6, 1.1)), 0.4, 150.0)),
                chosen,
            )
            for _ in range(count)
        ]


def _between(start: Points, stop: Points, count: int) -> Points:
    return as_points(start + np.linspace(0.0, 1.0, count)[:, None] * (np.asarray(stop) - start))


def _wire(nodes: Points, radius_mm: float, value: float, material: Material = "metal") -> Deposit:
    """Return a wire of constant radius along ``nodes`` as a string of elongated blobs."""
    steps = np.linalg.norm(np.diff(nodes, axis=0), axis=1)
    s = np.concatenate([[0.0], np.cumsum(steps)])
    spacing = max(1.0, 1.2 * radius_mm)
    at = np.linspace(0.0, s[-1], max(2, int(s[-1] / spacing)))
    line = as_points(np.stack([np.interp(at, s, nodes[:, i]) for i in range(3)], axis=1))
    semi = np.tile(as_points((spacing * 1.3, radius_mm, radius_mm)), (len(line), 1))
    return Deposit(material, line, transported_frames(line), semi, np.full(len(line), value, dtype=np.float32))
