"""A scored contrast scan becomes a series without calcium, readings of both, and a word on where not to trust it."""

from dataclasses import replace

import numpy as np
import pytest

from builders.findings import contrast_volume
from coronary.calcium_inpainting import CalciumInpainting
from coronary.calcium_inpainting.patches import COARSE_RANGE, to_unit
from coronary.contract import AcquisitionFacts, QualityNote
from coronary.derived_readings import COVERED_SHARE

FAMILY = CalciumInpainting()


class Network:
    """Says that calcium adds what lies above blood."""

    def run(self, inputs):
        fine, coarse = np.moveaxis(inputs["image"], 1, 0)
        return [np.minimum(COARSE_RANGE[1] * coarse + np.minimum(fine, 0.0), 1.0)]


def predicted(volume, basis, family=FAMILY, **networks):
    return family.predict({"removal": Network(), **networks}, volume, AcquisitionFacts(), lambda _done: None, basis)


@pytest.fixture(scope="module")
def scan():
    return contrast_volume()


@pytest.fixture(scope="module")
def found(scan):
    return predicted(*scan)


def test_every_voxel_outside_the_altered_ones_is_that_of_the_scan(scan, found):
    volume, basis = scan
    (series,) = found.volumes
    assert (series.is_altered & (basis.vessel_labels > 0)).any()
    assert np.array_equal(series.voxels_hu[~series.is_altered], volume.voxels_hu[~series.is_altered])
    assert (series.voxels_hu[series.is_altered] < volume.voxels_hu[series.is_altered]).all()


def test_what_calcium_hid_is_lumen_again(found):
    covered = [reading for reading in found.readings if reading.original.covered_share >= COVERED_SHARE]
    assert covered
    for reading in covered:
        assert reading.original.percent > reading.derived.percent + 5


def test_the_category_does_not_rest_on_what_is_not_trusted(found):
    trusted = [reading.derived.percent for reading in found.readings if reading.is_trusted]
    assert len(trusted) < len(found.readings)
    assert found.cad_rads == ("N" if max(trusted) < 50 else found.cad_rads)


def test_calcium_that_may_be_a_stent_is_warned_of(scan):
    volume, basis = scan
    stented = replace(basis, quality=(QualityNote("STENT_SUSPECTED", "Wires."), *basis.quality))
    codes = [note.code for note in predicted(volume, stented).quality]
    assert codes[:2] == ["STENT_UNREADABLE", "STENT_SUSPECTED"]
    assert "STENT_UNREADABLE" not in [note.code for note in predicted(*scan).quality]


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


def test_the_way_of_paper_2_replaces_calcium_without_seeing_it(scan):
    class Blood:
        def run(self, inputs):
            assert not inputs["image"][0, 0][inputs["image"][0, 1] > 0].any()
            return [np.full(inputs["image"][:, 0].shape, to_unit(np.float32(380.0)))]

    volume, basis = scan
    found = predicted(volume, basis, CalciumInpainting("hidden"), dense_unet=Blood())
    (series,) = found.volumes
    assert (series.voxels_hu[series.is_altered] == 380).all()
    assert np.array_equal(series.voxels_hu[~series.is_altered], volume.voxels_hu[~series.is_altered])
    assert "paper 2" in found.parameters["removal"]
