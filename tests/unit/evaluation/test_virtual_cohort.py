"""One case of a virtual cohort: the patient is rendered small, the families answer what a test says."""

from types import SimpleNamespace

import numpy as np
import pytest

from builders.findings import findings_of
from coronary.calcium import AGATSTON_THRESHOLD_HU
from coronary.contract import Refusal
from coronary.detection_findings import DetectionFindings
from coronary.evaluation import virtual_cohort
from coronary.evaluation.virtual_cohort import cohort, run_case
from coronary.reasons import ZERO_CONTRADICTED, ZERO_NOT_CONFIRMED

HEALTHY, ILL = cohort(930001, 930002, "standard")


@pytest.fixture(autouse=True)
def small_scans(monkeypatch):
    """Scans of 8 cm around the heart at 1 mm."""
    render = virtual_cohort.render
    small = {"in_plane_fov_mm": 80.0, "matrix": 80}
    monkeypatch.setattr(virtual_cohort, "render", lambda *scan, **options: render(*scan, **options, **small))


class Scoring:
    """Finds everything bright, or nothing."""

    series_kind = "csct"

    def __init__(self, *, finds):
        self.finds = finds

    def check_eligibility(self, _facts, _volume):
        return None

    def predict(self, _sessions, volume, _facts, _on_progress):
        labels = self.finds & (volume.voxels_hu >= AGATSTON_THRESHOLD_HU)
        return findings_of(volume, labels.astype(np.uint8), quality=())


class Detector(Scoring):
    """Answers one probability, or refuses; counts how often it was asked."""

    def __init__(self, probability):
        self.probability = probability
        self.asked = 0

    def predict(self, _sessions, volume, _facts, _on_progress):
        self.asked += 1
        if self.probability is None:
            return Refusal("HEART_NOT_FOUND", "No heart.")
        slices = np.full(len(volume.voxels_hu), self.probability)
        return DetectionFindings("none" if self.probability < 0.5 else "low", self.probability, slices, (), {})


@pytest.mark.parametrize(
    ("probability", "notes"), [(0.1, ()), (0.9, (ZERO_CONTRADICTED,)), (None, (ZERO_NOT_CONFIRMED,))]
)
def test_a_detector_votes_on_a_zero(probability, notes):
    detector = Detector(probability)
    record = run_case(ILL, Scoring(finds=False), SimpleNamespace(), (detector, SimpleNamespace()))
    assert detector.asked == 1
    assert record.predicted.total == 0 < record.true.total
    assert (record.notes, record.is_flagged) == (notes, bool(notes))


def test_a_detector_is_not_asked_about_a_score():
    detector = Detector(0.9)
    record = run_case(ILL, Scoring(finds=True), SimpleNamespace(), (detector, SimpleNamespace()))
    assert detector.asked == 0
    assert record.predicted.total >= record.true.total > 0
    assert record.covariates["calcium"] == "present"


def test_without_a_detector_a_zero_stands_alone():
    record = run_case(HEALTHY, Scoring(finds=False), SimpleNamespace())
    assert record.predicted.total == record.true.total == 0
    assert record.notes == ()
