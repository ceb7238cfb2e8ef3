"""Which scores are refused or noted because of the coronary tree, the calibration or the thresholds."""

from dataclasses import replace

import numpy as np
import pytest

from coronary.calcium import Vessel, VesselValues
from coronary.ccta_scoring import (
    AorticAttenuation,
    CenterlinePoints,
    ContrastCalcium,
    ContrastScore,
    ContrastScoring,
    NetworkCalcium,
    check_calibration,
    check_coverage,
    check_motion,
    check_score,
    check_tree,
    lumen_courses,
)
from coronary.ccta_scoring.lumen import LumenReference, measure_lumen
from coronary.ccta_scoring.virtual_calcium_scan import CalciumScanValues
from coronary.contract import QualityNote, Refusal
from coronary.coronary_tree import Centerline, CoronaryTree, DroppedPiece
from coronary.ct_volume import CtVolume

SHAPE, SPACING_MM = (140, 60, 60), 1.0
#: Length (mm), first point (LPS mm), SCCT segment and vessel of the trunks of a sound tree; the LM feeds LAD and LCX.
TRUNKS = {
    "LM": (10, (30, 20, 110), 5, Vessel.LM),
    "LAD": (90, (30, 20, 100), 6, Vessel.LAD),
    "LCX": (60, (30, 20, 100), 11, Vessel.LCX),
    "RCA": (85, (10, 20, 105), 1, Vessel.RCA),
}


def outcome(findings):
    """Kind and code of each finding."""
    return [("refused" if isinstance(each, Refusal) else "noted", each.code) for each in findings]


def artery(name, length_mm=None, bridged_mm=0, lift_mm=0.0, segment=None):
    """Straight towards the feet (LAD, LM, RCA) or forwards (LCX), points 0.5 mm apart, radius 1.5 mm."""
    length, start, own_segment, vessel = TRUNKS[name]
    along = np.arange(0, (length if length_mm is None else length_mm) + 0.1, 0.5)
    direction = np.array([0, 0.5, 0] if name == "LCX" else [0, 0, -1.0])
    points = np.array(start, float) + [0, 0, lift_mm] + along[:, None] * direction / np.linalg.norm(direction)
    return Centerline(
        name=name,
        parent="LM" if name in ("LAD", "LCX") else None,
        points_lps_mm=points,
        radius_mm=np.full(len(along), 1.5),
        segment=np.full(len(along), segment or own_segment, np.uint8),
        vessel=np.full(len(along), int(vessel), np.uint8),
        is_bridged=along < bridged_mm,
    )


def tree(*lines, notes=()):
    return CoronaryTree(
        lines, (), None, (), (), notes, SHAPE, np.zeros((0, 3), np.int32), np.zeros(0, np.uint16), np.zeros(0, np.int32)
    )


def sound(**changed):
    """The sound tree with other arguments for some trunks; None leaves a trunk out."""
    return tree(*(artery(name, **changed.get(name, {})) for name in TRUNKS if changed.get(name, {}) is not None))


AORTA = AorticAttenuation(400.0, 20.0, (400.0,) * 7, (0.5,) * 8, 400.0, 400.0, 15.0, 20.0)


@pytest.fixture
def scan():
    """Soft tissue; slices toward the head, 1 mm apart."""
    return CtVolume(np.full(SHAPE, 50, np.int16), np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0]))


def test_sound_tree_inside_its_scan_has_no_finding(scan):
    assert check_tree(sound()) == []
    assert check_coverage(scan, sound(), AORTA) == []


@pytest.mark.parametrize("code", ["LEFT_TREE_MISSING", "RIGHT_TREE_MISSING", "LAD_MISSING"])
def test_tree_without_a_main_trunk_is_refused_with_the_reason(code):
    (refusal,) = check_tree(replace(sound(RCA=None), notes=(QualityNote(code, "What is missing."),)))
    assert outcome([refusal]) == [("refused", "TREE_INCOMPLETE")]
    assert code in refusal.detail["missing"]
    assert "What is missing." in refusal.text


