"""What is written of derived series: their images, the altered voxels, and how far each segment can be trusted."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from io import BytesIO
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset, dcmread

from agatha.dicom import codes
from agatha.dicom.own_output import is_own_output
from agatha.report import ReportRequest, result_document, write_objects, write_series
from agatha.report.source_images import read_source_images
from agatha.report.summary_page import draw_summary
from builders.findings import contrast_volume, derived_findings, derived_request, write_ct_series
from coronary.derived_findings import DerivedFindings, SegmentReading

SLICES = 24


@pytest.fixture(scope="module")
def request_of_series(tmp_path_factory: pytest.TempPathFactory) -> ReportRequest:
    volume, findings = contrast_volume()
    paths = write_ct_series(tmp_path_factory.mktemp("source"), volume, slice_thickness_mm=1.0)
    return derived_request(paths, volume, derived_findings(volume, findings))


@pytest.fixture(scope="module")
def derived(request_of_series: ReportRequest) -> DerivedFindings:
    found = request_of_series.derived
    assert found is not None
    return found


@pytest.fixture(scope="module")
def objects(request_of_series: ReportRequest) -> dict[str, Dataset]:
    return {one.kind: dcmread(BytesIO(one.data)) for one in write_objects(request_of_series)}


@pytest.fixture(scope="module")
def series(request_of_series: ReportRequest) -> list[tuple[str, Dataset]]:
    return [(one.kind, dcmread(BytesIO(one.data))) for one in write_series(request_of_series)]


@pytest.fixture(scope="module")
def images(series: list[tuple[str, Dataset]]) -> list[Dataset]:
    return [image for kind, image in series if kind == "ct-calcium-removed"]


@pytest.fixture(scope="module")
def reformats(series: list[tuple[str, Dataset]]) -> list[Dataset]:
    return [image for kind, image in series if kind == "cpr"]


@pytest.mark.parametrize("changed", ["SeriesDescription", "Manufacturer", "ManufacturerModelName", "ImageType"])
def test_what_an_archive_changed_is_still_recognised_as_ours(
    changed: str, objects: dict[str, Dataset], series: list[tuple[str, Dataset]]
) -> None:
    for kind, dataset in [*objects.items(), *series]:
        coerced = deepcopy(dataset)
        setattr(coerced, changed, "ARCHIVE")
        assert is_own_output(coerced), kind


def groups_of(report: Dataset) -> list[Any]:
    document = hd.sr.srread(BytesIO(_bytes(report)))
    return list(document.content.get_image_measurement_groups())


def _bytes(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def evaluations(group: Any) -> dict[str, str]:
    return {item.name.value: item.value.value for item in group.get_qualitative_evaluations()}


def test_the_objects_and_their_series(objects: dict[str, Dataset]) -> None:
    assert list(objects) == ["sr", "seg-altered", "summary"]
    assert (objects["seg-altered"].SeriesNumber, objects["seg-altered"].SeriesDescription) == (
        90105,
        "Altered voxels (AI)",
    )


def test_every_slice_becomes_an_image_of_one_series(images: list[Dataset], request_of_series: ReportRequest) -> None:
    assert len(images) == SLICES
    assert {image.SeriesInstanceUID for image in images} == {request_of_series.series_uid("ct-calcium-removed")}
    assert {image.SeriesDescription for image in images} == {"AI calcium removed [not for dx]"}
    assert len({image.SOPInstanceUID for image in images}) == SLICES


def test_the_segmentation_marks_exactly_the_voxels_that_differ(
    objects: dict[str, Dataset], images: list[Dataset], request_of_series: ReportRequest
) -> None:
    volume = request_of_series.volume
    assert volume is not None
    made = np.stack([image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept) for image in images])
    differs = made != volume.voxels_hu
    marked = np.zeros(differs.shape, bool)
    segmentation = hd.seg.segread(BytesIO(_bytes(objects["seg-altered"])))
    for z, path in enumerate(request_of_series.source_paths):
        frames = segmentation.get_pixels_by_source_instance(
            [dcmread(path, stop_before_pixels=True).SOPInstanceUID],
            ignore_spatial_locations=True,
            assert_missing_frames_are_empty=True,
        )
        marked[z] = frames[0, :, :, 0] > 0
    assert np.array_equal(marked, differs)
    assert differs.any()


def test_one_group_per_segment_after_that_of_the_category(
    objects: dict[str, Dataset], derived: DerivedFindings
) -> None:
    category, *segments = groups_of(objects["sr"])
    assert evaluations(category)["CADRADS-DERIVED"] == codes.CAD_RADS_CODES["4A"].value
    assert evaluations(category)["QUALITY"] == "LUMEN_MADE"
    assert [group.finding_sites[0].value for group in segments] == [
        codes.SEGMENT_CODES[reading.original.segment] for reading in derived.readings
    ]


def test_readings_of_scan_and_derived_series_have_methods_of_their_own(
    objects: dict[str, Dataset], derived: DerivedFindings
) -> None:
    for group, reading in zip(groups_of(objects["sr"])[1:], derived.readings, strict=True):
        found = {item.method.value: item.value for item in group.get_measurements()}
        assert found == {
            codes.DIAMETER_METHOD.value: reading.original.percent,
            codes.DERIVED_DIAMETER_METHOD.value: reading.derived.percent,
        }
        assert {item.name.value for item in group.get_measurements()} == {codes.LUMEN_DIAMETER_STENOSIS.value}


def test_a_segment_that_is_not_trusted_says_so_everywhere(
    objects: dict[str, Dataset], derived: DerivedFindings, request_of_series: ReportRequest
) -> None:
    trusted = [evaluations(group)["DERIVEDREAD"] == "TRUSTED" for group in groups_of(objects["sr"])[1:]]
    assert trusted == [reading.is_trusted for reading in derived.readings]
    assert not all(trusted)
    segments = document_of(request_of_series)["stenosis"]["segments"]
    assert [each["is_trusted"] for each in segments] == trusted
    assert {each["distrust"] for each in segments} == {"", "calcium fills the whole cross-section"}


def document_of(request: ReportRequest) -> dict[str, Any]:
    written = [*write_objects(request), *write_series(request)]
    document = result_document(request, written, state="completed", provisional=False, series_instance_uid="1.2")
    return json.loads(json.dumps(document, allow_nan=False))


def test_the_document_has_the_readings_and_no_score(request_of_series: ReportRequest, derived: DerivedFindings) -> None:
    document = document_of(request_of_series)
    assert (document["calcium"], document["contrast"]) == (None, None)
    stenosis = document["stenosis"]
    assert stenosis["cad_rads"] == "4A"
    altered = derived.volumes[0].is_altered
    assert altered is not None
    (series,) = stenosis["series"]
    assert (series["kind"], series["altered_voxels"]) == ("ct-calcium-removed", int(altered.sum()))
    assert [z in series["altered_slices"] for z in range(SLICES)] == altered.any(axis=(1, 2)).tolist()
    first = stenosis["segments"][0]
    assert (first["artery"], first["original_percent"], first["derived_percent"]) == ("LM", 61.5, 21.25)
    assert (first["original_grade"], first["derived_grade"]) == (50, 25)


def test_the_document_names_every_image_once_under_one_kind(request_of_series: ReportRequest) -> None:
    outputs = {entry["kind"]: entry for entry in document_of(request_of_series)["outputs"]}
    assert list(outputs) == ["sr", "seg-altered", "summary", "ct-calcium-removed", "cpr"]
    assert len(set(outputs["ct-calcium-removed"]["sop_instance_uids"])) == SLICES


def test_each_trunk_has_a_reformat_with_a_frame_per_angle(reformats: list[Dataset]) -> None:
    assert [image.InstanceNumber for image in reformats] == [1, 2, 3]
    assert [image.DerivationDescription.split(",")[0] for image in reformats] == ["RCA", "LAD", "LCX"]
    for image in reformats:
        assert image.NumberOfFrames == len(image.FrameLabelVector) == 12
        assert image.Modality == "OT"
        assert "FrameOfReferenceUID" not in image
        assert "not for primary diagnosis" in image.DerivationDescription
    assert len({image.SOPInstanceUID for image in reformats}) == 3


def test_a_reformat_shows_the_lumen_in_the_middle_of_both_strips_and_calcium_in_the_first(
    reformats: list[Dataset], derived: DerivedFindings, request_of_series: ReportRequest
) -> None:
    assert request_of_series.volume is not None
    for image in reformats[:2]:  # RCA and LAD have plaque
        hu = image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept)
        columns = (image.Columns - 4) // 2
        scanned, made = hu[:, 34:, :columns], hu[:, 34:, columns + 4 :]
        middle = (columns - 1) // 2
        assert made[:, :, middle].max() < scanned[:, :, middle - 4 : middle + 5].max() - 100
        assert np.median(made[:, :, middle]) == pytest.approx(np.median(scanned[:, :, middle]), abs=5)
        assert np.median(made[:, :, middle]) > 250
        assert hu[:, :34].max() > 500  # words
        # Of a straight artery all angles show the same attenuation along the middle.
        np.testing.assert_allclose(made[0, :, middle], made[6, :, middle], atol=2)


def test_without_a_derived_series_the_reformat_shows_the_scan_alone(
    request_of_series: ReportRequest, derived: DerivedFindings
) -> None:
    request = replace(request_of_series, findings=replace(derived, volumes=()))
    written = list(write_series(request))
    assert {one.kind for one in written} == {"cpr"}
    assert dcmread(BytesIO(written[0].data)).Columns == 97
    assert [one.kind for one in write_objects(request)] == ["sr", "summary"]


def test_without_altered_voxels_there_is_no_segmentation(
    request_of_series: ReportRequest, derived: DerivedFindings
) -> None:
    (volume,) = derived.volumes
    assert volume.is_altered is not None
    unchanged = replace(volume, is_altered=np.zeros_like(volume.is_altered))
    request = replace(request_of_series, findings=replace(derived, volumes=(unchanged,)))
    assert [one.kind for one in write_objects(request)] == ["sr", "summary"]


def test_the_page_shows_both_strips_and_marks_what_is_not_trusted(
    request_of_series: ReportRequest, derived: DerivedFindings
) -> None:
    sources = read_source_images(request_of_series)
    page = np.asarray(draw_summary(request_of_series, sources))
    trusted = tuple(replace(reading, distrust="") for reading in derived.readings)
    other = replace(request_of_series, findings=replace(derived, readings=trusted))
    without = np.asarray(draw_summary(other, sources))
    assert page.shape == (1024, 1280, 3)
    assert not np.array_equal(page, without)
    assert np.array_equal(page, np.asarray(draw_summary(request_of_series, sources)))


def test_a_scoring_result_has_no_derived_images(request_of_series: ReportRequest) -> None:
    _, findings = contrast_volume()
    request = replace(request_of_series, analysis="ccta-scoring", findings=findings)
    assert list(write_series(request)) == []


def test_maps_of_another_shape_are_refused(request_of_series: ReportRequest, derived: DerivedFindings) -> None:
    (volume,) = derived.volumes
    for change in ({"voxels_hu": volume.voxels_hu[1:]}, {"is_altered": np.zeros((1, 2, 3), bool)}):
        with pytest.raises(ValueError, match="calcium-removed"):
            replace(request_of_series, findings=replace(derived, volumes=(replace(volume, **change),)))


def test_both_readings_are_of_one_segment(derived: DerivedFindings) -> None:
    reading = derived.readings[0]
    with pytest.raises(ValueError, match="two segments"):
        SegmentReading(reading.original, derived.readings[-1].derived)
