"""A stent surrounds the lumen over a length; plaque lies on one side, or is short."""

from types import SimpleNamespace

import numpy as np
import pytest

from coronary.calcium import Vessel
from coronary.ccta_scoring import ContrastCalcium
from coronary.ccta_scoring.stents import check_stents, surrounded_mm
from coronary.coronary_tree import Centerline
from coronary.ct_volume import CtVolume

SPACING_MM = 0.5
SHAPE = (80, 40, 40)
VOLUME = CtVolume(np.zeros(SHAPE, np.int16), np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0]))
MIDDLE_MM = 9.75


def artery(name="LAD", radius_mm=1.5):
    """A straight artery along z through the middle of the volume."""
    along = np.arange(2.0, 38.0, 0.5)
    points = np.stack([np.full_like(along, MIDDLE_MM), np.full_like(along, MIDDLE_MM), along], axis=1)
    return Centerline(
        name=name,
        parent=None,
        points_lps_mm=points,
        radius_mm=np.full(len(points), radius_mm),
        segment=np.full(len(points), 6, np.uint8),
        vessel=np.full(len(points), int(Vessel.LAD), np.uint8),
        is_bridged=np.zeros(len(points), np.bool_),
    )


def ring(from_mm, to_mm, *, degrees=360.0, every_mm=SPACING_MM):
    """Calcium on the border of the lumen, over a part of its circumference, in slices so far apart."""
    z, y, x = np.indices(SHAPE) * SPACING_MM
    distance = np.hypot(y - MIDDLE_MM, x - MIDDLE_MM)
    angle = np.degrees(np.arctan2(y - MIDDLE_MM, x - MIDDLE_MM)) % 360.0
    inside = (np.abs(distance - 1.5) < 0.5) & (angle < degrees) & (z >= from_mm) & (z < to_mm)
    index = np.argwhere(inside & (np.abs((z - from_mm) % every_mm) < 1e-6))
    return ContrastCalcium(
        index, np.full(len(index), 900.0), np.full(len(index), 2, np.uint8), np.full(len(index), 500.0), SHAPE
    )


def codes(calcium, *lines):
    return [note.code for note in check_stents(VOLUME, SimpleNamespace(centerlines=lines or (artery(),)), calcium)]


@pytest.mark.parametrize("every_mm", [0.5, 1.5])
def test_a_ring_as_long_as_a_stent_is_noted(every_mm):
    calcium = ring(10.0, 24.0, every_mm=every_mm)
    assert codes(calcium) == ["STENT_SUSPECTED"]
    found = surrounded_mm(VOLUME, SimpleNamespace(centerlines=(artery(),)), calcium)
    assert found["LAD"] == pytest.approx(14.0, abs=2.5)


def test_the_note_names_the_artery_and_the_length():
    lines = (artery(), SimpleNamespace(**{**vars_of(artery("RCA")), "points_lps_mm": artery().points_lps_mm + 8.0}))
    (note,) = check_stents(VOLUME, SimpleNamespace(centerlines=lines), ring(10.0, 24.0))
    assert "LAD" in note.text
    assert " mm" in note.text


def vars_of(line):
    return {name: getattr(line, name) for name in ("name", "points_lps_mm", "radius_mm", "frames")}


@pytest.mark.parametrize(
    "calcium",
    [ring(10.0, 15.0), ring(10.0, 30.0, degrees=220.0), ring(10.0, 30.0, every_mm=4.0), ring(0.0, 0.0)],
    ids=["short", "on one side", "with gaps", "none"],
)
def test_plaque_is_not_noted(calcium):
    assert codes(calcium) == []


def test_a_branch_too_thin_for_a_stent_has_none():
    assert codes(ring(10.0, 24.0), artery("D1", 0.9)) == []


def test_without_an_artery_nothing_is_surrounded():
    assert surrounded_mm(VOLUME, SimpleNamespace(centerlines=()), ring(10.0, 24.0)) == {}
