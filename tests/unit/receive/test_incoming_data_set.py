"""A data set is written as it comes, behind a header that depends on nothing but the request."""

import hashlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from agatha.receive.incoming_data_set import (
    ROOM_CHECK_BYTES,
    IncomingDataSet,
    InstanceTooLarge,
    StoreRequest,
    part_10_header,
)
from agatha.receive.instance_receiver import DIMSE_STATUS, Outcome
from agatha.store.errors import StorageFull
from agatha.store.instance_files import LocalInstanceFiles

REQUEST = StoreRequest("1.2.840.10008.5.1.4.1.1.2", "1.2.3.4", "1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.2", "A")


class Disk(LocalInstanceFiles):
    """A real folder that says how much room it has."""

    free = 1 << 40

    def free_bytes(self) -> int:
        return self.free


def begin(files: LocalInstanceFiles, *, reserve_bytes: int = 0, max_bytes: int = 1 << 30) -> IncomingDataSet:
    return IncomingDataSet(REQUEST, files, reserve_bytes=reserve_bytes, max_bytes=max_bytes)


def left_behind(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_the_file_is_the_header_and_the_bytes_as_they_came(tmp_path: Path) -> None:
    incoming = begin(Disk(tmp_path))
    incoming.write(b"abc")
    incoming.write(b"defg")
    stored = incoming.commit("1.1", "1.2")
    expected = part_10_header(REQUEST) + b"abcdefg"
    assert (tmp_path / stored.key).read_bytes() == expected
    assert stored.sha256 == hashlib.sha256(expected).hexdigest()


def test_the_header_is_a_valid_part_10_beginning() -> None:
    meta = dcmread(BytesIO(part_10_header(REQUEST))).file_meta
    assert meta.MediaStorageSOPInstanceUID == "1.2.3.4"
    assert meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


def test_the_header_never_changes_or_a_resent_instance_would_be_a_conflict() -> None:
    # Changing this digest makes every instance that was stored before differ from the same instance sent again.
    digest = hashlib.sha256(part_10_header(REQUEST)).hexdigest()
    assert digest == "d179e75131e1c4c03205312e551ff9ee7a39c16d981866ff26e261fe2d6f26d3"


def test_the_sender_is_not_part_of_the_identity() -> None:
    assert part_10_header(replace(REQUEST, calling_ae_title="ANOTHER")) == part_10_header(REQUEST)


def test_less_room_than_the_reserve_fails_before_a_byte_is_written(tmp_path: Path) -> None:
    files = Disk(tmp_path)
    files.free = 99
    incoming = begin(files, reserve_bytes=100)
    assert isinstance(incoming.failure, StorageFull)
    incoming.write(b"x" * 1000)
    with pytest.raises(StorageFull):
        incoming.commit("1.1", "1.2")
    assert left_behind(tmp_path) == []


def test_room_that_runs_out_during_a_transfer_ends_it(tmp_path: Path) -> None:
    files = Disk(tmp_path)
    incoming = begin(files, reserve_bytes=100)
    incoming.write(b"x" * 1000)
    assert incoming.failure is None
    files.free = 99
    piece = bytes(1 << 20)
    for _ in range(ROOM_CHECK_BYTES // len(piece) + 1):
        incoming.write(piece)
    assert isinstance(incoming.failure, StorageFull)
    assert left_behind(tmp_path) == []


def test_a_data_set_without_end_is_cut_off(tmp_path: Path) -> None:
    incoming = begin(Disk(tmp_path), max_bytes=1000)
    incoming.write(b"x" * 1000)
    with pytest.raises(InstanceTooLarge, match="1000 bytes"):
        incoming.write(b"x")
    assert left_behind(tmp_path) == []


def test_discarding_leaves_nothing_and_twice_does_no_harm(tmp_path: Path) -> None:
    incoming = begin(Disk(tmp_path))
    incoming.write(b"x")
    incoming.discard()
    incoming.discard()
    assert left_behind(tmp_path) == []


def test_every_outcome_has_one_status_of_its_kind() -> None:
    assert set(DIMSE_STATUS) == set(Outcome)
    successes = {outcome for outcome, status in DIMSE_STATUS.items() if status == 0x0000}
    assert successes == {Outcome.STORED, Outcome.IDENTICAL}
    transient = {outcome for outcome, status in DIMSE_STATUS.items() if 0xA700 <= status <= 0xA7FF}
    assert transient == {Outcome.OUT_OF_RESOURCES}
