"""Decides how far the varied heart departs from the standard one: beyond anatomy, so that no network learns one build.

Training only (domain randomisation, after Billot et al., SynthSeg, Med Image Anal 2023): every chamber of
:mod:`heart_standard` is bent and grown by itself, so that no two grooves meet alike; fat, and the place of the arteries
in it, are drawn widely. The solids of :mod:`heart_external` are not used.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from coronary.virtual_patient.deposits import PlaqueStyle
from coronary.virtual_patient.heart_model import HeartModel
from coronary.virtual_patient.heart_standard import build_standard_heart, draw_pose
from coronary.virtual_patient.random_streams import clipped_normal, stream
from coronary.virtual_patient.shapes import Field, Points, SignedDistance, as_points

#: Chambers that are bent, each with the cavities that must stay inside it. The aorta keeps its shape: the coronary
#: ostia lie on it.
_CHAMBERS: Final = {"lv": ("lv cavity",), "rv": (), "la": (), "laa": (), "ra": (), "raa": ()}
_WAVES: Final = 4


def build_varied_heart(seed: int, extreme: float) -> HeartModel:
    """Build the varied heart of one seed."""
    standard = build_standard_heart(seed, extreme)
    rng = stream(seed, "varied heart")
    canonical, cavities = dict(standard.canonical), dict(standard.cavities)
    for chamber, inside in _CHAMBERS.items():
        bend = _Bend(rng)
        grown_mm = clipped_normal(rng, 0.0, 1.5, -3.0, 3.0)
        canonical[chamber] = bend.of(canonical[chamber], grown_mm)
        for cavity in inside:
            cavities[cavity] = bend.of(cavities[cavity], grown_mm)
    return replace(
        standard,
        pose=draw_pose(rng, float(rng.uniform(1.0, 2.2))),
        canonical=canonical,
        cavities=cavities,
        fat_mm=float(rng.uniform(1.8, 11.0)),
        sac_blend_mm=float(rng.uniform(6.0, 40.0)),
        fat_tilt=as_points((*rng.normal(0.0, 1.5, size=2), rng.normal(0.0, 0.7))),
        vessel_lift_mm=float(rng.uniform(-0.6, 2.4)),
        groove_twist_deg=float(rng.normal(0.0, 10.0)),
    )


def draw_varied_plaque(seed: int) -> PlaqueStyle:
    """Draw how one varied patient's plaque looks: from flat sheets to lumps, from faint to dense."""
    rng = stream(seed, "varied plaque")
    radial, around, along = rng.uniform(0.3, 0.9), rng.uniform(0.5, 1.2), rng.uniform(0.6, 1.3)
    faint = rng.uniform(300.0, 600.0)
    return PlaqueStyle(
        radial_mm=(radial, radial + rng.uniform(0.3, 0.9)),
        around_mm=(around, around + rng.uniform(0.5, 1.6)),
        along_mm=(along, along + rng.uniform(1.0, 3.0)),
        scatter_rad=float(rng.uniform(0.1, 0.9)),
        depth_mm=(float(rng.uniform(-0.4, 0.0)), float(rng.uniform(0.2, 0.8))),
        concentration_mg_cm3=(faint, faint + rng.uniform(400.0, 900.0)),
        gap_probability=float(rng.uniform(0.0, 0.3)),
    )


class _Bend:
    """A smooth displacement of its own for one chamber: a sum of sines, as the warp of a pose."""

    def __init__(self, rng: np.random.Generator) -> None:
        directions = rng.normal(size=(_WAVES, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = rng.uniform(60.0, 160.0, size=(_WAVES, 1))
        self._wave = as_points(2 * np.pi * directions / lengths)
        self._phase = as_points(rng.uniform(0, 2 * np.pi, size=_WAVES))
        self._amplitude = as_points(np.clip(rng.normal(size=(_WAVES, 3)) * lengths / 160.0 * 1.8, -4.0, 4.0))

    def of(self, solid: SignedDistance, grown_mm: float) -> SignedDistance:
        def distance(points: Points) -> Field:
            moved = points + np.sin(points @ self._wave.T + self._phase, dtype=np.float32) @ self._amplitude
            return np.asarray(solid(as_points(moved)) - np.float32(grown_mm), dtype=np.float32)

        return distance
