"""From a Part 10 file to the plain facts that are stored about one SOP instance, without touching its pixels.

Decides what makes a data set unreadable (no identity, cut short, damaged framing) and how attribute values become
text. It does not decide what happens then, nor whether the instance suits an analysis.
"""

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Final, cast

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataset import Dataset
from pydicom.filereader import _read_file_meta_info, read_dataset, read_preamble
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedCTImageStorage,
)

from agatha.dicom.pixel_element import DamagedPixelElement, walk_pixel_element

CT_IMAGE_CLASSES: Final = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)

# PS3.5 Section 9.1: at most 64 characters, digits and dots. Leading zeros in a component are forbidden there but
# occur in the field and identify just as well, so they pass.
VALID_UID: Final = re.compile(r"[0-9.]{1,64}")

# PS3.5 Section 6.2, VR LO: at most 64 characters. Longer values are cut, they would not fit any worklist.
MAX_TEXT_LENGTH: Final = 64

# PS3.5 Section 6.2, VR IS: a signed 32-bit integer.
INTEGER_STRING_RANGE: Final = range(-(2**31), 2**31)

# A deflated data set is inflated in pieces up to this size: ten times the largest enhanced CT in use, yet far from
# what a crafted "zip bomb" of a few megabytes would reach.
MAX_INFLATED_BYTES: Final = 8 * 2**30
INFLATE_PIECE_BYTES: Final = 1 << 20
INFLATE_IN_MEMORY_BYTES: Final = 8 << 20

_KEYWORDS: Final = (
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyDate",
    "AccessionNumber",
    "Modality",
    "StudyDescription",
    "SeriesDescription",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "InstanceNumber",
)
_WANTED: Final[list[BaseTag | int]] = [Tag(keyword) for keyword in _KEYWORDS]
_PIXEL_TAGS: Final = (Tag("PixelData"), Tag("FloatPixelData"), Tag("DoubleFloatPixelData"))
_NO_DELIMITERS: Final[set[int]] = set()


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """What is stored about one SOP instance; text is "" where the data set has no value.

    The four UIDs are always present and valid. Dates are ``YYYYMMDD``.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    patient_id: str
    patient_birth_date: str
    patient_sex: str
    accession_number: str
    study_date: str
    study_description: str
    modality: str
    series_number: int | None
    series_description: str
    instance_number: int | None


class UnreadableInstance(Exception):
    """The bytes are no usable SOP instance.

    Parameters
    ----------
    code
        ``NOT_DICOM``, ``DAMAGED``, ``UID_MISSING``, ``UID_INVALID``, ``TRUNCATED``, ``PIXEL_DATA_MISSING`` or
        ``INFLATES_TOO_FAR``.
    text
        The reason with positions and sizes, free of attribute values: it may be logged.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


def read_instance_facts(source: Path | BinaryIO) -> InstanceFacts:
    """Read the facts of one SOP instance from a Part 10 file.

    Only the wanted elements are held in memory; everything else is skipped, pixel data by its framing alone. A data
    set whose encoding contradicts its transfer syntax in implicit/explicit VR is read as it is, like pydicom does.

    Raises
    ------
    UnreadableInstance
        When the preamble or file meta information is missing, a UID is missing or invalid, the data set ends inside
        an element, or a CT image has no pixel data.
    OSError
        When the source cannot be read.
    """
    try:
        if isinstance(source, Path):
            with source.open("rb") as stream:
                return _read(stream)
        return _read(source)
    except (UnreadableInstance, OSError):
        raise
    except Exception as exc:  # whatever a parser raises on hostile bytes means one thing here
        raise UnreadableInstance("DAMAGED", f"the data set cannot be parsed ({type(exc).__name__})") from exc


def _read(stream: BinaryIO) -> InstanceFacts:
    syntax = _read_transfer_syntax(stream)
    with _data_set_of(stream, syntax) as data_set:
        elements, has_pixels = _read_elements(data_set, syntax)
    sop_class_uid = _uid(elements, "SOPClassUID")
    if not has_pixels and sop_class_uid in CT_IMAGE_CLASSES:
        raise UnreadableInstance("PIXEL_DATA_MISSING", "the data set of a CT image ends before its pixel data")
    encodings = _encodings(elements)
    return InstanceFacts(
        study_instance_uid=_uid(elements, "StudyInstanceUID"),
        series_instance_uid=_uid(elements, "SeriesInstanceUID"),
        sop_instance_uid=_uid(elements, "SOPInstanceUID"),
        sop_class_uid=sop_class_uid,
        transfer_syntax_uid=str(syntax),
        patient_id=_text(elements, "PatientID", encodings),
        patient_birth_date=_date(elements, "PatientBirthDate"),
        patient_sex=_text(elements, "PatientSex", encodings),
        accession_number=_text(elements, "AccessionNumber", encodings),
        study_date=_date(elements, "StudyDate"),
        study_description=_text(elements, "StudyDescription", encodings),
        modality=_text(elements, "Modality", encodings),
        series_number=_integer(elements, "SeriesNumber"),
        series_description=_text(elements, "SeriesDescription", encodings),
        instance_number=_integer(elements, "InstanceNumber"),
    )


