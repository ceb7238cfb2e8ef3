"""A virtual patient's contrast scan, coarse enough for tests, and networks that answer with its truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coronary.ccta_scoring import measure_aorta
from coronary.ccta_scoring.masks import tree_slice_step
from coronary.ccta_scoring.preprocess import COARSE_MM, EXCESS_RANGE, PreparedScan, prepare
from coronary.contract import AcquisitionFacts, Refusal
from coronary.ct_volume import CtVolume
from coronary.evaluation.virtual_cohort import acquisition_facts
from coronary.imaging.heart_region import find_heart_region
from coronary.imaging.resampling import resample_nearest
from coronary.virtual_patient import (
    VirtualScan,
    artery_mask,
    calcium_mask,
    coronary_attenuation_hu,
    draw_acquisition,
    draw_patient,
    render,
)

#: Never used in training or tuning.
SEED = 980001
FOV_MM, MATRIX = 192.0, 320


@dataclass(frozen=True, eq=False)
class ContrastPatient:
    """One scan with its truth, and the same on the networks' grids."""

    scan: VirtualScan
    volume: CtVolume
    facts: AcquisitionFacts
    prepared: PreparedScan

    @property
    def arteries(self) -> NDArray[np.bool_]:
        """True arteries, shape of the volume."""
        return artery_mask(self.scan)


@cache
def contrast_patient(seed: int = SEED) -> ContrastPatient:
    """Render once per test run (about ten seconds)."""
    acquisition = draw_acquisition(seed, "ccta", kvp=100)
    scan = render(draw_patient(seed, calcium="present"), acquisition, in_plane_fov_mm=FOV_MM, matrix=MATRIX)
    volume = CtVolume(scan.voxels_hu, scan.affine_lps)
    prepared = prepare(volume, find_heart_region(volume).center_lps_mm)
    assert not isinstance(prepared, Refusal)
    return ContrastPatient(scan, volume, acquisition_facts(acquisition), prepared)


class OracleSession:
    """Answers slice after slice with given planes, in the order in which it is asked."""

    def __init__(self, planes: NDArray[Any]) -> None:
        self.planes, self.answered = planes, 0

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> Sequence[NDArray[np.float32]]:
        count = len(inputs["image"])
        chosen = self.planes[self.answered : self.answered + count].astype(np.float32)
        self.answered += count
        return [chosen]


class OracleCalibration:
    """Answers with one ratio to the mean of the aorta."""

    def __init__(self, ratio: float) -> None:
        self.ratio = ratio

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> Sequence[NDArray[np.float32]]:
        assert inputs["features"].shape[0] == 1
        return [np.array([[self.ratio]], np.float32)]


def oracle_sessions(
    patient: ContrastPatient,
    *,
    arteries: NDArray[np.bool_] | NDArray[np.float32] | None = None,
    aorta: NDArray[np.bool_] | None = None,
    ratio: float | None = None,
) -> dict[str, Any]:
    """Networks that know the truth, or say what is given instead; `arteries` may be probabilities."""
    assert patient.scan.aorta_mask is not None
    arteries = patient.arteries if arteries is None else arteries
    aorta = patient.scan.aorta_mask if aorta is None else aorta
    if ratio is None:
        measured = measure_aorta(patient.volume, patient.scan.aorta_mask)
        assert not isinstance(measured, Refusal)
        ratio = coronary_attenuation_hu(patient.scan) / measured.mean_hu
    prepared = patient.prepared
    spacing = prepared.slice_spacing_mm
    coarse = [min(round(z * COARSE_MM / spacing), len(aorta) - 1) for z in range(len(prepared.coarse))]
    return {
        "tree": OracleSession(_tree_answers(patient, arteries)),
        "aorta": OracleSession(resample_nearest(aorta[coarse], prepared.coarse_grid)[:, None]),
        "calibration": OracleCalibration(ratio),
    }


def _tree_answers(patient: ContrastPatient, arteries: NDArray[np.bool_] | NDArray[np.float32]) -> NDArray[np.float32]:
    """What a network that knows the truth would say, shape (slices, answers, rows, columns)."""
    scan, prepared = patient.scan, patient.prepared
    excess = scan.ha_mg_cm3 * scan.acquisition.ha_hu_per_mg_cm3() / (EXCESS_RANGE * prepared.mixture.blood_hu)
    planes = (arteries, calcium_mask(scan) & (arteries > 0), excess)
    step = tree_slice_step(prepared.slice_spacing_mm)
    return np.stack([resample_nearest(p[::step].astype(np.float32), prepared.grid) for p in planes], axis=1)
