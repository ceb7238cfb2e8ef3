"""Calcium scores that were computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from coronary.calcium import (
    FIELD_CONVENTION,
    PAPER_CONVENTION,
    MassCalibration,
    Vessel,
    lesion_label_map,
    score_calcium,
)

HALF_MM = (3.0, 0.5, 0.5)


def volume(shape: tuple[int, int, int], hu: dict[tuple[int, int, int], int]) -> NDArray[np.int16]:
    voxels = np.full(shape, 40, dtype=np.int16)
    for index, value in hu.items():
        voxels[index] = value
    return voxels


def affine_of(spacing_zyx_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    return np.diag([*spacing_zyx_mm[::-1], 1.0])


def block(z: int, y: int, x: int, size: int, hu: int) -> dict[tuple[int, int, int], int]:
    return {(z, y + dy, x + dx): hu for dy in range(size) for dx in range(size)}


def labels_where(voxels: NDArray[np.int16], vessel: Vessel) -> NDArray[np.uint8]:
    return np.where(voxels >= 100, int(vessel), 0).astype(np.uint8)


@pytest.mark.parametrize(
    ("peak_hu", "weight"),
    [(130, 1), (199, 1), (200, 2), (299, 2), (300, 3), (399, 3), (400, 4), (3000, 4)],
)
def test_one_slice_scores_area_times_weight_of_the_peak(peak_hu: int, weight: int) -> None:
    voxels = volume((1, 6, 6), {**block(0, 1, 1, 3, 130), (0, 2, 2): peak_hu})
    score = score_calcium(voxels, labels_where(voxels, Vessel.LAD), HALF_MM, affine_of(HALF_MM))
    assert score.agatston.LAD == score.agatston.total == 9 * 0.25 * weight
    assert score.agatston_paper.total == 9 * 0.25 * weight
    assert score.volume_mm3.LAD == 9 * 0.25 * 3.0
    assert (score.agatston.LM, score.agatston.LCX, score.agatston.RCA) == (0.0, 0.0, 0.0)


def test_129_hu_is_no_calcium_and_a_dense_neighbour_without_label_adds_nothing() -> None:
    voxels = volume((1, 6, 6), {**block(0, 1, 1, 2, 150), (0, 1, 3): 129, (0, 3, 1): 900})
    labels = labels_where(voxels, Vessel.RCA)
    labels[0, 3, 1] = 0
    score = score_calcium(voxels, labels, HALF_MM, affine_of(HALF_MM))
    assert score.agatston.RCA == 1.0
    assert score.lesions[0].peak_hu == 150


def test_the_two_conventions_differ_on_a_lesion_with_one_dense_slice() -> None:
    # Slice 0: 4 pixels, peak 150 (W 1). Slice 1: 4 pixels, peak 450 (W 4). Pixel 0.25 mm2, spacing 1.5 mm.
    spacing = (1.5, 0.5, 0.5)
    voxels = volume((2, 4, 4), {**block(0, 1, 1, 2, 150), **block(1, 1, 1, 2, 450)})
    score = score_calcium(voxels, labels_where(voxels, Vessel.LCX), spacing, affine_of(spacing))
    assert score.agatston.total == (4 * 1 + 4 * 4) * 0.25 * 0.5
    assert score.agatston_paper.total == 8 * 4 * 0.25
    assert (score.convention, score.paper_convention) == (FIELD_CONVENTION, PAPER_CONVENTION)
    assert score.risk_category == "1-10"


def test_two_regions_of_one_calcium_in_a_slice_keep_their_own_weights() -> None:
    # Two legs in slice 0 (peaks 150 and 420) joined only through slice 1.
    bridge = {(1, 1, x): 140 for x in range(1, 6)}
    voxels = volume((2, 4, 7), {(0, 1, 1): 150, (0, 2, 1): 150, (0, 1, 5): 420, (0, 2, 5): 420, **bridge})
    spacing = (3.0, 1.0, 1.0)
    score = score_calcium(voxels, labels_where(voxels, Vessel.RCA), spacing, affine_of(spacing))
    assert score.agatston.total == 2 * 1 + 2 * 4 + 5 * 1
    assert score.agatston_paper.total == 9 * 4
    assert len(score.lesions) == 1


def test_overlapping_slices_are_scaled_by_their_spacing() -> None:
    voxels = volume((1, 4, 4), block(0, 1, 1, 2, 250))
    labels = labels_where(voxels, Vessel.LM)
    by_spacing = {
        dz: score_calcium(voxels, labels, (dz, 0.5, 0.5), affine_of((dz, 0.5, 0.5))).agatston.total
        for dz in (3.0, 1.5, 0.75)
    }
    assert by_spacing == {3.0: 2.0, 1.5: 1.0, 0.75: 0.5}


def test_less_than_one_square_millimetre_is_noise_and_exactly_one_is_not() -> None:
    three = volume((1, 6, 6), {(0, 1, 1): 500, (0, 1, 2): 500, (0, 1, 3): 500})
    four = volume((1, 6, 6), block(0, 1, 1, 2, 500))
    third = (3.0, 1 / 3, 1 / 3)
    nine = volume((1, 6, 6), block(0, 1, 1, 3, 500))
    assert score_calcium(three, labels_where(three, Vessel.LM), HALF_MM, affine_of(HALF_MM)).agatston.total == 0
    assert score_calcium(four, labels_where(four, Vessel.LM), HALF_MM, affine_of(HALF_MM)).agatston.total == 4.0
    # 9 x (1/3 mm)2 is 1 mm2; the last bit of a float must not decide.
    assert score_calcium(nine, labels_where(nine, Vessel.LM), third, affine_of(third)).lesions[0].voxel_count == 9


def test_area_of_small_calcium_is_summed_over_slices_before_it_is_called_noise() -> None:
    voxels = volume((2, 4, 4), {(0, 1, 1): 200, (0, 1, 2): 200, (1, 1, 1): 200, (1, 1, 2): 200})
    score = score_calcium(voxels, labels_where(voxels, Vessel.LAD), HALF_MM, affine_of(HALF_MM))
    assert score.agatston.total == 2.0


def test_calcium_across_a_vessel_border_is_shared_by_pixels_with_the_weight_of_the_whole() -> None:
    # Five pixels in a row, peak 350 on the LAD side: the LM share has weight 3 too, and no share is noise.
    voxels = volume((1, 3, 7), {(0, 1, 1): 140, (0, 1, 2): 140, (0, 1, 3): 140, (0, 1, 4): 140, (0, 1, 5): 350})
    labels = labels_where(voxels, Vessel.LAD)
    labels[0, 1, 1] = Vessel.LM
    score = score_calcium(voxels, labels, HALF_MM, affine_of(HALF_MM))
    assert (score.agatston.LM, score.agatston.LAD, score.agatston.total) == (0.75, 3.0, 3.75)
    assert [(lesion.vessel, lesion.voxel_count) for lesion in score.lesions] == [(Vessel.LM, 1), (Vessel.LAD, 4)]
    assert score.cac_drs == "A1/N2"
    assert score.calcified_vessels == (Vessel.LM, Vessel.LAD)


def test_diagonal_neighbours_are_two_lesions() -> None:
    voxels = volume((1, 5, 5), {**block(0, 0, 0, 2, 200), **block(0, 2, 2, 2, 500)})
    score = score_calcium(voxels, labels_where(voxels, Vessel.RCA), HALF_MM, affine_of(HALF_MM))
    assert [lesion.agatston for lesion in score.lesions] == [2.0, 4.0]


def test_mass_needs_a_calibration_and_follows_equation_3() -> None:
    voxels = volume((1, 4, 4), {(0, 1, 1): 200, (0, 1, 2): 300, (0, 2, 1): 400, (0, 2, 2): 500})
    labels = labels_where(voxels, Vessel.RCA)
    assert score_calcium(voxels, labels, HALF_MM, affine_of(HALF_MM)).mass_mg is None
    calibration = MassCalibration(0.8, "phantom of the test")
    score = score_calcium(voxels, labels, HALF_MM, affine_of(HALF_MM), mass_calibration=calibration)
    assert score.mass_mg is not None
    assert score.mass_mg.of(Vessel.RCA) == pytest.approx(0.8 * 350 * 3.0 / 1000)
    assert score.lesions[0].mass_mg == pytest.approx(0.84)
    assert score.mass_calibration is calibration


def test_lesions_are_placed_in_the_patient_and_ordered_by_vessel_then_position() -> None:
    spacing = (3.0, 0.5, 0.5)
    affine = np.array([[0.5, 0, 0, -10.0], [0, 0.5, 0, 20.0], [0, 0, 3.0, -100.0], [0, 0, 0, 1]])
    voxels = volume((3, 8, 8), {**block(2, 0, 0, 2, 300), **block(0, 4, 4, 2, 300), **block(0, 0, 4, 2, 300)})
    labels = labels_where(voxels, Vessel.LAD)
    labels[0, 4:6, 4:6] = Vessel.LM
    score = score_calcium(voxels, labels, spacing, affine)
    assert [lesion.label for lesion in score.lesions] == [1, 2, 3]
    assert [lesion.vessel for lesion in score.lesions] == [Vessel.LM, Vessel.LAD, Vessel.LAD]
    assert score.lesions[0].center_lps_mm == (-7.75, 22.25, -100.0)
    assert score.lesions[2].center_lps_mm == (-9.75, 20.25, -94.0)
    assert score.lesions[2].slices == (2,)
    lesion_map = lesion_label_map(voxels, labels, spacing)
    assert lesion_map.dtype == np.uint16
    assert (lesion_map[0, 4, 4], lesion_map[0, 0, 4], lesion_map[2, 0, 0]) == (1, 2, 3)


def test_no_calcium_is_zero_in_every_field() -> None:
    voxels = volume((2, 4, 4), {})
    calibration = MassCalibration(0.8, "phantom of the test")
    labels = np.ones(voxels.shape, dtype=np.uint8)
    score = score_calcium(voxels, labels, HALF_MM, affine_of(HALF_MM), mass_calibration=calibration)
    assert score.agatston.as_dict() == {"total": 0, "LM": 0, "LAD": 0, "LCX": 0, "RCA": 0}
    assert score.mass_mg == score.volume_mm3 == score.agatston_paper == score.agatston
    assert (score.lesions, score.risk_category, score.cac_drs) == ((), "0", "A0/N0")
    assert not lesion_label_map(voxels, labels, HALF_MM).any()


def test_float_attenuation_is_not_rounded() -> None:
    voxels = volume((1, 4, 4), block(0, 1, 1, 2, 150)).astype(np.float32)
    voxels[0, 1, 1] = 199.75
    voxels[0, 2, 2] = 129.75
    score = score_calcium(voxels, (voxels > 100).astype(np.uint8), (3.0, 1.0, 1.0), affine_of((3.0, 1.0, 1.0)))
    assert (score.agatston.total, score.lesions[0].peak_hu) == (3.0, 199.75)
    assert score.lesions[0].mean_hu == (150 + 150 + 199.75) / 3


class TestRefusals:
    voxels = volume((2, 4, 4), block(0, 1, 1, 2, 150))
    labels = labels_where(voxels, Vessel.LM)

    def test_shapes_that_differ(self) -> None:
        with pytest.raises(ValueError, match="expected one 3-D shape"):
            score_calcium(self.voxels, self.labels[:1], HALF_MM, affine_of(HALF_MM))

    def test_a_boolean_mask_is_no_vessel_label(self) -> None:
        with pytest.raises(ValueError, match="dtype bool"):
            score_calcium(self.voxels, self.labels > 0, HALF_MM, affine_of(HALF_MM))

    def test_a_label_above_four(self) -> None:
        with pytest.raises(ValueError, match="expected 0 to 4"):
            score_calcium(self.voxels, self.labels * 5, HALF_MM, affine_of(HALF_MM))

    def test_a_labelled_voxel_without_a_number(self) -> None:
        voxels = self.voxels.astype(np.float32)
        voxels[0, 1, 1] = np.nan
        with pytest.raises(ValueError, match="1 labelled voxels have no finite attenuation"):
            score_calcium(voxels, self.labels, HALF_MM, affine_of(HALF_MM))

    @pytest.mark.parametrize("spacing", [(0.0, 0.5, 0.5), (3.0, -0.5, 0.5), (3.0, 0.5, float("nan")), (0.5, 0.5)])
    def test_impossible_spacing(self, spacing: tuple[float, ...]) -> None:
        with pytest.raises(ValueError, match="expected three positive numbers"):
            score_calcium(self.voxels, self.labels, spacing, affine_of(HALF_MM))

    def test_an_affine_in_array_order_instead_of_x_y_z(self) -> None:
        with pytest.raises(ValueError, match="affine has a spacing"):
            score_calcium(self.voxels, self.labels, HALF_MM, np.diag([*HALF_MM, 1.0]))

    @pytest.mark.parametrize(("factor", "source"), [(0.0, "x"), (-1.0, "x"), (float("inf"), "x"), (0.8, " ")])
    def test_a_mass_calibration_without_meaning(self, factor: float, source: str) -> None:
        with pytest.raises(ValueError, match="mass"):
            MassCalibration(factor, source)
