"""Whether a score of this coronary tree may stand: complete, inside the scan, calibration plausible, zero firm.

Decides refusals (no score at all) and notes (a score, with a warning); each names the value that caused it. What the
scan itself says is judged in :mod:`scan_quality`.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from coronary.calcium import Vessel, risk_category
from coronary.ccta_scoring.agatston_equivalent import SENSITIVITY_SHIFT_HU, ContrastScoring
from coronary.ccta_scoring.aorta import AorticAttenuation
from coronary.ccta_scoring.centerlines import CenterlinePoints
from coronary.ccta_scoring.lumen import LumenReference
from coronary.ccta_scoring.scan_quality import Finding
from coronary.contract import QualityNote, Refusal
from coronary.coronary_tree import USUAL_LENGTH_MM, CoronaryTree
from coronary.ct_volume import CtVolume
from coronary.reasons import ZERO_UNCERTAIN

#: Notes of the tree that make a total meaningless: a whole territory was not looked at. A missing circumflex is left to
#: the reader: it can be tiny in right-dominant hearts.
MISSING_TRUNKS = frozenset({"LEFT_TREE_MISSING", "RIGHT_TREE_MISSING", "LAD_MISSING"})

#: Shortest course from the ostium that is accepted, mm: calcium sits in the proximal half. Below the usual length it is
#: noted.
REFUSED_LENGTH_MM = {"LAD": 50.0, "LCX": 0.0, "RCA": 30.0}

#: A piece as long as this that is no part of the tree may be an artery whose calcium is not scored, mm.
LOOSE_PIECE_MM = 20.0

#: Bridged part of the three trunks together: from the first their course is partly a guess, from the second mostly.
BRIDGED_SHARE_NOTED = 0.10
BRIDGED_SHARE_REFUSED = 0.40

#: Segments (SCCT) that hold most calcium; a scan that ends inside them misses what decides the score.
PROXIMAL_SEGMENTS = (1, 5, 6, 11)

#: A chamber: the largest connected blood in the last slice towards the feet, cm². A descending aorta has 5 cm².
CHAMBER_CM2 = 8.0
BLOOD_SHARE = 0.6

#: Calibration factor relative to the aorta. Coronary lumens are 0.85 to 1.0 of it.
PLAUSIBLE_FACTOR = (0.75, 1.08)
POSSIBLE_FACTOR = (0.60, 1.25)

#: Median centreline attenuation of wide lumens relative to the factor: it differs by a few percent when both are right.
#: Lumens below this radius never reach full attenuation, mm.
NOTED_DISAGREEMENT = 0.15
REFUSED_DISAGREEMENT = 0.30
WIDE_RADIUS_MM = 1.2

#: A moving artery is smeared: its wide lumen is dimmer than the factor. At 2.7 and 3.2 mm of residual motion the RCA of
#: virtual patients had 0.74 and 0.71 of the factor; of 50 with less than 2 mm none was below 0.94.
NOTED_SMEAR = 0.85
REFUSED_SMEAR = 0.60
#: Points of wide lumen a trunk needs to be judged.
LEAST_POINTS = 20

#: Least share of wide lumen with a reliable attenuation, noted below; calcium, stents, motion or a wrong course.
RELIABLE_SHARE = 0.5


def check_tree(tree: CoronaryTree) -> list[Finding]:
    """Refuse ``TREE_INCOMPLETE``; refuse or note ``TRUNK_SHORT``, ``TREE_INTERRUPTED``; pass the tree's notes on.

    Notes ``VESSEL_NOT_CONNECTED`` where a long piece of the mask was left out: it may be the rest of an artery.
    """
    missing = [note for note in tree.notes if note.code in MISSING_TRUNKS]
    found: list[Finding] = [note for note in tree.notes if note.code not in MISSING_TRUNKS]
    if missing:
        detail = {"missing": ", ".join(note.code for note in missing)}
        found.append(Refusal("TREE_INCOMPLETE", " ".join(note.text for note in missing), detail))
    for name, length_mm in tree.short_trunks().items():
        refused_mm, usual_mm = REFUSED_LENGTH_MM[name], USUAL_LENGTH_MM[name]
        if length_mm < refused_mm:
            text = f"The {name} was followed for {length_mm:.0f} mm only, at least {refused_mm:.0f} mm are needed."
            found.append(Refusal("TRUNK_SHORT", text, {"trunk": name, "length_mm": round(length_mm, 1)}))
        else:
            text = f"The {name} was followed for {length_mm:.0f} mm only; {usual_mm:.0f} mm or more are usual."
            found.append(QualityNote("TRUNK_SHORT", text))
    loose = [piece for piece in tree.dropped if piece.code == "NOT_CONNECTED" and piece.length_mm >= LOOSE_PIECE_MM]
    if loose:
        lengths = ", ".join(f"{piece.length_mm:.0f} mm" for piece in loose)
        text = f"A vessel was not connected to the coronary tree ({lengths} long); calcium in it is not scored."
        found.append(QualityNote("VESSEL_NOT_CONNECTED", text))
    return found + _check_bridges(tree)


def _check_bridges(tree: CoronaryTree) -> list[Finding]:
    trunks = [line for name in USUAL_LENGTH_MM if (line := tree.centerline(name)) is not None]
    points = sum(len(line.is_bridged) for line in trunks)
    share = sum(int(line.is_bridged.sum()) for line in trunks) / max(points, 1)
    text = f"{share:.0%} of the main arteries are bridged interruptions ({len(tree.joins)} joins in the tree)."
    if share > BRIDGED_SHARE_REFUSED:
        return [Refusal("TREE_INTERRUPTED", text, {"bridged_share": round(share, 3), "joins": len(tree.joins)})]
    return [QualityNote("TREE_INTERRUPTED", text)] if share > BRIDGED_SHARE_NOTED else []


def check_coverage(volume: CtVolume, tree: CoronaryTree, aorta: AorticAttenuation) -> list[Finding]:
    """Refuse ``ARTERY_CUT_OFF`` in a proximal segment, note it elsewhere; note ``HEART_CUT_OFF``.

    An artery is cut off where its lumen reaches the first or last slice.
    """
    found: list[Finding] = []
    spacing, row, column = volume.spacing_zyx_mm
    length_mm = (len(volume.voxels_hu) - 1) * spacing
    for line in tree.centerlines:
        place_mm = volume.to_index_zyx(line.points_lps_mm)[:, 0] * spacing
        is_cut = np.minimum(place_mm, length_mm - place_mm) <= line.radius_mm
        if not is_cut.any():
            continue
        proximal = sorted(set(line.segment[is_cut].tolist()) & set(PROXIMAL_SEGMENTS))
        first = int(np.flatnonzero(is_cut)[0])
        end = "first" if place_mm[first] < length_mm / 2 else "last"
        text = f"The {line.name} reaches the {end} slice {line.arc_length_mm[first]:.0f} mm from its beginning."
        if proximal:
            detail = {
                "artery": line.name,
                "segment": proximal[0],
                "length_mm": round(float(line.arc_length_mm[first]), 1),
            }
            found.append(Refusal("ARTERY_CUT_OFF", text, detail))
        else:
            found.append(QualityNote("ARTERY_CUT_OFF", text))
    is_caudal_last = volume.affine_lps[2, 2] < 0
    plane = volume.voxels_hu[-1 if is_caudal_last else 0]
    pieces, count = ndimage.label(ndimage.median_filter(plane, 3) > BLOOD_SHARE * aorta.mean_hu)
    area_cm2 = float(np.bincount(pieces.ravel())[1:].max()) * row * column / 100.0 if count else 0.0
    if area_cm2 > CHAMBER_CM2:
        text = f"The slice nearest to the feet shows a chamber of {area_cm2:.0f} cm2: the heart is not covered."
        found.append(QualityNote("HEART_CUT_OFF", text))
    return found


def check_calibration(
    calibration_factor_hu: float, aorta: AorticAttenuation, centerlines: CenterlinePoints, lumen: LumenReference
) -> list[Finding]:
    """Refuse or note ``CALIBRATION_IMPLAUSIBLE``, ``CALIBRATION_DISAGREES``; note ``LUMEN_UNRELIABLE``."""
    found: list[Finding] = []
    ratio = calibration_factor_hu / aorta.mean_hu
    text = (
        f"The calibration factor is {calibration_factor_hu:.0f} HU, {ratio:.2f} of the aorta ({aorta.mean_hu:.0f} HU)."
    )
    detail = {"calibration_factor_hu": round(calibration_factor_hu, 1), "aorta_mean_hu": round(aorta.mean_hu, 1)}
    if not POSSIBLE_FACTOR[0] <= ratio <= POSSIBLE_FACTOR[1]:
        found.append(Refusal("CALIBRATION_IMPLAUSIBLE", text, detail))
    elif not PLAUSIBLE_FACTOR[0] <= ratio <= PLAUSIBLE_FACTOR[1]:
        found.append(QualityNote("CALIBRATION_IMPLAUSIBLE", text))
    is_wide = (centerlines.radius_mm >= WIDE_RADIUS_MM) & np.isfinite(lumen.measured_hu)
    if not is_wide.any():
        text = f"No artery is wide enough (radius {WIDE_RADIUS_MM:g} mm) to check the calibration factor."
        return [*found, QualityNote("LUMEN_UNRELIABLE", text)]
    measured_hu = float(np.median(lumen.measured_hu[is_wide]))
    difference = abs(measured_hu / calibration_factor_hu - 1.0)
    text = f"Wide arteries have {measured_hu:.0f} HU, the calibration factor is {calibration_factor_hu:.0f} HU."
    detail = {"calibration_factor_hu": round(calibration_factor_hu, 1), "lumen_hu": round(measured_hu, 1)}
    if difference > REFUSED_DISAGREEMENT:
        found.append(Refusal("CALIBRATION_DISAGREES", text, detail))
    elif difference > NOTED_DISAGREEMENT:
        found.append(QualityNote("CALIBRATION_DISAGREES", text))
    share = float(lumen.is_reliable[is_wide].mean())
    if share < RELIABLE_SHARE:
        text = f"Only {share:.0%} of the wide arteries show the attenuation of a free lumen."
        found.append(QualityNote("LUMEN_UNRELIABLE", text))
    return found


def check_motion(calibration_factor_hu: float, centerlines: CenterlinePoints, lumen: LumenReference) -> list[Finding]:
    """Refuse or note ``MOTION`` where the lumen of one vessel is smeared.

    Notes
    -----
    The paper's failures were respiratory motion and pitch; steps between slices are found by
    :func:`.scan_quality.check_steps`, interruptions by :func:`check_tree`.
    """
    is_wide = (centerlines.radius_mm >= WIDE_RADIUS_MM) & np.isfinite(lumen.measured_hu)
    found: list[Finding] = []
    for vessel in Vessel:
        chosen = is_wide & (centerlines.vessel == vessel)
        if np.count_nonzero(chosen) < LEAST_POINTS:
            continue
        share = float(np.median(lumen.measured_hu[chosen])) / calibration_factor_hu
        text = f"The {vessel.name} has {share:.2f} of the attenuation of a sharp lumen: it moved or was not followed."
        if share < REFUSED_SMEAR:
            found.append(Refusal("MOTION", text, {"vessel": vessel.name, "lumen_share": round(share, 3)}))
        elif share < NOTED_SMEAR:
            found.append(QualityNote("MOTION", text))
    return found


def check_score(scoring: ContrastScoring) -> list[Finding]:
    """Note ``ZERO_UNCERTAIN``, ``CATEGORY_UNCERTAIN`` where the threshold decides it, ``CALCIUM_OFF_TREE``.

    No zero of a contrast scan stands on its own: in the first measurement one was wrong without any other sign.
    """
    found: list[Finding] = []
    elsewhere_mm3 = scoring.network.elsewhere_mm3
    if elsewhere_mm3 > 0:
        text = (
            f"{elsewhere_mm3:.0f} mm3 of calcium lie too far from every centreline to belong to it and are not scored: "
            "calcium of a valve, or a vessel is missing."
        )
        found.append(QualityNote("CALCIUM_OFF_TREE", text))
    total = scoring.score.agatston.total
    lower, higher = (each.agatston.total for each in (scoring.at_lower_thresholds, scoring.at_higher_thresholds))
    if total == 0:
        return [QualityNote(ZERO_UNCERTAIN, _why_zero_is_uncertain(scoring)), *found]
    categories = {risk_category(value) for value in (total, lower, higher)}
    if len(categories) > 1:
        text = (
            f"The score is {total:.0f}, but {higher:.0f} to {lower:.0f} with a threshold {SENSITIVITY_SHIFT_HU:.0f} HU "
            "higher or lower."
        )
        found.insert(0, QualityNote("CATEGORY_UNCERTAIN", text))
    return found


def _why_zero_is_uncertain(scoring: ContrastScoring) -> str:
    network = scoring.network
    if len(network.calcium.hu) > 0:
        volume_mm3 = scoring.score.segmented_volume_mm3.total
        return f"{volume_mm3:.1f} mm3 of calcium were found, too little for the slices of a calcium-scoring CT."
    if network.doubtful_mm3 > 0 or network.elsewhere_mm3 > 0:
        return f"No calcium is certain, but {network.doubtful_mm3 + network.elsewhere_mm3:.1f} mm3 might be calcium."
    if scoring.paper_score.agatston.total > 0:
        return "The network found no calcium, but the adaptive threshold is passed beside the coronary arteries."
    return "No calcium was found, but a contrast scan hides small calcium: read it before taking the score for zero."
