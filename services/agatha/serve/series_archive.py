"""A series of our own as one zip file, written while it is sent: it is as large as a scan.

Decides names in the archive and how it is written. Files are stored as they are, not compressed: a viewer unpacks them
at once, and the network is not what takes the time.
"""

import io
import zipfile
from collections.abc import Iterator, Sequence

from agatha.serve.problems import InstanceNotFound, StoredFileMissing
from agatha.store.instance_files import InstanceFiles
from agatha.store.records import OutputRecord
from agatha.store.units_of_work import Reading

ZIP = "application/zip"

CHUNK_BYTES = 256 * 1024

#: Time stamp of every entry, the earliest that zip knows: the same series gives the same bytes.
ENTRY_TIME = (1980, 1, 1, 0, 0, 0)


def find_series(reading: Reading, study_instance_uid: str, series_instance_uid: str) -> list[OutputRecord]:
    """Return all objects of a series of the output ledger, in the order they were written.

    Raises
    ------
    InstanceNotFound
        When this study has no such series of ours.
    """
    outputs = reading.outputs_of_study(study_instance_uid)
    found = [output for output in outputs if output.series_instance_uid == series_instance_uid]
    if not found:
        raise InstanceNotFound
    return found


def require_files(files: InstanceFiles, outputs: Sequence[OutputRecord]) -> None:
    """Raise StoredFileMissing unless the storage holds every file: an archive that is begun cannot say so any more."""
    if not all(files.exists(output.storage_key) for output in outputs):
        raise StoredFileMissing


def archive_chunks(files: InstanceFiles, outputs: Sequence[OutputRecord]) -> Iterator[bytes]:
    """Yield a zip file (``0001.dcm``, ``0002.dcm``, …) in pieces; no more than one chunk is in memory."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for number, output in enumerate(outputs, start=1):
            entry = zipfile.ZipInfo(f"{number:04d}.dcm", ENTRY_TIME)
            entry.file_size = output.size_bytes
            with files.open(output.storage_key) as source, archive.open(entry, "w") as target:
                while chunk := source.read(CHUNK_BYTES):
                    target.write(chunk)
                    yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """What `zipfile` writes into; it cannot seek, so sizes follow each entry (APPNOTE 4.3.9)."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._written += data
        return len(data)

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        data, self._written = bytes(self._written), bytearray()
        return data
