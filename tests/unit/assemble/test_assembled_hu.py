"""From stored pixels to HU: rescale, padding, sign, and what is refused."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from agatha.assemble import AssembledSeries, assemble_series, read_series_header
from builders.ct_series import build_ct_series, stored_values
from coronary.contract import Refusal

ROWS = 16


def voxels_hu(paths: list[Path]) -> np.ndarray:
    result = assemble_series(paths)
    assert isinstance(result, AssembledSeries), result
    return result.volume.voxels_hu


def code(paths: list[Path]) -> str:
    result = assemble_series(paths)
    assert isinstance(result, Refusal)
    return result.code


def series_of(folder: Path, stored: np.ndarray, **attributes: object) -> list[Path]:
    """Three slices with the given stored values, signed when any is negative."""
    is_signed = int(stored.min() < 0)

    def change(datasets: list[Dataset]) -> list[Dataset]:
        for dataset in datasets:
            dataset.Rows, dataset.Columns = stored.shape
            dataset.PixelRepresentation = attributes.get("PixelRepresentation", is_signed)
            dataset.PixelData = stored.astype("<i2" if is_signed else "<u2").tobytes()
        return datasets

    wide = {"BitsStored": 16, "HighBit": 15}
    return build_ct_series(folder, slices=3, rows=4, change=change, **{**wide, **attributes})


@pytest.fixture
def stored() -> np.ndarray:
    return np.array([[0, 24, 1024, 1154], [1155, 2048, 3000, 4095]])


def test_rescale_of_each_slice_is_its_own(tmp_path: Path) -> None:
    sound = voxels_hu(build_ct_series(tmp_path / "a", slices=8, rows=ROWS))
    rescaled = voxels_hu(build_ct_series(tmp_path / "b", slices=8, rows=ROWS, fault="per_slice_rescale"))
    assert np.max(np.abs(rescaled.astype(int) - sound)) <= 1


def test_fractional_slope_is_rounded_not_cut(tmp_path: Path, stored: np.ndarray) -> None:
    hu = voxels_hu(series_of(tmp_path, stored, RescaleSlope=0.1127, RescaleIntercept=0))
    assert hu[0, 0, 3] == 130  # 130.06
    assert hu[0, 0, 2] == 115  # 115.40
    assert hu[0, 1, 1] == 231  # 230.81


def test_flagged_padding_becomes_air(tmp_path: Path) -> None:
    sound = voxels_hu(build_ct_series(tmp_path / "a", slices=6, rows=ROWS))
    padded = voxels_hu(build_ct_series(tmp_path / "b", slices=6, rows=ROWS, fault="padding"))
    assert (padded[:, 0, 0] == -1024).all()
    assert np.array_equal(padded[:, 4:12, 4:12], sound[:, 4:12, 4:12])


def test_padding_range_is_in_stored_values(tmp_path: Path, stored: np.ndarray) -> None:
    hu = voxels_hu(series_of(tmp_path, stored, PixelPaddingValue=0, PixelPaddingRangeLimit=30, RescaleIntercept=0))
    assert hu[0].tolist() == [[-1024, -1024, 1024, 1154], [1155, 2048, 3000, 4095]]


def test_padding_written_with_the_other_sign_is_understood(tmp_path: Path) -> None:
    values = np.array([[-2000, 0], [40, 300]])
    hu = voxels_hu(series_of(tmp_path, values, RescaleIntercept=0, PixelPaddingValue=-2000))
    assert hu[0].tolist() == [[-1024, 0], [40, 300]]
    unsigned = np.array([[63536, 1024], [1064, 1324]])
    narrow = {"BitsStored": 12, "HighBit": 11}
    hu = voxels_hu(series_of(tmp_path / "u", unsigned, PixelPaddingValue=63536, **narrow))
    assert hu[0].tolist() == [[-1024, 0], [40, 300]]


def test_padding_that_would_erase_calcium_is_refused(tmp_path: Path, stored: np.ndarray) -> None:
    assert code(series_of(tmp_path, stored, PixelPaddingValue=1155)) == "PADDING_WITHIN_TISSUE"
    assert code(series_of(tmp_path / "r", stored, PixelPaddingValue=0, PixelPaddingRangeLimit=4095)) == (
        "PADDING_WITHIN_TISSUE"
    )


@pytest.mark.parametrize(
    ("constant_hu", "expected_hu"), [(-2000, -1024), (-3024, -1024), (-1500, -1024), (-1300, -1300)]
)
def test_unflagged_constants_outside_the_field_of_view_become_air(
    tmp_path: Path, constant_hu: int, expected_hu: int
) -> None:
    hu = voxels_hu(series_of(tmp_path, np.array([[constant_hu, 0], [40, 300]]), RescaleIntercept=0))
    assert hu[0].tolist() == [[expected_hu, 0], [40, 300]]


def test_monochrome1_is_not_inverted(tmp_path: Path) -> None:
    sound = voxels_hu(build_ct_series(tmp_path / "a", slices=4, rows=ROWS))
    other = voxels_hu(build_ct_series(tmp_path / "b", slices=4, rows=ROWS, PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(other, sound)


def test_values_that_do_not_fit_int16_are_clipped(tmp_path: Path, stored: np.ndarray) -> None:
    assert voxels_hu(series_of(tmp_path, stored, RescaleSlope=100)).max() == 32767


def test_missing_sign_bits_are_repeated(tmp_path: Path) -> None:
    values = np.array([[4096 - 1000, 0], [40, 300]])  # -1000 in 12 bits, the upper four empty
    options = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 1, "RescaleIntercept": 0}
    assert voxels_hu(series_of(tmp_path, values, **options))[0].tolist() == [[-1000, 0], [40, 300]]


def test_values_beyond_bits_stored_are_refused_not_cut(tmp_path: Path) -> None:
    values = np.array([[0, 4096 + 20], [40, 300]])
    assert code(series_of(tmp_path, values, BitsStored=12, HighBit=11)) == "UNSUPPORTED_PIXELS"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("truncated_pixels", "PIXELS_UNREADABLE"),
        ("modality_lut", "MODALITY_LUT_NOT_SUPPORTED"),
        ("not_hounsfield", "NOT_HOUNSFIELD_UNITS"),
        ("missing_rescale", "MISSING_RESCALE"),
        ("colour", "NOT_GREYSCALE"),
    ],
)
def test_pixels_that_give_no_hu_are_refused_with_the_instance(tmp_path: Path, fault: str, expected: str) -> None:
    paths = build_ct_series(tmp_path, slices=8, rows=ROWS, fault=fault)
    refusal = assemble_series(paths)
    assert isinstance(refusal, Refusal)
    assert refusal.code == expected
    named = [path for path in paths if path.stem in refusal.text]
    assert named == ([paths[5]] if fault != "not_hounsfield" else named[:1])


@pytest.mark.parametrize("attributes", [{"RescaleSlope": 0}, {"HighBit": 15}, {"BitsStored": 0, "HighBit": None}])
def test_impossible_pixel_descriptions_are_refused(tmp_path: Path, attributes: dict[str, int | None]) -> None:
    expected = "MISSING_RESCALE" if "RescaleSlope" in attributes else "UNSUPPORTED_PIXELS"
    assert code(build_ct_series(tmp_path, slices=3, rows=ROWS, **attributes)) == expected


def test_forged_size_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    assert code(build_ct_series(tmp_path, slices=3, rows=ROWS, Rows=65535, Columns=65535)) == "VOLUME_TOO_LARGE"


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_instances_is_a_refusal() -> None:
    for ask in (read_series_header, assemble_series):
        refusal = ask([])
        assert isinstance(refusal, Refusal)
        assert refusal.code == "NO_INSTANCES"


def test_file_that_is_no_dicom_is_refused(tmp_path: Path) -> None:
    paths = build_ct_series(tmp_path, slices=3, rows=ROWS)
    paths[1].write_bytes(b"not a DICOM file at all" * 20)
    for ask in (read_series_header, assemble_series):
        refusal = ask(paths)
        assert isinstance(refusal, Refusal)
        assert refusal.code == "HEADER_UNREADABLE"


def test_two_series_are_not_mixed(tmp_path: Path) -> None:
    paths = build_ct_series(tmp_path / "a", slices=3, rows=ROWS) + build_ct_series(tmp_path / "b", slices=3, rows=ROWS)
    assert code(paths) == "SEVERAL_SERIES"


def test_missing_file_is_an_error_of_the_disk_not_of_the_series(tmp_path: Path) -> None:
    paths = build_ct_series(tmp_path, slices=3, rows=ROWS)
    paths[0].unlink()
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is checked below
        assemble_series(paths)
    assert caught.value.errno == errno.ENOENT


@pytest.mark.parametrize("seed", range(60))
def test_damaged_bytes_never_raise(tmp_path: Path, seed: int) -> None:
    paths = build_ct_series(tmp_path, slices=3, rows=8)
    generator = np.random.default_rng(seed)
    damaged = bytearray(paths[0].read_bytes())
    for place in generator.integers(132, len(damaged), 6):
        damaged[place] = generator.integers(256)
    if seed % 4 == 0:
        del damaged[generator.integers(len(damaged)) :]
    paths[0].write_bytes(damaged)
    for ask in (read_series_header, assemble_series):
        result = ask(paths)
        assert not isinstance(result, Refusal) or result.code


def test_no_patient_data_in_refusals(tmp_path: Path) -> None:
    for fault in ("gap", "missing_position", "truncated_pixels", "not_hounsfield", "different_duplicates"):
        names = {"PatientName": "CANARY^PHI", "PatientID": "CANARY"}
        refusal = assemble_series(build_ct_series(tmp_path / fault, slices=8, rows=ROWS, fault=fault, **names))
        assert isinstance(refusal, Refusal)
        assert "CANARY" not in repr(refusal)


def test_stored_values_of_the_builder_match(tmp_path: Path) -> None:
    seen: list[np.ndarray] = []

    def remember(datasets: list[Dataset]) -> list[Dataset]:
        seen.extend(stored_values(dataset) for dataset in datasets)
        return datasets

    hu = voxels_hu(build_ct_series(tmp_path, slices=4, rows=ROWS, change=remember))
    assert np.array_equal(hu, np.stack(seen) - 1024)
