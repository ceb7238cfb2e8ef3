"""Names, segments, vessels and ostia of drawn trees: dominance, ramus, missing arteries, orientation."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from coronary.calcium import Vessel
from coronary.coronary_tree import CENTERLINE_STEP_MM, MAIN_TRUNKS, CoronaryTree, trace_coronary_tree
from coronary.ct_volume import CtVolume


def traced(drawn, volume=None):
    tree = trace_coronary_tree(volume or drawn.volume, drawn.arteries, drawn.aorta)
    assert isinstance(tree, CoronaryTree)
    return tree


@pytest.fixture(scope="module")
def drawn(heart):
    return heart()


@pytest.fixture(scope="module")
def tree(drawn):
    return traced(drawn)


def test_right_dominant_tree_is_named_from_its_geometry(tree):
    assert {line.name: line.parent for line in tree.centerlines} == {
        "LM": None,
        "LAD": "LM",
        "LCX": "LM",
        "RCA": None,
        "R-PDA": "RCA",
        "D1": "LAD",
        "OM1": "LCX",
    }
    assert tree.is_complete
    assert tree.dominance == "right"
    assert (tree.notes, tree.joins, tree.dropped) == ((), (), ())


def test_segments_are_scct_ids_and_vessels_are_territories(tree):
    expected = {
        "LM": ([5], Vessel.LM),
        "LAD": ([6, 7, 8], Vessel.LAD),
        "LCX": ([11, 13], Vessel.LCX),
        "RCA": ([1, 2, 3], Vessel.RCA),
        "R-PDA": ([4], Vessel.RCA),
        "D1": ([9], Vessel.LAD),
        "OM1": ([12], Vessel.LCX),
    }
    for line in tree.centerlines:
        segments, vessel = expected[line.name]
        assert list(dict.fromkeys(line.segment.tolist())) == segments
        assert set(line.vessel.tolist()) == {int(vessel)}


def test_centrelines_lie_in_the_middle_with_the_drawn_calibre(tree, drawn):
    for name, calibre_mm in {"LM": 2.15, "LAD": 1.4, "LCX": 1.35, "RCA": 1.7, "R-PDA": 1.05, "D1": 1.0}.items():
        line = tree.centerline(name)
        distance, _ = cKDTree(drawn.courses[name]).query(line.points_lps_mm[8:-8])
        assert np.median(distance) < 0.25
        assert np.median(line.radius_mm) == pytest.approx(calibre_mm, abs=0.2)
        assert np.linalg.norm(np.diff(line.points_lps_mm, axis=0), axis=1) == pytest.approx(
            CENTERLINE_STEP_MM, abs=0.15
        )
        assert not line.is_bridged.any()


def test_both_ostia_lie_at_the_aorta_on_their_side(tree, drawn):
    left, right = sorted(tree.ostia, key=lambda ostium: ostium.system)
    assert (left.system, right.system) == ("left", "right")
    for ostium, name in ((left, "LM"), (right, "RCA")):
        assert np.hypot(*ostium.point_lps_mm[:2]) == pytest.approx(14.0, abs=1.5)
        assert cKDTree(drawn.courses[name]).query(ostium.point_lps_mm)[0] < 1.5
        assert ostium.gap_mm < 1.5


def test_frames_are_right_handed_and_follow_the_course(tree):
    line = tree.centerline("LAD")
    frames = line.frames()
    assert frames @ np.swapaxes(frames, 1, 2) == pytest.approx(np.broadcast_to(np.eye(3), frames.shape), abs=1e-9)
    assert np.linalg.det(frames) == pytest.approx(1.0)
    along = np.diff(line.points_lps_mm, axis=0)
    assert (np.sum(frames[:-1, 0] * along, axis=1) > 0).all()


def test_from_ostium_is_the_whole_way_to_the_end_of_a_branch(tree):
    way = tree.from_ostium("D1")
    parts = [tree.centerline(name) for name in ("LM", "LAD", "D1")]
    assert way.parent is None
    assert way.points_lps_mm[0] == pytest.approx(parts[0].points_lps_mm[0])
    assert way.points_lps_mm[-1] == pytest.approx(parts[2].points_lps_mm[-1])
    assert np.linalg.norm(np.diff(way.points_lps_mm, axis=0), axis=1).max() < 2 * CENTERLINE_STEP_MM
    assert list(dict.fromkeys(way.segment.tolist())) == [5, 6, 7, 9]
    assert way.arc_length_mm[-1] < sum(part.arc_length_mm[-1] for part in parts)
    assert tree.from_ostium("LM") is tree.centerline("LM")
    with pytest.raises(KeyError, match="RI"):
        tree.from_ostium("RI")


def test_label_maps_cover_the_mask_and_agree_with_the_centrelines(tree, drawn):
    lines, vessels, segments = tree.centerline_label_map(), tree.vessel_label_map(), tree.segment_label_map()
    free = drawn.arteries & ~drawn.aorta
    assert ((lines > 0) == (vessels > 0)).all()
    assert not lines[~free].any()
    assert (lines[free] > 0).mean() > 0.99
    for name in (*MAIN_TRUNKS, "D1", "OM1"):
        points = drawn.courses[name][20:-10]
        index = tuple(np.round(drawn.volume.to_index_zyx(points)).astype(int).T)
        line = tree.centerline(name)
        found = tree.centerlines.index(line) + 1
        assert (lines[index] == found).mean() > 0.97
        assert (vessels[index] == line.vessel[0]).mean() > 0.97
        assert set(segments[index].tolist()) >= set(line.segment.tolist()) - {5, 1}


def test_left_dominance_ends_the_circumflex_at_the_posterior_descending_artery(heart):
    tree = traced(heart(left_dominant=True))
    assert tree.dominance == "left"
    descending = tree.centerline("L-PDA")
    assert descending.parent == "LCX"
    assert set(descending.segment.tolist()) == {15}
    assert set(descending.vessel.tolist()) == {int(Vessel.LCX)}
    assert tree.centerline("R-PDA") is None
    assert tree.centerline("LCX").arc_length_mm[-1] == pytest.approx(99, abs=5)


def test_the_rca_ends_where_it_turns_to_the_apex_not_where_its_continuation_branches(heart):
    """Behind the crux the posterior descending artery gives off another one that goes to the apex as well."""
    branching = heart()
    branching.add([(10, 16, -50), (20, 16, -57), (36, 6, -66)], (1.1, 0.9))
    tree = traced(branching)
    assert tree.dominance == "right"
    end = tree.centerline("RCA").points_lps_mm[-1]
    assert np.linalg.norm(end - branching.courses["RCA"][-1]) < 8.0
    assert {line.parent for line in tree.centerlines if line.name == "R-PDA"} == {"RCA"}


def test_an_acute_marginal_that_leaves_far_before_the_back_is_no_posterior_descending_artery(heart):
    marginal = heart()
    marginal.add([(-40, -4, -22), (-24, -16, -36), (-4, -30, -50)], (1.1, 0.9))
    tree = traced(marginal)
    end = tree.centerline("RCA").points_lps_mm[-1]
    assert np.linalg.norm(end - marginal.courses["RCA"][-1]) < 8.0
    assert tree.centerline("R-PLB") is None
    assert tree.centerline("RV1") is not None


def test_a_circumflex_that_goes_back_instead_of_around_is_found(heart):
    steep = heart(without=("LCX", "OM1"))
    steep.add([(24.0, -3.0, 19.0), (30, 3, 2), (33, 12, -14), (28, 20, -30)], (1.7, 1.0))
    tree = traced(steep)
    assert tree.notes == ()
    assert tree.centerline("LCX").points_lps_mm[-1] == pytest.approx((28, 20, -30), abs=3.0)


def test_the_crux_of_a_turned_heart_may_lie_before_the_right_ostium(heart):
    turned = heart(without=("RCA", "R-PDA"))
    crux = (-8, -11, -42)
    turned.add([(-8, -9, 20), (-22, -30, 16), (-38, -40, 0), (-40, -34, -22), (-28, -20, -36), crux], (2.0, 1.4))
    turned.add([crux, (14, -24, -52), (34, -40, -62)], (1.2, 0.9))
    tree = traced(turned)
    assert tree.dominance == "right"
    assert np.linalg.norm(tree.centerline("RCA").points_lps_mm[-1] - crux) < 8.0


def test_branch_between_lad_and_circumflex_is_the_ramus(heart):
    ramus = traced(heart(ramus=True)).centerline("RI")
    assert set(ramus.segment.tolist()) == {17}
    assert set(ramus.vessel.tolist()) == {int(Vessel.LAD)}
    assert ramus.arc_length_mm[-1] == pytest.approx(45, abs=5)


@pytest.mark.parametrize(
    ("without", "note"),
    [
        (("LCX", "OM1"), "LCX_MISSING"),
        (("LAD", "D1"), "LAD_MISSING"),
        (("RCA", "R-PDA"), "RIGHT_TREE_MISSING"),
        (("LM", "LAD", "LCX", "D1", "OM1"), "LEFT_TREE_MISSING"),
    ],
)
def test_missing_artery_is_noted_and_the_others_keep_their_names(heart, without, note):
    tree = traced(heart(without=without))
    assert [note.code for note in tree.notes] == [note]
    assert not tree.is_complete
    trunks = {line.name for line in tree.centerlines} & set(MAIN_TRUNKS)
    assert trunks == set(MAIN_TRUNKS) - set(without)


def test_without_a_posterior_descending_artery_dominance_is_unknown(heart):
    tree = traced(heart(without=("R-PDA",)))
    assert tree.dominance is None
    assert tree.is_complete


def test_names_follow_the_patient_not_the_order_of_slices_and_columns(drawn):
    affine = drawn.affine_lps.copy()
    count_z, _, count_x = drawn.arteries.shape
    affine[2, 3] += (count_z - 1) * affine[2, 2]
    affine[0, 3] += (count_x - 1) * affine[0, 0]
    affine[:, 2] *= -1
    affine[:, 0] *= -1
    turned = replace(
        drawn,
        affine_lps=affine,
        voxels_hu=drawn.voxels_hu[::-1, :, ::-1].copy(),
        arteries=drawn.arteries[::-1, :, ::-1].copy(),
        aorta=drawn.aorta[::-1, :, ::-1].copy(),
    )
    tree = traced(turned, CtVolume(turned.voxels_hu, affine))
    assert tree.is_complete
    assert tree.dominance == "right"
    for name in MAIN_TRUNKS:
        distance, _ = cKDTree(drawn.courses[name]).query(tree.centerline(name).points_lps_mm[8:-8])
        assert np.median(distance) < 0.25
