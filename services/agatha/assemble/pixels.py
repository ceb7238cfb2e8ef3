"""From stored pixels to HU, slice by slice into one int16 array.

Decides what is padding, and which rescaling is refused. Decoding itself is pydicom's; what it cannot decode is refused
with the name of the instance.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import DeflatedExplicitVRLittleEndian

from agatha.assemble.instances import Frame, Instance
from agatha.assemble.refused import BAD_INPUT_ERRORS, Refused, is_bad_input

#: What lies outside the reconstructed field of view is air.
AIR_HU: Final = -1024

#: At or below this a value is a constant that the scanner wrote outside the field of view (−2000, −2048, −3024),
#: flagged or not: no tissue, and no noise in air, goes there.
UNFLAGGED_PADDING_HU: Final = -1500

#: From the threshold of calcium (Agatston 1990) to the top of the 12-bit scale, HU. Padding in this range would erase
#: calcium: the attribute is wrong, and a wrong zero worse than no result.
CALCIUM_RANGE_HU: Final = (130, 3071)

#: Bits of a stored CT value.
MAXIMUM_BITS_STORED: Final = 16

#: Voxels of the largest volume that is built (4 GiB): 2048 × 2048 × 512. A few forged header bytes ask for more.
MAXIMUM_VOXELS: Final = 2**31


def read_voxels_hu(frames: Sequence[Frame]) -> NDArray[np.int16]:
    """Decode frames of one matrix size into HU, shape (frames, rows, columns), in the given order.

    Every slice is rescaled with its own slope and intercept in float32 and rounded. Padding (PixelPaddingValue up to
    PixelPaddingRangeLimit, stored values, PS3.3 section C.7.5.1.1.2) becomes air. MONOCHROME1 concerns display only.

    Raises
    ------
    Refused
        ``NOT_GREYSCALE``, ``MODALITY_LUT_NOT_SUPPORTED``, ``NOT_HOUNSFIELD_UNITS``, ``MISSING_RESCALE``,
        ``UNSUPPORTED_PIXELS``, ``PADDING_WITHIN_TISSUE``, ``VOLUME_TOO_LARGE``, ``PIXELS_UNREADABLE``.
    """
    for frame in frames:
        _check_pixel_description(frame)
    shape = (len(frames), frames[0].rows, frames[0].columns)
    if np.prod(shape, dtype=np.float64) > MAXIMUM_VOXELS:
        text = (
            f"A volume of {shape[0]} slices of {shape[1]} × {shape[2]} pixels is larger than anything a scanner makes."
        )
        raise Refused("VOLUME_TOO_LARGE", text, slices=shape[0], rows=shape[1], columns=shape[2])
    voxels_hu = np.empty(shape, dtype=np.int16)
    for index, stored in _decoded(frames):
        _write_hu(stored, frames[index], voxels_hu[index])
    return voxels_hu


def is_same_image(frame: Frame, other: Frame) -> bool:
    """Whether two frames give the same HU, pixel by pixel.

    Raises
    ------
    Refused
        As ``read_voxels_hu``.
    """
    if (frame.rows, frame.columns) != (other.rows, other.columns):
        return False
    one, another = (read_voxels_hu([item]) for item in (frame, other))
    return bool(np.array_equal(one, another))


def _check_pixel_description(frame: Frame) -> None:
    attributes = frame.attributes
    photometric = attributes.text("PhotometricInterpretation").upper()
    if attributes.integer("SamplesPerPixel") not in (None, 1) or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        text = f"{frame.name} is no greyscale image (PhotometricInterpretation {photometric or 'missing'})."
        raise Refused("NOT_GREYSCALE", text, instance=frame.name)
    bits, high = attributes.integer("BitsStored"), attributes.integer("HighBit")
    if bits is None or not 1 <= bits <= MAXIMUM_BITS_STORED or high not in (None, bits - 1):
        text = f"{frame.name} stores its values in an unsupported way (BitsStored {bits}, HighBit {high})."
        raise Refused("UNSUPPORTED_PIXELS", text, instance=frame.name)
    if attributes.items("ModalityLUTSequence"):
        text = f"{frame.name} has a modality lookup table; only a linear rescale to HU is supported."
        raise Refused("MODALITY_LUT_NOT_SUPPORTED", text, instance=frame.name)
    rescale_type = attributes.text("RescaleType").upper()
    if rescale_type not in ("", "HU"):
        text = f"The values of {frame.name} are {rescale_type}, not Hounsfield units."
        raise Refused("NOT_HOUNSFIELD_UNITS", text, rescale_type=rescale_type, instance=frame.name)
    if not frame.slope or frame.intercept is None:
        keyword = "RescaleIntercept" if frame.slope else "RescaleSlope"
        text = f"{keyword} is missing, zero or not readable in {frame.name}."
        raise Refused("MISSING_RESCALE", text, attribute=keyword, instance=frame.name)


def _write_hu(stored: NDArray[np.integer[Any]], frame: Frame, target: NDArray[np.int16]) -> None:
    """Write one slice as HU."""
    is_padding = _padding(stored, frame)
    hu = _significant(stored, frame, is_padding).astype(np.float32)
    hu *= np.float32(frame.slope)
    hu += np.float32(frame.intercept)
    np.rint(hu, out=hu)
    if is_padding is not None:
        _check_padding(hu[is_padding], frame)
        hu[is_padding] = AIR_HU
    hu[hu <= UNFLAGGED_PADDING_HU] = AIR_HU
    limit = np.iinfo(np.int16)
    np.clip(hu, limit.min, limit.max, out=hu)
    target[...] = hu


def _padding(stored: NDArray[np.integer[Any]], frame: Frame) -> NDArray[np.bool_] | None:
    """Which pixels are padding, None without the attribute.

    PixelPaddingValue and its limit have the sign that PixelRepresentation says, but are often written with the other
    VR (63536 for −2000), so they are taken modulo the width of a pixel.
    """
    if not frame.padding:
        return None
    ends = np.array([int(value) for value in frame.padding], dtype=np.int64).astype(stored.dtype)
    is_padding: NDArray[np.bool_] = (stored >= ends.min()) & (stored <= ends.max())
    return is_padding


def _significant(
    stored: NDArray[np.integer[Any]], frame: Frame, is_padding: NDArray[np.bool_] | None
) -> NDArray[np.int32]:
    """Stored values with their sign, where the bits above BitsStored do not repeat it.

    Cutting those bits off, as decoders do, would turn dense calcium of a wrongly described image into air. So values
    that do not fit are refused; padding may lie outside.
    """
    bits = frame.attributes.integer("BitsStored") or 0
    values = stored.astype(np.int32)
    low, high = 0, 2**bits - 1
    if frame.attributes.integer("PixelRepresentation") == 1:
        values[(values >= 2 ** (bits - 1)) & (values < 2**bits)] -= 2**bits
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    real = values if is_padding is None else values[~is_padding]
    if real.size and (real.min() < low or real.max() > high):
        text = f"{frame.name} has stored values from {real.min()} to {real.max()}, which do not fit {bits} bits."
        raise Refused("UNSUPPORTED_PIXELS", text, instance=frame.name, bits_stored=bits)
    return values


def _check_padding(padded_hu: NDArray[np.float32], frame: Frame) -> None:
    low, high = CALCIUM_RANGE_HU
    count = int(np.count_nonzero((padded_hu >= low) & (padded_hu <= high)))
    if count:
        text = f"PixelPaddingValue of {frame.name} would turn {count} pixels from {low} to {high} HU into air."
        raise Refused("PADDING_WITHIN_TISSUE", text, instance=frame.name, pixels=count)


def _decoded(frames: Sequence[Frame]) -> Iterator[tuple[int, NDArray[np.integer[Any]]]]:
    """Index and stored pixels of every frame, file by file; a multi-frame file is opened once."""
    by_instance: dict[Instance, list[int]] = {}
    for index, frame in enumerate(frames):
        by_instance.setdefault(frame.instance, []).append(index)
    for instance, indices in by_instance.items():
        numbers = [(frames[index].number or 1) - 1 for index in indices]
        with instance.path.open("rb") as stream:
            try:
                with closing(_stored_pixels(stream, instance, numbers)) as pixels:
                    for index, stored in zip(indices, pixels, strict=True):
                        _check_shape(frames[index], stored)
                        yield index, stored
            except BAD_INPUT_ERRORS as error:
                if not is_bad_input(error):
                    raise
                text = f"The pixels of {instance.sop_instance_uid} cannot be decoded ({type(error).__name__})."
                raise Refused("PIXELS_UNREADABLE", text, instance=instance.sop_instance_uid) from error


def _stored_pixels(
    stream: BinaryIO, instance: Instance, numbers: Sequence[int]
) -> Generator[NDArray[np.integer[Any]], None, None]:
    """Frames as decoded, without the cutting of bits above BitsStored (``_significant`` looks at them)."""
    is_deflated = instance.transfer_syntax_uid == DeflatedExplicitVRLittleEndian
    # Frames of a deflated file cannot be found by their place in the file.
    source = dcmread(stream) if is_deflated else stream
    return iter_pixels(source, indices=numbers, raw=True, correct_unused_bits=False)  # type: ignore[return-value]


def _check_shape(frame: Frame, stored: NDArray[np.integer[Any]]) -> None:
    if stored.shape != (frame.rows, frame.columns) or stored.dtype.kind not in "iu":
        found = f"{' × '.join(map(str, stored.shape))} {stored.dtype}"
        text = f"The pixels of {frame.name} are {found}, not {frame.rows} × {frame.columns} integers."
        raise Refused("PIXELS_UNREADABLE", text, instance=frame.name)
