"""Decides how plaque narrows the lumen: where, how much, and of what; and the stenosis truth per SCCT segment.

Calcified plaque itself is :mod:`calcium`; this adds its effect on the lumen and non-calcified plaque.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.spatial.distance import cdist

from coronary.virtual_patient.calcium import Lesion
from coronary.virtual_patient.coronary_tree import Branch, CoronaryTree
from coronary.virtual_patient.deposits import EDGE_END, EDGE_WIDTH, transported_frames
from coronary.virtual_patient.random_streams import stream
from coronary.virtual_patient.shapes import Field

Composition = Literal["lipid", "fibrous"]

# Material HU: lipid 20 to 50, fibrous 60 to 120; the point spread adds the luminal contribution that readers measure.
PLAQUE_HU: Final[dict[Composition, float]] = {"lipid": 35.0, "fibrous": 85.0}
_SEVERITY_LEVELS: Final = (0.0, 0.15, 0.4, 0.6, 0.8)
_CALCIFIED_SHARE: Final = (0.35, 0.3, 0.18, 0.12, 0.05)
_SOFT_SHARE: Final = (0.0, 0.5, 0.28, 0.15, 0.07)
# Normalised radius of a blob at which half of its concentration is left: there it counts as solid.
_SOLID_RADIUS: Final = EDGE_END - 0.5 * EDGE_WIDTH


@dataclass(frozen=True)
class Narrowing:
    """A narrowing: centre and full length along the branch (mm), share of diameter lost (0 to 1), what fills it.

    ``outward_mm`` is the positive remodelling: how far the plaque pushes the outer wall out.
    """

    branch: str
    segment: int
    centre_mm: float
    length_mm: float
    diameter_fraction: float
    composition: Composition
    outward_mm: float


@dataclass(frozen=True)
class SegmentTruth:
    """One SCCT segment: length and mean healthy diameter (mm) and its largest diameter stenosis (percent)."""

    segment: int
    branch: str
    length_mm: float
    reference_diameter_mm: float
    stenosis_percent: float


def draw_narrowings(tree: CoronaryTree, lesions: Sequence[Lesion], seed: int) -> tuple[Narrowing, ...]:
    """Draw the narrowings of one patient: some at calcified lesions, zero to four purely non-calcified."""
    found = []
    for i, lesion in enumerate(lesions):
        rng = stream(seed, f"narrowing at lesion {i}")
        severity = _severity(rng, _CALCIFIED_SHARE)
        if severity > 0 and lesion.mass_mg > 1.0:
            middle = 0.5 * (lesion.start_mm + lesion.end_mm)
            length = max(6.0, lesion.end_mm - lesion.start_mm + rng.uniform(2.0, 5.0))
            found.append(_narrowing(rng, tree.branch(lesion.branch), middle, min(length, 30.0), severity))
    rng = stream(seed, "non-calcified plaque")
    for _ in range(int(rng.poisson(1.1 if lesions else 0.4))):
        branch = tree.branch(str(rng.choice(["LAD", "RCA", "LCX", "LM"], p=[0.45, 0.3, 0.2, 0.05])))
        middle = float(branch.arc_length_mm()[-1]) * rng.beta(1.3, 2.2)
        found.append(_narrowing(rng, branch, middle, rng.uniform(6.0, 22.0), _severity(rng, _SOFT_SHARE)))
    return tuple(found)


def _severity(rng: np.random.Generator, shares: tuple[float, ...]) -> float:
    level = int(rng.choice(len(shares), p=shares))
    return 0.0 if level == 0 else float(np.clip(_SEVERITY_LEVELS[level] + rng.uniform(-0.1, 0.1), 0.05, 0.9))


def _narrowing(rng: np.random.Generator, branch: Branch, middle: float, length: float, severity: float) -> Narrowing:
    index = int(np.argmin(np.abs(branch.arc_length_mm() - middle)))
    return Narrowing(
        branch=branch.name,
        segment=int(branch.segment[index]),
        centre_mm=float(middle),
        length_mm=float(length),
        diameter_fraction=severity,
        composition="lipid" if rng.uniform() < 0.4 else "fibrous",
        outward_mm=float(rng.uniform(0.0, 0.6)),
    )


def narrowing_profile(branch: Branch, narrowing: Narrowing) -> Field:
    """Return the raised-cosine weight (0 to 1) of a narrowing at each point of its branch."""
    offset = (branch.arc_length_mm() - narrowing.centre_mm) / (0.5 * narrowing.length_mm)
    return np.asarray(np.where(np.abs(offset) < 1, 0.5 + 0.5 * np.cos(np.pi * offset), 0.0), dtype=np.float32)


def lumen_radius_mm(branch: Branch, narrowings: Sequence[Narrowing]) -> Field:
    """Return the lumen radius at each point of a branch; where narrowings overlap, the strongest counts."""
    lost = np.zeros(len(branch.points), dtype=np.float32)
    for narrowing in narrowings:
        if narrowing.branch == branch.name:
            lost = np.maximum(lost, narrowing.diameter_fraction * narrowing_profile(branch, narrowing))
    return np.asarray(branch.radius_mm * (1.0 - lost), dtype=np.float32)


def free_lumen_radius_mm(
    tree: CoronaryTree, branch: Branch, narrowings: Sequence[Narrowing], lesions: Sequence[Lesion]
) -> Field:
    """Return the radius of the circle with the area that plaque and calcium leave free at each point of a branch.

    Where arteries divide the lumen of each fills the narrowing of the other: the scan shows all lumens together.
    """
    own = lumen_radius_mm(branch, narrowings)
    radius = np.clip(_radius_in_others_mm(tree, branch, narrowings), own, np.maximum(branch.radius_mm, own))
    along = branch.arc_length_mm()
    frames = transported_frames(branch.points)
    angle, share = np.meshgrid(2 * np.pi * (np.arange(20) + 0.5) / 20, np.sqrt((np.arange(7) + 0.5) / 7))
    disc = np.stack([share * np.cos(angle), share * np.sin(angle)], axis=-1).reshape(-1, 2)
    for lesion in lesions:
        if lesion.branch != branch.name:
            continue
        reach = float(lesion.deposit.semi_axes_mm.max())
        here = np.flatnonzero((along > lesion.start_mm - reach) & (along < lesion.end_mm + reach))
        cross = np.einsum("dk,nkc->ndc", disc, frames[here, 1:]) * radius[here, None, None] + branch.points[here, None]
        blocked = np.zeros(cross.shape[:2], dtype=bool)
        deposit = lesion.deposit
        for centre, frame, semi in zip(deposit.centres, deposit.frames, deposit.semi_axes_mm, strict=True):
            q = (cross - centre) @ (frame / semi[:, None]).T
            blocked |= np.einsum("ndc,ndc->nd", q, q) < _SOLID_RADIUS**2
        radius[here] *= np.sqrt(1.0 - blocked.mean(axis=1, dtype=np.float32))
    return radius


def _radius_in_others_mm(tree: CoronaryTree, branch: Branch, narrowings: Sequence[Narrowing]) -> Field:
    """Return the radius of the largest ball about each point of a branch that lies inside another one's lumen."""
    deepest = np.full(len(branch.points), -np.inf, dtype=np.float32)
    for other in tree.branches:
        if other.name != branch.name:
            distance = cdist(branch.points, other.points)
            deepest = np.maximum(deepest, (lumen_radius_mm(other, narrowings) - distance).max(axis=1))
    return deepest


def segment_truth(
    tree: CoronaryTree, narrowings: Sequence[Narrowing], lesions: Sequence[Lesion]
) -> tuple[SegmentTruth, ...]:
    """Return length, reference diameter and diameter stenosis of every SCCT segment of every branch."""
    rows = []
    for branch in tree.branches:
        along = branch.arc_length_mm()
        lumen = free_lumen_radius_mm(tree, branch, narrowings, lesions)
        for segment in np.unique(branch.segment):
            here = branch.segment == segment
            rows.append(
                SegmentTruth(
                    segment=int(segment),
                    branch=branch.name,
                    length_mm=float(along[here][-1] - along[here][0]),
                    reference_diameter_mm=float(2 * branch.radius_mm[here].mean()),
                    stenosis_percent=float(100 * (1 - (lumen[here] / branch.radius_mm[here]).min())),
                )
            )
    return tuple(rows)
