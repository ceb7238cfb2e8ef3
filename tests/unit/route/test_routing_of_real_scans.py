"""What becomes of real series: vendor headers and pixels nobody made up for these tests."""

from pathlib import Path

import pytest

from agatha.assemble import assemble_series, read_series_header
from agatha.dicom.ct_series import AssembledSeries, SeriesHeader
from agatha.route import route_series, screen_header
from agatha.route.kind import score_header

REAL = Path(__file__).parents[4] / "shared" / "data" / "real"
NOT_IMAGES = {"LICENSE", "PROVENANCE.txt", "QRM_inserts.png"}


def real_files(folder: str, pattern: str = "*") -> list[Path]:
    if not (REAL / folder).is_dir():
        pytest.skip(f"no real data in {REAL / folder}")
    return sorted(path for path in (REAL / folder).glob(pattern) if path.is_file() and path.name not in NOT_IMAGES)


def header_of(paths: list[Path]) -> SeriesHeader:
    header = read_series_header(paths)
    assert isinstance(header, SeriesHeader)
    return header


def assembled(paths: list[Path]) -> AssembledSeries:
    series = assemble_series(paths)
    assert isinstance(series, AssembledSeries)
    return series


def test_ge_smart_score_header_is_a_calcium_score():
    header = header_of(real_files("odd_pydicom/dicomdirtests/98892001/CT5N"))
    decision = score_header(header)
    assert decision.kind == "csct"
    assert decision.score["csct"] >= 10


def test_ge_scout_is_passed_over():
    decision = screen_header(header_of(real_files("odd_pydicom/dicomdirtests/98892001/CT2N")))
    assert decision is not None
    assert (decision.refusal and decision.refusal.code, decision.is_candidate) == ("LOCALIZER", False)


@pytest.mark.parametrize(
    ("pattern", "code"), [("S1000_localizer*", "LOCALIZER"), ("S4010_secondarycapture*", "NOT_A_CT_IMAGE")]
)
def test_localizer_and_summary_page_of_a_philips_study_are_passed_over(pattern, code):
    decision = screen_header(header_of(real_files("odd_philips_tilt_localizer_sc", pattern)))
    assert decision is not None
    assert (decision.refusal and decision.refusal.code, decision.is_candidate) == (code, False)


def test_ungated_chest_ct_is_not_scored_though_its_blood_is_unenhanced():
    paths = real_files("chestct_noncontrast_philips")
    assert screen_header(header_of(paths)) is None
    decision = route_series(assembled(paths))
    assert (decision.kind, decision.is_candidate) == ("chest_ncct", False)
    assert decision.refusal is not None
    assert decision.refusal.code == "NOT_GATED"
    assert decision.blood_pool_hu == pytest.approx(53, abs=8)


def test_canon_phantom_is_not_taken_for_a_patient_but_can_be_taken_for_a_calcium_score():
    paths = real_files("csct_qrm_phantom_canon")
    assert screen_header(header_of(paths)) is None
    alone = route_series(assembled(paths))
    assert alone.refusal is not None
    decision = route_series(assembled(paths), assume_kind="csct")
    assert (decision.kind, decision.refusal) == ("csct", None)


@pytest.mark.parametrize("field", ["field_of_view_mm", "spacing_mm", "coverage_mm"])
def test_header_of_the_phantom_has_the_numbers_the_rules_need(field):
    header = header_of(real_files("csct_qrm_phantom_canon"))
    expected = {"field_of_view_mm": 249.856, "spacing_mm": 3.0, "coverage_mm": 141.0}
    assert getattr(header, field) == pytest.approx(expected[field], abs=0.01)
