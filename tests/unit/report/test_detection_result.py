"""What is written of a detection, and of the second opinion on a zero."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset, dcmread

from agatha.dicom import codes
from agatha.report import ReportRequest, result_document, write_objects
from agatha.report.source_images import read_source_images
from agatha.report.summary_page import draw_summary, remark
from builders.findings import (
    calcified_volume,
    detection_findings,
    detection_request,
    findings_of,
    report_request,
    write_ct_series,
)
from coronary.contract import Refusal
from coronary.ct_volume import CtVolume
from coronary.detection_findings import DetectionFindings
from coronary.second_opinion import with_opinion_on_zero


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> tuple[CtVolume, list[Path]]:
    volume, _ = calcified_volume()
    return volume, write_ct_series(tmp_path_factory.mktemp("source"), volume)


@pytest.fixture
def positive(series: tuple[CtVolume, list[Path]]) -> ReportRequest:
    volume, paths = series
    return detection_request(paths, volume, detection_findings(volume, {2: 0.4, 5: 0.97, 6: 0.5}))


def groups_of(request: ReportRequest) -> list[Any]:
    report = hd.sr.srread(BytesIO(write_objects(request)[0].data))
    return list(report.content.get_image_measurement_groups())


def evaluations(group: Any) -> dict[str, str]:
    """Our own evaluations by their codes; the family of the algorithm is one of highdicom's."""
    found = group.get_qualitative_evaluations()
    return {item.name.value: item.value.value for item in found if item.name.scheme_designator == codes.PRIVATE_SCHEME}


def document_of(request: ReportRequest) -> dict[str, Any]:
    return result_document(
        request,
        (),
        state="completed" if request.refusal is None else "refused",
        provisional=False,
        series_instance_uid="1.2",
    )


def test_the_report_says_that_there_is_calcium_and_in_which_images(positive: ReportRequest) -> None:
    patient, *slices = groups_of(positive)
    assert evaluations(patient) == {"CACPRESENCE": codes.PRESENT.value, "CACAMOUNT": "CACAMOUNT-HIGH"}
    assert [(m.name, m.value, m.unit) for m in patient.get_measurements()] == [
        (codes.CALCIUM_PROBABILITY, 97.0, codes.PERCENT)
    ]
    uids = [str(dcmread(path).SOPInstanceUID) for path in positive.source_paths]
    assert [group.source_images[0].referenced_sop_instance_uid for group in slices] == [uids[5], uids[6]]
    assert [group.get_measurements()[0].value for group in slices] == [97.0, 50.0]


def test_no_number_of_a_detection_is_a_score(positive: ReportRequest) -> None:
    assert all(
        measurement.name != codes.AGATSTON_SCORE
        for group in groups_of(positive)
        for measurement in group.get_measurements()
    )
    document = document_of(positive)
    assert document["calcium"] is None
    assert document["detection"]["presence"] == "high"


def test_absence_is_coded_and_has_no_amount(series: tuple[CtVolume, list[Path]]) -> None:
    volume, paths = series
    request = detection_request(paths, volume, detection_findings(volume, {3: 0.2}))
    (patient,) = groups_of(request)
    assert evaluations(patient) == {"CACPRESENCE": codes.ABSENT.value}
    assert [one.kind for one in write_objects(request)] == ["sr", "summary"]


def test_a_slice_without_heart_has_no_probability_in_the_document(positive: ReportRequest) -> None:
    of_slice = json.loads(json.dumps(document_of(positive)))["detection"]["slice_probability"]
    assert (of_slice[0], of_slice[1], of_slice[5]) == (None, 0.0, 0.97)


def test_the_page_shows_the_likeliest_slices(positive: ReportRequest) -> None:
    assert positive.detection is not None
    shown = np.asarray(draw_summary(positive, read_source_images(positive)))
    none = replace(positive, findings=detection_findings(positive.volume, {}))  # type: ignore[arg-type]
    other = np.asarray(draw_summary(none, read_source_images(none)))
    tiles = np.s_[186:440, 760:]
    assert (shown[tiles] != other[tiles]).any()
    bars = np.s_[330:500, 60:700]
    blue = (96, 165, 250)
    assert (shown[bars] == blue).all(axis=-1).any()
    assert not (other[bars] == blue).all(axis=-1).any()


def test_a_refused_detection_says_nothing_about_calcium(series: tuple[CtVolume, list[Path]]) -> None:
    _, paths = series
    refusal = Refusal("HEART_NOT_FOUND", "No heart was seen between two lungs; calcium cannot be looked for.")
    request = report_request(paths, None, refusal=refusal, analysis="calcium-detection")
    (group,) = groups_of(request)
    assert evaluations(group) == {"NOTDETECTED": "HEART_NOT_FOUND"}
    assert document_of(request)["detection"] is None


def test_answers_for_other_slices_than_those_of_the_volume_are_refused(positive: ReportRequest) -> None:
    assert positive.detection is not None
    with pytest.raises(ValueError, match="slices"):
        replace(positive, findings=replace(positive.detection, slice_probability=np.zeros(3)))


def zero_with(series: tuple[CtVolume, list[Path]], opinion: DetectionFindings | Refusal) -> ReportRequest:
    volume, paths = series
    zero = findings_of(volume, np.zeros(volume.voxels_hu.shape, np.uint8), quality=())
    return report_request(paths, volume, with_opinion_on_zero(zero, lambda: opinion))


@pytest.mark.parametrize(("probability", "verdict"), [(0.1, "ZERO_CONFIRMED"), (0.9, "ZERO_CONTRADICTED")])
def test_the_vote_on_a_zero_is_in_report_and_document(
    series: tuple[CtVolume, list[Path]], probability: float, verdict: str
) -> None:
    request = zero_with(series, detection_findings(series[0], {4: probability}))
    opinion = document_of(request)["calcium"]["second_opinion"]
    assert (opinion["verdict"], opinion["probability"]) == (verdict, probability)
    assert evaluations(groups_of(request)[0])["ZEROVOTE"] == verdict
    assert request.calcium is not None
    assert ("sees none either" in remark(request.calcium)) is (verdict == "ZERO_CONFIRMED")
    notes = [note["code"] for note in document_of(request)["quality"]]
    assert notes == ([] if verdict == "ZERO_CONFIRMED" else [verdict])


def test_a_vote_that_could_not_be_given_has_no_probability(series: tuple[CtVolume, list[Path]]) -> None:
    opinion = document_of(zero_with(series, Refusal("HEART_NOT_FOUND", "No heart.")))["calcium"]["second_opinion"]
    assert (opinion["verdict"], opinion["probability"]) == ("ZERO_NOT_CONFIRMED", None)


def test_a_score_above_zero_has_no_second_opinion(series: tuple[CtVolume, list[Path]]) -> None:
    volume, paths = series
    _, labels = calcified_volume()
    request = report_request(paths, volume, findings_of(volume, labels))
    assert document_of(request)["calcium"]["second_opinion"] is None
    assert b"ZEROVOTE" not in write_objects(request)[0].data


def test_evidence_of_the_report_holds_all_images(positive: ReportRequest) -> None:
    report: Dataset = dcmread(BytesIO(write_objects(positive)[0].data))
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert len(evidence) == len(positive.source_paths)
