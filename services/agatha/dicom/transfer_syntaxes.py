"""Which transfer syntaxes can be decoded on this machine: exactly those are offered to a sender.

Decides the order of preference. What a lossy one means for a score is decided where the score is made.
"""

from functools import cache
from typing import Final

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

LOSSLESS: Final = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEGLSLossless,
    JPEG2000Lossless,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEGLosslessSV1,
    JPEGLossless,
    RLELossless,
)
# Last, so that a sender who offers a choice never chooses loss. JPEG 2000 and HTJ2K without "lossless only" may
# hold either kind; LossyImageCompression (0028,2110) tells.
# JPEG extended is left out: the installed decoders take its 8-bit form only, and CT has 12 bits.
LOSSY: Final = (JPEG2000, HTJ2K, JPEGLSNearLossless, JPEGBaseline8Bit)


@cache
def decodable_transfer_syntaxes() -> tuple[UID, ...]:
    """Return the transfer syntaxes whose pixel data this installation can decode, most preferred first.

    Probed once per process: a decoder plug-in that is missing takes its syntaxes out of every negotiation, so that
    nothing is accepted which could not be scored (PS3.8 Annex D.3.2, presentation context negotiation).
    """
    return tuple(uid for uid in (*LOSSLESS, *LOSSY) if _is_decodable(uid))


def _is_decodable(uid: UID) -> bool:
    try:
        return get_decoder(uid).is_available
    except NotImplementedError:
        return False
