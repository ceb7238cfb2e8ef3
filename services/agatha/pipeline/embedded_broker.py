"""A broker that needs no server: one folder per queue, one file per message. Kombu transport for `embedded://` URLs.

Decides how a message is put and claimed without two processes ever getting the same one. Durability is no concern: the
queue is a hint, and what is lost with a killed worker the sweep offers again. Why not kombu's own filesystem transport:
docs/decisions/0003-broker.md.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from kombu.transport import TRANSPORT_ALIASES, virtual

SCHEME: Final = "embedded"

#: How often an idle worker looks into the folder, s: the delay it adds to a study, against a few file reads a second.
POLLING_INTERVAL_S: Final = 0.1


class BrokerFolderUnusable(OSError):
    """The folder of the embedded broker cannot be written."""


class Channel(virtual.Channel):
    """Messages as files: written aside and renamed in, claimed by renaming out. Both renames are atomic (POSIX)."""

    #: An unacknowledged message is not given back at the end of a connection: the sweep offers its row again.
    do_restore = False

    def _put(self, queue: str, message: dict[str, Any], **_options: Any) -> None:
        folder = self._folder(queue)
        # A wall clock orders messages across processes and restarts; equal times fall back to the random part.
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex}.json"
        aside = folder / f".{name}"
        aside.write_text(json.dumps(message), "utf-8")
        aside.rename(folder / name)

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:  # noqa: ARG002 - kombu's signature
        for path in self._messages(queue):
            claimed = path.with_name(f".claimed-{path.name}")
            try:
                path.rename(claimed)
            except FileNotFoundError:
                continue  # another worker was faster
            message: dict[str, Any] = json.loads(claimed.read_text("utf-8"))
            claimed.unlink()
            return message
        raise Empty

    def _size(self, queue: str) -> int:
        return sum(1 for _ in self._messages(queue))

    def _purge(self, queue: str) -> int:
        purged = 0
        for path in self._messages(queue):
            path.unlink(missing_ok=True)
            purged += 1
        return purged

    def _messages(self, queue: str) -> Iterator[Path]:
        folder = self._folder(queue)
        return (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))

    def _folder(self, queue: str) -> Path:
        # The queues of this service have plain names; anything else must not become a path.
        if not queue.replace("-", "").replace(".", "").replace("_", "").isalnum() or queue.startswith("."):
            raise ValueError(f"queue name {queue!r}: letters, digits, '-', '_' and '.' only")
        folder = Path(self.connection.client.transport_options["folder"]) / queue
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise BrokerFolderUnusable(exc.errno, "the folder of the embedded broker cannot be made") from exc
        return folder


class Transport(virtual.Transport):
    """Folders as queues."""

    Channel = Channel
    driver_type = "embedded"
    driver_name = "embedded"
    can_parse_url = True
    polling_interval = POLLING_INTERVAL_S
    implements = virtual.Transport.implements.extend(asynchronous=False, exchange_type=frozenset({"direct"}))

    def driver_version(self) -> str:
        """There is no driver."""
        return "N/A"


def folder_of(broker_url: str) -> Path:
    """Folder named by ``embedded:///absolute/path``; ValueError for anything else."""
    parts = urlsplit(broker_url)
    folder = Path(unquote(parts.path))
    if parts.scheme != SCHEME or parts.netloc or not folder.is_absolute() or len(folder.parts) < 2:
        raise ValueError(f"broker URL {broker_url!r}: expected embedded:///absolute/folder")
    return folder


def register() -> None:
    """Make the scheme known to kombu."""
    TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
