"""Which acquisitions give scores that may be set beside published ones."""

from dataclasses import replace

import numpy as np
import pytest

from coronary.contract import AcquisitionFacts
from coronary.csct_scoring.protocol import comparability_notes
from coronary.ct_volume import CtVolume
from coronary.reasons import NOT_COMPARABLE

REFERENCE = AcquisitionFacts(
    kvp=120.0, slice_thickness_mm=3.0, convolution_kernel="Qr36", is_soft_kernel=True, is_gated=True
)


def volume(spacing_mm=3.0):
    return CtVolume(np.zeros((4, 8, 8), np.int16), np.diag([0.4, 0.4, spacing_mm, 1.0]))


@pytest.mark.parametrize(("thickness_mm", "spacing_mm"), [(3.0, 3.0), (2.5, 2.5), (2.97, 3.0)])
def test_the_reference_protocols_are_comparable(thickness_mm, spacing_mm):
    assert comparability_notes(replace(REFERENCE, slice_thickness_mm=thickness_mm), volume(spacing_mm)) == ()


@pytest.mark.parametrize(
    ("changed", "spacing_mm", "reason"),
    [
        ({"slice_thickness_mm": 1.5}, 1.5, "slices of 1.5 mm instead of 2.5 to 3 mm"),
        ({}, 1.5, "slices overlapping (3 mm thick, every 1.5 mm)"),
        ({"slice_thickness_mm": 2.5}, 3.0, "slices with gaps (2.5 mm thick, every 3 mm)"),
        ({"slice_thickness_mm": None}, 3.0, "no slice thickness is given"),
        ({"convolution_kernel": "B70f", "is_soft_kernel": False}, 3.0, "the kernel B70f is not known to be a smooth"),
        ({"convolution_kernel": "", "is_soft_kernel": None}, 3.0, "no reconstruction kernel is given"),
        ({"is_gated": False}, 3.0, "nothing in the headers says that the scan was gated"),
        ({"iterative_reconstruction": "kernel Qr36, strength 3"}, 3.0, "iterative reconstruction (kernel Qr36, stren"),
    ],
)
def test_every_difference_is_named(changed, spacing_mm, reason):
    (note,) = comparability_notes(replace(REFERENCE, **changed), volume(spacing_mm))
    assert note.code == NOT_COMPARABLE
    assert reason in note.text
    assert note.text.count(";") == 0


def test_all_differences_stand_in_one_note():
    facts = replace(REFERENCE, slice_thickness_mm=1.0, is_soft_kernel=None)
    (note,) = comparability_notes(facts, volume(0.5))
    assert note.text.count(";") == 2
