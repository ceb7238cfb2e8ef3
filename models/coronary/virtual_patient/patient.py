"""Decides who a virtual patient is: anatomy, coronaries, calcium and distractors, all from one seed.

Nothing here depends on a scan: CSCT and CCTA of one seed share this object. Scans are :mod:`acquisition`.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from coronary.virtual_patient.calcium import CalciumChoice, Lesion, draw_calcium
from coronary.virtual_patient.coronary_tree import CoronaryTree, build_coronary_tree
from coronary.virtual_patient.deposits import PlaqueStyle
from coronary.virtual_patient.distractors import Distractor, DistractorChoice, draw_distractors
from coronary.virtual_patient.heart_external import build_external_heart
from coronary.virtual_patient.heart_model import HeartModel
from coronary.virtual_patient.heart_standard import build_standard_heart
from coronary.virtual_patient.heart_varied import build_varied_heart, draw_varied_plaque
from coronary.virtual_patient.lumen import Narrowing, draw_narrowings
from coronary.virtual_patient.random_streams import clipped_normal, stream
from coronary.virtual_patient.shapes import Points, as_points
from coronary.virtual_patient.thorax import Thorax, build_thorax, draw_lung_vessels
from coronary.virtual_patient.veins import Vein, build_veins

Variant = Literal["standard", "varied", "external"]

# Plaque of the external population: flatter sheets along the wall, less dense, more often interrupted.
EXTERNAL_PLAQUE_STYLE: Final = PlaqueStyle(
    radial_mm=(0.4, 0.95),
    around_mm=(0.8, 2.2),
    along_mm=(0.9, 3.4),
    scatter_rad=0.25,
    depth_mm=(-0.1, 0.6),
    concentration_mg_cm3=(360.0, 1050.0),
    gap_probability=0.2,
)
EXTERNAL_MEDIAN_AGATSTON: Final = 75.0

_BUILD_HEART: Final = {
    "standard": build_standard_heart,
    "varied": build_varied_heart,
    "external": build_external_heart,
}

GENERATOR_VERSION: Final = "1.0.0"


@dataclass(frozen=True)
class VirtualPatient:
    """One patient: demographics, geometry in patient LPS mm, lesions, narrowings, distractors.

    ``extreme`` is 1 for patients in the clinical range and larger for every fifth seed, which is drawn outside it.
    """

    seed: int
    variant: Variant
    female: bool
    age_years: float
    fat_level: float
    extreme: float
    heart: HeartModel
    thorax: Thorax
    tree: CoronaryTree
    lung_vessels: Points
    lesions: tuple[Lesion, ...]
    distractors: tuple[Distractor, ...]
    narrowings: tuple[Narrowing, ...]
    veins: tuple[Vein, ...]
    generator_version: str = GENERATOR_VERSION


def draw_patient(
    seed: int,
    *,
    variant: Variant = "standard",
    calcium: CalciumChoice = "any",
    distractors: DistractorChoice = None,
) -> VirtualPatient:
    """Draw the virtual patient of one seed.

    Parameters
    ----------
    seed
        Not negative. The same seed gives the same patient in every process.
    variant
        ``external`` uses a structurally different heart and plaque statistics, for tests outside the training family;
        ``varied`` draws the standard heart far beyond anatomy, for training.
    calcium
        ``any``: half of the patients have none; ``none`` and ``present`` force it. Anatomy does not change with it.
    distractors
        ``None`` draws dense non-coronary things by prevalence, ``True`` forces at least one, ``False`` none; a
        collection of kinds (keys of ``distractors.PREVALENCE``) forces exactly these.
    """
    rng = stream(seed, "person")
    female = bool(rng.uniform() < 0.45)
    age = clipped_normal(rng, 61.0, 9.5, 38.0, 88.0)
    extreme = 1.9 if seed % 5 == 4 else 1.0
    fat_level = float(np.clip(np.exp(rng.normal(0.0, 0.4 * extreme)), 0.25, 3.0))
    heart = _BUILD_HEART[variant](seed, extreme)
    thorax = build_thorax(seed, extreme, female, age, fat_level)
    tree = build_coronary_tree(heart, seed, female)
    if variant == "external":
        lesions = draw_calcium(tree, seed, calcium, EXTERNAL_PLAQUE_STYLE, EXTERNAL_MEDIAN_AGATSTON)
    elif variant == "varied":
        lesions = draw_calcium(tree, seed, calcium, draw_varied_plaque(seed))
    else:
        lesions = draw_calcium(tree, seed, calcium)
    return VirtualPatient(
        seed=seed,
        variant=variant,
        female=female,
        age_years=age,
        fat_level=fat_level,
        extreme=extreme,
        heart=heart,
        thorax=thorax,
        tree=tree,
        lung_vessels=draw_lung_vessels(seed),
        lesions=lesions,
        narrowings=draw_narrowings(tree, lesions, seed),
        veins=build_veins(heart, tree, seed),
        distractors=draw_distractors(heart, tree, seed, as_points((0.0, thorax.sternum_centre_y(), 0.0)), distractors),
    )
