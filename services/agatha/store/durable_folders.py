"""Folders whose existence survives a power cut. Decides when a directory entry counts as written; names no file."""

import os
import threading
from pathlib import Path

FOLDER_MODE = 0o700

# One entry per series in practice; forgetting them all costs one extra fsync per folder.
MAX_REMEMBERED = 20_000


class DurableFolders:
    """The folders below `root`, made on demand.

    A folder counts as durable only after this process fsynced its parent itself: one that another thread or process
    just made may not have reached the disk.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._durable: set[Path] = set()
        self._lock = threading.Lock()

    def prepare(self, folder: Path) -> Path:
        """Make `folder` with its parents, make their entries durable, and return it."""
        with self._lock:
            if folder in self._durable:
                return folder
        # The root and what is above it, where they exist, are older than this process and not ours to fsync.
        if self._root in folder.parents or not folder.is_dir():
            self.prepare(folder.parent)
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            self.sync(folder.parent)
        with self._lock:
            if len(self._durable) >= MAX_REMEMBERED:
                self._durable.clear()
            self._durable.add(folder)
        return folder

    def sync(self, folder: Path) -> None:
        """Write the entries of `folder` to the disk."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
