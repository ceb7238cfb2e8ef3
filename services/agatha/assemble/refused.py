"""How assembling ends early inside this package: an exception that carries the refusal the caller gets as a value."""

from __future__ import annotations

import struct
import zlib
from typing import Final

from pydicom.errors import BytesLengthException, InvalidDicomError

from coronary.contract import Refusal

#: What pydicom and its decoders raise over bytes that are no valid DICOM. Named one by one, because a time limit of
#: the worker and a lack of memory are exceptions too, and must not be written down as a fault of the series.
BAD_INPUT_ERRORS: Final = (
    InvalidDicomError,
    BytesLengthException,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
    EOFError,
    struct.error,
    zlib.error,
    OSError,
)


def is_bad_input(error: Exception) -> bool:
    """Whether one of ``BAD_INPUT_ERRORS`` is about the bytes: pydicom raises OSError too, but without a number.

    An OSError with a number is from the disk. It says nothing about the series and must leave the package.
    """
    return not isinstance(error, OSError) or error.errno is None


class Refused(Exception):
    """Ends the assembling of a series; never leaves this package."""

    def __init__(self, code: str, text: str, **detail: str | int | float) -> None:
        super().__init__(code)
        self.refusal = Refusal(code, text, detail)
