"""Where a reading on a derived series is no proof."""

from dataclasses import replace

import numpy as np
import pytest

from builders.findings import contrast_volume
from coronary.coronary_tree import centerline
from coronary.ct_volume import CtVolume
from coronary.derived_findings import SegmentReading
from coronary.derived_readings import COVERED_SHARE, DOUBTFUL_FROM_PERCENT, cad_rads_of, read_segments
from coronary.stenosis import SIGNIFICANT_PERCENT, SegmentStenosis, reader_grade

BLOOD_HU = 373.25


@pytest.fixture(scope="module")
def scan():
    return contrast_volume()


def readings_with_lumen(scan, share):
    """Readings where the calcified cross-sections hold this share of blood after removal."""
    volume, basis = scan
    made = volume.voxels_hu.copy()
    near = np.zeros(made.shape, bool)
    for z, y, x in np.argwhere(basis.vessel_labels > 0):
        near[z, y - 3 : y + 4, x - 3 : x + 4] = True
    made[near] = np.where(made[near] > 150, round(60 + share * (BLOOD_HU - 60)), made[near])
    return read_segments(volume, CtVolume(made, volume.affine_lps), basis, basis.contrast)


def test_a_significant_stenosis_that_is_not_excluded_is_not_trusted(scan):
    found = [reading for share in (0.1, 0.3, 0.5, 0.7, 0.9) for reading in readings_with_lumen(scan, share)]
    covered = [each for each in found if each.original.covered_share >= COVERED_SHARE and "guess" not in each.distrust]
    assert {each.is_trusted for each in covered} == {True, False}
    for each in covered:
        is_doubtful = DOUBTFUL_FROM_PERCENT <= each.derived.percent < SIGNIFICANT_PERCENT
        assert each.is_trusted is not is_doubtful
        assert ("not excluded" in each.distrust) is is_doubtful


def test_a_segment_without_calcium_is_doubted_only_where_its_course_is_a_guess(scan):
    volume, basis = scan
    dark = CtVolume((volume.voxels_hu * 0.6).astype(np.int16), volume.affine_lps)
    free = replace(basis, vessel_labels=np.zeros_like(basis.vessel_labels))
    for each in read_segments(volume, dark, free, basis.contrast):
        assert each.distrust == "" or "guess" in each.distrust


def read_traced(scan, labels=None):
    """Readings of the scan itself, along courses that nobody guessed, by artery and segment."""
    volume, basis = scan
    tree = basis.contrast.tree
    lines = [replace(line, is_bridged=np.zeros_like(line.is_bridged)) for line in tree.centerlines]
    contrast = replace(basis.contrast, tree=replace(tree, centerlines=tuple(lines)))
    if labels is not None:
        basis = replace(basis, vessel_labels=labels)
    found = read_segments(volume, volume, basis, contrast)
    return {(each.original.artery, each.original.segment): each for each in found}, contrast.tree


def test_what_lies_beyond_a_short_artery_was_not_read(scan, monkeypatch):
    found, tree = read_traced(scan)
    ends = {name: int(tree.centerline(name).segment[-1]) for name in tree.short_trunks()}
    assert {"LAD", "RCA"} <= ends.keys(), "the drawn arteries are shorter than any of a patient"
    for (artery, segment), each in found.items():
        if ends.get(artery) == segment and each.derived.percent < SIGNIFICANT_PERCENT:
            assert "was followed for" in each.distrust
        else:
            assert "was followed for" not in each.distrust
    monkeypatch.setattr(centerline, "USUAL_LENGTH_MM", dict.fromkeys(ends, 1.0))
    found, _ = read_traced(scan)
    assert not any("was followed for" in each.distrust for each in found.values())


def test_a_left_main_with_calcium_where_it_divides_is_not_trusted(scan):
    volume, basis = scan
    (line,) = (line for line in basis.contrast.tree.centerlines if line.name == "LM")
    for place, is_doubted in ((-1, True), (2, False)):
        labels = np.zeros_like(basis.vessel_labels)
        z, y, x = np.rint(volume.to_index_zyx(line.points_lps_mm[place])).astype(int)
        labels[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2] = 1
        found, _ = read_traced(scan, labels)
        doubts = {key[0] for key, each in found.items() if "divides" in each.distrust}
        assert doubts == ({"LM"} if is_doubted else set())


def reading(artery, segment, percent, distrust=""):
    stenosis = SegmentStenosis(artery, segment, percent, 5.0, 2.0, 3.0, 0.0)
    return SegmentReading(stenosis, stenosis, distrust)


HEALTHY = (reading("RCA", 1, 0.0), reading("LAD", 6, 0.0), reading("LCX", 11, 0.0))


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_trunk_that_was_not_read_is_no_healthy_one(missing):
    assert cad_rads_of(HEALTHY, has_plaque=False) == "0"
    read = [each for k, each in enumerate(HEALTHY) if k != missing]
    assert cad_rads_of(read, has_plaque=False) == "N"
    obstructive = [*read, reading("D1", 9, 60.0)]
    assert cad_rads_of(obstructive, has_plaque=False) == "3"


def test_without_any_reading_there_is_no_absence_of_disease():
    assert cad_rads_of((), has_plaque=False) == "N"
    assert cad_rads_of((*HEALTHY, reading("LM", 5, 10.0, "not seen")), has_plaque=False) == "N"


def test_significant_begins_where_a_reader_says_75():
    assert reader_grade(SIGNIFICANT_PERCENT) == 75
    assert reader_grade(SIGNIFICANT_PERCENT - 0.1) == 50