@pytest.mark.parametrize(
    ("code", "length_mm", "is_noted"),
    [("NOT_CONNECTED", 58.0, True), ("NOT_CONNECTED", 12.0, False), ("BESIDE_ARTERY", 58.0, False)],
)
def test_a_long_vessel_that_was_left_out_is_noted(code, length_mm, is_noted):
    dropped = (DroppedPiece(code, (0.0, 0.0, 0.0), length_mm),)
    notes = check_tree(replace(sound(), dropped=dropped))
    assert [note.code for note in notes] == (["VESSEL_NOT_CONNECTED"] if is_noted else [])
    assert all("58 mm" in note.text for note in notes)


def test_other_notes_of_the_tree_are_passed_on():
    note = QualityNote("LCX_MISSING", "No circumflex was found.")
    assert check_tree(replace(sound(LCX=None), notes=(note,))) == [note]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"LAD": {"length_mm": 35}}, [("refused", "TRUNK_SHORT")]),
        ({"LAD": {"length_mm": 70}}, [("noted", "TRUNK_SHORT")]),
        # From the ostium, so the 10 mm of the left main count.
        ({"LAD": {"length_mm": 45}}, [("noted", "TRUNK_SHORT")]),
        ({"LAD": {"length_mm": 85}}, []),
        ({"RCA": {"length_mm": 25}}, [("refused", "TRUNK_SHORT")]),
        ({"RCA": {"length_mm": 45}}, [("noted", "TRUNK_SHORT")]),
        ({"LCX": {"length_mm": 5}}, [("noted", "TRUNK_SHORT")]),
        ({"RCA": {"bridged_mm": 10}}, []),
        ({"RCA": {"bridged_mm": 40}}, [("noted", "TREE_INTERRUPTED")]),
        ({"RCA": {"bridged_mm": 80}, "LAD": {"bridged_mm": 60}}, [("refused", "TREE_INTERRUPTED")]),
    ],
)
def test_short_and_interrupted_trunks_are_noted_or_refused(changed, expected):
    assert outcome(check_tree(sound(**changed))) == expected


def test_short_trunk_is_named_with_its_length():
    (refusal,) = check_tree(sound(RCA={"length_mm": 20}))
    assert refusal.detail == {"trunk": "RCA", "length_mm": 20.0}
    assert "20 mm" in refusal.text


def test_proximal_artery_at_the_last_slice_is_refused_and_distal_one_at_the_first_noted(scan):
    (refusal,) = check_coverage(scan, sound(LM={"lift_mm": 28.0}), AORTA)
    assert outcome([refusal]) == [("refused", "ARTERY_CUT_OFF")]
    assert refusal.detail == {"artery": "LM", "segment": 5, "length_mm": 0.0}
    assert "last slice" in refusal.text
    (note,) = check_coverage(scan, sound(LAD={"segment": 8}, RCA={"length_mm": 105, "segment": 3}), AORTA)
    assert outcome([note]) == [("noted", "ARTERY_CUT_OFF")]
    assert "RCA reaches the first slice 104 mm" in note.text


@pytest.mark.parametrize("is_flipped", [False, True])
def test_chamber_in_the_slice_nearest_to_the_feet_is_noted_and_an_aorta_is_not(scan, is_flipped):
    y, x = np.mgrid[:60, :60] - 30.0

    def cut(radius_mm, place):
        voxels = scan.voxels_hu.copy()
        voxels[place][np.hypot(y, x) < radius_mm] = 380
        affine = scan.affine_lps.copy()
        if is_flipped:
            voxels, affine[2, 2], affine[2, 3] = voxels[::-1], -1.0, SHAPE[0] - 1.0
        return CtVolume(voxels, affine)

    assert outcome(check_coverage(cut(25, 0), sound(), AORTA)) == [("noted", "HEART_CUT_OFF")]
    assert check_coverage(cut(12.5, 0), sound(), AORTA) == []
    assert check_coverage(cut(25, -1), sound(), AORTA) == []


