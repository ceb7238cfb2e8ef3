"""Whether a contrast scan can be scored, judged by what is measured in it: slices, steps, contrast phase, noise.

Decides refusals (no score at all) and notes (a score, with a warning); each names the value that caused it. What the
coronary tree says about a scan is judged in :mod:`tree_quality`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.calcium import AGATSTON_THRESHOLD_HU
from coronary.ccta_scoring.aorta import AorticAttenuation
from coronary.ccta_scoring.calibration import REFERENCE_KVP, hydroxyapatite_hu
from coronary.ccta_scoring.paper_rule import WALL_HU
from coronary.contract import QualityNote, Refusal
from coronary.ct_volume import CtVolume

Finding = Refusal | QualityNote

#: Distance between slices, mm. Contrast scans are read at 0.4 to 0.8 mm; from 1.0 mm thin arteries blur into fat, and
#: at 1.5 mm a proximal artery that runs in the slice plane is met by two slices only.
COARSE_SPACING_MM = 1.0
LARGEST_SPACING_MM = 1.5

#: Slices may lie apart by their thickness and rounding; what lies between thinner ones was not imaged.
GAP_TOLERANCE = 1.1

#: Pixels above this make a lumen of 1.5 mm two pixels wide, mm.
COARSE_PIXEL_MM = 0.7

#: Neighbouring slices are compared on blocks of this width, mm (noise averages out), within soft tissue and blood, HU.
STEP_BLOCK_MM = 3.0
STEP_RANGE_HU = (-200, 400)

#: A step is where neighbours differ this many times more than neighbours nearby, within so many mm. On 15 virtual
#: patients at 80 to 120 kVp no pair reached 1.7; a shift of 1 mm reached 1.4 to 2.3, one of 2 mm 2.6 to 5.2.
STEP_RATIO = 2.2
STEP_NEIGHBOURHOOD_MM = 10.0

#: One or two steps lose a little of an artery; more of them mean that the slabs of the scan do not fit together.
REFUSED_STEPS = 3

#: Below the first value blood is not told from soft tissue with 130 HU of calcium (wall, 50 HU); 250 HU is what readers
#: ask of a diagnostic coronary lumen.
LEAST_AORTA_HU = WALL_HU + AGATSTON_THRESHOLD_HU
LOW_AORTA_HU = 250.0

#: Common blood brighter than the aorta by this factor: the agent has not arrived. Left heart and aorta differ by less
#: than a tenth in the arterial phase; from half more, veins and right heart outshine every artery.
EARLY_PHASE_RATIO = 1.15
REFUSED_PHASE_RATIO = 1.5

#: Noise in blood relative to the attenuation of the faintest calcium (130 HU at 120 kVp): from a third, three SDs of
#: noise reach it; from a half, every fortieth voxel of blood does.
HIGH_NOISE_SHARE = 1 / 3
REFUSED_NOISE_SHARE = 1 / 2

#: Calcium of this density in plaque (hydroxyapatite, mg/cm³) no brighter than the blood beside it cannot be seen by its
#: brightness. The two densest of 16 unseen virtual pairs with calcium (502002-502032, version 0.6.0; 409 and 435
#: mg/cm³) were scored 152 for 283 and 33 for 148.
HIDDEN_MG_CM3 = 400.0


@dataclass(frozen=True, slots=True)
class ScanAssessment:
    """All findings about one scan.

    Parameters
    ----------
    refusal
        The first reason not to score, or None.
    notes
        What a reader of the score must know, in the order of the checks.
    """

    refusal: Refusal | None
    notes: tuple[QualityNote, ...]

    @classmethod
    def of(cls, *checks: Iterable[Finding]) -> ScanAssessment:
        """Collect the findings of checks."""
        findings = [finding for check in checks for finding in check]
        refusals = [finding for finding in findings if isinstance(finding, Refusal)]
        notes = tuple(finding for finding in findings if isinstance(finding, QualityNote))
        return cls(refusals[0] if refusals else None, notes)


def check_slices(volume: CtVolume, slice_thickness_mm: float | None) -> list[Finding]:
    """Refuse ``SLICES_TOO_FAR_APART`` and ``SLICES_LEAVE_GAPS``; note ``COARSE_SLICES`` and ``COARSE_PIXELS``."""
    spacing, row, column = volume.spacing_zyx_mm
    found: list[Finding] = []
    if spacing > LARGEST_SPACING_MM:
        text = f"Slices are {spacing:.2f} mm apart, at most {LARGEST_SPACING_MM:g} mm can be scored."
        found.append(Refusal("SLICES_TOO_FAR_APART", text, {"slice_spacing_mm": round(spacing, 3)}))
    elif spacing > COARSE_SPACING_MM:
        text = f"Slices are {spacing:.2f} mm apart; small calcium may be missed above {COARSE_SPACING_MM:g} mm."
        found.append(QualityNote("COARSE_SLICES", text))
    if slice_thickness_mm is not None and spacing > GAP_TOLERANCE * slice_thickness_mm:
        text = f"Slices of {slice_thickness_mm:.2f} mm are {spacing:.2f} mm apart: the tissue between was not imaged."
        detail = {"slice_spacing_mm": round(spacing, 3), "slice_thickness_mm": round(slice_thickness_mm, 3)}
        found.append(Refusal("SLICES_LEAVE_GAPS", text, detail))
    if max(row, column) > COARSE_PIXEL_MM:
        text = f"Pixels are {max(row, column):.2f} mm wide; small calcium may be missed above {COARSE_PIXEL_MM:g} mm."
        found.append(QualityNote("COARSE_PIXELS", text))
    return found


def measure_steps(volume: CtVolume) -> NDArray[np.float64]:
    """How much more each slice differs from the next than slices nearby do, shape (slices - 1,); about 1 everywhere.

    Mean absolute difference of blocks of STEP_BLOCK_MM, divided by its median within STEP_NEIGHBOURHOOD_MM.
    """
    spacing, row, column = volume.spacing_zyx_mm
    block = max(1, round(STEP_BLOCK_MM / row)), max(1, round(STEP_BLOCK_MM / column))
    rows, columns = (size // step * step for size, step in zip(volume.voxels_hu.shape[1:], block, strict=True))
    difference = np.zeros(max(0, len(volume.voxels_hu) - 1))
    before: NDArray[np.float64] | None = None
    for number, plane in enumerate(volume.voxels_hu):
        clipped = np.clip(plane[:rows, :columns], *STEP_RANGE_HU).astype(np.float32)
        blocks = clipped.reshape(rows // block[0], block[0], columns // block[1], block[1]).mean(axis=(1, 3))
        if before is not None:
            difference[number - 1] = np.abs(blocks - before).mean()
        before = blocks
    nearby = ndimage.median_filter(difference, size=2 * max(1, round(STEP_NEIGHBOURHOOD_MM / spacing)) + 1)
    return np.asarray(difference / np.maximum(nearby, np.finfo(np.float32).eps))


def check_steps(volume: CtVolume) -> list[Finding]:
    """Note ``STEP_ARTEFACT`` where slabs of the scan do not fit together; refuse from REFUSED_STEPS such places.

    Notes
    -----
    The paper's four failures were motion and unsuitable pitch. Steps are what both leave between two heart beats.
    """
    ratio = measure_steps(volume)
    steps = np.flatnonzero(ratio > STEP_RATIO)
    # Slices on both sides of one step count once.
    steps = steps[np.diff(steps, prepend=-2) > 1]
    if len(steps) == 0:
        return []
    places = ", ".join(f"{step + 1}/{step + 2}" for step in steps[:5])
    text = f"Slices do not fit together at {len(steps)} places ({places}; largest step {ratio.max():.1f} times normal)."
    if len(steps) >= REFUSED_STEPS:
        detail = {"steps": len(steps), "largest_step_ratio": round(float(ratio.max()), 2)}
        return [Refusal("STEP_ARTEFACT", text, detail)]
    return [QualityNote("STEP_ARTEFACT", text)]


def check_contrast(aorta: AorticAttenuation, blood_pool_hu: float) -> list[Finding]:
    """Refuse ``AORTA_NOT_ENHANCED``, note ``LOW_ENHANCEMENT``; refuse or note ``EARLY_PHASE``.

    Parameters
    ----------
    blood_pool_hu
        Brightest common blood of the scan, HU (``AttenuationMixture.blood_hu``).
    """
    found: list[Finding] = []
    if aorta.mean_hu < LEAST_AORTA_HU:
        text = f"The aorta has {aorta.mean_hu:.0f} HU, at least {LEAST_AORTA_HU:.0f} HU are needed."
        found.append(Refusal("AORTA_NOT_ENHANCED", text, {"aorta_mean_hu": round(aorta.mean_hu, 1)}))
    elif aorta.mean_hu < LOW_AORTA_HU:
        text = f"The aorta has only {aorta.mean_hu:.0f} HU; {LOW_AORTA_HU:.0f} HU are usual in a diagnostic scan."
        found.append(QualityNote("LOW_ENHANCEMENT", text))
    ratio = blood_pool_hu / aorta.mean_hu
    text = f"Blood elsewhere has {blood_pool_hu:.0f} HU, the aorta {aorta.mean_hu:.0f} HU: {ratio:.2f} times as much."
    if ratio > REFUSED_PHASE_RATIO:
        detail = {"blood_pool_hu": round(blood_pool_hu, 1), "aorta_mean_hu": round(aorta.mean_hu, 1)}
        found.append(Refusal("EARLY_PHASE", text, detail))
    elif ratio > EARLY_PHASE_RATIO:
        found.append(QualityNote("EARLY_PHASE", text))
    return found


def check_noise(aorta: AorticAttenuation, kvp: float) -> list[Finding]:
    """Refuse or note ``NOISY`` by the noise in the aorta against 130 HU of calcium at this voltage."""
    calcium_hu = AGATSTON_THRESHOLD_HU * hydroxyapatite_hu(kvp) / hydroxyapatite_hu(REFERENCE_KVP)
    share = aorta.sd_hu / calcium_hu
    text = f"Noise in the aorta is {aorta.sd_hu:.0f} HU, {share:.0%} of the faintest calcium ({calcium_hu:.0f} HU)."
    if share > REFUSED_NOISE_SHARE:
        return [Refusal("NOISY", text, {"aorta_sd_hu": round(aorta.sd_hu, 1), "calcium_hu": round(calcium_hu, 1)})]
    return [QualityNote("NOISY", text)] if share > HIGH_NOISE_SHARE else []


def check_hidden_calcium(calibration_factor_hu: float, kvp: float) -> list[Finding]:
    """Note ``CONTRAST_HIDES_CALCIUM`` where dense plaque is no brighter than the contrast agent around it."""
    hidden = (calibration_factor_hu - WALL_HU) / hydroxyapatite_hu(kvp)
    if hidden < HIDDEN_MG_CM3:
        return []
    text = (
        f"At {kvp:g} kV blood of {calibration_factor_hu:.0f} HU is as bright as calcium of {hidden:.0f} mg/cm³: less "
        "dense plaque may be hidden, the score too low."
    )
    return [QualityNote("CONTRAST_HIDES_CALCIUM", text)]
