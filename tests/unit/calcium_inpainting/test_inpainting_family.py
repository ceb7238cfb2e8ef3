"""A scored contrast scan becomes a series without calcium, readings of both, and a word on where not to trust it."""

from dataclasses import replace

import numpy as np
import pytest

from builders.findings import contrast_volume
from coronary.calcium_inpainting import CalciumInpainting
from coronary.contract import AcquisitionFacts, CalciumEstimate, QualityNote
from coronary.derived_readings import COVERED_SHARE

FAMILY = CalciumInpainting()


def predicted(volume, basis):
    return FAMILY.predict({}, volume, AcquisitionFacts(), lambda _done: None, basis)


@pytest.fixture(scope="module")
def scan():
    """A contrast scan whose plaques the network sees exactly: what they add to the lumen is taken off."""
    volume, basis = contrast_volume()
    index_zyx = np.argwhere(basis.vessel_labels > 0)
    excess = volume.voxels_hu[tuple(index_zyx.T)] - basis.contrast.calibration_factor_hu
    estimate = CalciumEstimate(index_zyx, np.ones(len(index_zyx)), excess)
    return volume, replace(basis, contrast=replace(basis.contrast, estimate=estimate))


@pytest.fixture(scope="module")
def found(scan):
    return predicted(*scan)


def test_every_voxel_outside_the_altered_ones_is_that_of_the_scan(scan, found):
    volume, basis = scan
    (series,) = found.volumes
    assert np.array_equal(series.is_altered, basis.vessel_labels > 0)
    assert np.array_equal(series.voxels_hu[~series.is_altered], volume.voxels_hu[~series.is_altered])
    assert (series.voxels_hu[series.is_altered] < volume.voxels_hu[series.is_altered]).all()


def test_what_calcium_hid_is_lumen_again(found):
    covered = [reading for reading in found.readings if reading.original.covered_share >= COVERED_SHARE]
    assert covered
    for reading in covered:
        assert reading.original.percent > reading.derived.percent + 5


def test_a_segment_that_calcium_fills_is_not_trusted_and_the_category_does_not_rest_on_it(found):
    for reading in found.readings:
        assert ("covers" in reading.distrust) == (reading.original.covered_share >= COVERED_SHARE)
    assert any("covers" in reading.distrust for reading in found.readings)
    trusted = [reading.derived.percent for reading in found.readings if reading.is_trusted]
    assert found.cad_rads == ("N" if max(trusted) < 50 else found.cad_rads)


def test_calcium_that_may_be_a_stent_is_not_trusted(scan):
    volume, basis = scan
    stented = replace(basis, quality=(QualityNote("STENT_SUSPECTED", "Wires."), *basis.quality))
    for reading in predicted(volume, stented).readings:
        covered_share = reading.original.covered_share
        assert (covered_share > 0) <= (not reading.is_trusted)
        assert ("stent" in reading.distrust) == (0 < covered_share < COVERED_SHARE)


def test_without_calcium_there_are_readings_and_no_series():
    volume, basis = contrast_volume(is_calcified=False)
    found = predicted(volume, basis)
    assert found.volumes == ()
    assert found.quality[0].code == "NO_CALCIUM"
    assert all(reading.original == reading.derived for reading in found.readings)


def test_where_the_course_is_a_guess_nothing_is_trusted(found):
    bridged = {
        (line.name, segment) for line in found.tree.centerlines for segment in line.segment[line.is_bridged].tolist()
    }
    guessed = {(r.derived.artery, r.derived.segment) for r in found.readings if "guess" in r.distrust}
    assert guessed
    assert guessed <= bridged
    assert not any(r.is_trusted for r in found.readings if (r.derived.artery, r.derived.segment) in bridged)


def test_findings_of_the_scoring_are_needed(scan):
    with pytest.raises(ValueError, match="ccta-scoring"):
        predicted(scan[0], None)
    with pytest.raises(ValueError, match="contrast"):
        predicted(scan[0], replace(scan[1], contrast=None))