def _read_transfer_syntax(stream: BinaryIO) -> UID:
    """Return the transfer syntax; leave the stream at the first byte of the data set."""
    if read_preamble(stream, force=True) is None:
        raise UnreadableInstance("NOT_DICOM", "no DICM prefix at byte 128")
    syntax = _read_file_meta_info(stream).get("TransferSyntaxUID")
    if not syntax:
        raise UnreadableInstance("NOT_DICOM", "no transfer syntax in the file meta information")
    return UID(syntax)


@contextmanager
def _data_set_of(stream: BinaryIO, syntax: UID) -> Iterator[BinaryIO]:
    if syntax != DeflatedExplicitVRLittleEndian:
        yield stream
        return
    with SpooledTemporaryFile(max_size=INFLATE_IN_MEMORY_BYTES) as inflated:
        _inflate(stream, cast(BinaryIO, inflated))
        inflated.seek(0)
        yield cast(BinaryIO, inflated)


def _inflate(deflated: BinaryIO, inflated: BinaryIO) -> None:
    """Undo the deflate of PS3.5 Section A.5 in pieces, so that neither size nor memory is at the sender's mercy."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    size = 0
    while not engine.eof:
        piece = engine.unconsumed_tail or deflated.read(INFLATE_PIECE_BYTES)
        if not piece:
            raise UnreadableInstance("TRUNCATED", f"the deflated data set ends early, after {size} inflated bytes")
        size += inflated.write(engine.decompress(piece, INFLATE_PIECE_BYTES))
        if size > MAX_INFLATED_BYTES:
            raise UnreadableInstance(
                "INFLATES_TOO_FAR", f"the data set inflates to more than {MAX_INFLATED_BYTES} bytes"
            )


def _read_elements(data_set: BinaryIO, syntax: UID) -> tuple[Dataset, bool]:
    """Return the wanted elements, raw, and whether whole pixel data followed them."""
    is_little_endian = syntax != ExplicitVRBigEndian
    start = data_set.tell()
    is_implicit = _is_implicit(data_set.read(6), syntax)
    data_set.seek(start)
    reached_pixels = False

    def at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        nonlocal reached_pixels
        reached_pixels = reached_pixels or tag in _PIXEL_TAGS
        return tag in _PIXEL_TAGS

    elements = read_dataset(data_set, is_implicit, is_little_endian, stop_when=at_pixels, specific_tags=_WANTED)
    if reached_pixels:
        try:
            walk_pixel_element(data_set, is_implicit=is_implicit, is_little_endian=is_little_endian)
        except DamagedPixelElement as exc:
            raise UnreadableInstance(exc.code, exc.text) from exc
    return elements, reached_pixels


def _is_implicit(head: bytes, syntax: UID) -> bool:
    """Say whether the first element has no VR; the transfer syntax is believed where its bytes do not tell."""
    if len(head) < 6 or syntax == ExplicitVRBigEndian:
        return bool(syntax == ImplicitVRLittleEndian)
    return not head[4:6].isupper()


def _raw(elements: Dataset, keyword: str) -> bytes:
    """Return the value as it came; empty when absent."""
    value = elements.get_item(keyword).value if keyword in elements else b""
    if isinstance(value, str):
        return value.encode("ascii", "replace")
    return value if isinstance(value, bytes) else b""


def _ascii(elements: Dataset, keyword: str) -> str:
    return _raw(elements, keyword).decode("ascii", "replace").strip("\0 ")


def _uid(elements: Dataset, keyword: str) -> str:
    value = _ascii(elements, keyword)
    if not value:
        raise UnreadableInstance("UID_MISSING", f"{keyword} has no value")
    if not VALID_UID.fullmatch(value):
        raise UnreadableInstance("UID_INVALID", f"{keyword} is no UID ({len(value)} characters)")
    return value


def _encodings(elements: Dataset) -> list[str]:
    return convert_encodings([term.strip() for term in _ascii(elements, "SpecificCharacterSet").split("\\")])


def _text(elements: Dataset, keyword: str, encodings: list[str]) -> str:
    value = _raw(elements, keyword)
    try:
        text = decode_bytes(value, encodings, _NO_DELIMITERS)
    except (LookupError, UnicodeError, UserWarning):  # a character set or an escape sequence that is none
        text = value.decode("ascii", "replace")
    return "".join(character for character in text if character.isprintable()).strip()[:MAX_TEXT_LENGTH]


def _date(elements: Dataset, keyword: str) -> str:
    """Return YYYYMMDD; the retired form YYYY.MM.DD (PS3.5 Section 6.2, note on DA) is understood."""
    value = _ascii(elements, keyword).replace(".", "")
    return value if re.fullmatch(r"[0-9]{8}", value) else ""


def _integer(elements: Dataset, keyword: str) -> int | None:
    value = _ascii(elements, keyword)
    if not re.fullmatch(r"[+-]?[0-9]{1,12}", value):
        return None
    number = int(value)
    return number if number in INTEGER_STRING_RANGE else None
