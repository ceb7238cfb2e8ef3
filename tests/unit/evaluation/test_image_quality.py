"""MSE, PSNR and SSIM against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from coronary.evaluation.image_quality import image_quality, mean_squared_error


@pytest.fixture
def ct() -> np.ndarray:
    return np.random.default_rng(2).integers(-1000, 2000, size=(9, 10, 11)).astype(np.int16)


def test_a_shift_has_the_error_and_the_signal_to_noise_of_its_square(ct: np.ndarray) -> None:
    found = image_quality(ct, ct + np.int16(20), data_range=3000.0)
    assert found.mean_squared_error == pytest.approx(400.0)
    assert found.peak_signal_to_noise_db == pytest.approx(10 * math.log10(3000.0**2 / 400.0))
    assert 0.99 < found.structural_similarity < 1.0


def test_structural_similarity_of_two_constant_images_is_that_of_their_means() -> None:
    """Without variance SSIM is (2ab + C)/(a² + b² + C), C = (0.01·range)²."""
    first, second = np.full((8, 8), 100.0), np.full((8, 8), 200.0)
    c = (0.01 * 1000.0) ** 2
    expected = (2 * 100 * 200 + c) / (100**2 + 200**2 + c)
    assert image_quality(first, second, data_range=1000.0).structural_similarity == pytest.approx(expected)


def test_the_same_image_has_no_noise(ct: np.ndarray) -> None:
    found = image_quality(ct, ct, data_range=3000.0)
    assert (found.mean_squared_error, found.peak_signal_to_noise_db) == (0.0, None)
    assert found.structural_similarity == pytest.approx(1.0)


def test_whole_numbers_do_not_overflow() -> None:
    low, high = np.full((7, 7), -1000, np.int16), np.full((7, 7), 32000, np.int16)
    assert mean_squared_error(low, high) == 33000.0**2


def test_the_error_within_a_mask_leaves_the_rest_out() -> None:
    reference, image = np.zeros((4, 4)), np.zeros((4, 4))
    image[0, 0], image[3, 3] = 10.0, 100.0
    within = np.zeros((4, 4), np.bool_)
    within[:2, :2] = True
    assert mean_squared_error(reference, image, within) == 25.0


@pytest.mark.parametrize(
    ("first", "second", "data_range", "message"),
    [
        (np.zeros((8, 8)), np.zeros((8, 9)), 1.0, "expected the same"),
        (np.zeros((6, 8)), np.zeros((6, 8)), 1.0, "7 or more"),
        (np.zeros((8, 8)), np.full((8, 8), np.nan), 1.0, "not finite"),
        (np.zeros((8, 8)), np.zeros((8, 8)), 0.0, "above 0"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    first: np.ndarray, second: np.ndarray, data_range: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        image_quality(first, second, data_range=data_range)


def test_an_error_without_voxels_is_refused() -> None:
    with pytest.raises(ValueError, match="no voxel"):
        mean_squared_error(np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 2), np.bool_))
    with pytest.raises(ValueError, match="of the mask"):
        mean_squared_error(np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 3), np.bool_))
