"""What networks do to masks: gaps, veins, pieces of the appendage, specks, an aorta a little off, nothing at all."""

import numpy as np
import pytest
from scipy import ndimage

from coronary.contract import Refusal
from coronary.coronary_tree import MAIN_TRUNKS, CoronaryTree, trace_coronary_tree
from coronary.coronary_tree.growing import grow_tree
from coronary.coronary_tree.ostia import systems_of
from coronary.coronary_tree.skeleton import CurveGraph


def traced(drawn):
    return trace_coronary_tree(drawn.volume, drawn.arteries, drawn.aorta)


def dropped(tree):
    return [piece.code for piece in tree.dropped]


def length_mm(tree, name):
    line = tree.centerline(name)
    return 0.0 if line is None else line.arc_length_mm[-1]


@pytest.mark.parametrize("hu", [None, -80], ids=["lumen seen", "lumen not seen"])
def test_interrupted_arteries_are_joined_and_the_bridges_are_marked(heart, hu):
    drawn = heart()
    for name, at_mm in (("LAD", 45.0), ("LCX", 55.0), ("RCA", 60.0)):
        drawn.interrupt(name, at_mm, 4.0, hu=hu)
    tree = traced(drawn)
    assert len(tree.joins) == 3
    assert all(3.0 < join.gap_mm < 12.0 for join in tree.joins)
    assert length_mm(tree, "LAD") == pytest.approx(98, abs=3)
    assert length_mm(tree, "RCA") == pytest.approx(126, abs=4)
    for name, at_mm in (("LAD", 45.0), ("LCX", 55.0), ("RCA", 60.0)):
        line = tree.centerline(name)
        middle = drawn.courses[name][round(at_mm / 0.4)]
        nearest = int(np.argmin(np.linalg.norm(line.points_lps_mm - middle, axis=1)))
        assert line.is_bridged[nearest]
        assert 2.0 < 0.5 * line.is_bridged.sum() < 12.0
        assert line.radius_mm[nearest] == pytest.approx(np.median(line.radius_mm), abs=0.5)


def test_gap_at_the_division_of_the_left_main_is_bridged_to_both_arteries(heart):
    drawn = heart()
    drawn.interrupt("LM", 10.5, 3.5)
    tree = traced(drawn)
    assert tree.joins
    assert tree.is_complete
    assert length_mm(tree, "LAD") == pytest.approx(98, abs=5)
    assert length_mm(tree, "LCX") == pytest.approx(70, abs=5)


def test_wide_gap_before_a_short_piece_is_bridged_only_where_the_scan_shows_lumen(heart):
    seen, unseen = heart(), heart()
    seen.interrupt("LAD", 70.0, 10.0)
    unseen.interrupt("LAD", 70.0, 10.0, hu=-80)
    assert length_mm(traced(seen), "LAD") == pytest.approx(98, abs=4)
    broken = traced(unseen)
    assert length_mm(broken, "LAD") < 72
    assert "NOT_CONNECTED" in dropped(broken)


@pytest.mark.parametrize(("gap_mm", "is_bridged"), [(10.0, True), (22.0, False)])
def test_gap_without_lumen_before_a_long_artery_that_is_met_head_on_is_bridged(heart, gap_mm, is_bridged):
    drawn = heart()
    drawn.interrupt("RCA", 30.0, gap_mm, hu=-80)
    tree = traced(drawn)
    if is_bridged:
        assert length_mm(tree, "RCA") == pytest.approx(126, abs=5)
    else:
        assert length_mm(tree, "RCA") < 32
        assert "NOT_CONNECTED" in dropped(tree)


def test_vein_beside_an_artery_is_no_artery(heart, vein_hu):
    drawn = heart()
    vein = drawn.add([(29, -29, 5), (38, -47, -10), (50, -60, -28)], (1.6, 1.2), hu=vein_hu)
    tree = traced(drawn)
    assert dropped(tree) in (["TOO_DIM"], ["NOT_CONNECTED"])
    inside = tuple(np.round(drawn.volume.to_index_zyx(vein[10:-10])).astype(int).T)
    assert not tree.centerline_label_map()[inside].any()
    assert {line.name for line in tree.centerlines} == {"LM", "LAD", "LCX", "RCA", "R-PDA", "D1", "OM1"}


def test_what_follows_an_artery_is_joined_if_it_is_as_bright_and_dropped_if_it_is_as_dim_as_a_vein(heart, vein_hu):
    behind_d1 = [(65, -24.5, -21), (68, -25, -28), (72, -25, -38)]
    bright, dim = heart(), heart()
    bright.add(behind_d1, (1.15, 1.15))
    dim.add(behind_d1, (1.15, 1.15), hu=vein_hu)
    longer, as_before = traced(bright), traced(dim)
    assert length_mm(longer, "D1") == pytest.approx(41 + 25, abs=4)
    assert (dropped(longer), len(longer.joins)) == ([], 1)
    assert length_mm(as_before, "D1") == pytest.approx(41, abs=3)
    assert (dropped(as_before), len(as_before.joins)) == (["TOO_DIM"], 0)


def test_vein_fused_with_the_circumflex_does_not_move_it(heart, vein_hu):
    drawn = heart()
    drawn.add([(35, 15, 4), (38, 26, -4), (33, 37, -17), (18, 44, -28)], (2.0, 2.6), hu=vein_hu)
    tree = traced(drawn)
    course = drawn.courses["LCX"]
    line = tree.centerline("LCX")
    gap = np.linalg.norm(course[:, None] - line.points_lps_mm[None], axis=2).min(axis=1)
    assert (gap[:-10] < 1.0).mean() > 0.9


