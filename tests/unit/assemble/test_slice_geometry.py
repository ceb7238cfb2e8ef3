"""Which series make a volume, and which are refused because of where their slices lie."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from agatha.assemble import AssembledSeries, SeriesHeader, assemble_series, read_series_header
from agatha.dicom.uids import src_digest
from builders.ct_series import FAULTS, build_ct_series, build_enhanced_ct, copies, stored_values
from coronary.contract import Refusal


def assembled(paths: list[Path]) -> AssembledSeries:
    result = assemble_series(paths)
    assert isinstance(result, AssembledSeries), result
    return result


def refused(paths: list[Path]) -> Refusal:
    result = assemble_series(paths)
    assert isinstance(result, Refusal)
    assert result.code == result.code.upper()
    assert result.text.endswith(".")
    return result


def test_sound_series_becomes_a_volume_from_foot_to_head(tmp_path: Path) -> None:
    series = assembled(build_ct_series(tmp_path, slices=10, rows=32))
    assert series.volume.voxels_hu.shape == (10, 32, 32)
    assert series.volume.voxels_hu.dtype == np.int16
    assert series.volume.spacing_zyx_mm == (3.0, 10.0, 10.0)
    assert series.volume.to_lps_mm(np.zeros(3)).tolist() == [-155.0, -155.0, -13.5]
    assert [piece.position_lps_mm[2] for piece in series.slices] == [-13.5 + 3 * z for z in range(10)]
    assert series.notes == ()
    assert series.src_digest == src_digest((piece.sop_instance_uid, None) for piece in series.slices)


def test_gap_is_refused_with_its_position(tmp_path: Path) -> None:
    refusal = refused(build_ct_series(tmp_path, fault="gap", slices=10))
    assert refusal.code == "GAP_BETWEEN_SLICES"
    assert refusal.detail == {"position_mm": -1.5, "step_mm": 6.0, "spacing_mm": 3.0, "missing_slices": 1}
    assert "-1.50 mm" in refusal.text


def test_gap_of_several_slices_is_counted(tmp_path: Path) -> None:
    refusal = refused(build_ct_series(tmp_path, slices=12, change=lambda sets: [*sets[:3], *sets[5:8], *sets[9:]]))
    assert (refusal.code, refusal.detail["missing_slices"]) == ("GAP_BETWEEN_SLICES", 3)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("tilt", "TILTED_GANTRY"),
        ("irregular_spacing", "IRREGULAR_SPACING"),
        ("shift", "IN_PLANE_SHIFT"),
        ("mixed_orientation", "MIXED_ORIENTATION"),
        ("mixed_matrix", "MIXED_MATRIX"),
        ("mixed_kernels", "MIXED_KERNELS"),
        ("mixed_kvp", "MIXED_KVP"),
        ("different_duplicates", "AMBIGUOUS_DUPLICATES"),
        ("localizer", "NO_CT_IMAGES"),
    ],
)
def test_fault_of_the_stack_is_refused_by_name(tmp_path: Path, fault: str, code: str) -> None:
    assert refused(build_ct_series(tmp_path, fault=fault, slices=12, rows=16)).code == code


def test_tilt_is_measured(tmp_path: Path) -> None:
    assert refused(build_ct_series(tmp_path, fault="tilt", slices=6)).detail["tilt_deg"] == pytest.approx(15, abs=0.01)


@pytest.mark.parametrize(
    ("fault", "attribute"),
    [
        ("missing_position", "ImagePositionPatient"),
        ("missing_orientation", "ImageOrientationPatient"),
        ("missing_pixel_spacing", "PixelSpacing"),
    ],
)
def test_missing_geometry_names_attribute_and_instance(tmp_path: Path, fault: str, attribute: str) -> None:
    paths = build_ct_series(tmp_path, fault=fault, slices=8, rows=16)
    refusal = refused(paths)
    assert (refusal.code, refusal.detail["attribute"]) == ("MISSING_GEOMETRY", attribute)
    assert refusal.detail["instance"] == paths[5].stem
    assert isinstance(read_series_header(paths), SeriesHeader)


@pytest.mark.parametrize(
    "attributes",
    [{"PixelSpacing": [0, 0]}, {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, {"ImageOrientationPatient": [0] * 6}],
)
def test_impossible_geometry_is_refused(tmp_path: Path, attributes: dict[str, list[int]]) -> None:
    assert refused(build_ct_series(tmp_path, slices=3, rows=16, **attributes)).code == "INVALID_GEOMETRY"


def test_single_slice_is_no_volume(tmp_path: Path) -> None:
    assert refused(build_ct_series(tmp_path, slices=1)).code == "TOO_FEW_SLICES"


def test_few_or_thick_slices_are_the_routers_matter(tmp_path: Path) -> None:
    assert assembled(build_ct_series(tmp_path / "few", slices=4, rows=16)).header.slice_count == 4
    thick = assembled(build_ct_series(tmp_path / "thick", slices=12, spacing_mm=8.0, rows=16))
    assert thick.facts.slice_thickness_mm == thick.header.spacing_mm == 8.0


def test_overlapping_slices_are_spaced_by_position_not_by_thickness(tmp_path: Path) -> None:
    series = assembled(build_ct_series(tmp_path, slices=6, spacing_mm=1.5, thickness_mm=3.0, rows=16))
    assert series.volume.spacing_zyx_mm[0] == 1.5


@pytest.mark.parametrize("spacing", [-3.0, 99.0])
def test_spacing_between_slices_is_not_believed(tmp_path: Path, spacing: float) -> None:
    series = assembled(build_ct_series(tmp_path, slices=6, rows=16, SpacingBetweenSlices=spacing))
    assert series.volume.spacing_zyx_mm[0] == 3.0


def test_rounded_positions_do_not_add_up(tmp_path: Path) -> None:
    def rounded(datasets: list[Dataset]) -> list[Dataset]:
        for index, dataset in enumerate(datasets):
            dataset.ImagePositionPatient = [-160, -160, round(0.625 * index, 2)]
        return datasets

    series = assembled(build_ct_series(tmp_path, slices=41, rows=8, change=rounded))
    assert series.volume.to_lps_mm(np.array([40.0, 0, 0]))[2] == pytest.approx(25.0, abs=1e-4)


def test_step_within_one_percent_is_regular_and_beyond_is_not(tmp_path: Path) -> None:
    def moved(by_mm: float) -> list[Path]:
        def change(datasets: list[Dataset]) -> list[Dataset]:
            x, y, z = datasets[-1].ImagePositionPatient
            datasets[-1].ImagePositionPatient = [x, y, z + by_mm]
            return datasets

        return build_ct_series(tmp_path / str(by_mm), slices=6, spacing_mm=8.0, rows=8, change=change)

    assembled(moved(0.079))
    assert refused(moved(0.081)).code == "IRREGULAR_SPACING"


# ── the same volume, however it is stored ────────────────────────────────────────────────────────────────────────────


def test_order_of_files_and_numbers_changes_nothing(tmp_path: Path) -> None:
    paths = build_ct_series(tmp_path, slices=8, rows=16)
    reference = assembled(paths)
    for seed in range(4):
        shuffled = random.Random(seed).sample(paths, len(paths))
        again = assembled(shuffled)
        assert np.array_equal(again.volume.voxels_hu, reference.volume.voxels_hu)
        assert (again.slices, again.src_digest, again.header) == (
            reference.slices,
            reference.src_digest,
            reference.header,
        )
        assert read_series_header(shuffled) == reference.header


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flip_rows=st.booleans(), flip_columns=st.booleans(), transpose=st.booleans(), seed=st.integers(0, 99))
def test_stored_flips_give_the_same_volume_in_the_patient(
    tmp_path: Path, flip_rows: bool, flip_columns: bool, transpose: bool, seed: int
) -> None:
    folder = tmp_path / f"{flip_rows}{flip_columns}{transpose}{seed}"
    options = {"slices": 5, "rows": 12}

    def turned(datasets: list[Dataset]) -> list[Dataset]:
        for dataset in datasets:
            values = stored_values(dataset)
            pixel_mm = float(dataset.PixelSpacing[0])
            corner = np.array([float(value) for value in dataset.ImagePositionPatient])
            along_row, along_column = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
            if flip_columns:
                values, corner, along_row = values[:, ::-1], corner + 11 * pixel_mm * along_row, -along_row
            if flip_rows:
                values, corner, along_column = values[::-1], corner + 11 * pixel_mm * along_column, -along_column
            if transpose:
                values, along_row, along_column = values.T, along_column, along_row
            dataset.PixelData = np.ascontiguousarray(values).astype("<u2").tobytes()
            dataset.ImagePositionPatient = list(corner)
            dataset.ImageOrientationPatient = [*along_row, *along_column]
        return random.Random(seed).sample(datasets, len(datasets))

    reference = assembled(build_ct_series(folder / "a", **options)).volume
    volume = assembled(build_ct_series(folder / "b", change=turned, **options)).volume
    points = reference.to_lps_mm(np.argwhere(np.ones(reference.voxels_hu.shape)).astype(np.float64))
    index = np.rint(volume.to_index_zyx(points)).astype(int)
    assert np.array_equal(volume.voxels_hu[tuple(index.T)], reference.voxels_hu.ravel())


def test_oblique_slices_lie_on_their_normal(tmp_path: Path) -> None:
    cosine, sine = np.cos(0.3), np.sin(0.3)

    def oblique(datasets: list[Dataset]) -> list[Dataset]:
        for index, dataset in enumerate(datasets):
            dataset.ImageOrientationPatient = [1, 0, 0, 0, round(float(cosine), 8), round(float(sine), 8)]
            dataset.ImagePositionPatient = [0, round(float(-2 * index * sine), 6), round(float(2 * index * cosine), 6)]
        return datasets

    series = assembled(build_ct_series(tmp_path, slices=5, rows=16, change=oblique))
    assert series.volume.spacing_zyx_mm[0] == pytest.approx(2.0, abs=1e-5)
    last = series.volume.to_lps_mm(np.array([4.0, 0, 0]))
    assert last == pytest.approx([0, -8 * sine, 8 * cosine], abs=1e-4)


# ── slices that do not belong, or belong to another volume ───────────────────────────────────────────────────────────


def test_exact_copies_are_dropped_with_a_note(tmp_path: Path) -> None:
    sound = build_ct_series(tmp_path / "a", slices=8, rows=16)
    series = assembled(build_ct_series(tmp_path / "b", slices=8, rows=16, fault="identical_duplicates"))
    assert np.array_equal(series.volume.voxels_hu, assembled(sound).volume.voxels_hu)
    assert [note.code for note in series.notes] == ["DUPLICATES_DROPPED"]
    assert len(series.slices) == 8


def test_localizer_within_the_series_is_left_out_with_a_note(tmp_path: Path) -> None:
    series = assembled(build_ct_series(tmp_path, slices=8, rows=16, fault="with_localizer"))
    assert [note.code for note in series.notes] == ["OTHER_IMAGES_LEFT_OUT"]
    assert series.header.image_type == ("ORIGINAL", "PRIMARY", "AXIAL")


def test_diastolic_phase_is_taken_from_two(tmp_path: Path) -> None:
    sound = assembled(build_ct_series(tmp_path / "a", slices=8, rows=16))
    paths = build_ct_series(tmp_path / "b", slices=8, rows=16, fault="mixed_phases")
    series = assembled(paths)
    assert np.array_equal(series.volume.voxels_hu, sound.volume.voxels_hu)
    assert [note.code for note in series.notes] == ["PHASE_CHOSEN"]
    assert "70 %" in series.notes[0].text
    assert series.facts.cardiac_phase_percent == 70.0
    header = read_series_header(paths)
    assert isinstance(header, SeriesHeader)
    assert (header.phases, header.slice_count) == (2, 8)


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ({"ScanOptions": "BESTDIAST"}, {"ScanOptions": "TP75PC"}, 0),
        ({"ScanOptions": "TP75PC"}, {"ScanOptions": "BESTSYST"}, 0),
        ({"ScanOptions": "TP40PC"}, {"ScanOptions": "BESTSYST"}, 1),
        ({"ScanOptions": "TP40PC"}, {"ScanOptions": "TP55PC"}, 0),
        ({"TriggerTime": 300, "HeartRate": 60}, {"TriggerTime": 740, "HeartRate": 60}, 1),
        ({"NominalPercentageOfCardiacPhase": 72}, {"NominalPercentageOfCardiacPhase": 78}, 0),
        ({"AcquisitionNumber": 4}, {"AcquisitionNumber": 3}, 1),
    ],
)
def test_preferred_volume_of_two(
    tmp_path: Path, first: dict[str, object], second: dict[str, object], taken: int
) -> None:
    def two(datasets: list[Dataset]) -> list[Dataset]:
        for dataset in datasets:
            dataset.SeriesDescription, dataset.ScanOptions = "Heart", ""
        other = copies(datasets, RescaleIntercept=-1000, **second)
        for dataset in datasets:
            for keyword, value in first.items():
                setattr(dataset, keyword, value)
        return datasets + other

    series = assembled(build_ct_series(tmp_path, slices=6, rows=16, change=two))
    expected = assembled(build_ct_series(tmp_path / "sound", slices=6, rows=16)).volume.voxels_hu + 24 * taken
    assert np.array_equal(series.volume.voxels_hu, expected)
    assert len(series.notes) == 1


def test_slab_numbers_separate_nothing(tmp_path: Path) -> None:
    def slabs(datasets: list[Dataset]) -> list[Dataset]:
        for index, dataset in enumerate(datasets):
            dataset.AcquisitionNumber, dataset.TriggerTime = index // 4, 700 + index // 4
        return datasets

    series = assembled(build_ct_series(tmp_path, slices=12, rows=16, change=slabs))
    assert len(series.slices) == 12
    assert series.notes == ()


def test_interleaved_acquisitions_with_a_gap_are_not_halved(tmp_path: Path) -> None:
    def interleaved(datasets: list[Dataset]) -> list[Dataset]:
        for index, dataset in enumerate(datasets):
            dataset.AcquisitionNumber = index % 2
        return [*datasets[:5], *datasets[6:]]

    assert refused(build_ct_series(tmp_path, slices=12, rows=16, change=interleaved)).code == "GAP_BETWEEN_SLICES"


def test_incomplete_phase_is_not_preferred_to_a_complete_one(tmp_path: Path) -> None:
    def one_missing(datasets: list[Dataset]) -> list[Dataset]:
        both = FAULTS["mixed_phases"](datasets)
        return [dataset for dataset in both if dataset is not datasets[3]]

    series = assembled(build_ct_series(tmp_path, slices=8, rows=16, change=one_missing))
    assert series.facts.cardiac_phase_percent == 40.0


def test_half_of_the_stack_with_another_matrix_is_never_scored_alone(tmp_path: Path) -> None:
    paths = build_ct_series(tmp_path, slices=40, rows=16, fault="mixed_matrix")
    assert refused(paths).code == "MIXED_MATRIX"


def test_phases_that_only_the_numbering_tells_apart_are_noted(tmp_path: Path) -> None:
    paths = build_ct_series(
        tmp_path, slices=6, rows=16, change=lambda sets: sets + copies(sets, RescaleIntercept=-1000)
    )
    series = assembled(paths)
    assert [note.code for note in series.notes] == ["PHASES_NOT_LABELLED"]
    expected = assembled(build_ct_series(tmp_path / "sound", slices=6, rows=16)).volume.voxels_hu
    assert np.array_equal(series.volume.voxels_hu, expected)


def test_whole_series_sent_twice_under_other_uids_is_one_volume(tmp_path: Path) -> None:
    series = assembled(build_ct_series(tmp_path, slices=6, rows=16, change=lambda sets: sets + copies(sets)))
    assert [note.code for note in series.notes] == ["DUPLICATES_DROPPED"]


# ── enhanced multi-frame ─────────────────────────────────────────────────────────────────────────────────────────────


def test_enhanced_object_gives_the_volume_of_the_single_frames(tmp_path: Path) -> None:
    single = assembled(build_ct_series(tmp_path / "a", slices=8, rows=16))
    enhanced = assembled(build_enhanced_ct(tmp_path / "b", slices=8, rows=16))
    assert np.array_equal(enhanced.volume.voxels_hu, single.volume.voxels_hu)
    assert np.array_equal(enhanced.volume.affine_lps, single.volume.affine_lps)
    assert [piece.frame for piece in enhanced.slices] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert enhanced.facts.kvp == 120.0
    assert enhanced.facts.convolution_kernel == "B35f"
    assert enhanced.is_proven_complete


def test_best_phase_of_an_enhanced_object(tmp_path: Path) -> None:
    single = assembled(build_ct_series(tmp_path / "a", slices=6, rows=16))
    enhanced = assembled(build_enhanced_ct(tmp_path / "b", slices=6, rows=16, phases_percent=(40.0, 75.0, 90.0)))
    assert np.array_equal(enhanced.volume.voxels_hu, single.volume.voxels_hu + 1)
    assert [piece.frame for piece in enhanced.slices] == [12, 11, 10, 9, 8, 7]
    assert enhanced.header.phases == 3


def test_enhanced_object_with_too_few_frames_described_is_refused(tmp_path: Path) -> None:
    def shortened(datasets: list[Dataset]) -> list[Dataset]:
        datasets[0].NumberOfFrames = 9
        return datasets

    assert refused(build_enhanced_ct(tmp_path, slices=8, rows=16, change=shortened)).code == "FRAMES_INCONSISTENT"


# ── completeness ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("announced", "is_proven"), [(None, False), (8, True), (9, False)])
def test_completeness_is_proven_by_images_in_acquisition(
    tmp_path: Path, announced: int | None, is_proven: bool
) -> None:
    paths = build_ct_series(tmp_path, slices=8, rows=16, ImagesInAcquisition=announced)
    assert assembled(paths).is_proven_complete is is_proven


def test_chosen_phase_is_never_proven_complete(tmp_path: Path) -> None:
    paths = build_ct_series(tmp_path, slices=8, rows=16, fault="mixed_phases", ImagesInAcquisition=8)
    assert not assembled(paths).is_proven_complete


def test_part_of_a_concatenation_is_not_complete(tmp_path: Path) -> None:
    def concatenated(datasets: list[Dataset]) -> list[Dataset]:
        datasets[0].ConcatenationUID, datasets[0].InConcatenationTotalNumber = "1.2.3", 2
        return datasets

    assert not assembled(build_enhanced_ct(tmp_path, slices=8, rows=16, change=concatenated)).is_proven_complete
