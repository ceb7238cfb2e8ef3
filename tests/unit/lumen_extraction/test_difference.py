"""What is made of a contrast scan adds up to it in every voxel, and is made around the heart alone."""

import numpy as np
import pytest

from builders.findings import contrast_volume
from coronary.contract import AcquisitionFacts
from coronary.ct_volume import CtVolume
from coronary.lumen_extraction import LumenExtraction
from coronary.lumen_extraction.difference import FIELD_MM, MULTIPLE, field_around_heart, turn_contrast_off
from coronary.lumen_extraction.predict import BLOOD_HU

WALL_HU = 60.0


class Network:
    """A mapping of unit attenuation; remembers the shapes it saw."""

    def __init__(self, mapping):
        self.mapping, self.shapes = mapping, []

    def run(self, inputs):
        self.shapes.append(inputs["image"].shape)
        return [self.mapping(inputs["image"])]


def contrast_off(image):
    """Blood becomes soft tissue, everything else stays."""
    return np.where(image > 0.001 * WALL_HU, np.float32(0.001 * BLOOD_HU), image)


def parts_of(volume, mapping=contrast_off):
    return turn_contrast_off(Network(mapping), volume, lambda _done: None)


def scan(low=-1500, high=3071, shape=(11, 64, 72), pixel_mm=0.5):
    voxels = np.random.default_rng(5).integers(low, high, shape).astype(np.int16)
    return CtVolume(voxels, np.diag([pixel_mm, pixel_mm, 0.5, 1.0]))


@pytest.mark.parametrize("mapping", [contrast_off, lambda image: image * 1.7 - 0.3, lambda image: image * -90.0])
def test_both_parts_add_up_to_the_scan(mapping):
    volume = scan()
    parts = parts_of(volume, mapping)
    assert np.array_equal(parts.non_contrast_hu.astype(int) + parts.lumen_hu, volume.voxels_hu)
    assert (parts.non_contrast_hu.dtype, parts.lumen_hu.dtype) == (np.int16, np.int16)


def test_what_the_network_cannot_see_is_no_contrast_agent():
    volume = scan()
    parts = parts_of(volume, lambda image: image)
    assert not parts.lumen_hu.any()


def test_nothing_is_made_away_from_the_heart():
    volume = scan(shape=(3, 400, 400), pixel_mm=0.7)
    rows, columns = field_around_heart(volume)
    assert (rows.stop - rows.start) % MULTIPLE == 0
    assert (rows.stop - rows.start) * 0.7 == pytest.approx(FIELD_MM, abs=0.7 * MULTIPLE)
    inside = np.zeros(volume.voxels_hu.shape, bool)
    inside[:, rows, columns] = True
    parts = parts_of(volume)
    assert not parts.lumen_hu[~inside].any()
    assert parts.lumen_hu[inside].any()


def test_every_slice_is_mapped_once_in_small_batches():
    network = Network(contrast_off)
    turn_contrast_off(network, scan(), lambda _done: None)
    assert [shape[0] for shape in network.shapes] == [8, 3]
    with pytest.raises(ValueError, match="too small"):
        field_around_heart(scan(shape=(3, 4, 64)))


def test_readings_on_the_lumen_series_are_those_of_the_scan_where_the_mapping_is_right():
    volume, basis = contrast_volume(is_calcified=False)
    sessions = {"paired": Network(contrast_off)}
    found = LumenExtraction().predict(sessions, volume, AcquisitionFacts(), lambda _done: None, basis)
    assert [series.content for series in found.volumes] == ["lumen", "non-contrast"]
    assert all(series.is_altered is None for series in found.volumes)
    assert found.readings
    for reading in found.readings:
        assert reading.derived.percent == pytest.approx(reading.original.percent, abs=6.0)


def test_the_training_of_the_paper_is_kept_as_a_form():
    volume, basis = contrast_volume(is_calcified=False)
    network = Network(contrast_off)
    LumenExtraction("paper").predict({"paper": network}, volume, AcquisitionFacts(), lambda _done: None, basis)
    assert network.shapes


def test_findings_of_the_scoring_are_needed():
    with pytest.raises(ValueError, match="ccta-scoring"):
        LumenExtraction().predict({}, scan(), AcquisitionFacts(), lambda _done: None)
