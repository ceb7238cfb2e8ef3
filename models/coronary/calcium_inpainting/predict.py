"""Take the calcium off one scored contrast scan and read its segments.

Decides the order of the steps and what the reader is told.
"""

from __future__ import annotations

from typing import Final, Literal

from coronary.calcium_inpainting.inpainting import inpaint_calcium
from coronary.calcium_inpainting.patches import HIDDEN_VOXELS
from coronary.calcium_inpainting.removal import CalciumRemoved, remove_calcium
from coronary.contract import CalciumFindings, ContrastFindings, ModelSessions, ProgressCallback, QualityNote
from coronary.ct_volume import CtVolume
from coronary.derived_findings import DerivedFindings, DerivedVolume
from coronary.derived_readings import DOUBT_RULE, cad_rads_of, notes_of_series, read_segments

#: How calcium is removed: by a network that sees it (ours), or by the sliding hidden cube of paper 2.
Method = Literal["seen", "hidden"]

METHODS: Final[dict[Method, str]] = {
    "seen": "what a network that sees the calcium says it adds, taken off voxel by voxel",
    "hidden": "Dense-Unet of paper 2: a hidden cube slides along the calcium",
}

#: The smaller of paper 2's cubes, which did better there.
HIDDEN_SIDE: Final = min(HIDDEN_VOXELS)

NO_CALCIUM = QualityNote(
    "NO_CALCIUM", "No coronary calcium was found: there is no calcium-removed series, the scan itself is read."
)


def predict(
    method: Method,
    sessions: ModelSessions,
    volume: CtVolume,
    basis: CalciumFindings,
    contrast: ContrastFindings,
    on_progress: ProgressCallback,
) -> DerivedFindings:
    """Remove the scored calcium and measure all segments; without calcium there are readings but no series."""
    removed = _removed(method, sessions, volume, basis, contrast, lambda done: on_progress(0.8 * done))
    on_progress(0.8)
    readings = read_segments(volume, removed.volume, basis, contrast)
    on_progress(1.0)
    has_calcium = bool(removed.is_altered.any())
    series = DerivedVolume("calcium-removed", removed.volume.voxels_hu, removed.is_altered)
    return DerivedFindings(
        volumes=(series,) if has_calcium else (),
        readings=readings,
        cad_rads=cad_rads_of(readings, has_plaque=has_calcium),
        tree=contrast.tree,
        quality=(*(() if has_calcium else (NO_CALCIUM,)), *notes_of_series(basis)),
        parameters={
            "removal": METHODS[method],
            "altered": "calcium that was scored, and its blurred border",
            "doubtful": DOUBT_RULE,
            "scored by": basis.parameters.get("model", "unknown"),
        },
    )


def _removed(
    method: Method,
    sessions: ModelSessions,
    volume: CtVolume,
    basis: CalciumFindings,
    contrast: ContrastFindings,
    on_progress: ProgressCallback,
) -> CalciumRemoved:
    is_scored = basis.vessel_labels > 0
    if method == "seen":
        return remove_calcium(sessions["removal"], volume, is_scored, contrast.calibration_factor_hu, on_progress)
    return inpaint_calcium(sessions["dense_unet"], volume, is_scored, HIDDEN_SIDE, on_progress)
