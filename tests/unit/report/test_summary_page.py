"""The summary page: marks, what a reader must see, and how slices are chosen and shown."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from agatha.report import write_objects
from agatha.report.colours import VESSEL_RGB
from agatha.report.drawing import Page, is_drawable, wrap
from agatha.report.key_images import key_slices
from agatha.report.page_frame import HEIGHT, WIDTH
from agatha.report.slice_tiles import crop_around, edge_letters, slice_tile
from builders.findings import (
    axial_affine,
    calcified_volume,
    findings_of,
    report_request,
    rotated_affine,
    write_ct_series,
)
from coronary.calcium import Vessel
from coronary.contract import QualityNote, Refusal
from coronary.ct_volume import CtVolume


def _page(folder: Path, **changes: object) -> Dataset:
    volume, labels = calcified_volume()
    paths = write_ct_series(folder, volume)
    if "refusal" in changes:
        objects = write_objects(report_request(paths, None, **changes))
    else:
        objects = write_objects(report_request(paths, volume, findings_of(volume, labels, **changes)))
    return dcmread(BytesIO(next(one.data for one in objects if one.kind == "summary")))


def _colours(page: Dataset) -> set[tuple[int, int, int]]:
    rgb = page.pixel_array.astype(np.uint32)
    packed = np.unique(rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2])
    return {(int(colour >> 16), int(colour >> 8 & 255), int(colour & 255)) for colour in packed}


def test_page_is_marked_as_burned_in_derived_research(tmp_path: Path) -> None:
    page = _page(tmp_path)
    assert (page.Rows, page.Columns, page.PhotometricInterpretation) == (HEIGHT, WIDTH, "RGB")
    assert page.BurnedInAnnotation == "YES"
    assert page.ImageType[:2] == ["DERIVED", "SECONDARY"]
    assert "Research use only" in page.ImageComments
    assert "not for primary diagnosis" in page.DerivationDescription


def test_page_shows_every_vessel_colour_in_the_table(tmp_path: Path) -> None:
    assert set(VESSEL_RGB.values()) <= _colours(_page(tmp_path))


def test_refusal_page_has_no_vessel_table(tmp_path: Path) -> None:
    page = _page(tmp_path, refusal=Refusal("KVP_NOT_120", "Tube voltage 100 kV. " * 30))
    assert _colours(page).isdisjoint(VESSEL_RGB.values())


def test_many_long_notes_stay_inside_the_page(tmp_path: Path) -> None:
    notes = tuple(QualityNote(f"NOTE_{n}", f"Note {n} says something long. " * 12) for n in range(20))
    pixels = _page(tmp_path, quality=notes).pixel_array
    assert (pixels[960:968, 24:700] == pixels[960, 24]).all(), "text runs over the lower edge of the panel"


def test_key_slices_hold_calcium_and_cover_every_vessel() -> None:
    volume, labels = calcified_volume((40, 64, 80), vessels=tuple(Vessel), lesions_per_vessel=8)
    findings = findings_of(volume, labels)
    slices = key_slices(findings)
    assert len(slices) == 6
    assert list(slices) == sorted(set(slices))
    for vessel in Vessel:
        assert any((findings.vessel_labels[z] == vessel).any() for z in slices)
    assert len(key_slices(findings, limit=2)) == 2


def test_no_key_slices_without_calcium() -> None:
    volume, labels = calcified_volume((5, 24, 32), vessels=())
    assert key_slices(findings_of(volume, labels)) == ()


def test_the_smallest_lesion_is_outlined_in_its_colour() -> None:
    voxels = np.zeros((1, 512, 512), np.int16)
    labels = np.zeros((1, 512, 512), np.uint8)
    labels[0, 300, 200] = Vessel.LCX
    labels[0, 10, 500] = Vessel.RCA
    volume = CtVolume(voxels, axial_affine((3.0, 0.4, 0.4)))
    tile = np.asarray(slice_tile(volume, labels, 0, crop_around(volume, labels), 254))
    for vessel in (Vessel.LCX, Vessel.RCA):
        assert (tile == VESSEL_RGB[vessel]).all(axis=-1).sum() >= 8


def test_a_lesion_is_shown_where_it_is() -> None:
    voxels = np.full((1, 100, 100), -1000, np.int16)
    labels = np.zeros((1, 100, 100), np.uint8)
    voxels[0, 20:24, 70:74] = 1000
    labels[0, 20:24, 70:74] = Vessel.LAD
    volume = CtVolume(voxels, axial_affine((3.0, 1.0, 1.0)))
    tile = np.asarray(slice_tile(volume, labels, 0, crop_around(volume, labels), 220))
    outline = np.argwhere((tile == VESSEL_RGB[Vessel.LAD]).all(axis=-1))
    bright = np.argwhere((tile == 255).all(axis=-1))
    np.testing.assert_allclose(outline.mean(axis=0), bright.mean(axis=0), atol=1.0)


@pytest.mark.parametrize(
    ("degrees", "letters"),
    [((0, 0, 0), ("R", "L", "A", "P")), ((0, 0, 180), ("L", "R", "P", "A")), ((0, 180, 0), ("L", "R", "A", "P"))],
)
def test_edge_letters_follow_the_orientation(degrees: tuple[int, int, int], letters: tuple[str, ...]) -> None:
    volume = CtVolume(np.zeros((2, 4, 4), np.int16), rotated_affine(axial_affine(), degrees))
    assert edge_letters(volume) == letters


def test_font_has_european_scripts_and_says_what_it_has_not() -> None:
    assert is_drawable("Müller Ångström Łódź Ωμέγα Пушкин ≥ 130 HU · mm³ – Nguyễn")
    assert not is_drawable("山田")


def test_text_is_shortened_and_wrapped_to_its_width() -> None:
    page = Page(400, 100, (0, 0, 0))
    assert page.text((0, 0), "a very long line that cannot fit " * 5, 16, (255, 255, 255), max_width=200) <= 200
    lines = wrap("one two three four five six", 16, 80)
    assert " ".join(lines) == "one two three four five six"
    assert len(lines) > 2
