"""CAD-RADS 2.0 by its table: one row per category, and the borders between them."""

import pytest

from coronary.stenosis import SegmentStenosis, cad_rads_category


def stenoses(**percent_of):
    """``s6=55.0`` is a stenosis of 55 percent in segment 6; artery and place do not matter."""
    return [SegmentStenosis("LAD", int(name[1:]), percent, 10.0, 1.0, 2.0, 0.0) for name, percent in percent_of.items()]


@pytest.mark.parametrize(
    ("found", "category"),
    [
        ({}, "0"),
        ({"s6": 12.4}, "0"),
        ({"s6": 12.5}, "1"),
        ({"s6": 24.9}, "1"),
        ({"s6": 25.0}, "2"),
        ({"s6": 49.9}, "2"),
        ({"s6": 50.0}, "3"),
        ({"s6": 69.9}, "3"),
        ({"s6": 70.0}, "4A"),
        ({"s6": 70.0, "s11": 85.0}, "4A"),
        ({"s6": 70.0, "s11": 85.0, "s2": 75.0}, "4B"),
        ({"s6": 70.0, "s7": 85.0, "s9": 75.0}, "4A"),
        ({"s5": 50.0}, "4B"),
        ({"s5": 49.9}, "2"),
        ({"s6": 99.4}, "4A"),
        ({"s6": 100.0}, "5"),
        ({"s5": 60.0, "s2": 100.0}, "5"),
    ],
)
def test_category_of_the_worst_segment(found, category):
    assert cad_rads_category(stenoses(**found), has_plaque=False) == category


def test_plaque_without_narrowing_is_category_1():
    assert cad_rads_category(stenoses(s6=3.0), has_plaque=True) == "1"


@pytest.mark.parametrize(("found", "category"), [({"s6": 30.0}, "N"), ({}, "N"), ({"s6": 55.0}, "3")])
def test_an_unread_segment_matters_unless_another_is_obstructive(found, category):
    assert cad_rads_category(stenoses(**found), unread=[7], has_plaque=True) == category
