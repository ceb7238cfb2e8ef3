"""The headers propose a kind, the blood pool has the last word, and every decision says why."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from agatha.dicom.ct_series import AssembledSeries, SeriesHeader
from agatha.route import decide_analyses, route_series, screen_header
from agatha.route.kind import score_header
from builders.thorax_volume import thorax_volume
from coronary.contract import AcquisitionFacts, Refusal
from coronary.ct_volume import CtVolume

FACTS = AcquisitionFacts(
    manufacturer="SIEMENS",
    series_description="CaScSeq 3.0 B35f 70%",
    protocol_name="CaScore",
    convolution_kernel="B35f",
    kvp=120.0,
    slice_thickness_mm=3.0,
    is_gated=True,
)
CALCIUM_SCORE = SeriesHeader(
    study_instance_uid="1.2.3",
    series_instance_uid="1.2.3.4",
    modality="CT",
    sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
    series_number=3,
    scan_options="",
    rescale_type="HU",
    is_own_output=False,
    facts=FACTS,
    gating_evidence=('"70%" in SeriesDescription',),
    phases=1,
    slice_count=44,
    spacing_mm=3.0,
    coverage_mm=132.0,
    normal_lps=(0.0, 0.0, 1.0),
    field_of_view_mm=200.0,
)


def header(description="", protocol="", gated=True, **changes):
    fact_names = {"kvp", "slice_thickness_mm", "convolution_kernel", "contrast_agent"}
    facts = replace(
        FACTS,
        series_description=description,
        protocol_name=protocol,
        is_gated=gated,
        **{name: changes.pop(name) for name in fact_names & changes.keys()},
    )
    evidence = ("HeartRate",) if gated else ()
    return replace(CALCIUM_SCORE, facts=facts, gating_evidence=evidence, **changes)


def angiography(description="DS_CorCTA 0.6 Bv40 3 BestDiast 77 %", protocol="", **changes):
    thin = {"slice_thickness_mm": 0.6, "spacing_mm": 0.4, "convolution_kernel": "Bv40", "slice_count": 330}
    return header(description, protocol, **{**thin, **changes})


def assembled(series_header, volume):
    return AssembledSeries(volume, series_header.facts, (), "d" * 64, False, (), series_header)


@pytest.fixture(scope="module")
def native():
    return thorax_volume(45.0)


@pytest.fixture(scope="module")
def enhanced():
    return thorax_volume(400.0)


@pytest.mark.parametrize(
    "description",
    [
        "CaScSeq 3.0 B35f 70%",
        "DS_CaSc 3.0 B35f",
        "SMART SCORE - Gated 0.28 sec",
        "SmartScore - Gated 0.5 sec",
        "Ca Score 75%",
        "Calcium scoring 3.0",
        "Low Dose CaSc 3.0 70%",
        "Coronary calcium score",
    ],
)
def test_vendors_names_of_calcium_scores_are_understood(description):
    series = header(description)
    assert screen_header(series) is None
    assert score_header(series).kind == "csct"


@pytest.mark.parametrize(
    "description",
    ["DS_CorCTA 0.6 Bv40 3 BestDiast 77 %", "CorCTA 0.6 B26f BestDiast 71 %", "SnapShot 75 %", "CTA Coronary 75%"],
)
def test_vendors_names_of_angiographies_are_understood(description):
    assert score_header(angiography(description)).kind == "ccta"


def test_calcium_score_without_contrast_is_routed(native):
    decision = route_series(assembled(CALCIUM_SCORE, native))
    assert (decision.kind, decision.refusal, decision.is_candidate) == ("csct", None, True)
    assert decision.blood_pool_hu == pytest.approx(50, abs=15)
    assert "csct +4: named calcium score" in decision.rules


def test_angiography_with_contrast_is_routed(enhanced):
    decision = route_series(assembled(angiography(), enhanced))
    assert (decision.kind, decision.refusal, decision.is_candidate) == ("ccta", None, True)


def test_contrast_scan_labelled_as_calcium_score_is_refused_with_both_facts(enhanced):
    decision = route_series(assembled(CALCIUM_SCORE, enhanced))
    assert decision.is_candidate
    assert decision.refusal is not None
    assert decision.refusal.code == "CONTRAST_IN_CALCIUM_SCORE"
    assert "calcium score" in decision.refusal.text
    assert f"{decision.blood_pool_hu:.0f} HU" in decision.refusal.text


def test_native_scan_labelled_as_angiography_is_refused(native):
    decision = route_series(assembled(angiography(), native))
    assert decision.refusal is not None
    assert decision.refusal.code == "NO_CONTRAST_IN_ANGIOGRAPHY"


@pytest.mark.parametrize("series", [CALCIUM_SCORE, angiography()], ids=["csct", "ccta"])
def test_blood_pool_between_the_limits_decides_nothing(series):
    decision = route_series(assembled(series, thorax_volume(130.0)))
    assert decision.is_candidate
    assert decision.refusal is not None
    assert decision.refusal.code == "CONTRAST_INDETERMINATE"
    assert decision.refusal.detail["blood_pool_hu"] == decision.blood_pool_hu


def test_contrast_agent_in_the_header_of_a_native_scan_is_not_believed(native):
    series = header("CaScSeq 3.0 B35f 70%", contrast_agent="ULTRAVIST 370")
    decision = route_series(assembled(series, native))
    assert (decision.kind, decision.refusal) == ("csct", None)


@pytest.mark.parametrize(
    ("description", "series_kind"),
    [("DS_CorCTA 0.6 BestDiast 75 %", "ccta"), ("Ca Score 3.0 70%", "csct"), ("1.25mm", "csct")],
)
def test_the_series_speaks_before_the_protocol_of_the_study(description, series_kind):
    protocol = "Cardiac CaSc + CorCTA"
    series = angiography(description, protocol) if series_kind == "ccta" else header(description, protocol)
    assert score_header(series).kind == series_kind


@pytest.mark.parametrize(
    "series",
    [
        header("Chest 3.0 STANDARD", gated=False, field_of_view_mm=350.0, convolution_kernel="STANDARD"),
        header("5mm", "2 Chest C-/Thorax", gated=False, field_of_view_mm=431.0, slice_thickness_mm=5.0, spacing_mm=5.0),
        header("Head 2.5", gated=False, field_of_view_mm=230.0, slice_thickness_mm=2.5, spacing_mm=2.5),
        header("Abdomen portal", gated=False, field_of_view_mm=380.0, contrast_agent="IOMERON"),
        header("Thoracica scan 3.0", gated=False, field_of_view_mm=240.0),
        header("Calcaneus 3.0", gated=False, field_of_view_mm=200.0),
    ],
    ids=["thin-chest", "chest", "head", "abdomen", "ca-sc-inside-words", "calcaneus"],
)
@pytest.mark.parametrize("blood_hu", [45.0, 400.0])
def test_ungated_series_without_a_cardiac_name_are_never_scored(series, blood_hu, native, enhanced):
    decision = route_series(assembled(series, native if blood_hu < 100 else enhanced))
    assert decision.kind in ("chest_ncct", "other")
    assert not decision.is_candidate
    assert decision.refusal is not None
    assert decision.refusal.code in ("NOT_GATED", "KIND_UNKNOWN")


def test_thick_slices_of_a_calcium_score_are_refused_with_their_thickness(native):
    series = header("CaScSeq 8.0 B35f 70%", slice_thickness_mm=8.0, spacing_mm=8.0, slice_count=20, coverage_mm=160.0)
    assert screen_header(series) is None
    decision = route_series(assembled(series, native))
    assert decision.is_candidate
    assert decision.refusal is not None
    assert (decision.refusal.code, decision.refusal.detail) == ("SLICES_TOO_THICK", {"slice_thickness_mm": 8.0})


def test_lossy_compression_and_other_voltages_are_not_a_matter_of_routing(native):
    series = header("CaScSeq 3.0 70%", kvp=100.0)
    series = replace(series, facts=replace(series.facts, is_lossy_compressed=True))
    assert route_series(assembled(series, native)).refusal is None


def test_given_kind_overrides_and_is_recorded_with_what_spoke_against_it(enhanced):
    decision = route_series(assembled(header("Lung 1.0", gated=False), enhanced), assume_kind="csct")
    assert (decision.kind, decision.refusal, decision.is_candidate) == ("csct", None, True)
    assert any("given by the user" in rule for rule in decision.rules)
    assert any("CONTRAST_IN_CALCIUM_SCORE" in rule for rule in decision.rules)


@pytest.mark.parametrize(("kind", "blood_hu"), [("csct", 400.0), ("csct", 130.0), ("ccta", 130.0), ("ccta", 45.0)])
def test_given_kind_against_the_measurement_is_noted_with_the_measured_value(kind, blood_hu):
    decision = route_series(assembled(CALCIUM_SCORE, thorax_volume(blood_hu)), assume_kind=kind)
    (note,) = decision.notes
    assert note.code == "KIND_FORCED_AGAINST_MEASUREMENT"
    assert kind in note.text
    assert f"{decision.blood_pool_hu:.0f} HU" in note.text


def test_given_kind_without_blood_to_measure_is_noted(native):
    water = CtVolume(np.zeros_like(native.voxels_hu), native.affine_lps)
    decision = route_series(assembled(CALCIUM_SCORE, water), assume_kind="csct")
    assert [note.code for note in decision.notes] == ["KIND_FORCED_WITHOUT_MEASUREMENT"]


def test_given_kind_that_the_blood_pool_confirms_is_not_noted(native, enhanced):
    assert route_series(assembled(angiography(), native), assume_kind="csct").notes == ()
    assert route_series(assembled(CALCIUM_SCORE, enhanced), assume_kind="ccta").notes == ()


REFORMAT_TYPE = ("DERIVED", "SECONDARY", "MPR")


@pytest.mark.parametrize(
    ("series", "code", "is_candidate"),
    [
        (replace(CALCIUM_SCORE, modality="MR"), "NOT_CT", False),
        (replace(CALCIUM_SCORE, sop_class_uid="1.2.840.10008.5.1.4.1.1.7"), "NOT_A_CT_IMAGE", False),
        (replace(CALCIUM_SCORE, is_own_output=True), "OWN_OUTPUT", False),
        (replace(CALCIUM_SCORE, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")), "LOCALIZER", False),
        (replace(CALCIUM_SCORE, image_type=REFORMAT_TYPE), "REFORMAT", False),
        (replace(CALCIUM_SCORE, image_type=("DERIVED", "SECONDARY", "VRT")), "REFORMAT", False),
        (replace(CALCIUM_SCORE, image_type=("DERIVED", "PRIMARY", "MPR"), normal_lps=(0, 1, 0)), "REFORMAT", False),
        (header("Test Bolus"), "DESCRIPTION_PASSED_OVER", False),
        (header("Topogram 0.6"), "DESCRIPTION_PASSED_OVER", False),
        (header("Dose Report"), "DESCRIPTION_PASSED_OVER", False),
        (replace(CALCIUM_SCORE, normal_lps=(0.0, 1.0, 0.0)), "NOT_AXIAL", False),
        (replace(CALCIUM_SCORE, normal_lps=(0.0, -0.317, 0.948)), "TILTED_GANTRY", True),
        (replace(header("Head", gated=False), normal_lps=(0.0, -0.317, 0.948)), "NOT_AXIAL", False),
        (replace(CALCIUM_SCORE, rescale_type="US"), "NOT_HOUNSFIELD_UNITS", True),
        (replace(CALCIUM_SCORE, slice_count=4, coverage_mm=12.0), "TOO_FEW_SLICES", True),
        (replace(CALCIUM_SCORE, slice_count=20, coverage_mm=60.0), "COVERAGE_TOO_SHORT", True),
    ],
)
def test_hard_rejects_are_coded_before_any_pixel_is_decoded(series, code, is_candidate):
    decision = screen_header(series)
    assert decision is not None
    assert decision.refusal is not None
    assert (decision.refusal.code, decision.is_candidate) == (code, is_candidate)


def test_refusal_of_a_short_series_names_the_numbers():
    decision = screen_header(replace(CALCIUM_SCORE, slice_count=4, coverage_mm=12.0))
    assert decision is not None
    assert decision.refusal is not None
    assert decision.refusal.text.startswith("4 slices")
    assert decision.refusal.detail["slices"] == 4


def test_reformat_says_how_it_can_be_analysed_all_the_same():
    decision = screen_header(replace(CALCIUM_SCORE, image_type=REFORMAT_TYPE))
    assert decision is not None
    assert decision.refusal is not None
    assert "MPR" in decision.refusal.text
    assert "kind is given" in decision.refusal.text


@pytest.mark.parametrize(
    "image_type",
    [
        ("DERIVED", "PRIMARY", "AXIAL"),
        ("ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SEQ"),
        ("DERIVED", "PRIMARY", "MPR"),  # axial slices of a volume scan (Canon)
    ],
)
def test_compressed_or_vendor_marked_slices_are_no_reformat(image_type):
    assert screen_header(replace(CALCIUM_SCORE, image_type=image_type)) is None


@dataclass
class AskedFamily:
    """A family that refuses everything, to see who is asked."""

    name: str
    series_kind: str
    package: str = ""
    needs: str | None = None
    second_opinion: str | None = None

    def check_eligibility(self, *_):
        return Refusal("KVP_NOT_120", "100 kV")

    def predict(self, *_):
        raise AssertionError("routing does not predict")


def test_only_families_for_the_kind_are_asked_and_their_refusal_is_kept(native):
    series = assembled(CALCIUM_SCORE, native)
    families = [AskedFamily("csct-scoring", "csct"), AskedFamily("ccta-scoring", "ccta")]
    decisions = decide_analyses(route_series(series), series, families)
    assert [(one.analysis, one.refusal.code) for one in decisions if one.refusal] == [("csct-scoring", "KVP_NOT_120")]


def test_a_second_opinion_that_is_refused_with_the_score_says_nothing_twice(native):
    series = assembled(CALCIUM_SCORE, native)
    asked, asking = (
        AskedFamily("calcium-detection", "csct"),
        AskedFamily("csct-scoring", "csct", second_opinion="calcium-detection"),
    )
    decisions = decide_analyses(route_series(series), series, [asked, asking])
    assert [one.analysis for one in decisions] == ["csct-scoring"]
    alone = decide_analyses(route_series(series), series, [asked])
    assert [one.analysis for one in alone] == ["calcium-detection"], "nobody else says why"
