"""Pictures (PNG) of stored objects: windowed CT slices, our summary page, and key slices with lesions outlined.

Decides display only: window, crop, outline. Outlines lie around the segmented pixels, never over them, so that what
was scored stays visible.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from pydicom import Dataset, dcmread
from pydicom.pixels.utils import pixel_array

from agatha.serve.lesion_frames import LesionFrame

#: A picture of more pixels is refused: it would be decoded into memory on behalf of whoever asks.
MAX_PIXELS = 4096 * 4096

#: Side of a key-slice picture in pixels, and what it shows at least, so that neighbouring anatomy can be recognised.
KEY_SLICE_WIDTH = 480
KEY_SLICE_FIELD_MM = 90.0

#: Height of the numbers and letters on a key slice, in pixels.
LABEL_SIZE = 22

#: Colours of the vessels, the same as in our segmentations and on the summary page (Okabe & Ito 2008, brightened).
VESSEL_COLORS = {"LM": (240, 228, 66), "LAD": (230, 110, 0), "LCX": (86, 180, 233), "RCA": (0, 200, 140)}
OTHER_COLOR = (255, 255, 255)
ORIENTATION_COLOR = (255, 190, 70)


class NotDisplayable(Exception):
    """An object without a picture: no pixels, an unsupported encoding, or no such frame."""


@dataclass(frozen=True, slots=True)
class Window:
    """Window centre and width in HU (PS3.3 section C.11.2.1.2)."""

    center_hu: float
    width_hu: float

    def __str__(self) -> str:
        return f"{self.center_hu:g}/{self.width_hu:g} HU"


#: Mediastinal window in which calcium is white and muscle grey.
CARDIAC_WINDOW = Window(50.0, 350.0)

#: Window of key slices, as on the summary page: calcium stands out and dense calcium is not all white.
CALCIUM_WINDOW = Window(120.0, 700.0)

#: The same of a contrast scan: the lumen (300 to 500 HU) is light grey and the calcium in it still lighter.
CONTRAST_WINDOW = Window(350.0, 1200.0)


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One decoded plane: grey values as HU (or whatever the rescale yields) or RGB, and how it lies in the patient.

    `left_and_top` are the patient directions at those edges (L R P A H F), "" where the header does not say.
    """

    pixels: NDArray[np.float32] | NDArray[np.uint8]
    spacing_yx_mm: tuple[float, float]
    is_color: bool
    is_inverted: bool
    is_display_ready: bool
    left_and_top: tuple[str, str]


def plain_picture(path: Path, frame: int | None, window: Window | None) -> bytes:
    """Return the whole plane as PNG.

    Colour and 8-bit planes are shown as they are unless a window is given; all others in `CARDIAC_WINDOW`.

    Raises
    ------
    NotDisplayable
        When there is no such plane or it cannot be decoded.
    """
    plane = read_plane(path, frame)
    if plane.is_color or (plane.is_display_ready and window is None):
        return _png(Image.fromarray(plane.pixels.astype(np.uint8)))
    return _png(Image.fromarray(grey_levels(plane, window or CARDIAC_WINDOW)))


def key_slice_window(*, is_contrast: bool) -> Window:
    """Return the window in which the key slices of a result are shown."""
    return CONTRAST_WINDOW if is_contrast else CALCIUM_WINDOW


