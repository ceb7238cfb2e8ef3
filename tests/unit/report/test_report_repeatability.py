"""The same request gives the same bytes, at any time; another input gives other UIDs."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from agatha.report import ReportRequest, write_objects
from builders.findings import MODEL, calcified_volume, findings_of, report_request, write_ct_series


@pytest.fixture(scope="module")
def request_for_all(tmp_path_factory: pytest.TempPathFactory) -> ReportRequest:
    volume, labels = calcified_volume((5, 24, 32), lesions_per_vessel=1)
    paths = write_ct_series(tmp_path_factory.mktemp("source"), volume)
    return report_request(paths, volume, findings_of(volume, labels))


def test_a_second_run_gives_the_same_bytes(request_for_all: ReportRequest) -> None:
    first = write_objects(request_for_all)
    time.sleep(0.01)  # another clock reading
    assert [one.data for one in write_objects(request_for_all)] == [one.data for one in first]


def test_no_time_of_the_present_is_in_an_object(request_for_all: ReportRequest) -> None:
    now = datetime.now()
    present = {(now + timedelta(days=days)).strftime("%Y%m%d") for days in (-1, 0, 1)}
    present -= {"20260304"}
    for one in write_objects(request_for_all):
        for text in _dates(dcmread(BytesIO(one.data))):
            assert text[:8] not in present


def _dates(dataset: Dataset) -> list[str]:
    found = []
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                found += _dates(item)
        elif element.VR in ("DA", "DT") and element.value:
            found.append(str(element.value))
    return found


@pytest.mark.parametrize(
    "change",
    [
        {"src_digest": "0" * 64},
        {"config_digest": "0" * 64},
        {"model": replace(MODEL, sha256="cd" * 32)},
        {"model": replace(MODEL, version="1.2.1")},
    ],
    ids=["late slice", "configuration", "weights", "version"],
)
def test_other_inputs_give_other_uids(request_for_all: ReportRequest, change: dict[str, object]) -> None:
    other = report_request(request_for_all.source_paths, request_for_all.volume, request_for_all.findings, **change)
    for kind in ("sr", "seg-vessels", "seg-lesions", "summary", "key-images"):
        assert other.instance_uid(kind) != request_for_all.instance_uid(kind)
        assert other.series_uid(kind) != request_for_all.series_uid(kind)
    assert {uid for _, uid in other.lesion_tracking}.isdisjoint(uid for _, uid in request_for_all.lesion_tracking)


def test_all_uids_of_a_result_differ(request_for_all: ReportRequest) -> None:
    kinds = ("sr", "seg-vessels", "seg-lesions", "summary", "key-images")
    uids = [request_for_all.instance_uid(kind) for kind in kinds] + [request_for_all.series_uid(kind) for kind in kinds]
    uids += [uid for _, uid in request_for_all.lesion_tracking]
    uids += [request_for_all.group_tracking(name)[1] for name in ("total", "LM", "LAD", "LCX", "RCA")]
    assert len(set(uids)) == len(uids)


def test_content_time_needs_a_time_zone(request_for_all: ReportRequest) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        report_request(
            request_for_all.source_paths,
            request_for_all.volume,
            request_for_all.findings,
            content_time=datetime(2026, 3, 4),
        )
    assert request_for_all.content_time_utc.tzinfo is UTC


def test_series_numbers_follow_the_index_of_the_source_series(request_for_all: ReportRequest) -> None:
    twelfth = report_request(
        request_for_all.source_paths, request_for_all.volume, request_for_all.findings, series_index=12
    )
    assert (twelfth.series_number("sr"), twelfth.series_number("key-images")) == (91201, 91232)
