"""Decides how much coronary calcium a patient has, in which vessels, and where each lesion lies.

Burden after Heinz Nixdorf Recall, vessel shares after MESA and PARADIGM with the left main raised so that it can be
learnt. Shapes come from :mod:`deposits`; scoring is elsewhere.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from coronary.virtual_patient.coronary_tree import Branch, CoronaryTree
from coronary.virtual_patient.deposits import Course, Deposit, PlaqueStyle, integrate, string_along
from coronary.virtual_patient.random_streams import stream
from coronary.virtual_patient.shapes import Points

CalciumChoice = Literal["any", "none", "present"]

# Share of lesions per branch: LAD > RCA > LCX > LM, proximal more than distal (PubMed 10913470, PMC4476056).
_BRANCH_SHARE: Final = {
    "LAD": 0.36,
    "RCA": 0.25,
    "LCX": 0.16,
    "LM": 0.10,
    "D": 0.06,
    "OM": 0.04,
    "PDA": 0.02,
    "RI": 0.01,
}
# Agatston units per mg: 481 / 89 = 5.4 (WJR 2014;6:381); small lesions give less because of partial volume.
_AGATSTON_PER_MG: Final = 3.8
_MEDIAN_AGATSTON: Final = 95.0
_SIGMA_LOG_AGATSTON: Final = 1.75


@dataclass(frozen=True)
class Lesion:
    """One calcified coronary plaque with its exact content.

    ``volume_mm3`` and ``mass_mg`` are integrals of the geometry in patient space, independent of any scan;
    ``start_mm``/``end_mm`` are arc lengths on ``branch``. A bridging lesion is cut at the ostium into two lesions.
    """

    vessel: str
    branch: str
    segment: int
    start_mm: float
    end_mm: float
    theta_rad: float
    volume_mm3: float
    mass_mg: float
    centre_lps_mm: Points
    deposit: Deposit


def draw_calcium(
    tree: CoronaryTree,
    seed: int,
    choice: CalciumChoice,
    style: PlaqueStyle | None = None,
    median_agatston: float = _MEDIAN_AGATSTON,
) -> tuple[Lesion, ...]:
    """Draw all calcified lesions of one patient; ``any`` gives half of all patients none.

    ``style`` and ``median_agatston`` are the standard population's unless another one is modelled.
    """
    rng = stream(seed, "calcium")
    is_zero = rng.uniform() < 0.5
    if choice == "none" or (choice == "any" and is_zero):
        return ()
    target = float(np.clip(np.exp(rng.normal(np.log(median_agatston), _SIGMA_LOG_AGATSTON)), 1.5, 3200.0))
    total_mg = max(0.55, target / _AGATSTON_PER_MG)
    count = int(np.clip(1 + rng.poisson(0.62 * total_mg**0.48), 1, 23))
    shares = rng.dirichlet(np.full(count, 0.9)) if count > 1 else np.ones(1)
    masses = np.maximum(total_mg * shares, 0.35)
    weights = _branch_weights(tree)
    names = list(weights)
    if rng.uniform() < 0.12:
        weights["LM"] += 0.25
    probabilities = np.array([weights[n] for n in names])
    lesions: list[Lesion] = []
    for mass in masses:
        branch = tree.branch(str(rng.choice(names, p=probabilities / probabilities.sum())))
        lesions += _place(rng, tree, branch, float(mass), style or PlaqueStyle())
    return tuple(lesions)


def _branch_weights(tree: CoronaryTree) -> dict[str, float]:
    weights: dict[str, float] = {}
    for branch in tree.branches:
        family = branch.name.rstrip("123")
        weights[branch.name] = _BRANCH_SHARE.get(family, 0.01)
    return weights


def _place(
    rng: np.random.Generator, tree: CoronaryTree, branch: Branch, mass_mg: float, style: PlaqueStyle
) -> list[Lesion]:
    """Place one lesion; one that starts in the left main or at its end may continue into the LAD."""
    course, offset = course_of(tree, branch)
    length = float(branch.arc_length_mm()[-1])
    if branch.name == "LM":
        start = offset + rng.uniform(1.2, max(1.5, length - 0.5))
    elif branch.name == "LAD" and rng.uniform() < 0.08:
        start = max(1.5, offset - rng.uniform(1.0, 6.0))
    else:
        proximal = rng.beta(1.1, 2.6) if branch.name in ("LAD", "LCX") else rng.beta(1.2, 1.8)
        start = offset + 1.0 + 0.85 * proximal * length
    theta = rng.uniform(0.0, 2 * np.pi)
    deposit = string_along(rng, course, start, theta, mass_mg, style)
    return _split_at_ostium(tree, branch, course, deposit, theta)


def course_of(tree: CoronaryTree, branch: Branch) -> tuple[Course, float]:
    """Return the curve plaques of a branch follow (LM and LAD joined) and the arc length at which the branch starts."""
    if branch.name not in ("LM", "LAD"):
        return Course(branch.points, branch.radius_mm), 0.0
    main, lad = tree.branch("LM"), tree.branch("LAD")
    points = np.concatenate([main.points, lad.points[1:]])
    radius = np.concatenate([main.radius_mm, lad.radius_mm[1:]])
    return Course(points, radius), 0.0 if branch.name == "LM" else float(main.arc_length_mm()[-1])


def _split_at_ostium(
    tree: CoronaryTree, branch: Branch, course: Course, deposit: Deposit, theta: float
) -> list[Lesion]:
    """Give blobs beyond the end of the left main to the LAD and blobs before it to the LM."""
    steps = np.linalg.norm(np.diff(course.points, axis=0), axis=1)
    s = np.concatenate([[0.0], np.cumsum(steps)])
    nearest = np.array([int(np.argmin(np.sum((course.points - c) ** 2, axis=1))) for c in deposit.centres])
    at = s[nearest]
    if branch.name not in ("LM", "LAD"):
        return [_lesion(branch, deposit, at, theta)]
    main, lad = tree.branch("LM"), tree.branch("LAD")
    boundary = float(main.arc_length_mm()[-1])
    lesions = []
    for owner, chosen, shift in ((main, at < boundary, 0.0), (lad, at >= boundary, boundary)):
        if chosen.any():
            part = Deposit(
                deposit.material,
                deposit.centres[chosen],
                deposit.frames[chosen],
                deposit.semi_axes_mm[chosen],
                deposit.concentration[chosen],
            )
            lesions.append(_lesion(owner, part, at[chosen] - shift, theta))
    return lesions


def _lesion(
    branch: Branch, deposit: Deposit, at_mm: np.ndarray[tuple[int, ...], np.dtype[np.float64]], theta: float
) -> Lesion:
    volume, content = integrate(deposit)
    along = branch.arc_length_mm()
    middle = int(np.argmin(np.abs(along - np.mean(at_mm))))
    half = deposit.semi_axes_mm[:, 0]
    return Lesion(
        vessel=branch.vessel,
        branch=branch.name,
        segment=int(branch.segment[middle]),
        start_mm=float(max(0.0, np.min(at_mm - half))),
        end_mm=float(min(along[-1], np.max(at_mm + half))),
        theta_rad=theta,
        volume_mm3=volume,
        mass_mg=content / 1000.0,
        centre_lps_mm=deposit.mean_position(),
        deposit=deposit,
    )
