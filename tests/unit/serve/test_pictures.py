"""Pictures against pixels computed by hand, and the lesion segmentation read back."""

import io

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from agatha.report import write_objects
from agatha.report.colours import VESSEL_RGB
from agatha.serve.lesion_frames import (
    LesionFrame,
    LesionFrames,
    SourceImage,
    UnreadableSegmentation,
    choose_key_slices,
    read_lesion_frames,
)
from agatha.serve.pictures import (
    CALCIUM_WINDOW,
    VESSEL_COLORS,
    NotDisplayable,
    Window,
    edge_letters,
    field_of_view,
    key_slice_picture,
    plain_picture,
)
from builders.findings import (
    axial_affine,
    calcified_volume,
    findings_of,
    report_request,
    write_ct_series,
    write_enhanced_ct,
)
from coronary.calcium import Vessel
from coronary.ct_volume import CtVolume


def decoded(png):
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """Volume, labels, source paths and the path of the lesion segmentation written from them."""
    folder = tmp_path_factory.mktemp("scan")
    volume, labels = calcified_volume()
    paths = write_ct_series(folder / "ct", volume)
    findings = findings_of(volume, labels)
    for one in write_objects(report_request(paths, volume, findings)):
        (folder / f"{one.kind}.dcm").write_bytes(one.data)
    return volume, findings, paths, folder


def ramp(tmp_path, **tags):
    """One CT slice with the HU values -125, 50, 224, 1000 in its first row."""
    voxels = np.zeros((1, 8, 8), np.int16)
    voxels[0, 0, :4] = [-125, 50, 224, 1000]
    path = write_ct_series(tmp_path, CtVolume(voxels, axial_affine()))[0]
    dataset = dcmread(path)
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


def test_window_50_350_maps_by_the_formula_of_the_standard(tmp_path):
    # y = ((x - (c - 0.5)) / (w - 1) + 0.5) * 255 with c = 50, w = 350
    assert decoded(plain_picture(ramp(tmp_path), None, None))[0, :4].tolist() == [0, 128, 255, 255]


def test_another_window_and_the_rescale_are_honoured(tmp_path):
    path = ramp(tmp_path, RescaleSlope=2, RescaleIntercept=-2048)
    # HU are doubled now: -250, 100, 448, 2000
    assert decoded(plain_picture(path, None, Window(100.0, 1001.0)))[0, :4].tolist() == [38, 128, 216, 255]


def test_monochrome1_is_shown_turned_over(tmp_path):
    path = ramp(tmp_path, PhotometricInterpretation="MONOCHROME1")
    assert decoded(plain_picture(path, None, None))[0, :4].tolist() == [255, 127, 0, 0]


def test_a_frame_of_an_enhanced_ct_is_found_by_its_number(tmp_path):
    voxels = np.stack([np.full((4, 4), hu, np.int16) for hu in (-500, 50, 500)])
    path = tmp_path / "enhanced.dcm"
    frames = write_enhanced_ct(path, CtVolume(voxels, axial_affine()), [2, 0, 1])
    assert [decoded(plain_picture(path, frame, None))[0, 0] for frame in frames] == [0, 128, 255]
    for missing in (0, 4):
        with pytest.raises(NotDisplayable):
            plain_picture(path, missing, None)


def test_the_summary_page_is_shown_as_it_is(scan):
    summary = scan[3] / "summary.dcm"
    assert np.array_equal(decoded(plain_picture(summary, None, None)), dcmread(summary).pixel_array)


@pytest.mark.parametrize("kind", ["sr", "key-images"])
def test_an_object_without_pixels_has_no_picture(scan, kind):
    with pytest.raises(NotDisplayable):
        plain_picture(scan[3] / f"{kind}.dcm", None, None)


def test_damaged_files_have_no_picture(tmp_path):
    whole = ramp(tmp_path).read_bytes()
    for n, damaged in enumerate((b"", b"nothing", whole[:400], whole[:-60], b"\0" * 2000)):
        path = tmp_path / f"{n}.bin"
        path.write_bytes(damaged)
        with pytest.raises(NotDisplayable):
            plain_picture(path, None, None)
    with pytest.raises(NotDisplayable):
        plain_picture(ramp(tmp_path, Rows=60000, Columns=60000), None, None)


