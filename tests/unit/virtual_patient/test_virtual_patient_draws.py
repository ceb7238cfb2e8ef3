"""What is drawn: independence of random streams, population shares, analytic content, noise, refusals."""

import numpy as np
import pytest

from coronary.virtual_patient import VirtualPatient, draw_patient
from coronary.virtual_patient.calcium import draw_calcium
from coronary.virtual_patient.coronary_tree import CoronaryTree
from coronary.virtual_patient.deposits import (
    EDGE_END,
    EDGE_WIDTH,
    Course,
    Deposit,
    PlaqueStyle,
    integrate,
    string_along,
)
from coronary.virtual_patient.distractors import draw_distractors
from coronary.virtual_patient.lumen import Narrowing, segment_truth
from coronary.virtual_patient.materials import hu_per_ha, tissue_hu
from coronary.virtual_patient.noise import correlated_slices, noise_amplitude
from coronary.virtual_patient.random_streams import stream


@pytest.fixture(scope="module")
def patient() -> VirtualPatient:
    return draw_patient(34, calcium="none", distractors=False)


@pytest.fixture(scope="module")
def tree(patient: VirtualPatient) -> CoronaryTree:
    return patient.tree


def test_calcium_choice_leaves_the_anatomy_alone(patient: VirtualPatient) -> None:
    assert patient.extreme > 1, "every fifth patient is outside the clinical range"
    calcified = draw_patient(34, calcium="present", distractors=True)
    assert calcified.lesions
    assert not patient.lesions
    for ours, theirs in zip(patient.tree.branches, calcified.tree.branches, strict=True):
        np.testing.assert_array_equal(ours.points, theirs.points)


def test_components_draw_from_independent_streams() -> None:
    first = stream(5, "calcium").uniform(size=4)
    stream(5, "something added later").uniform(size=100)
    np.testing.assert_array_equal(first, stream(5, "calcium").uniform(size=4))
    assert not np.allclose(first, stream(5, "noise").uniform(size=4))
    assert not np.allclose(first, stream(6, "calcium").uniform(size=4))


def test_population_of_calcium_has_the_wanted_shares(tree: CoronaryTree) -> None:
    drawn = [draw_calcium(tree, seed, "any") for seed in range(60)]
    assert 0.35 < sum(not lesions for lesions in drawn) / len(drawn) < 0.65
    positive = [lesions for lesions in drawn if lesions]
    mass = {v: sum(i.mass_mg for ls in positive for i in ls if i.vessel == v) for v in ("LM", "LAD", "LCX", "RCA")}
    assert max(mass, key=lambda vessel: mass[vessel]) == "LAD"
    assert sum(any(i.vessel == "LM" for i in ls) for ls in positive) / len(positive) > 0.15
    totals = np.array([sum(i.mass_mg for i in ls) for ls in positive])
    assert totals.min() < 3
    assert totals.max() > 100


def test_forced_calcium_keeps_the_lesions_of_the_free_draw(tree: CoronaryTree) -> None:
    seed = next(s for s in range(40) if draw_calcium(tree, s, "any"))
    free, forced = draw_calcium(tree, seed, "any"), draw_calcium(tree, seed, "present")
    assert [i.mass_mg for i in free] == [i.mass_mg for i in forced]
    assert draw_calcium(tree, seed, "none") == ()


def test_distractors_are_common_and_can_be_forced(patient: VirtualPatient) -> None:
    front = np.array([0.0, -85.0, 0.0], dtype=np.float32)
    free = [draw_distractors(patient.heart, patient.tree, seed, front, None) for seed in range(25)]
    assert sum(bool(d) for d in free) / len(free) >= 0.4
    assert all(draw_distractors(patient.heart, patient.tree, seed, front, True) for seed in range(8))
    assert draw_distractors(patient.heart, patient.tree, 1, front, False) == ()
    named = draw_distractors(patient.heart, patient.tree, 1, front, {"stent", "node"})
    assert {d.kind for d in named} == {"stent", "node"}
    with pytest.raises(ValueError, match="no such distractor: tooth"):
        draw_distractors(patient.heart, patient.tree, 1, front, ["tooth"])


