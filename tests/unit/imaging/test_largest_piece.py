"""The largest connected piece of a mask, in planes and volumes."""

import numpy as np

from coronary.imaging.connected_pieces import largest_piece


def test_the_larger_of_two_pieces_is_kept():
    mask = np.zeros((3, 4, 9), bool)
    mask[1, 1:3, 1:3] = mask[1, 1:3, 5:8] = True
    kept = largest_piece(mask, connectivity=6)
    assert kept.sum() == 6
    assert kept[1, 1:3, 5:8].all()


def test_corners_connect_where_they_are_asked_to():
    mask = np.eye(4, dtype=bool)
    assert largest_piece(mask, connectivity=8).sum() == 4
    assert largest_piece(mask, connectivity=4).sum() == 1


def test_of_nothing_there_is_nothing():
    assert not largest_piece(np.zeros((4, 4), bool), connectivity=8).any()
