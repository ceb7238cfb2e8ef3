"""Whether what the network takes for calcium may be a stent: it surrounds the lumen, and goes on doing so.

Decides a note, never what is scored.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from coronary.ccta_scoring.contrast_calcium import ContrastCalcium
from coronary.ccta_scoring.scan_quality import Finding
from coronary.contract import QualityNote
from coronary.coronary_tree import CoronaryTree
from coronary.coronary_tree.curves import CENTERLINE_STEP_MM
from coronary.ct_volume import CtVolume

#: A cross-section is surrounded where calcium is seen in so many of its sectors; struts and slices leave gaps.
SECTORS: Final = 12
SURROUNDED_SECTORS: Final = 10

#: Calcium this far before or behind a cross-section counts for it, mm.
ALONG_MM: Final = 1.0

#: Stents are at least this long, and put into lumens at least this wide (radius), mm. In 11 virtual patients (0.5.0)
#: both stents passed, 31 and 28 mm long, and so did the dense calcium of three patients with scores of 415 to 718.
SHORTEST_STENT_MM: Final = 8.0
SMALLEST_RADIUS_MM: Final = 1.1


def check_stents(volume: CtVolume, tree: CoronaryTree, calcium: ContrastCalcium) -> list[Finding]:
    """Note ``STENT_SUSPECTED`` for every artery whose lumen calcium surrounds over the length of a stent."""
    return [
        QualityNote(
            "STENT_SUSPECTED",
            f"What is scored in the {name} surrounds its lumen over {length_mm:.0f} mm: it may be a stent.",
        )
        for name, length_mm in surrounded_mm(volume, tree, calcium).items()
        if length_mm >= SHORTEST_STENT_MM
    ]


def surrounded_mm(volume: CtVolume, tree: CoronaryTree, calcium: ContrastCalcium) -> dict[str, float]:
    """Length of the longest stretch of each artery, where it is wide, that calcium surrounds, mm, by name."""
    if len(calcium.hu) == 0 or not tree.centerlines:
        return {}
    places = volume.to_lps_mm(calcium.index_zyx.astype(np.float64))
    points = np.concatenate([line.points_lps_mm for line in tree.centerlines])
    frames = np.concatenate([line.frames() for line in tree.centerlines])
    nearest = np.asarray(KDTree(points).query(places)[1])
    normal, binormal = (np.einsum("nc,nc->n", places - points[nearest], frames[nearest, row]) for row in (1, 2))
    sector = np.floor((np.arctan2(binormal, normal) / (2 * np.pi) + 0.5) * SECTORS).astype(np.int64) % SECTORS
    is_seen = np.zeros((len(points), SECTORS), dtype=np.bool_)
    is_seen[nearest, sector] = True
    is_seen &= np.concatenate([line.radius_mm for line in tree.centerlines])[:, None] >= SMALLEST_RADIUS_MM
    borders = np.cumsum([0, *(len(line.points_lps_mm) for line in tree.centerlines)]).tolist()
    return {
        line.name: _longest_mm(is_seen[first:end])
        for line, (first, end) in zip(tree.centerlines, pairwise(borders), strict=True)
    }


def _longest_mm(is_seen: NDArray[np.bool_]) -> float:
    """Longest run of surrounded cross-sections of one artery; `is_seen` has shape (points, SECTORS)."""
    reach = 2 * round(ALONG_MM / CENTERLINE_STEP_MM) + 1
    is_surrounded = ndimage.maximum_filter1d(is_seen, reach, axis=0).sum(axis=1) >= SURROUNDED_SECTORS
    runs, count = ndimage.label(is_surrounded)
    return CENTERLINE_STEP_MM * float(np.bincount(runs)[1:].max()) if count else 0.0
