"""Instance files in a folder of a local disk.

Decides in which order bytes, file and folder entries reach the disk, and what happens when there is no room.
"""

import errno
import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from agatha.store.durable_folders import DurableFolders
from agatha.store.errors import StorageFull
from agatha.store.records import StoredFile
from agatha.store.storage_keys import INCOMING, instance_key, parts_of, quarantine_key

FILE_MODE = 0o600  # instances hold patients' data; only the service's own user reads them

# No room on the device, over quota.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def reporting_full_disk() -> Iterator[None]:
    """Turn a lack of room into StorageFull; every other OSError stays what it is."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StorageFull(f"no room for another instance file: {errno.errorcode[error.errno]}") from error
        raise


class LocalInstanceFiles:
    """Instance files in a folder of a local disk; `root` is made when it is not there.

    A file is written to ``incoming`` on the same file system, fsynced, renamed to its key, and the folder is fsynced:
    after a power cut it is complete under its key or not there.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._folders = DurableFolders(self._root)
        self._incoming = self._folders.prepare(self._root / INCOMING)

    def begin(self) -> "LocalIncomingFile":
        """Open a temporary file to receive into; raises StorageFull."""
        return LocalIncomingFile(self, self._incoming / f"{uuid.uuid4().hex}.part")

    def put(self, key: str, data: bytes) -> StoredFile:
        """Store bytes under `key`, replacing what was there in one step; raises StorageFull, InvalidStorageKey."""
        self.path(key)
        with self.begin() as incoming:
            incoming.write(data)
            return incoming.keep_as(lambda _sha256: key)

    def open(self, key: str) -> BinaryIO:
        """Open a stored file for reading; FileNotFoundError when there is none."""
        return self.path(key).open("rb")

    def path(self, key: str) -> Path:
        """Return where the file of `key` lies, whether or not it is there; raises InvalidStorageKey."""
        return self._root.joinpath(*parts_of(key))

    def exists(self, key: str) -> bool:
        """Return whether there is a file under the key."""
        return self.path(key).is_file()

    def remove(self, key: str) -> None:
        """Remove a file; nothing happens when there is none."""
        self.path(key).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Return the bytes that an unprivileged process may still write to this file system."""
        status = os.statvfs(self._root)
        return status.f_bavail * status.f_frsize

    def sweep_temporary(self, older_than: timedelta) -> int:
        """Remove temporary files that nobody has written to for this long; return how many."""
        last_touched = time.time() - older_than.total_seconds()
        removed = 0
        for path in self._incoming.glob("*.part"):
            try:
                if path.stat().st_mtime <= last_touched:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue
        return removed

    def rename_durably(self, source: Path, key: str) -> None:
        """Rename a file, fsynced already, to its key, and fsync the folders that gained an entry."""
        target = self.path(key)
        with reporting_full_disk():
            self._folders.prepare(target.parent)
            source.replace(target)
            self._folders.sync(target.parent)


class LocalIncomingFile:
    """A file that is being received into the incoming folder; its SHA-256 is computed as the bytes pass."""

    def __init__(self, files: LocalInstanceFiles, path: Path) -> None:
        self._files = files
        self._path = path
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0
        self._stored: StoredFile | None = None
        with reporting_full_disk():
            # Unbuffered: a buffer would hold back the error of a full disk until close.
            self._file = open(  # noqa: SIM115 - Path.open takes no opener, and the file outlives this method
                path, "xb", buffering=0, opener=lambda name, flags: os.open(name, flags, FILE_MODE)
            )

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append; raises StorageFull, after which the file is gone."""
        rest = memoryview(chunk).cast("B")
        self._sha256.update(rest)
        self._size_bytes += len(rest)
        try:
            with reporting_full_disk():
                while rest:
                    rest = rest[self._file.write(rest) :]
        except BaseException:
            self.discard()
            raise

    def read_back(self) -> BinaryIO:
        """Open what was written so far for reading; only before commit, quarantine and discard."""
        return self._path.open("rb")

    def commit(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> StoredFile:
        """Make the file durable under a key of its own and return it; raises StorageFull, after which it is gone."""
        return self.keep_as(
            lambda sha256: instance_key(study_instance_uid, series_instance_uid, sop_instance_uid, sha256)
        )

    def quarantine(self, name: str) -> StoredFile:
        """Make the file durable among the quarantined ones; a file that was committed is moved there."""
        if self._stored is None:
            return self.keep_as(lambda sha256: quarantine_key(name, sha256))
        key = quarantine_key(name, self._stored.sha256)
        try:
            self._files.rename_durably(self._files.path(self._stored.key), key)
        except FileNotFoundError:
            # The same bytes came twice at once and the other sender's copy, of the same key, was moved first.
            if not self._files.exists(key):
                raise
        self._stored = StoredFile(key, self._stored.sha256, self._stored.size_bytes)
        return self._stored

    def discard(self) -> None:
        """Remove what was written, unless it was committed or quarantined."""
        self._file.close()
        if self._stored is None:
            self._path.unlink(missing_ok=True)

    def keep_as(self, key_of: Callable[[str], str]) -> StoredFile:
        """Fsync the file, then rename it to the key made from its SHA-256, then fsync its folder."""
        if self._file.closed:
            raise ValueError("the file was committed or discarded already")
        sha256 = self._sha256.hexdigest()
        stored = StoredFile(key_of(sha256), sha256, self._size_bytes)
        try:
            with reporting_full_disk():
                os.fsync(self._file.fileno())
            self._file.close()
            self._files.rename_durably(self._path, stored.key)
        except BaseException:
            self.discard()
            raise
        self._stored = stored
        return stored

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()
