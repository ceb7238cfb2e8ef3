"""Acquisitions that are refused before a network runs, each with its own code."""

import numpy as np
import pytest

from coronary.ccta_scoring import CctaScoring
from coronary.ccta_scoring.eligibility import acquisition_notes
from coronary.contract import AcquisitionFacts
from coronary.ct_volume import CtVolume

FAMILY = CctaScoring()


def scan(spacing_mm=0.5, pixel_mm=0.4, slices=40):
    voxels = np.random.default_rng(1).normal(50, 20, (slices, 64, 64)).astype(np.int16)
    return CtVolume(voxels, np.diag([pixel_mm, pixel_mm, spacing_mm, 1.0]))


def facts(kvp=100.0, thickness_mm=0.6):
    return AcquisitionFacts(kvp=kvp, slice_thickness_mm=thickness_mm)


@pytest.mark.parametrize("kvp", [80.0, 90.0, 100.0, 120.0])
def test_the_measured_voltages_are_accepted_without_a_note(kvp):
    assert FAMILY.check_eligibility(facts(kvp), scan()) is None
    assert acquisition_notes(facts(kvp), scan()) == ()


@pytest.mark.parametrize(
    ("given", "volume", "code"),
    [
        (facts(kvp=None), scan(), "KVP_UNKNOWN"),
        (facts(kvp=60.0), scan(), "KVP_OUT_OF_RANGE"),
        (facts(kvp=150.0), scan(), "KVP_OUT_OF_RANGE"),
        (facts(thickness_mm=3.0), scan(spacing_mm=3.0), "SLICES_TOO_FAR_APART"),
        (facts(thickness_mm=0.6), scan(spacing_mm=1.2), "SLICES_LEAVE_GAPS"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_its_value(given, volume, code):
    refusal = FAMILY.check_eligibility(given, volume)
    assert refusal is not None
    assert refusal.code == code


def test_another_voltage_inside_the_table_is_scored_with_a_note():
    assert FAMILY.check_eligibility(facts(110.0), scan()) is None
    assert [note.code for note in acquisition_notes(facts(110.0), scan())] == ["NON_STANDARD_KVP"]
