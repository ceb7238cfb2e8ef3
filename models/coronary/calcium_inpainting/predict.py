"""Take the calcium off one scored contrast scan and read its segments.

Decides the order of the steps and what the reader is told.
"""

from __future__ import annotations

from coronary.calcium_extent import BORDER_PROBABILITY
from coronary.calcium_inpainting.removal import remove_calcium
from coronary.contract import CalciumFindings, ContrastFindings, ProgressCallback, QualityNote
from coronary.ct_volume import CtVolume
from coronary.derived_findings import DerivedFindings, DerivedVolume
from coronary.derived_readings import COVERED_SHARE, cad_rads_of, read_segments

NO_CALCIUM = QualityNote(
    "NO_CALCIUM", "No coronary calcium was found: there is no calcium-removed series, the scan itself is read."
)


def predict(
    volume: CtVolume, basis: CalciumFindings, contrast: ContrastFindings, on_progress: ProgressCallback
) -> DerivedFindings:
    """Remove the scored calcium and measure all segments; without calcium there are readings but no series."""
    removed = remove_calcium(volume, contrast.estimate, basis.vessel_labels > 0)
    on_progress(0.2)
    readings = read_segments(volume, removed.volume, removed.is_altered, basis, contrast)
    on_progress(1.0)
    has_calcium = bool(removed.is_altered.any())
    series = DerivedVolume("calcium-removed", removed.volume.voxels_hu, removed.is_altered)
    return DerivedFindings(
        volumes=(series,) if has_calcium else (),
        readings=readings,
        cad_rads=cad_rads_of(readings, has_plaque=has_calcium),
        tree=contrast.tree,
        quality=(*(() if has_calcium else (NO_CALCIUM,)), *basis.quality),
        parameters={
            "removal": "what the scoring network says calcium adds, taken off voxel by voxel",
            "altered": f"calcium that was scored, to a probability of {BORDER_PROBABILITY:g}",
            "not trusted from": f"{100 * COVERED_SHARE:.0f} % of a cross-section covered by calcium",
            "scored by": basis.parameters.get("model", "unknown"),
        },
    )
