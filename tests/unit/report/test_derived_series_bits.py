"""In fifty series, one of them scanned by a real scanner, no stored bit outside the altered voxels changes."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from agatha.assemble import assemble_series
from agatha.dicom.ct_series import AssembledSeries
from agatha.report.derived_series import write_derived_series
from agatha.report.request import ReportRequest
from agatha.report.source_images import read_source_images
from builders.findings import contrast_request, contrast_volume, derived_request, write_ct_series
from coronary.coronary_tree import CoronaryTree
from coronary.ct_volume import CtVolume
from coronary.derived_findings import DerivedFindings, DerivedVolume

REAL = Path(__file__).parents[4] / "shared" / "data" / "real" / "csct_qrm_phantom_canon"

#: With the real scan, fifty.
SIMULATED = 49


@pytest.mark.parametrize("number", range(SIMULATED))
def test_a_simulated_scan_keeps_its_bits(number: int, tmp_path: Path) -> None:
    """As scanners differ: signed or not, 12 to 16 bits, a rescale per slice, padding, values beyond their range."""
    rng = np.random.default_rng([number, 50])
    volume, findings = contrast_volume()
    request = contrast_request(write_ct_series(tmp_path, volume, slice_thickness_mm=1.0), volume, findings)
    bits, is_signed = int(rng.integers(12, 17)), number % 2
    for z, path in enumerate(request.source_paths):
        dataset = dcmread(path)
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if is_signed else (0, 2**bits)
        stored = rng.integers(low, high, (dataset.Rows, dataset.Columns)).astype("<i2" if is_signed else "<u2")
        dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit = is_signed, bits, bits - 1
        dataset.RescaleSlope = float(rng.choice([1.0, 0.5, 1.25, 0.24]))
        dataset.RescaleIntercept = float(rng.integers(-1100, 100)) if z % 3 else -1024.0
        dataset.add_new("PixelPaddingValue", "SS" if is_signed else "US", int(stored[0, 0]))
        dataset.PixelData = stored.tobytes()
        dataset.save_as(path)
    check_bits(request, rng)


def test_a_real_scan_keeps_its_bits() -> None:
    if not REAL.is_dir():
        pytest.skip(f"no real data in {REAL}")
    assembled = assemble_series([path for path in sorted(REAL.iterdir()) if path.suffix not in (".txt", ".png")])
    assert isinstance(assembled, AssembledSeries)
    volume = assembled.volume
    request = derived_request(
        [piece.path for piece in assembled.slices], volume, unread(volume), src_digest=assembled.src_digest
    )
    check_bits(request, np.random.default_rng(50))


def unread(volume: CtVolume) -> DerivedFindings:
    """Findings of a scan without arteries: the images are what matters here."""
    none = np.zeros(0, np.int32)
    tree = CoronaryTree(
        (), (), None, (), (), (), volume.voxels_hu.shape, none.reshape(0, 3), none.astype(np.uint16), none
    )
    series = DerivedVolume("calcium-removed", volume.voxels_hu, np.zeros(volume.voxels_hu.shape, bool))
    return DerivedFindings((series,), (), "N", tree, (), {})


def check_bits(request: ReportRequest, rng: np.random.Generator) -> None:
    """Alter a thousandth of the voxels to any attenuation."""
    assert request.volume is not None
    shape = request.volume.voxels_hu.shape
    is_altered = rng.uniform(size=shape) < 1e-3
    wanted_hu = rng.integers(-4000, 6000, shape)
    written = write_derived_series("ct-calcium-removed", request, read_source_images(request), wanted_hu, is_altered)
    changed = 0
    for path, one, mask in zip(request.source_paths, written, is_altered, strict=True):
        before, after = stored_bits(dcmread(path)), stored_bits(dcmread(BytesIO(one.data)))
        assert np.array_equal(before[~mask], after[~mask])
        changed += np.count_nonzero(before[mask] != after[mask])
    assert changed > 0.5 * is_altered.sum()


def stored_bits(dataset: Dataset) -> np.ndarray:
    """Stored values as unsigned numbers of 16 bits, compressed or not."""
    if not dataset.file_meta.TransferSyntaxUID.is_compressed:
        return np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    return dataset.pixel_array.view("<u2")