def key_slice_picture(
    path: Path, frame: int | None, lesions: Sequence[LesionFrame], vessels: dict[int, str], window: Window
) -> bytes:
    """Return the region around the lesions of one plane as PNG, each outlined in its vessel's colour and numbered.

    Raises
    ------
    NotDisplayable
        When the plane cannot be decoded, is in colour, or has another size than the masks.
    """
    plane = read_plane(path, frame)
    if plane.is_color or not lesions or any(lesion.mask.shape != plane.pixels.shape for lesion in lesions):
        raise NotDisplayable
    box = field_of_view(np.logical_or.reduce([lesion.mask for lesion in lesions]), plane.spacing_yx_mm)
    left, top, right, bottom = box
    height_mm, width_mm = (bottom - top) * plane.spacing_yx_mm[0], (right - left) * plane.spacing_yx_mm[1]
    size = (KEY_SLICE_WIDTH, max(1, round(KEY_SLICE_WIDTH * height_mm / width_mm)))
    grey = Image.fromarray(grey_levels(plane, window)).crop(box).resize(size, Image.Resampling.BICUBIC)
    picture = grey.convert("RGB")
    for lesion in lesions:
        color = VESSEL_COLORS.get(vessels.get(lesion.segment_number, ""), OTHER_COLOR)
        mask = Image.fromarray(lesion.mask.astype(np.uint8) * 255).crop(box).resize(size, Image.Resampling.NEAREST)
        _outline(picture, mask, color, str(lesion.segment_number))
    left_letter, top_letter = plane.left_and_top
    _write(picture, (6, picture.height // 2), left_letter, ORIENTATION_COLOR)
    _write(picture, (picture.width // 2, 2), top_letter, ORIENTATION_COLOR)
    return _png(picture)


def field_of_view(mask: NDArray[np.bool_], spacing_yx_mm: tuple[float, float]) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom (pixels, right and bottom excluded) of a square field around the mask.

    At least `KEY_SLICE_FIELD_MM` wide and one and a half times the mask; moved or cut at the edge of the image.
    """
    extents = []
    for axis in (0, 1):
        filled = np.flatnonzero(mask.any(axis=1 - axis))
        extents.append((int(filled[0]), int(filled[-1]) + 1))
    lengths_mm = [(stop - start) * mm for (start, stop), mm in zip(extents, spacing_yx_mm, strict=True)]
    side_mm = max(KEY_SLICE_FIELD_MM, 1.5 * max(lengths_mm))
    ranges = []
    for (start, stop), spacing_mm, length in zip(extents, spacing_yx_mm, mask.shape, strict=True):
        side = min(length, round(side_mm / spacing_mm))
        first = min(max(0, (start + stop - side) // 2), length - side)
        ranges.append((first, first + side))
    (top, bottom), (left, right) = ranges
    return left, top, right, bottom


def grey_levels(plane: Plane, window: Window) -> NDArray[np.uint8]:
    """Window a plane to 0–255 by the LINEAR function of PS3.3 section C.11.2.1.2.1; MONOCHROME1 is turned over."""
    width = max(window.width_hu, 1.0 + 1e-6)
    level = (plane.pixels.astype(np.float32) - (window.center_hu - 0.5)) / (width - 1.0) + 0.5
    grey: NDArray[np.uint8] = np.round(np.clip(level, 0.0, 1.0) * 255.0).astype(np.uint8)
    return np.bitwise_not(grey) if plane.is_inverted else grey


def read_plane(path: Path, frame: int | None) -> Plane:
    """Decode one plane and apply its rescale.

    Parameters
    ----------
    frame
        From 1; None means the first.

    Raises
    ------
    NotDisplayable
        When the object has no pixels, no such frame, too many pixels, or no decoder is there.
    """
    index = 0 if frame is None else frame - 1
    try:
        header = dcmread(path, stop_before_pixels=True)
        rows, columns, count = int(header.Rows), int(header.Columns), int(header.get("NumberOfFrames") or 1)
        if not 0 <= index < count or rows * columns > MAX_PIXELS:
            raise NotDisplayable
        pixels = pixel_array(path, index=index)
        return _plane(header, pixels, index)
    except NotDisplayable:
        raise
    except Exception as exc:
        # A decoder may raise anything on what came over the network; the text could hold attribute values.
        raise NotDisplayable from exc


def _plane(header: Dataset, pixels: NDArray[np.generic], index: int) -> Plane:
    is_color = pixels.ndim == 3
    slope, intercept = rescale_of(header, index)
    is_display_ready = int(header.BitsAllocated) == 8 and (slope, intercept) == (1.0, 0.0)
    if int(header.BitsAllocated) == 1:
        pixels, is_display_ready = pixels.astype(np.uint8) * np.uint8(255), True
    values = pixels if is_color else pixels.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    spacing = _functional(header, index, "PixelMeasuresSequence").get("PixelSpacing") or [1.0, 1.0]
    return Plane(
        pixels=values.astype(np.uint8) if is_color else values.astype(np.float32),
        spacing_yx_mm=(float(spacing[0]), float(spacing[1])),
        is_color=is_color,
        is_inverted=header.PhotometricInterpretation == "MONOCHROME1",
        is_display_ready=is_display_ready,
        left_and_top=edge_letters(
            _functional(header, index, "PlaneOrientationSequence").get("ImageOrientationPatient")
        ),
    )


def edge_letters(orientation: Sequence[float] | None) -> tuple[str, str]:
    """Return the patient directions at the left and the top edge (PS3.3 section C.7.6.1.1.1); "" when unknown."""
    if orientation is None or len(orientation) != 6:
        return "", ""
    letters = []
    for cosines in (orientation[:3], orientation[3:]):
        axis = max(range(3), key=lambda i: abs(float(cosines[i])))
        # Rows and columns point right and down; the letters stand at the opposite edges.
        letters.append("RAF"[axis] if float(cosines[axis]) > 0 else "LPH"[axis])
    return letters[0], letters[1]


def rescale_of(header: Dataset, index: int) -> tuple[float, float]:
    """Return slope and intercept of one frame, 1 and 0 where there are none (PS3.3 section C.11.1)."""
    groups = _functional(header, index, "PixelValueTransformationSequence")
    return float(groups.get("RescaleSlope") or 1.0), float(groups.get("RescaleIntercept") or 0.0)


def _functional(header: Dataset, index: int, keyword: str) -> Dataset:
    """Return the functional group of one frame, or the data set itself for an object without functional groups."""
    per_frame = header.get("PerFrameFunctionalGroupsSequence")
    shared = header.get("SharedFunctionalGroupsSequence")
    for groups in ((per_frame[index],) if per_frame else ()) + ((shared[0],) if shared else ()):
        if groups.get(keyword):
            item: Dataset = groups[keyword].value[0]
            return item
    return header


def _outline(picture: Image.Image, mask: Image.Image, color: tuple[int, int, int], text: str) -> None:
    """Draw a line two pixels wide around the mask, and its number beside it."""
    around = np.asarray(mask.filter(ImageFilter.MaxFilter(5))) > np.asarray(mask)
    picture.paste(color, mask=Image.fromarray(around.astype(np.uint8) * 255))
    extent = mask.getbbox()
    if extent is None:
        return
    place = (min(extent[2] + 5, picture.width - LABEL_SIZE * len(text)), max(0, extent[1] - LABEL_SIZE))
    _write(picture, place, text, color)


def _write(picture: Image.Image, place: tuple[int, int], text: str, color: tuple[int, int, int]) -> None:
    font = ImageFont.load_default(LABEL_SIZE)
    ImageDraw.Draw(picture).text(place, text, fill=color, font=font, stroke_width=1, stroke_fill=(0, 0, 0))


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()