def lumens(**share_of_400):
    """Wide points of four vessels with the given multiples of 400 HU, and their lumen at a factor of 400 HU."""
    hu = np.concatenate([np.full(30, 400.0 * share_of_400.get(vessel.name, 1.0)) for vessel in Vessel])
    points = CenterlinePoints(
        np.zeros((120, 3)), np.full(120, 1.5), np.repeat([int(each) for each in Vessel], 30).astype(np.uint8)
    )
    return points, LumenReference(hu, (hu > 300) & (hu < 480))


@pytest.mark.parametrize(
    ("factor_hu", "expected"),
    [
        (400.0, []),
        (420.0, []),
        (340.0, [("noted", "CALIBRATION_DISAGREES")]),
        (500.0, [("noted", "CALIBRATION_IMPLAUSIBLE"), ("noted", "CALIBRATION_DISAGREES")]),
        (290.0, [("noted", "CALIBRATION_IMPLAUSIBLE"), ("refused", "CALIBRATION_DISAGREES")]),
        (200.0, [("refused", "CALIBRATION_IMPLAUSIBLE"), ("refused", "CALIBRATION_DISAGREES")]),
    ],
)
def test_calibration_factor_is_compared_with_aorta_and_lumen(factor_hu, expected):
    assert outcome(check_calibration(factor_hu, AORTA, *lumens())) == expected


def test_refused_calibration_names_both_attenuations():
    findings = check_calibration(200.0, AORTA, *lumens())
    assert findings[0].detail == {"calibration_factor_hu": 200.0, "aorta_mean_hu": 400.0}
    assert findings[1].detail == {"calibration_factor_hu": 200.0, "lumen_hu": 400.0}


def test_lumen_that_is_nowhere_reliable_or_wide_is_noted():
    points, lumen = lumens()
    unreliable = LumenReference(lumen.measured_hu, np.arange(120) < 40)
    assert outcome(check_calibration(400.0, AORTA, points, unreliable)) == [("noted", "LUMEN_UNRELIABLE")]
    thin = CenterlinePoints(points.points_lps_mm, np.full(120, 0.9), points.vessel)
    assert outcome(check_calibration(400.0, AORTA, thin, lumen)) == [("noted", "LUMEN_UNRELIABLE")]


@pytest.mark.parametrize(
    ("share", "expected"), [(0.9, []), (0.75, [("noted", "MOTION")]), (0.5, [("refused", "MOTION")])]
)
def test_vessel_with_a_smeared_lumen_has_moved(share, expected):
    findings = check_motion(400.0, *lumens(RCA=share))
    assert outcome(findings) == expected
    assert all("RCA" in each.text for each in findings)


def test_few_wide_points_say_nothing_about_motion():
    points, lumen = lumens(RCA=0.5)
    few = (points.vessel != Vessel.RCA) | (np.arange(120) % 3 == 0)
    chosen = CenterlinePoints(points.points_lps_mm[few], points.radius_mm[few], points.vessel[few])
    assert check_motion(400.0, chosen, LumenReference(lumen.measured_hu[few], lumen.is_reliable[few])) == []


def test_vessel_that_moved_by_three_millimetres_is_found_in_its_picture(tube):
    vessel = tube(spacing_zyx_mm=(0.5, 0.4, 0.4))
    phases = [np.roll(vessel.volume.voxels_hu.astype(float), shift, axis=2) for shift in (-4, 0, 4)]
    smeared = CtVolume(np.rint(np.mean(phases, axis=0)).astype(np.int16), vessel.volume.affine_lps)
    sharp, moved = (measure_lumen(volume, vessel.centerlines, vessel.lumen_hu) for volume in (vessel.volume, smeared))
    assert check_motion(vessel.lumen_hu, vessel.centerlines, sharp) == []
    assert [each.code for each in check_motion(vessel.lumen_hu, vessel.centerlines, moved)] == ["MOTION"]


