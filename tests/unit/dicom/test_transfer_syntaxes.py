"""Only what can be decoded is offered, the lossy kinds last."""

import pytest
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from agatha.dicom import transfer_syntaxes
from agatha.dicom.transfer_syntaxes import LOSSLESS, LOSSY, decodable_transfer_syntaxes


def test_everything_that_scanners_and_archives_send_can_be_decoded_here() -> None:
    needed = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"}
    needed |= {RLELossless, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, HTJ2KLossless}
    assert needed <= set(decodable_transfer_syntaxes())


def test_uncompressed_comes_first_and_lossy_last() -> None:
    offered = decodable_transfer_syntaxes()
    assert offered[:2] == (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    first_lossy = min(offered.index(uid) for uid in LOSSY)
    assert all(offered.index(uid) < first_lossy for uid in LOSSLESS if uid in offered)


def test_a_syntax_whose_decoder_is_missing_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    class Decoder:
        def __init__(self, uid: UID) -> None:
            self.is_available = uid != JPEGLSLossless

    monkeypatch.setattr(transfer_syntaxes, "get_decoder", Decoder)
    decodable_transfer_syntaxes.cache_clear()
    try:
        assert JPEGLSLossless not in decodable_transfer_syntaxes()
        assert JPEG2000Lossless in decodable_transfer_syntaxes()
    finally:
        decodable_transfer_syntaxes.cache_clear()


def test_a_syntax_that_nobody_can_decode_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    spectral_selection = UID("1.2.840.10008.1.2.4.53")
    monkeypatch.setattr(transfer_syntaxes, "LOSSY", (*LOSSY, spectral_selection))
    decodable_transfer_syntaxes.cache_clear()
    try:
        assert spectral_selection not in decodable_transfer_syntaxes()
    finally:
        decodable_transfer_syntaxes.cache_clear()
