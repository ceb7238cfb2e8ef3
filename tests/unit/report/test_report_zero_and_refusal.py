"""A score of zero and a refusal: what is written, and that the two can never be mistaken for one another."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset, dcmread

from agatha.dicom import codes
from agatha.report import DicomObject, PreviousReport, result_document, write_objects
from agatha.report.summary_page import remark
from builders.findings import calcified_volume, findings_of, report_request, write_ct_series
from coronary.contract import QualityNote, Refusal
from coronary.ct_volume import CtVolume
from coronary.reasons import NOT_COMPARABLE

REFUSAL = Refusal("GAP_BETWEEN_SLICES", "Between z = 61.5 mm and z = 67.5 mm one slice is missing.", {"gap_mm": 6.0})


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> tuple[CtVolume, list[Path]]:
    volume, _ = calcified_volume()
    return volume, write_ct_series(tmp_path_factory.mktemp("source"), volume)


def _nums(dataset: Dataset) -> list[Dataset]:
    found = [dataset] if dataset.get("ValueType") == "NUM" else []
    for item in dataset.get("ContentSequence", []):
        found += _nums(item)
    return found


def _report(objects: tuple[DicomObject, ...]) -> Any:
    return hd.sr.srread(BytesIO(objects[0].data))


def test_zero_has_a_report_with_explicit_zeros_and_no_segmentation(series: tuple[CtVolume, list[Path]]) -> None:
    volume, paths = series
    findings = findings_of(volume, np.zeros(volume.voxels_hu.shape, np.uint8))
    request = report_request(paths, volume, findings)
    objects = write_objects(request)
    assert [one.kind for one in objects] == ["sr", "summary"]
    groups = _report(objects).content.get_image_measurement_groups()
    assert len(groups) == 5
    for group in groups:
        values = [m.value for m in group.get_measurements() if m.name == codes.AGATSTON_SCORE]
        assert values == [0.0]
    document = result_document(request, objects, state="completed", provisional=True, series_instance_uid="1.2")
    assert document["calcium"]["agatston"] == {"total": 0.0, "LM": 0.0, "LAD": 0.0, "LCX": 0.0, "RCA": 0.0}
    assert document["calcium"]["risk_category"] == "0"
    assert document["provisional"] is True


def test_a_score_of_another_protocol_says_that_it_is_not_comparable(series: tuple[CtVolume, list[Path]]) -> None:
    volume, paths = series
    findings = findings_of(volume, np.zeros(volume.voxels_hu.shape, np.uint8))
    note = QualityNote(NOT_COMPARABLE, "Not comparable with reference Agatston scores: slices overlapping.")
    for quality, is_comparable in (((), True), ((note,), False)):
        request = report_request(paths, volume, replace(findings, quality=quality))
        objects = write_objects(request)
        document = result_document(request, objects, state="completed", provisional=False, series_instance_uid="1.2")
        assert document["calcium"]["is_comparable"] is is_comparable
        assert ("Not comparable" in remark(replace(findings, quality=quality))) is not is_comparable
        assert (note.text.encode() in objects[0].data) is not is_comparable


def test_refusal_has_a_coded_reason_and_no_number(series: tuple[CtVolume, list[Path]]) -> None:
    _, paths = series
    request = report_request(paths, None, refusal=REFUSAL)
    objects = write_objects(request)
    assert [one.kind for one in objects] == ["sr", "summary"]
    dataset = dcmread(BytesIO(objects[0].data))
    assert _nums(dataset) == []
    group = _report(objects).content.get_image_measurement_groups()[0]
    (evaluation,) = group.get_qualitative_evaluations(name=codes.REASON_NOT_SCORED)
    assert evaluation.value.value == REFUSAL.code
    assert evaluation.value.scheme_designator == codes.PRIVATE_SCHEME
    document = result_document(request, objects, state="refused", provisional=False, series_instance_uid="1.2")
    assert document["calcium"] is None
    assert document["reason"] == {"code": REFUSAL.code, "text": REFUSAL.text, "detail": {"gap_mm": 6.0}}


def test_a_series_that_was_not_made_is_not_reported_as_a_missing_score(series: tuple[CtVolume, list[Path]]) -> None:
    request = replace(report_request(series[1], None, refusal=REFUSAL), analysis="calcium-inpainting")
    group = _report(write_objects(request)).content.get_image_measurement_groups()[0]
    assert not group.get_qualitative_evaluations(name=codes.REASON_NOT_SCORED)
    (evaluation,) = group.get_qualitative_evaluations(name=codes.REASON_NO_SERIES)
    assert evaluation.value.value == REFUSAL.code


def test_refusal_sentence_is_in_the_report(series: tuple[CtVolume, list[Path]]) -> None:
    objects = write_objects(report_request(series[1], None, refusal=REFUSAL))
    assert REFUSAL.text.encode() in objects[0].data


def test_a_refused_series_without_any_geometry_can_be_reported(
    series: tuple[CtVolume, list[Path]], tmp_path: Path
) -> None:
    dataset = dcmread(series[1][0])
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "FrameOfReferenceUID"):
        delattr(dataset, keyword)
    dataset.save_as(tmp_path / "flat.dcm")
    objects = write_objects(report_request([tmp_path / "flat.dcm"], None, refusal=REFUSAL))
    assert [one.kind for one in objects] == ["sr", "summary"]


@pytest.mark.parametrize("state", ["refused", "failed"])
def test_document_state_must_fit_the_request(series: tuple[CtVolume, list[Path]], state: Any) -> None:
    volume, paths = series
    findings = findings_of(volume, np.zeros(volume.voxels_hu.shape, np.uint8))
    with pytest.raises(ValueError, match="contradicts"):
        result_document(
            report_request(paths, volume, findings), (), state=state, provisional=False, series_instance_uid="1.2"
        )
    with pytest.raises(ValueError, match="contradicts"):
        result_document(
            report_request(paths, None, refusal=REFUSAL),
            (),
            state="completed",
            provisional=False,
            series_instance_uid="1.2",
        )


def test_a_request_is_about_findings_or_about_a_refusal(series: tuple[CtVolume, list[Path]]) -> None:
    volume, paths = series
    findings = findings_of(volume, np.zeros(volume.voxels_hu.shape, np.uint8))
    with pytest.raises(ValueError, match="exactly one"):
        report_request(paths, volume, findings, REFUSAL)
    with pytest.raises(ValueError, match="exactly one"):
        report_request(paths, volume)
    with pytest.raises(ValueError, match="11 source slices for a volume of 12"):
        report_request(paths[1:], volume, findings)


def test_a_corrected_report_names_its_predecessor(series: tuple[CtVolume, list[Path]]) -> None:
    previous = PreviousReport("1.2.840.10008.5.1.4.1.1.88.34", "1.2.3.4", "1.2.3.4.5")
    objects = write_objects(report_request(series[1], None, refusal=REFUSAL, previous_report=previous))
    item = dcmread(BytesIO(objects[0].data)).PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert item.SeriesInstanceUID == "1.2.3.4"
    assert item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.5"


@pytest.mark.parametrize(
    ("name", "sop_class"),
    [("comprehensive-3d", "88.34"), ("enhanced", "88.22"), ("comprehensive", "88.33")],
)
def test_report_class_is_a_choice(series: tuple[CtVolume, list[Path]], name: str, sop_class: str) -> None:
    objects = write_objects(report_request(series[1], None, refusal=REFUSAL, sr_sop_class=name))
    assert objects[0].sop_class_uid == f"1.2.840.10008.5.1.4.1.1.{sop_class}"


def test_a_long_note_is_cut_in_the_code_and_complete_in_the_text(series: tuple[CtVolume, list[Path]]) -> None:
    volume, paths = series
    note = QualityNote("A_CODE_LONGER_THAN_SIXTEEN_CHARACTERS", "A sentence of its own. " * 20)
    findings = findings_of(volume, np.zeros(volume.voxels_hu.shape, np.uint8), quality=(note,))
    objects = write_objects(report_request(paths, volume, findings))
    group = _report(objects).content.get_image_measurement_groups()[0]
    (evaluation,) = group.get_qualitative_evaluations(name=codes.QUALITY_NOTE)
    assert evaluation.value.value == note.code
    assert note.text.strip().encode() in objects[0].data