def scoring(total, lower, higher, *, found_mm3=0.0, doubtful_mm3=0.0, elsewhere_mm3=0.0, by_paper=0.0):
    def values(value):
        return VesselValues(value, 0, value, 0, 0)

    nothing = np.zeros(0)
    voxels = np.zeros(int(found_mm3 > 0))
    calcium = ContrastCalcium(np.zeros((len(voxels), 3), np.int64), voxels, voxels.astype(np.uint8), voxels, (1, 1, 1))
    return ContrastScoring(
        score=ContrastScore(values(total), values(total), values(found_mm3)),
        network=NetworkCalcium(calcium, doubtful_mm3, elsewhere_mm3),
        lumen=LumenReference(nothing, nothing > 0),
        threshold_hu=nothing,
        paper_score=ContrastScore(values(by_paper), values(0), values(0)),
        at_lower_thresholds=CalciumScanValues(values(lower), values(lower)),
        at_higher_thresholds=CalciumScanValues(values(higher), values(higher)),
    )


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        # No zero stands without a flag.
        (scoring(0, 0, 0), ["ZERO_UNCERTAIN"]),
        (scoring(0, 3, 0), ["ZERO_UNCERTAIN"]),
        (scoring(0, 0, 0, elsewhere_mm3=4.0), ["ZERO_UNCERTAIN", "CALCIUM_OFF_TREE"]),
        (scoring(200, 220, 180), []),
        (scoring(200, 220, 180, elsewhere_mm3=4.0), ["CALCIUM_OFF_TREE"]),
        (scoring(95, 104, 88), ["CATEGORY_UNCERTAIN"]),
        (scoring(4, 8, 0), ["CATEGORY_UNCERTAIN"]),
    ],
)
def test_zero_and_category_are_firm_when_the_threshold_may_move(made, expected):
    assert outcome(check_score(made)) == [("noted", code) for code in expected]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (scoring(0, 0, 0, found_mm3=1.2), "1.2 mm3 of calcium were found"),
        (scoring(0, 0, 0, doubtful_mm3=2.5), "2.5 mm3 might be calcium"),
        (scoring(0, 0, 0, by_paper=7.0), "adaptive threshold is passed"),
        (scoring(0, 0, 0), "hides small calcium"),
    ],
)
def test_an_uncertain_zero_says_why(made, why):
    assert why in check_score(made)[0].text


def test_courses_give_each_artery_its_own_measurements(tube):
    vessel = tube()
    along = vessel.centerlines.points_lps_mm
    lines = [
        replace(artery(name), points_lps_mm=along[part], radius_mm=np.full(len(along[part]), 1.7))
        for name, part in (("LM", slice(0, 11)), ("LAD", slice(10, None)))
    ]
    lines = [
        replace(
            line,
            segment=np.full(len(line.points_lps_mm), 6, np.uint8),
            vessel=np.full(len(line.points_lps_mm), 1 + number, np.uint8),
            is_bridged=np.zeros(len(line.points_lps_mm), bool),
        )
        for number, line in enumerate(lines)
    ]
    made = vessel.scored(centerlines=CenterlinePoints.of_tree(tree(*lines)))
    main, lad = lumen_courses(tree(*lines), made)
    assert (main.name, lad.name) == ("LM", "LAD")
    assert (main.arc_length_mm[0], main.arc_length_mm[-1]) == (0, pytest.approx(5.0))
    np.testing.assert_array_equal(np.concatenate([main.measured_hu, lad.measured_hu]), made.lumen.measured_hu)
    np.testing.assert_array_equal(np.concatenate([main.threshold_hu, lad.threshold_hu]), made.threshold_hu)
    # The last point of the left main is the first of the LAD.
    assert main.measured_hu[-1] == lad.measured_hu[0]
    # The end of the tube is blurred.
    assert lad.is_reliable[:-2].all()
    with pytest.raises(ValueError, match="points"):
        lumen_courses(tree(lines[0]), made)


def test_tree_without_centrelines_has_no_points_and_no_courses(tube):
    points = CenterlinePoints.of_tree(tree())
    assert len(points) == 0
    assert lumen_courses(tree(), tube().scored(centerlines=points)) == ()