def test_a_deposit_on_a_very_short_course_is_one_blob() -> None:
    course = Course(np.linspace((0.0, 0.0, 0.0), (0.0, 0.0, 0.4), 8, dtype=np.float32), np.full(8, 0.8, np.float32))
    deposit = string_along(np.random.default_rng(0), course, 0.2, 0.0, 5.0, PlaqueStyle())
    assert len(deposit.centres) == 1
    assert integrate(deposit)[1] == pytest.approx(5000.0, rel=0.5)


def test_content_of_a_blob_is_its_closed_form() -> None:
    """Solid core up to EDGE_END - EDGE_WIDTH, then a linear fall to zero at EDGE_END, in units of the semi-axes."""
    inner = EDGE_END - EDGE_WIDTH
    shell = (EDGE_END * (EDGE_END**3 - inner**3) / 3 - (EDGE_END**4 - inner**4) / 4) / EDGE_WIDTH
    unit = 4 * np.pi * (inner**3 / 3 + shell)
    deposit = Deposit(
        "hydroxyapatite",
        np.zeros((1, 3), np.float32),
        np.eye(3, dtype=np.float32)[None],
        np.array([[2.0, 1.0, 0.8]], np.float32),
        np.array([500.0], np.float32),
    )
    volume, content = integrate(deposit)
    assert content == pytest.approx(unit * 2.0 * 1.0 * 0.8 * 500.0, rel=0.01)
    assert volume == pytest.approx(4 / 3 * np.pi * EDGE_END**3 * 1.6, rel=0.02)


def test_overlapping_blobs_do_not_add() -> None:
    one = Deposit(
        "hydroxyapatite",
        np.zeros((1, 3), np.float32),
        np.eye(3, dtype=np.float32)[None],
        np.ones((1, 3), np.float32),
        np.array([500.0], np.float32),
    )
    twice = Deposit(
        one.material, *(np.concatenate([a, a]) for a in (one.centres, one.frames, one.semi_axes_mm, one.concentration))
    )
    assert integrate(twice) == pytest.approx(integrate(one))


def test_stenosis_truth_is_the_narrowing_that_was_put_in(tree: CoronaryTree) -> None:
    length = float(tree.branch("LAD").arc_length_mm()[-1])
    narrowing = Narrowing("LAD", 7, 0.4 * length, 12.0, 0.6, "fibrous", 0.2)
    rows = {(s.branch, s.segment): s for s in segment_truth(tree, (narrowing,), ())}
    assert rows["LAD", 7].stenosis_percent == pytest.approx(60.0, abs=1.5)
    assert rows["LAD", 8].stenosis_percent == 0
    assert rows["RCA", 1].stenosis_percent == 0


def test_a_narrowing_at_a_division_is_seen_only_where_no_other_lumen_fills_it(tree: CoronaryTree) -> None:
    left_main, lad = tree.branch("LM"), tree.branch("LAD")
    length = float(left_main.arc_length_mm()[-1])
    at_end = Narrowing("LM", 5, length, 1.2, 0.8, "fibrous", 0.0)
    before = Narrowing("LM", 5, length - 5.0, 4.0, 0.8, "fibrous", 0.0)
    rows = {(s.branch, s.segment): s.stenosis_percent for s in segment_truth(tree, (before,), ())}
    assert rows["LM", 5] == pytest.approx(80.0, abs=6.0)
    rows = {(s.branch, s.segment): s.stenosis_percent for s in segment_truth(tree, (at_end,), ())}
    # The LAD begins there as wide as it is: of the left main's diameter that much is left.
    assert rows["LM", 5] <= 100.0 * (1.0 - float(lad.radius_mm[0] / left_main.radius_mm[-1])) + 1.0


