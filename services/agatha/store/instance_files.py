"""Instance files: bytes that are durable before anybody is told so.

Decides what a place for instance files offers, and which place a storage URL names. It never looks into a file; what
belongs to which study is the caller's word.
"""

from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self
from urllib.parse import unquote, urlsplit

from agatha.store.errors import UnsupportedStorage
from agatha.store.local_instance_files import LocalInstanceFiles
from agatha.store.records import StoredFile

__all__ = ["IncomingFile", "InstanceFiles", "LocalInstanceFiles", "open_instance_files"]


class IncomingFile(Protocol):
    """A file that is being received; leaving its ``with`` block discards it unless it was committed or quarantined."""

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append; raises StorageFull, after which the file is gone."""
        ...

    def read_back(self) -> BinaryIO:
        """Open what was written so far for reading; only before commit, quarantine and discard."""
        ...

    def commit(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> StoredFile:
        """Make the file durable under a key of its own and return it; raises StorageFull."""
        ...

    def quarantine(self, name: str) -> StoredFile:
        """Make the file durable among the quarantined ones; allowed before commit, or after it to move it there."""
        ...

    def discard(self) -> None:
        """Remove what was written, unless it was committed or quarantined."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class InstanceFiles(Protocol):
    """Where instance files are kept. Keys are relative POSIX paths made here; callers only pass them back."""

    def begin(self) -> IncomingFile:
        """Open a temporary file to receive into; raises StorageFull."""
        ...

    def put(self, key: str, data: bytes) -> StoredFile:
        """Store bytes under a key of the caller's, replacing what was there in one step; as durable as commit."""
        ...

    def open(self, key: str) -> BinaryIO:
        """Open a stored file for reading; FileNotFoundError when there is none."""
        ...

    def path(self, key: str) -> Path:
        """Return where a stored file lies on this machine, whether or not it is there; raises InvalidStorageKey."""
        ...

    def exists(self, key: str) -> bool:
        """Return whether there is a file under the key."""
        ...

    def remove(self, key: str) -> None:
        """Remove a file; nothing happens when there is none."""
        ...

    def free_bytes(self) -> int:
        """Return how much more can be stored."""
        ...

    def sweep_temporary(self, older_than: timedelta) -> int:
        """Remove what a dead process was receiving and has not touched for this long; return how many files."""
        ...


def open_instance_files(url: str) -> InstanceFiles:
    """Return the instance files at a storage URL, ``file:///absolute/folder``.

    Raises
    ------
    UnsupportedStorage
        For any other scheme, another host or a relative path.
    """
    parsed = urlsplit(url)
    if parsed.scheme != "file":
        raise UnsupportedStorage(f"expected a storage URL file:///…, got scheme {parsed.scheme or 'none'!r}")
    if parsed.netloc not in ("", "localhost") or not parsed.path.startswith("/") or parsed.query or parsed.fragment:
        raise UnsupportedStorage("expected a storage URL of the form file:///absolute/folder")
    return LocalInstanceFiles(Path(unquote(parsed.path)))
