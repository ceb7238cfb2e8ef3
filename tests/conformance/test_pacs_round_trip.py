"""A PACS administrator's acceptance test: DCMTK pushes a calcium score to `agatha serve`, Orthanc gets the answer."""

import io
from collections.abc import Iterator
from typing import Any

import jsonschema
import pydicom
import pytest

from agatha.dicom.virtual_study import VirtualStudy, write_virtual_study
from coronary.virtual_patient import draw_acquisition, draw_patient, render
from peers.agatha_service import AgathaService, answered_service, wait_for
from peers.orthanc import Archive

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

#: A patient with calcium and more than one lesion; any would do.
SEED = 7


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> VirtualStudy:
    scan = render(draw_patient(SEED, calcium="present"), draw_acquisition(SEED, "csct"))
    return write_virtual_study([scan], tmp_path_factory.mktemp("phantom"))


@pytest.fixture(scope="module")
def agatha(tmp_path_factory: pytest.TempPathFactory, archive: Archive, study: VirtualStudy) -> Iterator[AgathaService]:
    with answered_service(tmp_path_factory.mktemp("agatha"), archive, study, results=1) as service:
        yield service


@pytest.fixture(scope="module")
def result(agatha: AgathaService, study: VirtualStudy) -> dict[str, Any]:
    results = agatha.get(f"/api/v1/studies/{study.study_instance_uid}/results")
    assert len(results) == 1
    return dict(results[0])


def test_result_over_rest_follows_the_published_schema(agatha: AgathaService, result: dict[str, Any]) -> None:
    openapi = agatha.get("/openapi.json")
    schema = {"$ref": "#/components/schemas/ResultDocument", "components": openapi["components"]}
    jsonschema.validate(result, schema)
    assert result["analysis"] == "csct-scoring"
    assert result["state"] == "completed"
    calcium = result["calcium"]
    assert set(calcium["agatston"]) == {"total", "LM", "LAD", "LCX", "RCA"}
    assert sum(calcium["agatston"][v] for v in ("LM", "LAD", "LCX", "RCA")) == pytest.approx(
        calcium["agatston"]["total"]
    )


def test_archive_has_every_object_of_the_result(
    agatha: AgathaService, archive: Archive, result: dict[str, Any]
) -> None:
    expected = {uid for output in result["outputs"] for uid in output["sop_instance_uids"]}
    kinds = {output["kind"] for output in result["outputs"]}
    assert {"sr", "summary"} <= kinds
    wait_for("the objects in the archive", lambda: expected <= set(archive.instances()))


def test_report_in_the_archive_carries_the_number_of_rest(
    agatha: AgathaService, archive: Archive, result: dict[str, Any]
) -> None:
    (uid,) = next(output["sop_instance_uids"] for output in result["outputs"] if output["kind"] == "sr")
    wait_for("the report in the archive", lambda: uid in archive.instances())
    report = pydicom.dcmread(io.BytesIO(archive.file(archive.instances()[uid])))
    assert report.StudyInstanceUID
    scores = [
        float(item.MeasuredValueSequence[0].NumericValue)
        for group in report.ContentSequence[-1].ContentSequence
        for item in group.ContentSequence
        if item.ValueType == "NUM" and item.ConceptNameCodeSequence[0].CodeValue == "450360000"
    ]
    assert scores[0] == pytest.approx(result["calcium"]["agatston"]["total"], rel=1e-6)


def test_timeline_tells_the_whole_story(agatha: AgathaService, study: VirtualStudy) -> None:
    timeline = agatha.get(f"/api/v1/studies/{study.study_instance_uid}/timeline")
    kinds = [event["kind"] for event in timeline["events"]]
    for expected in ("SERIES_RECEIVING", "SERIES_ROUTED", "JOB_STARTED", "JOB_COMPLETED"):
        assert expected in kinds
    assert timeline["summary"]
