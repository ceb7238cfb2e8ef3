"""Every mask lies on the slice it was drawn on, however the source is stored."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from agatha.report import SourceMismatch, write_objects
from agatha.report.segmentation import write_lesion_segmentation, write_vessel_segmentation
from agatha.report.source_images import read_source_images
from builders.findings import (
    FRAME_OF_REFERENCE_UID,
    PatientHeader,
    axial_affine,
    calcified_volume,
    findings_of,
    report_request,
    rotated_affine,
    write_ct_series,
    write_enhanced_ct,
)

AFFINES = {
    "head first supine": axial_affine(),
    "slices from head to feet": axial_affine() @ np.diag([1, 1, -1, 1.0]),
    "prone": rotated_affine(axial_affine(), (0, 0, 180)),
    "feet first": rotated_affine(axial_affine(), (0, 180, 0)),
    "oblique": rotated_affine(axial_affine((1.25, 0.7, 0.4)), (9, -6, 21)),
    "coronal rows": rotated_affine(axial_affine(), (90, 0, 0)),
    "odd spacing": axial_affine((2.9999999, 0.4882812, 0.33333333), (-123.456789, 98.7654321, -1234.56789)),
}


def _masks(seg_bytes: bytes, uids: list[str]) -> NDArray[np.uint8]:
    seg = hd.seg.segread(BytesIO(seg_bytes))
    mask: NDArray[np.uint8] = seg.get_pixels_by_source_instance(
        uids, combine_segments=True, assert_missing_frames_are_empty=True
    )
    return mask


@pytest.mark.parametrize("name", sorted(AFFINES))
def test_mask_is_found_again_by_source_instance_and_by_position(name: str, tmp_path: Path) -> None:
    volume, labels = calcified_volume((9, 40, 48), AFFINES[name], lesions_per_vessel=1)
    findings = findings_of(volume, labels)
    paths = write_ct_series(tmp_path, volume, spacing_between_slices=-3.0)
    request = report_request(paths, volume, findings)
    data = write_lesion_segmentation(request, read_source_images(request)).data
    sources = [dcmread(path) for path in paths]
    by_instance = _masks(data, [source.SOPInstanceUID for source in sources])
    np.testing.assert_array_equal(by_instance, findings.lesion_labels)
    position = {source.SOPInstanceUID: list(source.ImagePositionPatient) for source in sources}
    seg = dcmread(BytesIO(data))
    assert seg.FrameOfReferenceUID == FRAME_OF_REFERENCE_UID
    for groups in seg.PerFrameFunctionalGroupsSequence:
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        assert list(groups.PlanePositionSequence[0].ImagePositionPatient) == position[source.ReferencedSOPInstanceUID]
        assert source.SpatialLocationsPreserved == "YES"
    measures = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert float(measures.SpacingBetweenSlices) == pytest.approx(volume.spacing_zyx_mm[0], rel=1e-6)


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
def test_mask_on_an_enhanced_source_names_instance_and_frame(order: str, tmp_path: Path) -> None:
    volume, labels = calcified_volume((9, 40, 48), lesions_per_vessel=1)
    findings = findings_of(volume, labels)
    frame_order = list(range(9))
    if order == "descending":
        frame_order.reverse()
    elif order == "shuffled":
        np.random.default_rng(3).shuffle(frame_order)
    path = tmp_path / "enhanced.dcm"
    frames = write_enhanced_ct(path, volume, frame_order)
    request = report_request([path] * 9, volume, findings, source_frames=frames)
    objects = {one.kind: one.data for one in write_objects(request)}
    source = dcmread(path)
    seg = hd.seg.segread(BytesIO(objects["seg-vessels"]))
    mask = seg.get_pixels_by_source_frame(
        source.SOPInstanceUID, frames, combine_segments=True, assert_missing_frames_are_empty=True
    )
    np.testing.assert_array_equal(mask, findings.vessel_labels)
    key_images = dcmread(BytesIO(objects["key-images"]))
    for item in key_images.ContentSequence:
        if item.ValueType == "IMAGE":
            reference = item.ReferencedSOPSequence[0]
            assert reference.ReferencedSOPClassUID == source.SOPClassUID
            assert findings.vessel_labels[frames.index(reference.ReferencedFrameNumber)].any()


def test_source_without_thickness_and_frame_of_reference_gets_a_segmentation(tmp_path: Path) -> None:
    volume, labels = calcified_volume((9, 40, 48), lesions_per_vessel=1)
    paths = write_ct_series(tmp_path, volume, slice_thickness_mm=None)
    for path in paths:
        dataset = dcmread(path)
        del dataset.FrameOfReferenceUID
        dataset.save_as(path)
    findings = findings_of(volume, labels)
    request = report_request(paths, volume, findings)
    first, again = (write_vessel_segmentation(request, read_source_images(request)) for _ in range(2))
    assert dcmread(BytesIO(first.data)).FrameOfReferenceUID.startswith("2.25.")
    assert first.data == again.data
    uids = [dcmread(path).SOPInstanceUID for path in paths]
    np.testing.assert_array_equal(_masks(first.data, uids), findings.vessel_labels)


def test_files_in_another_order_than_the_volume_are_refused(tmp_path: Path) -> None:
    volume, labels = calcified_volume((9, 40, 48), lesions_per_vessel=1)
    paths = write_ct_series(tmp_path, volume)
    with pytest.raises(SourceMismatch, match="source slice 0 lies"):
        write_objects(report_request(paths[::-1], volume, findings_of(volume, labels)))


def test_a_mirrored_volume_is_refused(tmp_path: Path) -> None:
    volume, labels = calcified_volume((9, 40, 48), lesions_per_vessel=1)
    paths = write_ct_series(tmp_path, volume)
    for path in paths:
        dataset = dcmread(path)
        dataset.ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]
        dataset.save_as(path)
    with pytest.raises(SourceMismatch, match="axes of source slice 0"):
        write_objects(report_request(paths, volume, findings_of(volume, labels)))


def test_files_of_two_series_are_refused(tmp_path: Path) -> None:
    volume, labels = calcified_volume((9, 40, 48), lesions_per_vessel=1)
    paths = write_ct_series(tmp_path, volume)
    dataset = dcmread(paths[3])
    dataset.SeriesInstanceUID = "1.2.3"
    dataset.save_as(paths[3])
    with pytest.raises(SourceMismatch, match="more than one study or series"):
        write_objects(report_request(paths, volume, findings_of(volume, labels)))


def test_a_frame_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    volume, labels = calcified_volume((9, 40, 48), lesions_per_vessel=1)
    path = tmp_path / "enhanced.dcm"
    frames = write_enhanced_ct(path, volume, range(9), PatientHeader())
    request = report_request([path] * 9, volume, findings_of(volume, labels), source_frames=[*frames[:-1], 10])
    with pytest.raises(SourceMismatch, match="frame 10 of a source instance with 9 frames"):
        write_objects(request)
