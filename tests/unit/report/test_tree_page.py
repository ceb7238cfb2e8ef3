"""Views of the coronary tree: everything lies where it is, to scale, whatever the orientation of the scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agatha.report.calibration_plot import PlotRange, courses_from_ostium, distance_from_ostium_mm
from agatha.report.colours import CALCIUM_RGB, VESSEL_RGB
from agatha.report.source_images import read_source_images
from agatha.report.tree_page import draw_tree_views
from agatha.report.tree_projections import VIEWS, PatientAxes, TreeScene
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
from coronary.calcium import Vessel
from coronary.contract import CalciumFindings
from coronary.ct_volume import CtVolume

FRONT, LEFT, FEET = VIEWS
AXIAL = axial_affine((1.0, 0.8, 0.8))
AFFINES = {
    "head first supine": AXIAL,
    "slices from head to feet": AXIAL @ np.diag([1, 1, -1, 1.0]),
    "prone": rotated_affine(AXIAL, (0, 0, 180)),
    "feet first": rotated_affine(AXIAL, (0, 180, 0)),
    "coronal rows": rotated_affine(AXIAL, (90, 0, 0)),
}


@pytest.mark.parametrize("name", sorted(AFFINES))
def test_axes_run_to_the_feet_to_the_back_and_to_the_left(name: str) -> None:
    volume = CtVolume(np.zeros((4, 5, 6), np.int16), AFFINES[name])
    axes = PatientAxes.of(volume)
    lps = volume.to_lps_mm(np.indices((4, 5, 6)).reshape(3, -1).T.astype(np.float64)).reshape(4, 5, 6, 3)
    # Patient coordinates of the reordered array grow along their axis: z falls, y and x grow.
    turned = np.stack([axes.view(np.ascontiguousarray(lps[..., k])) for k in (2, 1, 0)], axis=-1)
    for axis, sign in ((0, -1), (1, 1), (2, 1)):
        steps = np.diff(turned[..., axis], axis=axis) * sign
        np.testing.assert_allclose(steps, axes.spacing_mm[axis], rtol=1e-9)
    assert turned.shape[:3] == axes.shape


@pytest.mark.parametrize("name", sorted(AFFINES))
def test_a_voxel_goes_where_the_array_shows_it(name: str) -> None:
    volume = CtVolume(np.zeros((4, 5, 6), np.int16), AFFINES[name])
    volume.voxels_hu[1, 3, 2] = 7
    axes = PatientAxes.of(volume)
    index = axes.index(np.array([[1, 3, 2]])).astype(int)[0]
    assert axes.view(volume.voxels_hu)[tuple(index)] == 7


def colour_centre(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    hue = np.array(colour) / np.linalg.norm(colour)
    norm = np.linalg.norm(picture, axis=-1)
    alike = (picture @ hue > 0.995 * norm) & (norm > 60)
    return np.argwhere(alike).mean(axis=0)


@pytest.mark.parametrize("name", sorted(set(AFFINES) - {"coronal rows"}))
def test_arteries_and_calcium_are_shown_where_they_are(name: str) -> None:
    volume, findings = contrast_volume(AFFINES[name])
    scene = TreeScene.of(volume, findings)
    scale = 4.0
    plaque = volume.to_lps_mm(np.argwhere(findings.vessel_labels == Vessel.LAD).mean(axis=0))
    for view in VIEWS:
        picture = np.asarray(scene.picture(view, scale)).astype(float)
        right_mm, down_mm = scene.place(view, plaque, volume)
        rows, columns = np.argwhere((np.abs(picture - CALCIUM_RGB) < 30).all(axis=-1)).T
        at_plaque = np.hypot(rows - down_mm * scale, columns - right_mm * scale) < 3 * scale
        assert at_plaque.any(), view.title
        # Of the two plaques, all that is marked lies in one or the other.
        other = volume.to_lps_mm(np.argwhere(findings.vessel_labels == Vessel.RCA).mean(axis=0))
        right_mm, down_mm = scene.place(view, other, volume)
        assert (at_plaque | (np.hypot(rows - down_mm * scale, columns - right_mm * scale) < 3 * scale)).all()


@pytest.mark.parametrize("name", sorted(set(AFFINES) - {"coronal rows"}))
def test_right_is_left_in_the_picture_and_head_is_up(name: str) -> None:
    volume, findings = contrast_volume(AFFINES[name])
    scene = TreeScene.of(volume, findings)
    centre = {line.name: line.points_lps_mm.mean(axis=0) for line in findings.contrast.tree.centerlines}
    for view, axis_right, axis_down in ((FRONT, (0, 1), (2, -1)), (LEFT, (1, 1), (2, -1)), (FEET, (0, 1), (1, 1))):
        picture = np.asarray(scene.picture(view, 4.0)).astype(float)
        if view is LEFT:
            continue  # the arteries hide one another; the axes are checked above
        rca, lcx = (colour_centre(picture, VESSEL_RGB[vessel]) for vessel in (Vessel.RCA, Vessel.LCX))
        apart = centre["LCX"] - centre["RCA"]
        assert np.sign(lcx[1] - rca[1]) == np.sign(apart[axis_right[0]] * axis_right[1])
        assert abs((lcx - rca)[1]) / 4.0 == pytest.approx(abs(apart[axis_right[0]]), abs=4.0)
        if abs(apart[axis_down[0]]) > 4.0:
            assert np.sign(lcx[0] - rca[0]) == np.sign(apart[axis_down[0]] * axis_down[1])


def test_views_keep_millimetres_whatever_the_voxels() -> None:
    volume, findings = contrast_volume(axial_affine((3.0, 0.5, 0.8)))
    scene = TreeScene.of(volume, findings)
    for view in VIEWS:
        height_mm, width_mm = scene.extent_mm(view)
        picture = scene.picture(view, 2.0)
        assert (picture.height, picture.width) == (round(2 * height_mm), round(2 * width_mm))
    spread = findings.contrast.tree.voxels_zyx
    tall = (spread[:, 0].max() - spread[:, 0].min() + 1) * 3.0
    assert scene.extent_mm(FRONT)[0] >= tall


def test_what_is_far_from_the_arteries_is_not_shown() -> None:
    volume, findings = contrast_volume()
    volume.voxels_hu[0:3, 2:6, 30:36] = 2000  # a chamber in front, 9 mm and more from every artery
    near = volume.voxels_hu.copy()
    near[11, 18, 60] = 2000  # and a voxel beside the LAD
    scene = TreeScene.of(volume, findings)
    assert max(int(hu.max()) for hu in scene.surroundings_hu) < 1500
    assert max(int(hu.max()) for hu in TreeScene.of(replace(volume, voxels_hu=near), findings).surroundings_hu) == 2000


def test_the_artery_in_front_hides_the_one_behind() -> None:
    volume, findings = contrast_volume(is_calcified=False)
    scene = TreeScene.of(volume, findings)
    for view in VIEWS:
        vessel, _ = scene._arteries(view)
        for row, column in np.argwhere(vessel)[::7]:
            ray = (scene.artery_index[:, view.rows] == row) & (scene.artery_index[:, view.columns] == column)
            depth = scene.artery_index[ray, view.ray]
            nearest = np.argmax(depth) if view.is_seen_from_end else np.argmin(depth)
            assert vessel[row, column] == scene.artery_vessel[ray][nearest]


def test_distance_counts_from_the_ostium_through_the_parents() -> None:
    _, findings = contrast_volume()
    tree = findings.contrast.tree
    length = {line.name: float(line.arc_length_mm[-1]) for line in tree.centerlines}
    assert distance_from_ostium_mm(tree, "LM") == distance_from_ostium_mm(tree, "RCA") == 0.0
    assert distance_from_ostium_mm(tree, "LAD") == pytest.approx(length["LM"])
    d1, lad = tree.centerline("D1"), tree.centerline("LAD")
    along = float(np.linalg.norm(d1.points_lps_mm[0] - lad.points_lps_mm[0]))
    assert distance_from_ostium_mm(tree, "D1") == pytest.approx(length["LM"] + along, abs=0.5)
    assert [course.name for course, _ in courses_from_ostium(findings.contrast, ("LM", "LAD"))] == ["LM", "LAD"]


def test_range_holds_lumen_thresholds_and_levels_but_not_every_peak() -> None:
    _, findings = contrast_volume()
    contrast = findings.contrast
    peaked = contrast.courses[1].measured_hu.copy()
    peaked[3] = 3000.0
    courses = (contrast.courses[0], replace(contrast.courses[1], measured_hu=peaked), *contrast.courses[2:])
    plain, with_peak = PlotRange.of(contrast), PlotRange.of(replace(contrast, courses=courses))
    highest = max(float(course.threshold_hu.max()) for course in contrast.courses[:4])
    assert plain.highest_hu >= max(highest, contrast.aorta_mean_hu)
    assert with_peak.highest_hu < 3000.0


def page_of(folder: Path, volume: CtVolume, findings: CalciumFindings) -> np.ndarray:
    request = contrast_request(write_ct_series(folder, volume), volume, findings)
    return np.asarray(draw_tree_views(request, read_source_images(request))).astype(int)


def test_page_shows_every_vessel_calcium_and_a_missing_trunk(tmp_path: Path) -> None:
    volume, findings = contrast_volume()
    page = page_of(tmp_path / "a", volume, findings)
    views = page[178:590]
    assert (views == CALCIUM_RGB).all(axis=-1).any()
    plots = page[620:958, :940]
    for colour in (*VESSEL_RGB.values(), CALCIUM_RGB):
        assert (np.abs(plots - colour) < 12).all(axis=-1).any(), colour
    kept = [number for number, line in enumerate(findings.contrast.tree.centerlines) if line.name != "RCA"]
    contrast = replace(findings.contrast, courses=tuple(findings.contrast.courses[number] for number in kept))
    without = page_of(tmp_path / "b", volume, replace(findings, contrast=contrast))[620:958, :940]
    assert not (np.abs(without - VESSEL_RGB[Vessel.RCA]) < 12).all(axis=-1).any()


def test_without_calcium_nothing_is_marked_as_calcium(tmp_path: Path) -> None:
    volume, findings = contrast_volume(is_calcified=False)
    page = page_of(tmp_path, volume, findings)
    assert not (page[178:580] == CALCIUM_RGB).all(axis=-1).any()


def test_unreliable_points_look_different(tmp_path: Path) -> None:
    volume, findings = contrast_volume()
    courses = tuple(
        replace(course, is_reliable=np.zeros_like(course.is_reliable)) for course in findings.contrast.courses
    )
    contrast = replace(findings.contrast, courses=courses)
    plots = page_of(tmp_path, volume, replace(findings, contrast=contrast))[620:958, :940]
    for colour in VESSEL_RGB.values():
        assert not (np.abs(plots - colour) < 12).all(axis=-1).any(), colour


def test_a_calcium_scan_has_no_such_page(tmp_path: Path) -> None:
    volume, labels = calcified_volume((5, 24, 32), lesions_per_vessel=1)
    request = report_request(write_ct_series(tmp_path, volume), volume, findings_of(volume, labels))
    with pytest.raises(ValueError, match="contrast scan"):
        draw_tree_views(request, read_source_images(request))
