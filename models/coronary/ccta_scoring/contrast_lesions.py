"""Calcium of a contrast scan as lesions and as the score document that all families share.

Decides how voxels become lesions (6-connected within a vessel) and what each contributes. The numbers of the vessels
are decided in :mod:`agatston_equivalent`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import CalciumScore, Lesion, Vessel, cac_drs
from coronary.calcium.voxel_grid import centroid_lps_mm
from coronary.ccta_scoring.agatston_equivalent import EQUIVALENT_CONVENTION, PAPER_CONVENTION, ContrastScoring
from coronary.ccta_scoring.contrast_calcium import ContrastCalcium
from coronary.ct_volume import CtVolume
from coronary.imaging.connected_pieces import connected_pieces


def lesions_of(calcium: ContrastCalcium) -> list[NDArray[np.int64]]:
    """Voxel numbers of each lesion, ordered by vessel, then centroid (z, y, x), then first voxel."""
    found: list[NDArray[np.int64]] = []
    for vessel in Vessel:
        piece = connected_pieces(calcium.index_zyx, calcium.vessel == vessel)
        members = [np.flatnonzero(piece == number) for number in range(1, int(piece.max(initial=0)) + 1)]
        found += sorted(members, key=lambda m: (*calcium.index_zyx[m].mean(axis=0).tolist(), int(m[0])))
    return found


def calcium_score(scoring: ContrastScoring, volume: CtVolume) -> tuple[CalciumScore, NDArray[np.uint16]]:
    """The score with its lesions, and the map of the lesions (shape of the volume; n is ``lesions[n - 1]``).

    A lesion's Agatston equivalent and volume are its share, by excess attenuation, of what its vessel has. There is no
    mass: nothing here was calibrated against known masses.
    """
    calcium = scoring.calcium
    of_vessel = {vessel: float(calcium.excess_hu[calcium.vessel == vessel].sum()) for vessel in Vessel}
    labels = np.zeros(volume.voxels_hu.shape, dtype=np.uint16)
    lesions = []
    for label, members in enumerate(lesions_of(calcium), start=1):
        index, hu = calcium.index_zyx[members], calcium.hu[members]
        vessel = Vessel(int(calcium.vessel[members[0]]))
        labels[tuple(index.T)] = label
        share = float(calcium.excess_hu[members].sum()) / max(of_vessel[vessel], 1e-9)
        lesions.append(
            Lesion(
                label=label,
                vessel=vessel,
                agatston=share * scoring.score.agatston.of(vessel),
                agatston_paper=None,
                volume_mm3=share * scoring.score.volume_mm3.of(vessel),
                mass_mg=None,
                peak_hu=float(hu.max()),
                mean_hu=float(hu.mean()),
                center_lps_mm=centroid_lps_mm(index, volume.affine_lps),
                slices=tuple(np.unique(index[:, 0]).tolist()),
                voxel_count=len(members),
            )
        )
    total = scoring.score.agatston.total
    score = CalciumScore(
        agatston=scoring.score.agatston,
        volume_mm3=scoring.score.volume_mm3,
        mass_mg=None,
        lesions=tuple(lesions),
        risk_category=scoring.score.risk_category,
        cac_drs=cac_drs(total, len({lesion.vessel for lesion in lesions if lesion.agatston > 0})),
        agatston_paper=scoring.paper_score.agatston,
        convention=EQUIVALENT_CONVENTION,
        paper_convention=PAPER_CONVENTION,
    )
    return score, labels
