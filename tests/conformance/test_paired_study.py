"""A study with a calcium-scoring CT and a contrast scan is pushed: two scores, whether they agree, and new series."""

import io
from collections.abc import Iterator
from typing import Any

import jsonschema
import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage

from agatha.dicom.virtual_study import VirtualStudy, write_virtual_study
from coronary.registry import FAMILIES
from coronary.virtual_patient import draw_acquisition, draw_patient, render
from peers.agatha_service import AgathaService, answered_service, wait_for
from peers.orthanc import Archive

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

#: A contrast scan takes minutes on a busy machine.
PATIENCE_S = 900.0

#: Never used in training or tuning.
SEED = 980002


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> VirtualStudy:
    patient = draw_patient(SEED, calcium="present")
    scans = [
        render(patient, draw_acquisition(SEED, "csct")),
        render(patient, draw_acquisition(SEED, "ccta", kvp=100), in_plane_fov_mm=192.0, matrix=320),
    ]
    return write_virtual_study(scans, tmp_path_factory.mktemp("phantom"))


@pytest.fixture(scope="module")
def agatha(tmp_path_factory: pytest.TempPathFactory, archive: Archive, study: VirtualStudy) -> Iterator[AgathaService]:
    with answered_service(
        tmp_path_factory.mktemp("agatha"),
        archive,
        study,
        results=len(FAMILIES),
        patience_s=PATIENCE_S,
        AGATHA_ANALYSES=",".join(family.name for family in FAMILIES),
    ) as service:
        yield service


@pytest.fixture(scope="module")
def results(agatha: AgathaService, study: VirtualStudy) -> dict[str, dict[str, Any]]:
    found = agatha.get(f"/api/v1/studies/{study.study_instance_uid}/results")
    return {result["analysis"]: dict(result) for result in found}


def test_every_analysis_has_a_result_that_follows_the_schema(
    agatha: AgathaService, results: dict[str, dict[str, Any]]
) -> None:
    openapi = agatha.get("/openapi.json")
    schema = {"$ref": "#/components/schemas/ResultDocument", "components": openapi["components"]}
    assert set(results) == {family.name for family in FAMILIES}
    for result in results.values():
        jsonschema.validate(result, schema)
        assert result["state"] == "completed", result["reason"]
    assert results["csct-scoring"]["contrast"] is None
    contrast = results["ccta-scoring"]["contrast"]
    assert contrast["kvp"] == 100.0
    assert 0.75 < contrast["calibration_factor_hu"] / contrast["aorta_mean_hu"] < 1.08
    lower, higher = (row["agatston"]["total"] for row in contrast["agatston_at_thresholds"])
    assert lower >= results["ccta-scoring"]["calcium"]["agatston"]["total"] >= higher


def test_the_comparison_stands_in_both_results(results: dict[str, dict[str, Any]]) -> None:
    csct, ccta = results["csct-scoring"], results["ccta-scoring"]
    assert csct["concordance"] == ccta["concordance"]
    comparison = csct["concordance"]
    assert comparison["csct"] == csct["calcium"]["agatston"]
    assert comparison["ccta"] == ccta["calcium"]["agatston"]
    low, high = comparison["expected_ccta"]
    assert comparison["is_discordant"] is not (low <= comparison["ccta"]["total"] <= high)


def test_the_report_of_the_estimate_never_uses_the_agatston_method(
    archive: Archive, results: dict[str, dict[str, Any]]
) -> None:
    reports = {}
    for analysis in ("csct-scoring", "ccta-scoring"):
        result = results[analysis]
        (uid,) = next(output["sop_instance_uids"] for output in result["outputs"] if output["kind"] == "sr")
        wait_for("the report in the archive", lambda uid=uid: uid in archive.instances())
        reports[analysis] = pydicom.dcmread(io.BytesIO(archive.file(archive.instances()[uid]))).to_json()
    assert "112055" in reports["csct-scoring"]
    assert "112055" not in reports["ccta-scoring"]
    assert "AG-CCTA" in reports["ccta-scoring"]
    # Whichever result was written second says how the two compare.
    assert sum("COMPARED-" in report for report in reports.values()) >= 1


def test_tree_and_views_reach_the_archive(archive: Archive, results: dict[str, dict[str, Any]]) -> None:
    outputs = {output["kind"]: output["sop_instance_uids"] for output in results["ccta-scoring"]["outputs"]}
    assert {"sr", "seg-anatomy", "summary", "tree-views"} <= set(outputs)
    expected = {uid for uids in outputs.values() for uid in uids}
    wait_for("the objects in the archive", lambda: expected <= set(archive.instances()))


def test_every_derived_image_reaches_the_archive_in_the_place_of_its_source(
    archive: Archive, results: dict[str, dict[str, Any]], study: VirtualStudy
) -> None:
    sources = {}
    for path in study.series["ccta"]:
        source = pydicom.dcmread(path)
        sources[source.SOPInstanceUID] = source
    series = {
        output["kind"]: output["sop_instance_uids"]
        for analysis in ("calcium-inpainting", "lumen-extraction")
        for output in results[analysis]["outputs"]
        if output["sop_class_uid"] == CTImageStorage
    }
    assert set(series) == {"ct-calcium-removed", "ct-lumen", "ct-non-contrast"}
    expected = {uid for uids in series.values() for uid in uids}
    wait_for("all derived images in the archive", lambda: expected <= set(archive.instances()), PATIENCE_S)
    stored = archive.instances()
    pixels: dict[str, dict[str, Any]] = {}
    for kind, uids in series.items():
        assert len(uids) == len(sources)
        for uid in uids[::40]:
            image = pydicom.dcmread(io.BytesIO(archive.file(stored[uid])))
            source = sources[image.SourceImageSequence[0].ReferencedSOPInstanceUID]
            for keyword in ("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
                assert image[keyword].value == source[keyword].value
            hu = image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept)
            pixels.setdefault(source.SOPInstanceUID, {"source": source})[kind] = hu
    for each in pixels.values():
        source = each["source"]
        scanned = source.pixel_array * float(source.RescaleSlope) + float(source.RescaleIntercept)
        # What a source of 12 bits cannot store is the nearest value that it can.
        assert np.mean(each["ct-lumen"] + each["ct-non-contrast"] == scanned) > 0.999
        assert np.mean(each["ct-calcium-removed"] == scanned) > 0.99


def test_segments_are_read(results: dict[str, dict[str, Any]]) -> None:
    stenosis = results["calcium-inpainting"]["stenosis"]
    assert {segment["artery"] for segment in stenosis["segments"]} >= {"LAD", "LCX", "RCA"}
    for segment in stenosis["segments"]:
        assert 0.0 <= segment["derived_percent"] <= 100.0
        assert segment["is_trusted"] is (not segment["distrust"])
    assert results["lumen-extraction"]["stenosis"]["segments"]


def test_the_work_list_says_that_the_series_is_ready(agatha: AgathaService) -> None:
    assert "alcium-removed series" in agatha.page("/")


def test_the_study_page_shows_the_comparison(agatha: AgathaService, study: VirtualStudy) -> None:
    page = agatha.page(f"/studies/{study.study_instance_uid}")
    assert "Agatston equivalent" in page
    assert "limits of agreement" in page
