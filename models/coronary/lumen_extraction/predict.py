"""Turn the contrast agent of one scored scan off and read its segments on what is left: the lumen.

Decides the order of the steps and what the reader is told.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from coronary.contract import CalciumFindings, ContrastFindings, ModelSession, ProgressCallback
from coronary.ct_volume import CtVolume
from coronary.derived_findings import DerivedFindings, DerivedVolume
from coronary.derived_readings import DOUBT_RULE, cad_rads_of, notes_of_series, read_segments
from coronary.lumen_extraction.difference import FIELD_MM, turn_contrast_off

#: Blood without contrast agent, HU: added to the lumen series, whose blood then is as bright as that of the scan.
BLOOD_HU: Final = 40


def predict(
    session: ModelSession,
    volume: CtVolume,
    basis: CalciumFindings,
    contrast: ContrastFindings,
    on_progress: ProgressCallback,
) -> DerivedFindings:
    """Make the pseudo-non-contrast and the lumen series, and measure all segments on the second."""
    parts = turn_contrast_off(session, volume, lambda done: on_progress(0.9 * done))
    with_blood = np.minimum(parts.lumen_hu, np.iinfo(np.int16).max - BLOOD_HU) + np.int16(BLOOD_HU)
    readings = read_segments(volume, CtVolume(with_blood, volume.affine_lps), basis, contrast)
    on_progress(1.0)
    return DerivedFindings(
        volumes=(DerivedVolume("lumen", parts.lumen_hu), DerivedVolume("non-contrast", parts.non_contrast_hu)),
        readings=readings,
        cad_rads=cad_rads_of(readings, has_plaque=bool(basis.vessel_labels.any())),
        tree=contrast.tree,
        quality=notes_of_series(basis),
        parameters={
            "non-contrast": f"every slice mapped by a network within {FIELD_MM:g} mm around the heart",
            "lumen": "contrast scan minus non-contrast series",
            "doubtful": DOUBT_RULE,
            "scored by": basis.parameters.get("model", "unknown"),
        },
    )
