"""One truth: report, segmentations, key images and document say the same, and what they refer to exists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.sr.coding import Code

from agatha.dicom import codes
from agatha.report import ReportRequest, result_document, write_objects
from builders.findings import axial_affine, calcified_volume, findings_of, report_request, write_ct_series
from coronary.calcium import Vessel, score_calcium


class Written:
    """A request, its objects by kind, and its document."""

    def __init__(self, request: ReportRequest) -> None:
        self.request = request
        self.objects = write_objects(request)
        self.bytes = {one.kind: BytesIO(one.data) for one in self.objects}
        self.datasets = {one.kind: dcmread(BytesIO(one.data)) for one in self.objects}
        state = "completed" if request.findings else "refused"
        document = result_document(
            request, self.objects, state=state, provisional=False, series_instance_uid="1.2.826.0.1.3680043.8.498.1.2"
        )
        self.document = json.loads(json.dumps(document))
        self.report = hd.sr.srread(BytesIO(self.objects[0].data))

    def mask(self, kind: str) -> np.ndarray[Any, Any]:
        """Label map on the full source grid, by source instance."""
        seg = hd.seg.segread(BytesIO(self.bytes[kind].getvalue()))
        uids = [dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID for path in self.request.source_paths]
        return seg.get_pixels_by_source_instance(uids, combine_segments=True, assert_missing_frames_are_empty=True)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    volume, labels = calcified_volume(affine=axial_affine((2.5, 0.5, 0.5)))
    paths = write_ct_series(tmp_path_factory.mktemp("source"), volume)
    return Written(report_request(paths, volume, findings_of(volume, labels)))


def numbers(group: Any) -> dict[Code, float]:
    return {Code(m.name.value, m.name.scheme_designator, m.name.meaning): m.value for m in group.get_measurements()}


def test_objects_of_a_calcified_patient(written: Written) -> None:
    assert [one.kind for one in written.objects] == ["sr", "seg-vessels", "seg-lesions", "summary", "key-images"]
    source = dcmread(written.request.source_paths[0])
    for one in written.objects:
        dataset = written.datasets[one.kind]
        assert dataset.StudyInstanceUID == source.StudyInstanceUID
        assert dataset.AccessionNumber == source.AccessionNumber
        assert dataset.PatientID == source.PatientID
        assert dataset.SpecificCharacterSet == "ISO_IR 192"
        assert dataset.ContentQualification == "RESEARCH"
        assert dataset.SeriesDescription.endswith("(AI)")
        assert (dataset.Manufacturer, dataset.ManufacturerModelName) == (codes.MANUFACTURER, codes.MODEL_NAME)
    series = [one.series_instance_uid for one in written.objects]
    assert len(set(series)) == len(series)
    assert {dataset.SeriesNumber for dataset in written.datasets.values()} == {90101, 90102, 90103, 90131, 90132}


@pytest.mark.parametrize("name", ["total", *(vessel.name for vessel in Vessel)])
def test_totals_in_report_and_document_are_equal(written: Written, name: str) -> None:
    site = codes.CORONARY_ARTERY if name == "total" else codes.VESSEL_CODES[Vessel[name]]
    groups = [
        group for group in written.report.content.get_image_measurement_groups() if group.finding_sites[0].value == site
    ]
    assert len(groups) == 1
    found, calcium = numbers(groups[0]), written.document["calcium"]
    assert found[codes.AGATSTON_SCORE] == calcium["agatston"][name]
    assert found[codes.CALCIUM_VOLUME] == calcium["volume_mm3"][name]
    assert found[codes.CALCIUM_MASS] == calcium["mass_mg"][name]
    lesions = [lesion for lesion in calcium["lesions"] if name in ("total", lesion["vessel"])]
    assert found[codes.LESION_COUNT] == len(lesions)


def test_vessels_add_up_to_the_total(written: Written) -> None:
    for quantity in ("agatston", "volume_mm3", "mass_mg"):
        values = written.document["calcium"][quantity]
        assert sum(values[vessel.name] for vessel in Vessel) == pytest.approx(values["total"], rel=1e-12)


def test_agatston_carries_the_method_of_the_field_convention_only(written: Written) -> None:
    methods = set()
    for group in _groups(written):
        for measurement in group.get_measurements():
            if measurement.name == codes.AGATSTON_SCORE:
                methods.add(measurement.method.value)
    assert methods == {codes.AGATSTON_METHOD.value}
    reported = {numbers(group)[codes.AGATSTON_SCORE] for group in _groups(written)}
    score = written.request.findings.score
    field = {*score.agatston.as_dict().values(), *(lesion.agatston for lesion in score.lesions)}
    assert reported == field
    assert score.agatston_paper.total not in field, "the conventions must differ here for this test to mean something"
    alternative = written.document["calcium"]["alternative_scores"][0]
    assert alternative["agatston"]["total"] == written.request.findings.score.agatston_paper.total


def _groups(written: Written) -> list[Any]:
    content = written.report.content
    return [*content.get_image_measurement_groups(), *content.get_volumetric_roi_measurement_groups()]


def test_every_lesion_is_in_report_segmentation_and_document(written: Written) -> None:
    groups = written.report.content.get_volumetric_roi_measurement_groups()
    segments = written.datasets["seg-lesions"].SegmentSequence
    lesions = written.document["calcium"]["lesions"]
    assert len(groups) == len(segments) == len(lesions) == 6
    for group, segment, lesion in zip(groups, segments, lesions, strict=True):
        found = numbers(group)
        assert found[codes.AGATSTON_SCORE] == lesion["agatston"]
        assert found[codes.CALCIUM_VOLUME] == lesion["volume_mm3"]
        assert found[codes.CALCIUM_MASS] == lesion["mass_mg"]
        assert found[codes.MAXIMUM_ATTENUATION] == lesion["peak_hu"]
        assert found[codes.MEAN_ATTENUATION] == lesion["mean_hu"]
        assert group.tracking_uid == segment.TrackingUID == lesion["tracking_uid"]
        assert group.tracking_identifier == segment.TrackingID
        reference = group.referenced_segment
        assert reference.referenced_sop_instance_uid == written.datasets["seg-lesions"].SOPInstanceUID
        assert reference.referenced_segment_numbers == [segment.SegmentNumber]
        region = segment.AnatomicRegionSequence[0].CodeValue
        assert region == group.finding_sites[0].value.value == codes.VESSEL_CODES[Vessel[lesion["vessel"]]].value


def test_segments_are_exactly_the_scored_voxels(written: Written) -> None:
    findings = written.request.findings
    np.testing.assert_array_equal(written.mask("seg-vessels"), findings.vessel_labels)
    np.testing.assert_array_equal(written.mask("seg-lesions"), findings.lesion_labels)


def test_the_segmentation_measured_again_gives_the_reported_score(written: Written) -> None:
    volume = written.request.volume
    again = score_calcium(
        volume.voxels_hu,
        written.mask("seg-vessels").astype(np.uint8),
        volume.spacing_zyx_mm,
        volume.affine_lps,
        mass_calibration=written.request.findings.score.mass_calibration,
    )
    total = numbers(written.report.content.get_image_measurement_groups()[0])
    assert total[codes.AGATSTON_SCORE] == again.agatston.total
    assert total[codes.CALCIUM_VOLUME] == again.volume_mm3.total
    assert total[codes.CALCIUM_MASS] == again.mass_mg.total
    assert written.document["calcium"]["agatston"] == again.agatston.as_dict()


def test_vessel_segments_stand_in_fixed_order_even_when_empty(written: Written) -> None:
    dataset = written.datasets["seg-vessels"]
    assert [segment.SegmentNumber for segment in dataset.SegmentSequence] == [1, 2, 3, 4]
    assert [s.SegmentLabel.split()[0] for s in dataset.SegmentSequence] == ["LM", "LAD", "LCX", "RCA"]
    with_frames = {
        groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        for groups in dataset.PerFrameFunctionalGroupsSequence
    }
    assert with_frames == {1, 2, 4}
    assert dataset.SegmentsOverlap == "NO"


def test_categories_threshold_and_parameters_are_in_the_report(written: Written) -> None:
    total = written.report.content.get_image_measurement_groups()[0]
    evaluations = {item.name.value: item.value.value for item in total.get_qualitative_evaluations()}
    score = written.request.findings.score
    assert evaluations["CACDRS"] == f"CACDRS-{score.cac_drs[:2]}"
    assert evaluations["CACRISK"] == codes.RISK_CATEGORY_CODES[score.risk_category].value
    assert numbers(total)[codes.CALCIFIED_VESSEL_COUNT] == 3
    assert numbers(total)[codes.AGATSTON_THRESHOLD] == 130
    texts = _texts(written.datasets["sr"])
    for name, value in written.request.findings.parameters.items():
        assert f"{name}: {value}" in texts
    assert f"model SHA-256: {written.request.model.sha256}" in texts


def test_quality_notes_are_coded_and_written_out(written: Written) -> None:
    note = written.request.findings.quality[0]
    total = written.report.content.get_image_measurement_groups()[0]
    values = {item.value.value for item in total.get_qualitative_evaluations(name=codes.QUALITY_NOTE)}
    assert values == {note.code}
    assert note.text in _texts(written.datasets["sr"])
    assert written.document["quality"] == [{"code": note.code, "text": note.text}]


def test_every_reference_resolves_among_source_and_outputs(written: Written) -> None:
    source = [dcmread(path) for path in written.request.source_paths]
    known = {dataset.SOPInstanceUID: dataset for dataset in [*source, *written.datasets.values()]}
    checked = 0
    for dataset in written.datasets.values():
        for item in _items(dataset):
            if "ReferencedSOPInstanceUID" in item:
                target = known[item.ReferencedSOPInstanceUID]
                assert item.ReferencedSOPClassUID == target.SOPClassUID
                checked += 1
            if "ReferencedSOPSequence" in item and "SeriesInstanceUID" in item:
                for reference in item.ReferencedSOPSequence:
                    assert known[reference.ReferencedSOPInstanceUID].SeriesInstanceUID == item.SeriesInstanceUID
    assert checked > 50


def test_segmentation_names_the_whole_source_series(written: Written) -> None:
    series = written.datasets["seg-lesions"].ReferencedSeriesSequence[0]
    assert len(series.ReferencedInstanceSequence) == len(written.request.source_paths)


def test_key_images_are_slices_with_calcium(written: Written) -> None:
    images = [item for item in written.datasets["key-images"].ContentSequence if item.ValueType == "IMAGE"]
    labelled = written.request.findings.vessel_labels.any(axis=(1, 2))
    uids = [dcmread(path).SOPInstanceUID for path in written.request.source_paths]
    assert images
    for image in images:
        assert labelled[uids.index(image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)]
        assert "ConceptNameCodeSequence" not in image


def test_document_names_the_outputs(written: Written) -> None:
    assert written.document["outputs"] == [
        {
            "kind": one.kind,
            "sop_class_uid": one.sop_class_uid,
            "series_instance_uid": one.series_instance_uid,
            "sop_instance_uids": [one.sop_instance_uid],
        }
        for one in written.objects
    ]
    required = {"analysis", "state", "reason", "provisional", "series_instance_uid", "model", "created_at", "calcium"}
    assert required | {"quality", "outputs"} <= set(written.document)
    assert written.document["created_at"] == "2026-03-04T05:06:07Z"


def test_without_calibration_there_is_no_mass_anywhere(tmp_path_factory: pytest.TempPathFactory) -> None:
    volume, labels = calcified_volume()
    paths = write_ct_series(tmp_path_factory.mktemp("source"), volume)
    bare = Written(report_request(paths, volume, findings_of(volume, labels, calibration=None)))
    assert all(codes.CALCIUM_MASS not in numbers(group) for group in _groups(bare))
    assert bare.document["calcium"]["mass_mg"] is None
    assert all(lesion["mass_mg"] is None for lesion in bare.document["calcium"]["lesions"])


def _items(dataset: Dataset) -> Iterator[Dataset]:
    yield dataset
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _items(item)


def _texts(dataset: Dataset) -> set[str]:
    return {str(item.TextValue) for item in _items(dataset) if "TextValue" in item}