def test_bright_vessel_that_touches_nothing_is_left_out(heart):
    drawn = heart()
    drawn.add([(-20, 30, 20), (-30, 35, 10), (-40, 30, 0)], (1.5, 1.5))
    tree = traced(drawn)
    assert dropped(tree) == ["NOT_CONNECTED"]
    assert tree.dropped[0].length_mm == pytest.approx(30, abs=4)
    assert tree.dropped[0].center_lps_mm == pytest.approx((-30, 33, 10), abs=3)


def test_piece_of_the_appendage_is_too_wide_for_an_artery(heart):
    drawn = heart()
    box, inside = drawn.ball((52.0, 2.0, 26.0), 8.0)
    drawn.arteries[box] |= inside
    tree = traced(drawn)
    assert dropped(tree) == ["TOO_WIDE"]
    assert tree.dropped[0].center_lps_mm == pytest.approx((52, 2, 26), abs=1)
    assert tree.is_complete


def test_specks_and_holes_change_nothing(heart):
    drawn = heart()
    rng = np.random.default_rng(5)
    voxels = np.argwhere(drawn.arteries)
    drawn.arteries[tuple(voxels[rng.choice(len(voxels), 200)].T)] = False
    drawn.arteries[tuple((rng.uniform(size=(50, 3)) * drawn.arteries.shape).astype(int).T)] = True
    tree = traced(drawn)
    assert tree.is_complete
    assert tree.dropped == ()
    assert length_mm(tree, "LAD") == pytest.approx(98, abs=3)


@pytest.mark.parametrize("change", ["dilated", "eroded"])
def test_aorta_a_millimetre_off_still_has_both_ostia(heart, change):
    drawn = heart()
    operation = ndimage.binary_dilation if change == "dilated" else ndimage.binary_erosion
    drawn.aorta = operation(drawn.aorta, iterations=2)
    tree = traced(drawn)
    assert sorted(ostium.system for ostium in tree.ostia) == ["left", "right"]
    assert tree.is_complete


@pytest.mark.parametrize(
    ("middle_x_mm", "apart_mm", "expected"),
    [
        (0.0, 50.0, ["right", "left"]),
        # The middle of the aorta lies to the right of both systems, or to the left of both.
        (-40.0, 50.0, ["right", "left"]),
        (40.0, 50.0, ["right", "left"]),
        # LAD and LCX with an ostium each.
        (-40.0, 8.0, ["left", "left"]),
    ],
)
def test_two_systems_are_told_apart_where_the_middle_of_the_aorta_is_misjudged(middle_x_mm, apart_mm, expected):
    along = np.arange(40.0)
    lines = [np.stack([np.full(40, x), along, np.zeros(40)], axis=1) for x in (-apart_mm / 2, apart_mm / 2)]
    steps = np.stack([np.arange(39), np.arange(1, 40)], axis=1)
    graph = CurveGraph(np.concatenate(lines), np.ones(80), np.full(80, 400.0), np.concatenate([steps, steps + 40]))
    surface = np.array([[middle_x_mm, y, 0.0] for y in (-5.0, 0.0, 5.0)])
    systems = systems_of(grow_tree(graph, [0, 40]), [0, 40], surface)
    assert [systems[0], systems[40]] == expected


@pytest.mark.parametrize("empty", ["arteries", "aorta"])
def test_empty_mask_is_refused(heart, empty):
    drawn = heart()
    getattr(drawn, empty)[:] = False
    refusal = traced(drawn)
    assert isinstance(refusal, Refusal)
    assert refusal.code == {"arteries": "NO_ARTERY_VOXELS", "aorta": "NO_AORTA_VOXELS"}[empty]


def test_arteries_far_from_the_aorta_are_refused_with_their_number(heart):
    drawn = heart(without=("LM", "LAD", "LCX", "D1", "OM1", "RCA", "R-PDA"))
    drawn.add([(40, -40, 0), (50, -40, -20), (50, -30, -40)], (1.5, 1.0))
    refusal = traced(drawn)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "NO_OSTIUM"
    assert refusal.detail == {"pieces": 1}


def test_rim_of_the_aorta_alone_is_refused(heart):
    drawn = heart(without=("LM", "LAD", "LCX", "D1", "OM1", "RCA", "R-PDA"))
    drawn.add([(13, 0, 20), (18, 0, 20), (24, 0, 20)], (2.0, 2.0))
    refusal = traced(drawn)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "NO_OSTIUM"


@pytest.mark.parametrize("name", ["artery_mask", "aorta_mask"])
def test_mask_of_another_shape_is_an_error(heart, name):
    drawn = heart()
    masks = {"artery_mask": drawn.arteries, "aorta_mask": drawn.aorta}
    masks[name] = masks[name][1:]
    with pytest.raises(ValueError, match=f"{name} has shape"):
        trace_coronary_tree(drawn.volume, **masks)


def test_masks_are_not_changed(heart):
    drawn = heart()
    before = drawn.arteries.copy(), drawn.aorta.copy()
    tree = traced(drawn)
    assert isinstance(tree, CoronaryTree)
    assert {name for name in MAIN_TRUNKS if tree.centerline(name)} == set(MAIN_TRUNKS)
    assert (drawn.arteries == before[0]).all()
    assert (drawn.aorta == before[1]).all()