def test_calcium_in_the_lumen_counts_as_stenosis(patient: VirtualPatient) -> None:
    lesions = next(
        found for seed in range(60) if (found := draw_calcium(patient.tree, seed, "present")) and found[0].mass_mg > 20
    )
    assert max(s.stenosis_percent for s in segment_truth(patient.tree, (), lesions)) > 5


def test_vessels_follow_published_calibre(patient: VirtualPatient) -> None:
    assert 3.0 < 2 * patient.tree.branch("LM").radius_mm.mean() < 6.5
    lad = patient.tree.branch("LAD").radius_mm
    assert lad[0] > lad[-1]
    clearance = patient.heart.muscle_surface(patient.tree.branch("RCA").points[20:])
    assert np.median(clearance) > 0.5


def test_noise_is_correlated_with_unit_variance() -> None:
    amplitude = noise_amplitude((128, 128), 0.4, 0.28, 0.03)
    stack = np.stack(list(correlated_slices(3, "csct", (12, 128, 128), amplitude, 0.0)))
    assert stack.std() == pytest.approx(1.0, abs=0.05)
    assert np.corrcoef(stack[:, :, :-1].ravel(), stack[:, :, 1:].ravel())[0, 1] > 0.5
    assert abs(np.corrcoef(stack[0].ravel(), stack[1].ravel())[0, 1]) < 0.1
    overlapping = np.stack(list(correlated_slices(3, "csct", (12, 128, 128), amplitude, 0.5)))
    assert np.corrcoef(overlapping[0].ravel(), overlapping[1].ravel())[0, 1] == pytest.approx(0.5, abs=0.1)


def test_voltage_outside_the_table_and_negative_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="150"):
        hu_per_ha(150)
    with pytest.raises(ValueError, match="60"):
        tissue_hu("fat", 60)
    with pytest.raises(ValueError, match="negative"):
        draw_patient(-1)


def test_lesions_of_a_bridge_are_cut_at_the_left_main(tree: CoronaryTree) -> None:
    end = float(tree.branch("LM").arc_length_mm()[-1])
    lesions = [i for seed in range(14) for i in draw_calcium(tree, seed, "present") if i.branch == "LM"]
    assert lesions
    assert all(i.segment == 5 and i.end_mm <= end + 1e-3 for i in lesions)


def test_a_branch_shorter_than_the_smoothing_is_built() -> None:
    """The march of OM1 of this seed ends where it began."""
    patient = draw_patient(500100, calcium="none", distractors=False)
    assert min(len(branch.points) for branch in patient.tree.branches) < 7


def test_a_branch_that_never_leaves_its_origin_is_built() -> None:
    """The march of the ramus of this external seed stays within the 2 mm that smoothing looks at."""
    patient = draw_patient(600144, calcium="none", distractors=False, variant="external")
    assert float(patient.tree.branch("RI").arc_length_mm()[-1]) < 2.0


def test_a_varied_heart_bends_each_chamber_by_itself_and_keeps_the_aorta() -> None:
    standard, varied = (draw_patient(12, calcium="none", variant=variant).heart for variant in ("standard", "varied"))
    places = np.random.default_rng(3).uniform(-60.0, 60.0, size=(500, 3)).astype(np.float32)
    moved = {
        name: varied.canonical[name](places) - standard.canonical[name](places) for name in ("lv", "rv", "la", "aorta")
    }
    np.testing.assert_array_equal(moved.pop("aorta"), 0.0)
    assert all(np.abs(change).max() > 1.0 for change in moved.values())
    assert np.abs(np.corrcoef(list(moved.values())) - np.eye(3)).max() < 0.8


def test_varied_patients_keep_their_arteries_outside_the_muscle() -> None:
    for seed in (30615, 30616):
        patient = draw_patient(seed, calcium="none", distractors=False, variant="varied")
        assert {"LM", "LAD", "LCX", "RCA", "PDA"} <= {branch.name for branch in patient.tree.branches}
        depth = patient.heart.muscle_surface(patient.tree.branch("LAD").points[10:])
        assert float(depth.min()) > 0.0
