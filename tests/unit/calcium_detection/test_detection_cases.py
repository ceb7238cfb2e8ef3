"""Which slices of a virtual scan the detection networks learn from."""

import numpy as np

from coronary.calcium_detection.training.cases import choose_slices


def chosen(with_calcium, count=6, slices=20):
    heart = np.zeros((slices, 4, 4), bool)
    heart[4:16, 1:3, 1:3] = True
    calcium = np.zeros_like(heart)
    calcium[list(with_calcium), 1, 1] = True
    return choose_slices(heart, calcium, count, np.random.default_rng(1)).tolist()


def test_half_of_the_slices_show_calcium_where_there_are_enough():
    found = chosen(range(5, 12))
    assert len(found) == len(set(found)) == 6
    assert found == sorted(found)
    assert sum(z in range(5, 12) for z in found) == 3


def test_slices_without_calcium_fill_up():
    found = chosen([7])
    assert len(found) == 6
    assert 7 in found


def test_slices_without_heart_are_no_cases():
    found = chosen([2, 3, 17, 18])
    assert len(found) == 6
    assert all(4 <= z < 16 for z in found)
