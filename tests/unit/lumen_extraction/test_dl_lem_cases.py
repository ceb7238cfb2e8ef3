"""What the mapping between contrast and non-contrast slices sees, and the truth it can be trained on."""

import dataclasses

import numpy as np
import pytest

from coronary.lumen_extraction.slices import RANGE_HU, to_hu, to_unit
from coronary.lumen_extraction.training.cases import rendered, without_contrast
from coronary.virtual_patient import draw_acquisition, draw_patient

SEED = 912021
PIXELS, PIXEL_MM = 96, 2.0


@pytest.fixture(scope="module")
def acquisition():
    """Few slices through the middle of the heart."""
    drawn = draw_acquisition(SEED, "ccta")
    return dataclasses.replace(drawn, slice_count=4, first_slice_z_mm=0.0)


def test_attenuation_is_clipped_as_in_the_paper_and_comes_back():
    hu = np.array([-3000, -1000, 0, 450, 2000, 3071], np.int16)
    assert to_hu(to_unit(hu)).tolist() == pytest.approx([-1000, -1000, 0, 450, 2000, 2000])
    assert to_unit(hu).dtype == np.float32
    assert RANGE_HU == (-1000.0, 2000.0)


def test_without_contrast_the_blood_is_darker_and_all_else_is_as_it_was(acquisition):
    patient = draw_patient(SEED, calcium="present")
    on = rendered(patient, acquisition, PIXELS, PIXEL_MM).voxels_hu.astype(int)
    off = rendered(patient, without_contrast(acquisition), PIXELS, PIXEL_MM).voxels_hu.astype(int)
    taken = on - off
    assert on.shape == (4, 96, 96)
    assert np.percentile(taken, 99) > 200
    assert (taken >= -1).all()
    assert np.mean(taken == 0) > 0.5


def test_the_acquisition_itself_keeps_its_contrast(acquisition):
    assert not any(without_contrast(acquisition).iodine_mg_ml.values())
    assert any(acquisition.iodine_mg_ml.values())
