"""Which acquisitions the CSCT family accepts."""

import numpy as np
import pytest

from coronary.calcium_scan_eligibility import check_eligibility
from coronary.contract import AcquisitionFacts
from coronary.ct_volume import CtVolume


def volume(spacing_mm=3.0, pixel_mm=0.4):
    return CtVolume(np.zeros((4, 8, 8), np.int16), np.diag([pixel_mm, pixel_mm, spacing_mm, 1.0]))


@pytest.mark.parametrize(("thickness", "spacing"), [(3.0, 3.0), (2.5, 2.5), (3.0, 1.5)])
def test_reference_protocols_are_accepted(thickness, spacing):
    assert check_eligibility(AcquisitionFacts(kvp=120, slice_thickness_mm=thickness), volume(spacing)) is None


@pytest.mark.parametrize(
    ("facts", "spacing", "pixel", "code"),
    [
        (AcquisitionFacts(kvp=100, slice_thickness_mm=3.0), 3.0, 0.4, "KVP_NOT_120"),
        (AcquisitionFacts(kvp=None, slice_thickness_mm=3.0), 3.0, 0.4, "KVP_UNKNOWN"),
        (AcquisitionFacts(kvp=120, slice_thickness_mm=8.0), 8.0, 0.4, "SLICES_TOO_THICK"),
        (AcquisitionFacts(kvp=120, slice_thickness_mm=None), 5.0, 0.4, "SLICES_TOO_THICK"),
        (AcquisitionFacts(kvp=120, slice_thickness_mm=3.0), 3.0, 1.4, "PIXELS_TOO_LARGE"),
    ],
)
def test_other_protocols_are_refused_with_the_value(facts, spacing, pixel, code):
    refusal = check_eligibility(facts, volume(spacing, pixel))
    assert refusal is not None
    assert refusal.code == code
    assert all(f"{value:g}" in refusal.text for value in refusal.detail.values())
