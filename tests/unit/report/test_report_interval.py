"""The interval of a score: the same in report, page and document, under names that are not those of a score."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from numpy.typing import NDArray

from agatha.dicom import codes
from agatha.report import ReportRequest, result_document, write_objects
from agatha.report.page_frame import CONTENT_TOP, PANEL
from agatha.report.source_images import read_source_images
from agatha.report.summary_page import draw_summary
from builders.findings import (
    calcified_volume,
    contrast_request,
    contrast_volume,
    findings_of,
    report_request,
    write_ct_series,
)
from coronary.calcium import INTERVAL_CONFIDENCE, RISK_CATEGORIES
from coronary.contract import CalciumFindings, QualityNote
from coronary.ct_volume import CtVolume
from coronary.reasons import NOT_COMPARABLE

PRIVATE = {codes.INTERVAL_LOW, codes.INTERVAL_HIGH, codes.RISK_PROBABILITY, *codes.RISK_PROBABILITIES.values()}

Scan = tuple[CtVolume, CalciumFindings, list[Path]]


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    volume, labels = calcified_volume()
    return volume, findings_of(volume, labels), write_ct_series(tmp_path_factory.mktemp("source"), volume)


@pytest.fixture(scope="module")
def old_findings(scan: Scan) -> CalciumFindings:
    """As of a version that did not look into doubt."""
    return replace(scan[1], around=None, interval=None)


@pytest.fixture(scope="module")
def report(scan: Scan) -> bytes:
    volume, findings, paths = scan
    return report_of(report_request(paths, volume, findings))


@pytest.fixture(scope="module")
def old_report(scan: Scan, old_findings: CalciumFindings) -> bytes:
    volume, _, paths = scan
    return report_of(report_request(paths, volume, old_findings))


def document_of(request: ReportRequest) -> dict[str, Any]:
    document = result_document(request, (), state="completed", provisional=False, series_instance_uid="1.2")
    return dict(json.loads(json.dumps(document, allow_nan=False)))


def report_of(request: ReportRequest) -> bytes:
    return next(one.data for one in write_objects(request) if one.kind == "sr")


def groups_of(data: bytes) -> list[Any]:
    content = hd.sr.srread(BytesIO(data)).content
    return [*content.get_image_measurement_groups(), *content.get_volumetric_roi_measurement_groups()]


def panel_of(request: ReportRequest) -> NDArray[np.uint8]:
    """Left half of the summary page from the beginning of the score's panel on."""
    page = np.asarray(draw_summary(request, read_source_images(request)))
    return page[CONTENT_TOP:, 40:710]


def test_the_document_has_interval_range_and_data(scan: Scan) -> None:
    volume, findings, paths = scan
    interval, around = findings.interval, findings.around
    assert document_of(report_request(paths, volume, findings))["calcium"]["interval"] == {
        "confidence": 0.9,
        "low": interval.low,
        "high": interval.high,
        "class_probability": {name: interval.class_probability[name] for name in RISK_CATEGORIES},
        "data": "virtual patients, n = 120",
        "lowest": around.lowest,
        "highest": around.highest,
    }


def test_the_report_has_the_numbers_of_the_document_in_the_total_group_alone(scan: Scan, report: bytes) -> None:
    volume, findings, paths = scan
    interval = document_of(report_request(paths, volume, findings))["calcium"]["interval"]
    total, *others = groups_of(report)
    found = {m.name: (m.value, m.unit) for m in total.get_measurements() if m.name in PRIVATE}
    share = interval["class_probability"]
    assert found == {
        codes.INTERVAL_LOW: (interval["low"], codes.NO_UNITS),
        codes.INTERVAL_HIGH: (interval["high"], codes.NO_UNITS),
        codes.RISK_PROBABILITY: (100 * share[findings.score.risk_category], codes.PERCENT),
        **{codes.RISK_PROBABILITIES[name]: (100 * share[name], codes.PERCENT) for name in RISK_CATEGORIES},
    }
    assert len(others) == 4 + len(findings.score.lesions)
    assert not any(m.name in PRIVATE for group in others for m in group.get_measurements())