def test_the_segmentation_reads_back_as_the_lesion_labels(scan):
    _, findings, paths, folder = scan
    lesions = read_lesion_frames(folder / "seg-lesions.dcm")
    uids = [str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in paths]
    rebuilt = np.zeros_like(findings.lesion_labels)
    for frame in lesions.frames:
        rebuilt[uids.index(frame.source.sop_instance_uid)][frame.mask] = frame.segment_number
    assert np.array_equal(rebuilt, findings.lesion_labels)
    assert lesions.vessels == {lesion.label: lesion.vessel.name for lesion in findings.score.lesions}


def test_what_is_no_binary_segmentation_is_refused(scan, tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    for path in (scan[3] / "summary.dcm", scan[2][0], tmp_path / "empty"):
        with pytest.raises(UnreadableSegmentation):
            read_lesion_frames(path)


def test_outlines_surround_the_lesion_in_its_colour_and_leave_it_visible(scan):
    _, _, paths, folder = scan
    lesions = read_lesion_frames(folder / "seg-lesions.dcm")
    key_slice = choose_key_slices(lesions)[0]
    wanted = key_slice.source.sop_instance_uid
    path = next(p for p in paths if dcmread(p, stop_before_pixels=True).SOPInstanceUID == wanted)
    shown = lesions.on(key_slice.source)
    outlined = decoded(key_slice_picture(path, None, shown, lesions.vessels, CALCIUM_WINDOW))
    for lesion in shown:
        color = VESSEL_COLORS[lesions.vessels[lesion.segment_number]]
        assert (outlined == color).all(axis=2).sum() > 20
    # The 64 x 80 slice at 0.5 mm is shown whole, six times enlarged: the middle of a scored pixel keeps its grey.
    assert outlined.shape == (384, 480, 3)
    row, column = np.argwhere(shown[0].mask)[0]
    red, green, blue = outlined[row * 6 + 3, column * 6 + 3]
    assert red == green == blue


def test_masks_of_another_size_are_refused(scan):
    wrong = LesionFrame(1, SourceImage("1.2", None), np.ones((3, 3), bool))
    with pytest.raises(NotDisplayable):
        key_slice_picture(scan[2][0], None, [wrong], {}, CALCIUM_WINDOW)


def test_the_field_holds_the_lesion_stays_inside_and_is_wide_enough():
    mask = np.zeros((512, 400), bool)
    for row, column in ((0, 0), (511, 399), (250, 200), (3, 390)):
        mask[:] = False
        mask[row, column] = True
        left, top, right, bottom = field_of_view(mask, (0.4, 0.5))
        assert (bottom - top, right - left) == (225, 180)
        assert 0 <= top <= row < bottom <= 512
        assert 0 <= left <= column < right <= 400


def test_a_large_lesion_gets_a_square_field_of_one_and_a_half_times_its_size():
    mask = np.zeros((512, 512), bool)
    mask[200:208, 100:400] = True
    left, top, right, bottom = field_of_view(mask, (0.5, 0.5))
    assert (bottom - top, right - left) == (450, 450)
    assert (left, right) == (25, 475)


def frame_of(segment, source, area):
    mask = np.zeros((10, 10), bool)
    mask.flat[:area] = True
    return LesionFrame(segment, SourceImage(source, None), mask)


def test_every_lesion_is_on_a_key_slice_with_as_few_slices_as_their_sizes_suggest():
    frames = [frame_of(1, "a", 9), frame_of(1, "b", 4), frame_of(2, "a", 2), frame_of(2, "c", 3), frame_of(3, "d", 5)]
    chosen = choose_key_slices(LesionFrames(frames, {}))
    assert [(k.source.sop_instance_uid, k.segment_numbers) for k in chosen] == [("a", (1, 2)), ("d", (3,))]


def test_with_too_many_lesions_the_largest_are_shown():
    frames = [frame_of(n, f"slice {n}", n) for n in range(1, 30)]
    chosen = choose_key_slices(LesionFrames(frames, {}), limit=8)
    assert [k.segment_numbers[0] for k in chosen] == list(range(29, 21, -1))


def test_colours_are_those_of_the_segmentations_and_the_summary_page():
    assert {vessel.name: VESSEL_RGB[vessel] for vessel in Vessel} == VESSEL_COLORS


def test_edge_letters_tell_how_the_slice_lies():
    assert edge_letters([1, 0, 0, 0, 1, 0]) == ("R", "A")
    assert edge_letters([-1, 0, 0, 0, -1, 0]) == ("L", "P")
    assert edge_letters([0, 1, 0, 0, 0, -1]) == ("A", "H")
    assert edge_letters(None) == ("", "")
