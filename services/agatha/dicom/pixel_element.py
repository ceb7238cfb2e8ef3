"""Is the pixel data element all there? Judged by its framing alone: lengths and item tags, never a decoded pixel.

Decides truncated and damaged. Whether the number of bytes suits rows and columns is the assembler's question.
"""

import os
from struct import Struct
from typing import Any, BinaryIO, Final

UNDEFINED_LENGTH: Final = 0xFFFFFFFF  # PS3.5 Section 7.1.1
ITEM: Final = (0xFFFE, 0xE000)  # PS3.5 Section A.4: fragments are items
SEQUENCE_DELIMITER: Final = (0xFFFE, 0xE0DD)

# What pixel data can be, all with a 4-byte length (PS3.5 Table 7.1-1 and Annex A; UN after a sender that knew no VR).
PIXEL_VRS: Final = (b"OB", b"OW", b"OF", b"OD", b"UN")


class DamagedPixelElement(Exception):
    """The pixel data element is cut short (``TRUNCATED``) or its framing makes no sense (``DAMAGED``)."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


def walk_pixel_element(stream: BinaryIO, *, is_implicit: bool, is_little_endian: bool) -> None:
    """Walk over the pixel data element that begins at the stream's position.

    Raises
    ------
    DamagedPixelElement
        When the stream ends inside the element, or an encapsulated element holds anything but items.
    """
    order = "<" if is_little_endian else ">"
    start = stream.tell()
    end = stream.seek(0, os.SEEK_END)
    stream.seek(start)
    length = _read_length(stream, order, is_implicit=is_implicit)
    if length == UNDEFINED_LENGTH:
        _walk_fragments(stream, order, end)
    elif stream.tell() + length > end:
        raise DamagedPixelElement("TRUNCATED", f"pixel data of {length} bytes has only {end - stream.tell()}")


def _read_length(stream: BinaryIO, order: str, *, is_implicit: bool) -> int:
    if is_implicit:
        _, _, length = _unpack(stream, Struct(order + "HHL"))
        return int(length)
    _, _, vr, _, length = _unpack(stream, Struct(order + "HH2sHL"))
    if vr not in PIXEL_VRS:
        raise DamagedPixelElement("DAMAGED", "the VR of pixel data is none that pixel data can have")
    return int(length)


def _walk_fragments(stream: BinaryIO, order: str, end: int) -> None:
    header = Struct(order + "HHL")
    count = 0
    while True:
        group, element, length = _unpack(stream, header)
        if (group, element) == SEQUENCE_DELIMITER:
            return
        if (group, element) != ITEM:
            raise DamagedPixelElement("DAMAGED", f"fragment {count} does not begin with an item tag")
        if stream.tell() + length > end:
            left = end - stream.tell()
            raise DamagedPixelElement("TRUNCATED", f"fragment {count} of {length} bytes has only {left}")
        stream.seek(length, os.SEEK_CUR)
        count += 1


def _unpack(stream: BinaryIO, fields: Struct) -> tuple[Any, ...]:
    data = stream.read(fields.size)
    if len(data) < fields.size:
        raise DamagedPixelElement("TRUNCATED", "the data set ends before its pixel data does")
    return fields.unpack(data)
