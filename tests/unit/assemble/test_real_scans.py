"""Scans of real scanners, sound and odd, next to the repository; skipped where they are not."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import generate_uid

from agatha.assemble import AssembledSeries, SeriesHeader, assemble_series, read_series_header
from agatha.assemble.instances import read_frames
from agatha.assemble.pixels import read_voxels_hu
from coronary.contract import Refusal

REAL = Path(__file__).parents[4] / "shared" / "data" / "real"
SYNTAXES = REAL / "odd_transfer_syntaxes_ct"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="real scans are not at ../shared/data/real")
#: Largest difference that the lossy versions of the one slice may have, HU (8-bit JPEG stores steps of 32 HU).
LOSSY_HU = {"1.2.840.10008.1.2.4.50": 64, "1.2.840.10008.1.2.4.81": 2, "1.2.840.10008.1.2.4.91": 8}
#: Retired or 12-bit JPEG, for which there is no decoder here: refused, and not taken on by the receiver.
UNDECODABLE = {"1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55"}


def files(folder: str, pattern: str = "*") -> list[Path]:
    paths = sorted(path for path in (REAL / folder).glob(pattern) if path.is_file())
    return [path for path in paths if path.suffix not in (".txt", ".png") and path.name != "LICENSE"]


def two_slices(folder: Path, path: Path) -> list[Path]:
    """One slice, and a copy of it 5 mm further: the smallest volume."""
    first, second = dcmread(path), dcmread(path)
    x, y, z = first.ImagePositionPatient
    second.ImagePositionPatient, second.SOPInstanceUID = [x, y, float(z) + 5], generate_uid()
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "first.dcm", folder / "second.dcm"]
    for dataset, target in zip((first, second), paths, strict=True):
        dcmwrite(target, dataset)
    return paths


def test_philips_chest_is_assembled_in_less_than_a_second() -> None:
    started = time.process_time()
    series = assemble_series(files("chestct_noncontrast_philips"))
    seconds = time.process_time() - started
    assert isinstance(series, AssembledSeries)
    assert series.volume.voxels_hu.shape == (48, 512, 512)
    assert series.volume.spacing_zyx_mm == pytest.approx((5.0, 0.841796875, 0.841796875))
    assert series.volume.voxels_hu[:, 0, 0].tolist() == [-1024] * 48
    assert not series.facts.is_gated
    assert (series.facts.kvp, series.facts.convolution_kernel) == (120.0, "B")
    assert [piece.position_lps_mm[2] for piece in series.slices] == sorted(
        piece.position_lps_mm[2] for piece in series.slices
    )
    assert seconds < 1.0 or "CI" in os.environ


def test_qrm_phantom_is_assembled_with_its_slices_of_air() -> None:
    series = assemble_series(files("csct_qrm_phantom_canon"))
    assert isinstance(series, AssembledSeries)
    assert series.volume.voxels_hu.shape == (47, 512, 512)
    assert series.volume.spacing_zyx_mm == pytest.approx((3.0, 0.488, 0.488))
    assert series.header.image_type == ("DERIVED", "PRIMARY", "MPR")
    assert (np.percentile(series.volume.voxels_hu, 99, axis=(1, 2)) < -500).any()
    assert series.volume.voxels_hu.max() > 500


def test_ge_head_with_gantry_tilt_is_refused() -> None:
    refusal = assemble_series(files("odd_ge_gantry_tilt_gaps"))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "TILTED_GANTRY"
    assert refusal.detail["tilt_deg"] == pytest.approx(18.5, abs=0.1)


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("S2010*", "TILTED_GANTRY"),
        ("S1000*", "NO_CT_IMAGES"),
        ("S4010*", "NO_CT_IMAGES"),
        ("*", "SEVERAL_SERIES"),
    ],
)
def test_philips_study_gives_no_volume(pattern: str, code: str) -> None:
    refusal = assemble_series(files("odd_philips_tilt_localizer_sc", pattern))
    assert isinstance(refusal, Refusal)
    assert refusal.code == code


def test_philips_localizer_and_screenshot_are_told_by_their_headers() -> None:
    localizer = read_series_header(files("odd_philips_tilt_localizer_sc", "S1000*"))
    screenshot = read_series_header(files("odd_philips_tilt_localizer_sc", "S4010*"))
    assert isinstance(localizer, SeriesHeader)
    assert isinstance(screenshot, SeriesHeader)
    assert "LOCALIZER" in localizer.image_type
    assert screenshot.sop_class_uid == "1.2.840.10008.5.1.4.1.1.7"


def test_perfusion_map_in_an_enhanced_object_is_not_hounsfield() -> None:
    for path in (REAL / "odd_pydicom" / "eCT_Supplemental.dcm", *files("odd_transfer_syntaxes_ct", "CT0012*")):
        refusal = assemble_series([path])
        assert isinstance(refusal, Refusal)
        assert refusal.code == "NOT_HOUNSFIELD_UNITS"


def test_enhanced_object_of_a_scanner_maker_is_assembled_once_its_values_are_hounsfield(tmp_path: Path) -> None:
    dataset = dcmread(REAL / "odd_pydicom" / "eCT_Supplemental.dcm")
    transformation = dataset.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence[0]
    transformation.RescaleType = "HU"
    path = tmp_path / "enhanced.dcm"
    dcmwrite(path, dataset)
    series = assemble_series([path])
    assert isinstance(series, AssembledSeries)
    # Rows run from left to right here, so the normal points to the feet: the upper frame (the second) comes first.
    assert [piece.frame for piece in series.slices] == [2, 1]
    assert np.array_equal(series.volume.voxels_hu, dataset.pixel_array[::-1].astype(np.int32) - 1024)
    assert series.volume.spacing_zyx_mm[0] == pytest.approx(10.0)


def test_ge_smartscore_headers() -> None:
    paths = files("odd_pydicom/dicomdirtests/98892001/CT5N")
    series = assemble_series(paths)
    assert isinstance(series, AssembledSeries)
    assert series.facts.series_description == "SmartScore - Gated 0.5 sec"
    assert series.facts.is_gated
    assert series.header.spacing_mm == pytest.approx(2.5)


def test_segmentation_objects_are_no_ct_series() -> None:
    header = read_series_header(files("ct3slice_with_seg_dcmqi", "liver.dcm"))
    assert isinstance(header, SeriesHeader)
    assert header.modality == "SEG"
    assert isinstance(assemble_series(files("ct3slice_with_seg_dcmqi", "0*.dcm")), AssembledSeries)


def syntax_files() -> list[Path]:
    return sorted(SYNTAXES.glob("CTImage.dcm_*")) if SYNTAXES.is_dir() else []


@pytest.mark.parametrize("path", syntax_files(), ids=lambda path: path.stem.partition("_")[2])
def test_transfer_syntax_gives_the_same_hu(path: Path, tmp_path: Path) -> None:
    reference = assemble_series(two_slices(tmp_path / "reference", SYNTAXES / "CTImage.dcm"))
    assert isinstance(reference, AssembledSeries)
    syntax = dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
    result = assemble_series(two_slices(tmp_path / "other", path))
    if syntax in UNDECODABLE:
        assert isinstance(result, Refusal)
        assert result.code == "PIXELS_UNREADABLE"
        return
    assert isinstance(result, AssembledSeries), result
    difference = np.abs(result.volume.voxels_hu.astype(int) - reference.volume.voxels_hu)
    assert difference.max() <= LOSSY_HU.get(syntax, 0)
    if syntax in ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.81"):
        assert result.facts.is_lossy_compressed


@pytest.mark.parametrize("suffix", ["4.50", "4.57", "4.70", "4.90", "5"])
def test_cut_codestream_is_refused_never_filled_with_grey(suffix: str, tmp_path: Path) -> None:
    (path,) = SYNTAXES.glob(f"CTImage.dcm_*_1.2.840.10008.1.2.{suffix}.dcm")
    paths = two_slices(tmp_path, path)
    dataset = dcmread(paths[0])
    codestream = next(generate_frames(dataset.PixelData, number_of_frames=1))
    dataset.PixelData = encapsulate([codestream[: len(codestream) // 40 * 39 // 2 * 2]])
    dcmwrite(paths[0], dataset)
    refusal = assemble_series(paths)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "PIXELS_UNREADABLE"


@pytest.mark.parametrize(
    ("name", "lowest_hu", "highest_hu"),
    [
        ("J2K_pixelrep_mismatch.dcm", -1047, 1896),
        ("explicit_VR-UN.dcm", -1024, 1186),
    ],
)
def test_oddly_written_slices_decode(name: str, lowest_hu: int, highest_hu: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the files break rules, which is why they are here
        voxels_hu = read_voxels_hu(read_frames([REAL / "odd_pydicom" / name]))
    assert (voxels_hu.min(), voxels_hu.max()) == (lowest_hu, highest_hu)


def test_instance_with_an_invalid_uid_is_refused() -> None:
    refusal = read_series_header([REAL / "odd_pydicom" / "bad_sequence.dcm"])
    assert isinstance(refusal, Refusal)
    assert refusal.code == "HEADER_UNREADABLE"
