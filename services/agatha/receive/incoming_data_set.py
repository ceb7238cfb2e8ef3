"""One data set on its way to the disk: raw bytes behind a Part 10 header, never decoded, never held in memory.

Decides where the header comes from, when the room is checked and when a data set is too large. A failure of the disk
is kept, not raised, so that the rest of the data set can be read from the network and the request be answered.

What counts as the same: the file meta information is a pure function of SOP class, SOP instance and transfer syntax,
so two files are equal exactly when their data sets came with the same bytes in the same transfer syntax. The file's
SHA-256 is therefore the identity of the data set; who sent it, when, and which version received it do not enter. The
same image in another transfer syntax is another data set.
"""

import time
from dataclasses import dataclass
from typing import BinaryIO, Final

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from agatha.dicom.codes import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from agatha.store.errors import StorageFull, StoreError
from agatha.store.instance_files import IncomingFile, InstanceFiles
from agatha.store.records import StoredFile

PREAMBLE: Final = bytes(128) + b"DICM"  # PS3.10 Section 7.1

# How many bytes may arrive between two looks at the free room.
ROOM_CHECK_BYTES: Final = 16 << 20


class InstanceTooLarge(Exception):
    """A data set outgrew the configured limit; the association has to end, for it may have no end."""


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """What a C-STORE request says, before its data set is looked at."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    context_sop_class_uid: str
    calling_ae_title: str


class IncomingDataSet:
    """The file that one C-STORE request's data set is written to."""

    def __init__(self, request: StoreRequest, files: InstanceFiles, *, reserve_bytes: int, max_bytes: int) -> None:
        self.request = request
        self.failure: StoreError | OSError | None = None
        self.size_bytes = 0
        self.began_at = time.monotonic()
        self._files = files
        self._reserve_bytes = reserve_bytes
        self._max_bytes = max_bytes
        self._next_room_check = 0
        self._file: IncomingFile | None = None
        try:
            self._require_room()
            self._file = files.begin()
            self._file.write(part_10_header(request))
        except (StoreError, OSError) as exc:
            self._fail(exc)

    def write(self, data: bytes) -> None:
        """Append a piece; after a failure the pieces are counted and dropped.

        Raises
        ------
        InstanceTooLarge
            When the data set outgrows its limit.
        """
        self.size_bytes += len(data)
        if self.size_bytes > self._max_bytes:
            self.discard()
            raise InstanceTooLarge(f"a data set of more than {self._max_bytes} bytes")
        if self._file is None:
            return
        try:
            if self.size_bytes > self._next_room_check:
                self._require_room()
            self._file.write(data)
        except (StoreError, OSError) as exc:
            self._fail(exc)

    def read_back(self) -> BinaryIO:
        """Open what was received for reading."""
        return self._kept().read_back()

    def commit(self, study_instance_uid: str, series_instance_uid: str) -> StoredFile:
        """Make the file durable among the instances."""
        return self._kept().commit(study_instance_uid, series_instance_uid, self.request.sop_instance_uid)

    def quarantine(self) -> StoredFile:
        """Make the file durable among the quarantined ones, moving it there when it was committed."""
        return self._kept().quarantine(self.request.sop_instance_uid)

    def discard(self) -> None:
        """Remove what was not made durable."""
        if self._file is not None:
            self._file.discard()

    def _kept(self) -> IncomingFile:
        if self.failure is not None:
            raise self.failure
        if self._file is None:
            raise StorageFull("nothing of the data set could be kept")
        return self._file

    def _require_room(self) -> None:
        if self._files.free_bytes() < self._reserve_bytes:
            raise StorageFull(f"less than the reserve of {self._reserve_bytes} bytes is free")
        self._next_room_check = self.size_bytes + ROOM_CHECK_BYTES

    def _fail(self, failure: StoreError | OSError) -> None:
        self.failure = failure
        self.discard()
        self._file = None


def part_10_header(request: StoreRequest) -> bytes:
    """Return preamble, prefix and file meta information (PS3.10 Section 7.1) for a data set as it is on the network."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(request.sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(request.sop_instance_uid)
    meta.TransferSyntaxUID = UID(request.transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, meta, enforce_standard=True)
    return PREAMBLE + buffer.getvalue()
