"""A derived CT series lies where its source lies, says what it is, and changes no voxel it was not told to change."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from agatha.dicom.own_output import is_own_output
from agatha.report.derived_series import DERIVATIONS, write_derived_series
from agatha.report.request import DerivedKind, ReportRequest
from agatha.report.source_images import read_source_images
from builders.findings import (
    FRAME_OF_REFERENCE_UID,
    STUDY_UID,
    PatientHeader,
    contrast_request,
    contrast_volume,
    write_ct_series,
    write_enhanced_ct,
)
from coronary.calcium import Vessel

DCIODVFY = Path(sys.executable).parent / "dciodvfy"


@pytest.fixture
def contrast(tmp_path: Path) -> ReportRequest:
    volume, findings = contrast_volume()
    return contrast_request(write_ct_series(tmp_path, volume, slice_thickness_mm=1.0), volume, findings)


def written(kind: DerivedKind, request: ReportRequest, voxels_hu, is_altered=None) -> list[Dataset]:
    objects = write_derived_series(kind, request, read_source_images(request), voxels_hu, is_altered)
    return [dcmread(BytesIO(one.data)) for one in objects]


def hounsfield(image: Dataset):
    return image.pixel_array.astype(np.int32) * float(image.RescaleSlope) + float(image.RescaleIntercept)


def rewrite(paths: list[Path], change: Callable[[Dataset, int], None]) -> None:
    for z, path in enumerate(paths):
        dataset = dcmread(path)
        change(dataset, z)
        dataset.save_as(path)


def test_only_altered_voxels_change(contrast: ReportRequest) -> None:
    def as_a_scanner_stores(dataset: Dataset, z: int) -> None:
        """Twelve signed bits, another rescale in each slice, padding and bits above those that count."""
        stored = (dataset.pixel_array.astype(np.int32) - 1024).clip(-2000, 2047).astype("<i2")
        stored[0, :5] = -2000
        stored[1, :5] = 3072 - 4096
        dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit = 1, 12, 11
        dataset.RescaleSlope, dataset.RescaleIntercept = 1.0 + 0.125 * (z % 3), -8.0 * (z % 2)
        dataset.add_new("PixelPaddingValue", "SS", -2000)
        dataset.PixelData = stored.tobytes()

    rewrite(list(contrast.source_paths), as_a_scanner_stores)
    is_altered = contrast.findings.vessel_labels == Vessel.LAD
    wanted = np.where(is_altered, 321, 30000).astype(np.int16)
    for z, image in enumerate(written("ct-calcium-removed", contrast, wanted, is_altered)):
        source = dcmread(contrast.source_paths[z])
        before, after = (np.frombuffer(each.PixelData, "<i2").reshape(56, 80) for each in (source, image))
        assert np.array_equal(before[~is_altered[z]], after[~is_altered[z]])
        assert np.all(np.abs(hounsfield(image)[is_altered[z]] - 321) <= float(image.RescaleSlope) / 2)
        assert image.PixelPaddingValue == -2000
        for keyword in ("RescaleSlope", "RescaleIntercept", "BitsStored", "HighBit", "PixelRepresentation"):
            assert image[keyword].value == source[keyword].value


def test_a_whole_series_holds_the_given_attenuations(contrast: ReportRequest) -> None:
    wanted = contrast.volume.voxels_hu - np.int16(300)
    images = written("ct-non-contrast", contrast, wanted)
    assert np.array_equal(np.stack([hounsfield(image) for image in images]), wanted)


def test_what_the_source_cannot_store_becomes_the_nearest_value(contrast: ReportRequest) -> None:
    wanted = np.full(contrast.volume.voxels_hu.shape, -5000, np.int32)
    assert {hounsfield(image).max() for image in written("ct-lumen", contrast, wanted)} == {-1024}


def test_computed_padding_is_no_padding(contrast: ReportRequest) -> None:
    rewrite(list(contrast.source_paths), lambda dataset, _z: dataset.add_new("PixelPaddingValue", "US", 0))
    images = written("ct-non-contrast", contrast, contrast.volume.voxels_hu)
    assert not any("PixelPaddingValue" in image for image in images)


def test_images_lie_where_their_sources_lie(contrast: ReportRequest) -> None:
    images = written("ct-calcium-removed", contrast, contrast.volume.voxels_hu)
    for path, image in zip(contrast.source_paths, images, strict=True):
        source = dcmread(path)
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
            assert image[keyword].value == source[keyword].value
        reference = image.SourceImageSequence[0]
        assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert reference.SpatialLocationsPreserved == "YES"
    assert {image.FrameOfReferenceUID for image in images} == {FRAME_OF_REFERENCE_UID}
    assert [image.InstanceNumber for image in images] == list(range(1, len(images) + 1))


@pytest.mark.parametrize("kind", sorted(DERIVATIONS))
def test_an_image_says_what_it_is_and_whose(kind: DerivedKind, contrast: ReportRequest) -> None:
    image = written(kind, contrast, contrast.volume.voxels_hu)[0]
    assert image.ImageType == ["DERIVED", "SECONDARY", "AXIAL"]
    assert image.StudyInstanceUID == STUDY_UID
    assert (image.PatientID, image.AccessionNumber) == ("PAT-0001", "ACC123")
    assert re.fullmatch(r"AI .* \[not for dx\]", image.SeriesDescription)
    for keyword in ("DerivationDescription", "ImageComments"):
        assert "AI generated" in image[keyword].value
        assert "Research use only" in image[keyword].value
    assert image.get("SyntheticData") == ("YES" if DERIVATIONS[kind].is_synthetic else None)
    assert image.ContentQualification == "RESEARCH"
    assert image.Manufacturer == "Agatha"
    purposes = [item.PurposeOfReferenceCodeSequence[0].CodeValue for item in image.ContributingEquipmentSequence]
    assert purposes == ["109101", "109102"]
    assert image.ContributingEquipmentSequence[0].Manufacturer == "SCANNER MAKER"
    assert not any(element.tag.is_private for element in image)
    assert is_own_output(image)


def test_earlier_derivations_and_contributors_stay(contrast: ReportRequest) -> None:
    def derived_before(dataset: Dataset, _z: int) -> None:
        earlier, purpose = Dataset(), Dataset()
        purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = "109103", "DCM", "Modifying Equipment"
        earlier.Manufacturer, earlier.PurposeOfReferenceCodeSequence = "DENOISER", [purpose]
        earlier.ContributionDateTime = "20260101120000"
        dataset.ContributingEquipmentSequence = [earlier]
        dataset.DerivationDescription = "Noise reduced."

    rewrite(list(contrast.source_paths), derived_before)
    image = written("ct-lumen", contrast, contrast.volume.voxels_hu)[0]
    assert image.DerivationDescription.startswith("Noise reduced. Contrast scan minus")
    earlier = image.ContributingEquipmentSequence[0]
    assert (earlier.Manufacturer, earlier.ContributionDateTime) == ("DENOISER", "20260101120000")


def test_a_second_run_gives_the_same_bytes_and_another_kind_other_uids(contrast: ReportRequest) -> None:
    sources = read_source_images(contrast)

    def run(kind: DerivedKind):
        return list(write_derived_series(kind, contrast, sources, contrast.volume.voxels_hu))

    first = run("ct-lumen")
    assert [one.data for one in run("ct-lumen")] == [one.data for one in first]
    other = run("ct-non-contrast")
    assert len({one.series_instance_uid for one in (*first, *other)}) == 2
    assert len({one.sop_instance_uid for one in (*first, *other)}) == 2 * len(first)


def test_frames_of_an_enhanced_source_become_images(tmp_path: Path) -> None:
    volume, findings = contrast_volume()
    path = tmp_path / "enhanced.dcm"
    order = np.random.default_rng(1).permutation(24).tolist()
    frames = write_enhanced_ct(path, volume, order)
    request = contrast_request([path] * 24, volume, findings, source_frames=frames)
    is_altered = findings.vessel_labels > 0
    images = written("ct-calcium-removed", request, np.full_like(volume.voxels_hu, 77), is_altered)
    assert np.array_equal(np.stack([hounsfield(image) for image in images]), np.where(is_altered, 77, volume.voxels_hu))
    assert len({image.SOPInstanceUID for image in images}) == 24
    for image, frame in zip(images, frames, strict=True):
        assert image.SourceImageSequence[0].ReferencedFrameNumber == frame
        assert image.KVP == 120
        assert "PerFrameFunctionalGroupsSequence" not in image


def test_another_shape_is_refused(contrast: ReportRequest) -> None:
    with pytest.raises(ValueError, match="altered voxels have shape"):
        written("ct-lumen", contrast, contrast.volume.voxels_hu, np.zeros((1, 2, 3), bool))


@pytest.mark.parametrize("kind", sorted(DERIVATIONS))
@pytest.mark.parametrize("source", ["plain", "bare", "enhanced"])
def test_dciodvfy_has_nothing_to_add(kind: DerivedKind, source: str, tmp_path: Path) -> None:
    volume, findings = contrast_volume()
    missing = ("AccessionNumber", "PatientBirthDate", "PatientSex", "ReferringPhysicianName", "Manufacturer")
    if source == "enhanced":
        frames = write_enhanced_ct(tmp_path / "enhanced.dcm", volume, range(24))
        request = contrast_request([tmp_path / "enhanced.dcm"] * 24, volume, findings, source_frames=frames)
    else:
        patient = PatientHeader("Yamada^Tarou=山田^太郎", ["", "ISO 2022 IR 87"], missing) if source == "bare" else None
        request = contrast_request(write_ct_series(tmp_path / "source", volume, patient), volume, findings)
    one = next(write_derived_series(kind, request, read_source_images(request), volume.voxels_hu))
    path = tmp_path / "derived.dcm"
    path.write_bytes(one.data)
    run = subprocess.run([DCIODVFY, "-new", str(path)], capture_output=True, text=True, check=False, timeout=120)
    private = r"Unrecognized defined term = <(99AGATHA|2\.25\.\d+)>$"
    lines = [line for line in (run.stdout + run.stderr).splitlines() if not re.search(private, line)]
    assert lines == ["CTImage"]
