"""Result of a contrast scan: an estimate, named as one everywhere, with what it rests on and the anatomy behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
from agatha.report.page_frame import HEIGHT, WIDTH
from agatha.report.segmentation import write_anatomy_segmentation
from agatha.report.source_images import read_source_images
from agatha.report.summary_page import draw_summary, remark
from builders.findings import (
    axial_affine,
    calcified_volume,
    contrast_request,
    contrast_volume,
    findings_of,
    report_request,
    rotated_affine,
    write_ct_series,
)
from coronary.calcium import Vessel, VesselValues
from coronary.concordance import Concordance, LimitsOfAgreement, compare_scores
from coronary.contract import CalciumFindings, Refusal
from coronary.ct_volume import CtVolume

LIMITS = LimitsOfAgreement(-4.5, 3.25, "virtual patients | n = 60")
KINDS = ["sr", "seg-vessels", "seg-lesions", "seg-anatomy", "summary", "tree-views", "key-images"]


class Written:
    """A request with its objects and document."""

    def __init__(self, request: ReportRequest) -> None:
        self.request = request
        self.objects = write_objects(request)
        self.datasets = {one.kind: dcmread(BytesIO(one.data)) for one in self.objects}
        document = result_document(
            request, self.objects, state="completed", provisional=False, series_instance_uid="1.2"
        )
        self.document = json.loads(json.dumps(document, allow_nan=False))
        self.report = hd.sr.srread(BytesIO(self.objects[0].data))


def concordance_of(findings: CalciumFindings, csct_total: float) -> Concordance:
    csct = VesselValues(csct_total, 0.0, csct_total, 0.0, 0.0)
    return compare_scores(csct, findings.score.agatston, LIMITS)


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> tuple[CtVolume, CalciumFindings, list[Path]]:
    volume, findings = contrast_volume()
    return volume, findings, write_ct_series(tmp_path_factory.mktemp("source"), volume, slice_thickness_mm=1.0)


@pytest.fixture(scope="module")
def written(series: tuple[CtVolume, CalciumFindings, list[Path]]) -> Written:
    volume, findings, paths = series
    comparison = concordance_of(findings, 400.0)
    return Written(
        contrast_request(paths, volume, findings, concordance=comparison, limits_of_agreement=comparison.limits)
    )


def items_of(dataset: Dataset) -> Iterator[Dataset]:
    yield dataset
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from items_of(item)


def code_values(dataset: Dataset) -> set[str]:
    return {str(item.CodeValue) for item in items_of(dataset) if "CodeValue" in item}


def numbers(group: Any) -> dict[str, float]:
    """Value by code value of the name; a finding site of its own is part of the key."""
    found: dict[str, float] = {}
    for measurement in group.get_measurements():
        sites = [site.value.value for site in measurement.finding_sites]
        key = "@".join([measurement.name.value, *sites])
        assert key not in found, f"{key} is there twice"
        found[key] = measurement.value
    return found


def group_of(written: Written, site: str) -> Any:
    (group,) = [
        group for group in written.report.content.get_image_measurement_groups() if group.finding_sites[0].value == site
    ]
    return group


SITES = {"total": codes.CORONARY_ARTERY, **{vessel.name: codes.VESSEL_CODES[vessel] for vessel in Vessel}}


def test_objects_of_a_contrast_scan_and_their_series(written: Written) -> None:
    assert [one.kind for one in written.objects] == KINDS
    numbers_and_names = {kind: (one.SeriesNumber, one.SeriesDescription) for kind, one in written.datasets.items()}
    assert numbers_and_names["seg-anatomy"] == (90104, "Coronary tree (AI)")
    assert numbers_and_names["tree-views"] == (90133, "Coronary tree views (AI)")
    assert {dataset.ContentQualification for dataset in written.datasets.values()} == {"RESEARCH"}


def test_no_code_of_a_calcium_scan_is_in_the_report(written: Written) -> None:
    forbidden = {
        codes.AGATSTON_METHOD.value,
        codes.VOLUME_METHOD.value,
        codes.AGATSTON_THRESHOLD.value,
        codes.CALCIUM_MASS.value,
        codes.MASS_METHOD.value,
        codes.CAC_DRS_CATEGORY.value,
        codes.RISK_CATEGORY.value,
        codes.CALCIUM_SCORING_CT.value,
    }
    found = code_values(written.datasets["sr"])
    assert found.isdisjoint(forbidden)
    assert {"AG-CCTA", "VOL-CCTA", "CACDRS-CCTA", "CACRISK-CCTA", "419545005"} <= found


def test_every_score_and_volume_carries_the_method_of_the_estimate(written: Written) -> None:
    content = written.report.content
    groups = [*content.get_image_measurement_groups(), *content.get_volumetric_roi_measurement_groups()]
    assert len(groups) == 5 + 2
    for group in groups:
        methods = {m.name.value: m.method.value for m in group.get_measurements() if m.method is not None}
        assert methods[codes.AGATSTON_SCORE.value] == "AG-CCTA"
        assert methods[codes.CALCIUM_VOLUME.value] == "VOL-CCTA"


@pytest.mark.parametrize("name", list(SITES))
def test_numbers_of_the_total_and_of_each_vessel_equal_the_document(written: Written, name: str) -> None:
    found = numbers(group_of(written, SITES[name]))
    calcium, contrast = written.document["calcium"], written.document["contrast"]
    lower, higher = contrast["agatston_at_thresholds"]
    expected = {
        codes.AGATSTON_SCORE.value: calcium["agatston"][name],
        codes.CALCIUM_VOLUME.value: calcium["volume_mm3"][name],
        codes.LESION_COUNT.value: sum(name in ("total", lesion["vessel"]) for lesion in calcium["lesions"]),
        "AGLOWTHR": lower["agatston"][name],
        "AGHIGHTHR": higher["agatston"][name],
        "SEGVOLUME": contrast["segmented_volume_mm3"][name],
    }
    if name == "total":
        expected |= {
            "NVES": 2,
            "CALFACTOR": contrast["calibration_factor_hu"],
            f"{codes.MEAN_ATTENUATION.value}@{codes.ASCENDING_AORTA.value}": contrast["aorta_mean_hu"],
            f"{codes.ATTENUATION_SD.value}@{codes.ASCENDING_AORTA.value}": contrast["aorta_sd_hu"],
            "THR_CERTAIN_CALCIUM_LOWEST": contrast["thresholds_hu"][0]["hu"],
            "THR_CALCIUM_BESIDE_THE_LUMEN": contrast["thresholds_hu"][1]["hu"],
            "THRSHIFT": higher["shift_hu"],
            "COMPARED-CSCT": written.document["concordance"]["csct"]["total"],
        }
    assert found == expected
    assert lower["shift_hu"] == -higher["shift_hu"]


def test_lesions_in_report_and_document_are_equal(written: Written) -> None:
    groups = written.report.content.get_volumetric_roi_measurement_groups()
    segments = written.datasets["seg-lesions"].SegmentSequence
    for group, lesion, segment in zip(groups, written.document["calcium"]["lesions"], segments, strict=True):
        assert numbers(group) == {
            codes.AGATSTON_SCORE.value: lesion["agatston"],
            codes.CALCIUM_VOLUME.value: lesion["volume_mm3"],
            codes.MAXIMUM_ATTENUATION.value: lesion["peak_hu"],
            codes.MEAN_ATTENUATION.value: lesion["mean_hu"],
        }
        assert group.tracking_uid == segment.TrackingUID == lesion["tracking_uid"]


def test_document_says_what_the_estimate_rests_on(written: Written) -> None:
    contrast = written.document["contrast"]
    assert set(contrast) == {
        "calibration_factor_hu",
        "aorta_mean_hu",
        "aorta_sd_hu",
        "blood_pool_hu",
        "kvp",
        "thresholds_hu",
        "agatston_at_thresholds",
        "segmented_volume_mm3",
        "dominance",
        "arteries",
        "limits_of_agreement",
    }
    assert contrast["thresholds_hu"][0] == {"name": "certain calcium, lowest", "hu": 512.5}
    assert (contrast["dominance"], contrast["kvp"], contrast["blood_pool_hu"]) == ("right", 100.0, 421.75)
    lad = contrast["arteries"][1]
    line = written.request.findings.contrast.tree.centerline("LAD")
    assert (lad["name"], lad["parent"], lad["segments"]) == ("LAD", "LM", [2, 3])
    assert lad["length_mm"] == pytest.approx(np.linalg.norm(line.points_lps_mm[-1] - line.points_lps_mm[0]))
    assert lad["bridged_share"] == pytest.approx(3 / len(line.points_lps_mm))
    assert contrast["limits_of_agreement"] == {"lower_root": -4.5, "upper_root": 3.25, "data": LIMITS.data}
    assert written.document["calcium"]["alternative_scores"] == []
    assert written.document["calcium"]["mass_mg"] is None


def test_document_of_a_calcium_scan_has_no_contrast(tmp_path: Path) -> None:
    volume, labels = calcified_volume((5, 24, 32), lesions_per_vessel=1)
    plain = Written(report_request(write_ct_series(tmp_path, volume), volume, findings_of(volume, labels)))
    assert (plain.document["contrast"], plain.document["concordance"]) == (None, None)
    assert [one.kind for one in plain.objects] == ["sr", "seg-vessels", "seg-lesions", "summary", "key-images"]


AFFINES = {
    "head first": axial_affine((1.0, 0.8, 0.8)),
    "slices from head to feet": axial_affine((1.0, 0.8, 0.8)) @ np.diag([1, 1, -1, 1.0]),
    "oblique": rotated_affine(axial_affine((1.0, 0.8, 0.8)), (9, -6, 21)),
}


@pytest.mark.parametrize("name", sorted(AFFINES))
def test_anatomy_is_read_back_as_it_was_found(name: str, tmp_path: Path) -> None:
    volume, findings = contrast_volume(AFFINES[name])
    paths = write_ct_series(tmp_path, volume)
    # The aorta reaches into the left main here, and a voxel of both is aorta.
    overlap = np.zeros(volume.voxels_hu.shape, np.bool_)
    overlap[17:20, 23:26, 42:46] = True
    contrast = replace(findings.contrast, aorta_mask=findings.contrast.aorta_mask | overlap)
    assert (contrast.tree.vessel_label_map()[overlap] == Vessel.LM).any()
    request = contrast_request(paths, volume, replace(findings, contrast=contrast))
    data = write_anatomy_segmentation(request, read_source_images(request)).data
    mask = hd.seg.segread(BytesIO(data)).get_pixels_by_source_instance(
        [dcmread(path).SOPInstanceUID for path in paths], combine_segments=True, assert_missing_frames_are_empty=True
    )
    expected = np.where(contrast.aorta_mask, 5, contrast.tree.vessel_label_map())
    np.testing.assert_array_equal(mask, expected)
    assert set(np.unique(mask)) == {0, 1, 2, 3, 4, 5}


def test_segments_of_the_anatomy_are_coded_in_fixed_order(written: Written) -> None:
    dataset = written.datasets["seg-anatomy"]
    assert dataset.ContentLabel == "CORONARY_TREE"
    assert [segment.SegmentNumber for segment in dataset.SegmentSequence] == [1, 2, 3, 4, 5]
    labels = ["LM artery", "LAD artery", "LCX artery", "RCA artery", "Ascending aorta"]
    assert [segment.SegmentLabel for segment in dataset.SegmentSequence] == labels
    types = [segment.SegmentedPropertyTypeCodeSequence[0].CodeValue for segment in dataset.SegmentSequence]
    assert types == ["3227004", "59438005", "57396003", "13647002", "54247002"]
    categories = {s.SegmentedPropertyCategoryCodeSequence[0].CodeValue for s in dataset.SegmentSequence}
    assert categories == {"91723000"}
    assert dataset.SegmentsOverlap == "NO"


def test_only_slices_with_voxels_have_frames(tmp_path: Path) -> None:
    volume, findings = contrast_volume()
    tree = findings.contrast.tree
    low = tree.voxels_zyx[:, 0] < 8
    short = replace(
        tree,
        voxels_zyx=tree.voxels_zyx[low],
        voxel_centerline=tree.voxel_centerline[low],
        voxel_point=tree.voxel_point[low],
    )
    # Two regions with empty slices between them.
    aorta = findings.contrast.aorta_mask & (np.arange(len(volume.voxels_hu)) >= 20)[:, None, None]
    contrast = replace(findings.contrast, tree=short, aorta_mask=aorta)
    request = contrast_request(write_ct_series(tmp_path, volume), volume, replace(findings, contrast=contrast))
    dataset = dcmread(BytesIO(write_anatomy_segmentation(request, read_source_images(request)).data))
    labels = short.vessel_label_map()
    labels[aorta] = 5
    filled = sum(len(set(np.unique(plane)) - {0}) for plane in labels)
    assert dataset.NumberOfFrames == filled


def test_a_score_of_zero_has_the_anatomy_and_all_zeros(tmp_path: Path) -> None:
    volume, findings = contrast_volume(is_calcified=False)
    zero = Written(contrast_request(write_ct_series(tmp_path, volume), volume, findings))
    assert [one.kind for one in zero.objects] == ["sr", "seg-anatomy", "summary", "tree-views"]
    for site in SITES.values():
        found = numbers(group_of(zero, site))
        assert found[codes.AGATSTON_SCORE.value] == found["AGLOWTHR"] == 0.0
    assert zero.document["calcium"]["risk_category"] == "0"


def test_what_zero_means_depends_on_the_scan() -> None:
    volume, labels = calcified_volume((5, 24, 32), vessels=())
    assert "130 HU" in remark(findings_of(volume, labels))
    _, zero = contrast_volume(is_calcified=False)
    _, positive = contrast_volume()
    assert "130" not in remark(zero)
    assert "No calcium" in remark(zero)
    assert "Estimate" in remark(positive)


def test_a_refused_contrast_scan_has_its_own_title_and_procedure(
    series: tuple[CtVolume, CalciumFindings, list[Path]],
) -> None:
    refusal = Refusal("TREE_INCOMPLETE", "The right coronary artery was not found.")
    request = report_request(series[2], None, refusal=refusal, analysis="ccta-scoring")
    objects = write_objects(request)
    assert [one.kind for one in objects] == ["sr", "summary"]
    found = code_values(dcmread(BytesIO(objects[0].data)))
    assert {"419545005", "TREE_INCOMPLETE"} <= found | long_code_values(objects[0].data)
    other = report_request(series[2], None, refusal=refusal)
    sources = read_source_images(request)
    pages = [np.asarray(draw_summary(each, sources)) for each in (request, other)]
    title = (slice(100, 140), slice(24, 700))
    assert (pages[0][title] != pages[1][title]).any(), "the titles of the two analyses look the same"
    document = result_document(request, objects, state="refused", provisional=False, series_instance_uid="1.2")
    assert (document["contrast"], document["concordance"]) == (None, None)


def long_code_values(data: bytes) -> set[str]:
    return {str(item.LongCodeValue) for item in items_of(dcmread(BytesIO(data))) if "LongCodeValue" in item}


@pytest.mark.parametrize(("csct_total", "value"), [(400.0, "DISCORDANT"), (110.0, "CONCORDANT")])
def test_concordance_is_coded_and_written_out(
    series: tuple[CtVolume, CalciumFindings, list[Path]], csct_total: float, value: str
) -> None:
    volume, findings, paths = series
    comparison = concordance_of(findings, csct_total)
    result = Written(contrast_request(paths, volume, findings, concordance=comparison))
    group = group_of(result, codes.CORONARY_ARTERY)
    (evaluation,) = group.get_qualitative_evaluations(name=codes.CONCORDANCE)
    assert evaluation.value.value == value
    assert numbers(group)["COMPARED-CSCT"] == csct_total
    assert comparison.text in {str(item.TextValue) for item in items_of(result.datasets["sr"]) if "TextValue" in item}
    assert result.document["concordance"] == {
        "is_discordant": value == "DISCORDANT",
        "csct": comparison.csct.as_dict(),
        "ccta": findings.score.agatston.as_dict(),
        "difference": findings.score.agatston.total - csct_total,
        "expected_ccta": list(comparison.expected_ccta),
        "categories": {"csct": "101-400", "ccta": "101-400"},
        "text": comparison.text,
        "data": LIMITS.data,
    }


def test_a_calcium_scan_names_the_contrast_scan_it_was_compared_with(tmp_path: Path) -> None:
    volume, labels = calcified_volume((5, 24, 32), lesions_per_vessel=1)
    findings = findings_of(volume, labels)
    comparison = compare_scores(findings.score.agatston, VesselValues(77.5, 0.0, 77.5, 0.0, 0.0), LIMITS)
    result = Written(report_request(write_ct_series(tmp_path, volume), volume, findings, concordance=comparison))
    found = numbers(group_of(result, codes.CORONARY_ARTERY))
    assert found["COMPARED-CCTA"] == 77.5
    assert "COMPARED-CSCT" not in found
    assert found[codes.AGATSTON_SCORE.value] == findings.score.agatston.total


def test_a_concordance_about_other_scores_is_refused(
    series: tuple[CtVolume, CalciumFindings, list[Path]],
) -> None:
    volume, findings, paths = series
    other = compare_scores(findings.score.agatston, VesselValues(1.0, 0.0, 1.0, 0.0, 0.0), LIMITS)
    with pytest.raises(ValueError, match="the concordance compares"):
        contrast_request(paths, volume, findings, concordance=other)
    refusal = Refusal("TREE_INCOMPLETE", "The right coronary artery was not found.")
    with pytest.raises(ValueError, match="without calcium findings"):
        report_request(paths, None, refusal=refusal, concordance=other)


def test_only_what_shows_a_concordance_gets_other_uids_and_bytes(
    series: tuple[CtVolume, CalciumFindings, list[Path]],
) -> None:
    volume, findings, paths = series
    comparisons = [None, concordance_of(findings, 110.0), concordance_of(findings, 110.5)]
    comparisons.append(replace(comparisons[1], limits=replace(LIMITS, upper_root=3.5)))
    results = [
        {one.kind: one for one in write_objects(contrast_request(paths, volume, findings, concordance=each))}
        for each in comparisons
    ]
    for kind in KINDS:
        uids = {result[kind].sop_instance_uid for result in results}
        contents = {result[kind].data for result in results}
        assert len(uids) == (len(comparisons) if kind in ("sr", "summary") else 1), kind
        assert len(contents) == len(uids), f"{kind}: one SOP Instance UID with several contents"


def test_a_second_run_gives_the_same_bytes(written: Written) -> None:
    assert [one.data for one in write_objects(written.request)] == [one.data for one in written.objects]


def test_masks_of_another_shape_are_refused(series: tuple[CtVolume, CalciumFindings, list[Path]]) -> None:
    volume, findings, paths = series
    contrast = replace(findings.contrast, aorta_mask=findings.contrast.aorta_mask[1:])
    with pytest.raises(ValueError, match=r"aorta: shape \(23, 56, 80\)"):
        contrast_request(paths, volume, replace(findings, contrast=contrast))


@pytest.mark.parametrize("kind", ["summary", "tree-views"])
def test_pages_are_marked_as_burned_in_derived_research(written: Written, kind: str) -> None:
    page = written.datasets[kind]
    assert (page.Rows, page.Columns, page.PhotometricInterpretation) == (HEIGHT, WIDTH, "RGB")
    assert (page.BurnedInAnnotation, page.ImageType[:2]) == ("YES", ["DERIVED", "SECONDARY"])
    assert "Research use only" in page.ImageComments
    assert "not for primary diagnosis" in page.DerivationDescription


def test_a_discordant_comparison_is_in_the_colour_of_warnings(
    series: tuple[CtVolume, CalciumFindings, list[Path]],
) -> None:
    volume, findings, paths = series
    panel = (slice(650, 740), slice(24, 716))
    warned = []
    for csct_total in (400.0, 110.0):
        request = contrast_request(
            paths, volume, replace(findings, quality=()), concordance=concordance_of(findings, csct_total)
        )
        page = np.asarray(draw_summary(request, read_source_images(request)))[panel]
        warned.append(bool((page == (255, 190, 60)).all(axis=-1).any()))
    assert warned == [True, False]