def test_nothing_of_an_interval_can_be_taken_for_a_score(scan: Scan, report: bytes) -> None:
    total, *_ = groups_of(report)
    (score,) = [m.value for m in total.get_measurements() if m.name == codes.AGATSTON_SCORE]
    assert score == scan[1].score.agatston.total
    assert all(m.method is None for m in total.get_measurements() if m.name in PRIVATE)
    assert len({code.value for code in PRIVATE}) == 8
    for code in PRIVATE:
        assert code.scheme_designator == "99AGATHA"
        assert len(code.value) <= codes.MAXIMUM_CODE_VALUE
        assert code.meaning.startswith(("Lower limit of", "Upper limit of", "Probability of"))
        assert not code.meaning.endswith("…"), "the meaning was cut"


def test_the_names_of_the_limits_say_their_confidence() -> None:
    for code in (codes.INTERVAL_LOW, codes.INTERVAL_HIGH):
        assert f"{100 * INTERVAL_CONFIDENCE:.0f} % interval" in code.meaning
        assert f"{100 * INTERVAL_CONFIDENCE:.0f}" in code.value


def test_the_report_says_what_the_interval_was_measured_on(report: bytes, old_report: bytes) -> None:
    sentence = b"90 % interval: measured on virtual patients, n = 120"
    assert report.count(sentence) == 1
    assert sentence not in old_report


def test_a_zero_has_an_interval_too(scan: Scan) -> None:
    volume, _, paths = scan
    findings = findings_of(volume, np.zeros(volume.voxels_hu.shape, np.uint8))
    total, *_ = groups_of(report_of(report_request(paths, volume, findings)))
    found = {m.name: m.value for m in total.get_measurements()}
    assert found[codes.INTERVAL_LOW] == 0
    assert found[codes.INTERVAL_HIGH] == findings.interval.high > 0
    assert found[codes.RISK_PROBABILITY] == found[codes.RISK_PROBABILITIES["0"]] == pytest.approx(80)


def test_where_doubt_was_not_looked_into_nothing_is_written(
    scan: Scan, old_findings: CalciumFindings, old_report: bytes
) -> None:
    volume, _, paths = scan
    assert document_of(report_request(paths, volume, old_findings))["calcium"]["interval"] is None
    assert not any(m.name in PRIVATE for group in groups_of(old_report) for m in group.get_measurements())


def test_an_estimate_from_contrast_ct_has_none(tmp_path: Path) -> None:
    volume, findings = contrast_volume()
    request = contrast_request(write_ct_series(tmp_path, volume), volume, findings)
    assert document_of(request)["calcium"]["interval"] is None
    written = report_of(request)
    assert all(code.value.encode() not in written for code in PRIVATE)


def bands(picture: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """First and last row of everything that is drawn on the panel, from above."""
    is_drawn = (picture != PANEL).any(axis=(1, 2)).astype(np.int8)
    edges = np.diff(is_drawn, prepend=0, append=0)
    return list(zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True))


@pytest.mark.parametrize("is_comparable", [True, False])
def test_the_page_has_one_line_for_the_interval_that_touches_no_other(
    scan: Scan, old_findings: CalciumFindings, is_comparable: bool
) -> None:
    volume, findings, paths = scan
    quality = () if is_comparable else (QualityNote(NOT_COMPARABLE, "Slices overlap."),)
    with_line, without = (
        bands(panel_of(report_request(paths, volume, replace(each, quality=quality)))[4:155, :])
        for each in (findings, old_findings)
    )
    remark = 0 if is_comparable else 1
    before = [band for band in without if band[1] < 104]
    assert with_line[: len(before)] == before, "label, total and the categories beside it stay where they are"
    assert len(with_line) == len(before) + 1 + remark
    assert with_line[len(before)][0] > before[-1][1] + 4


def test_a_long_name_of_the_data_stays_inside_the_panel(scan: Scan) -> None:
    volume, findings, paths = scan
    interval = replace(findings.interval, low=10321.4, high=24567.8, data="virtual patients of every kind, " * 9)
    panel = panel_of(report_request(paths, volume, replace(findings, interval=interval)))
    assert (panel[104:130] != PANEL).any()
    assert (panel[4:155, -12:] == PANEL).all(), "text runs over the right edge"


def test_the_limits_on_the_page_are_those_of_the_interval(scan: Scan) -> None:
    volume, findings, paths = scan
    lines = [
        panel_of(report_request(paths, volume, replace(findings, interval=replace(findings.interval, **changes))))[
            100:130
        ].tobytes()
        for changes in ({}, {"low": 12.0}, {"high": 512.0}, {"data": "others"}, {"low": findings.interval.low + 1e-6})
    ]
    assert len(set(lines[:4])) == 4
    assert lines[4] == lines[0]
