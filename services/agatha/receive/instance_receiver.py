"""One received data set becomes a durable file and a committed row, and only then an answer.

Decides the order of these steps and the DIMSE status of every way they can end. The network is somewhere else: this
is the seam between a protocol and the store, `begin` for the first byte and `conclude` after the last.

The one table, outcome → DIMSE status (PS3.4 Table B.2-1, PS3.7 Annex C):

    | outcome          | when                                                         | status | newcomer    |
    |------------------|--------------------------------------------------------------|--------|-------------|
    | stored           | file fsynced and renamed, row committed                      | 0x0000 | stored      |
    | identical        | the same bytes under the same UID are stored already         | 0x0000 | is the same |
    | conflict         | other bytes under a stored UID, or a series of another study | 0xC001 | quarantined |
    | out_of_resources | disk below reserve or full, I/O error, database down         | 0xA700 | gone        |
    | mismatch         | SOP class or instance UID differ from the request            | 0xA900 | quarantined |
    | unreadable       | cut short, damaged, without identity, no data set            | 0xC000 | quarantined |
    | unsupported      | SOP class of the request is not that of its context          | 0x0122 | gone        |
    | failed           | a defect of ours                                             | 0x0110 | gone        |

A conflict is a failure, not a warning: to a sender a warning means "stored, may be deleted here", but the newcomer is
not part of the study and nobody will score it. 0xCxxx is the only failure range of the Storage Service Class for "this
object, never", so that a conforming sender does not retry for ever; the comment in the response says why.
Transient and permanent failures are told apart by the first digit: 0xA7xx may be sent again, 0xA9xx and 0xCxxx may not.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from agatha.dicom.facts import InstanceFacts, UnreadableInstance, read_instance_facts
from agatha.receive.config import ReceiveConfig
from agatha.receive.incoming_data_set import IncomingDataSet, StoreRequest
from agatha.receive.observer import log_unexpected
from agatha.store.database import Database
from agatha.store.errors import StorageFull, StoreUnavailable
from agatha.store.instance_files import InstanceFiles


class Outcome(StrEnum):
    """How a C-STORE request ended; see the table above."""

    STORED = "stored"
    IDENTICAL = "identical"
    CONFLICT = "conflict"
    OUT_OF_RESOURCES = "out_of_resources"
    MISMATCH = "mismatch"
    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"


DIMSE_STATUS: Final[Mapping[Outcome, int]] = MappingProxyType(
    {
        Outcome.STORED: 0x0000,
        Outcome.IDENTICAL: 0x0000,
        Outcome.CONFLICT: 0xC001,
        Outcome.OUT_OF_RESOURCES: 0xA700,
        Outcome.MISMATCH: 0xA900,
        Outcome.UNREADABLE: 0xC000,
        Outcome.UNSUPPORTED: 0x0122,
        Outcome.FAILED: 0x0110,
    }
)
# Errors of the store and the disk that the sender's next attempt may not meet.
TRANSIENT: Final = (StoreUnavailable, StorageFull, OSError)
MAX_COMMENT_LENGTH: Final = 64  # PS3.7 Section C.4, Error Comment (0000,0902) is LO


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the sender, and into the counters."""

    outcome: Outcome
    comment: str
    size_bytes: int
    seconds: float

    @property
    def status(self) -> int:
        """Return the DIMSE status."""
        return DIMSE_STATUS[self.outcome]


class InstanceReceiver:
    """Takes data sets into the store. Thread-safe: it has no state of its own."""

    def __init__(self, config: ReceiveConfig, database: Database, files: InstanceFiles) -> None:
        self._config = config
        self._database = database
        self._files = files

    def begin(self, request: StoreRequest) -> IncomingDataSet:
        """Open a file for a data set whose first byte has arrived. Never raises for a full disk; `conclude` answers."""
        config = self._config
        return IncomingDataSet(
            request, self._files, reserve_bytes=config.disk_reserve_bytes, max_bytes=config.max_instance_bytes
        )

    def conclude(self, incoming: IncomingDataSet) -> Answer:
        """Store a complete data set and return the answer; nothing half-written stays behind, whatever happens."""
        try:
            outcome, comment = self._store(incoming)
        except TRANSIENT as exc:
            outcome, comment = Outcome.OUT_OF_RESOURCES, _short_reason(exc)
        except Exception as exc:  # noqa: BLE001 - the sender gets a status whatever the defect
            log_unexpected("conclude", exc)
            outcome, comment = Outcome.FAILED, "internal error, see the log of the receiver"
        finally:
            incoming.discard()
        return Answer(outcome, comment[:MAX_COMMENT_LENGTH], incoming.size_bytes, time.monotonic() - incoming.began_at)

    def _store(self, incoming: IncomingDataSet) -> tuple[Outcome, str]:
        request = incoming.request
        if incoming.failure is not None:
            raise incoming.failure
        if request.sop_class_uid != request.context_sop_class_uid:
            return Outcome.UNSUPPORTED, "SOP class is not that of the presentation context"
        # Asked before the file becomes permanent, so that a database that is down leaves no file behind.
        self._database.ping()
        try:
            with incoming.read_back() as stream:
                facts = read_instance_facts(stream)
        except UnreadableInstance as exc:
            self._quarantine(incoming, None, exc.code, exc.text)
            return Outcome.UNREADABLE, f"{exc.code}: {exc.text}"
        if facts.sop_class_uid != request.sop_class_uid:
            return self._mismatch(incoming, facts, "SOP Class UID of data set and request differ")
        if facts.sop_instance_uid != request.sop_instance_uid:
            return self._mismatch(incoming, facts, "SOP Instance UID of data set and request differ")
        return self._commit(incoming, facts)

    def _commit(self, incoming: IncomingDataSet, facts: InstanceFacts) -> tuple[Outcome, str]:
        """Make the file durable, then its row.

        When the row fails the file stays: another sender may have committed the same bytes under the same key, and a
        commit whose confirmation was lost may have happened. The sender's next attempt finds the file in place.
        """
        stored = incoming.commit(facts.study_instance_uid, facts.series_instance_uid)
        with self._database.writing() as writing:
            added = writing.add_instance(
                facts, stored, calling_ae_title=incoming.request.calling_ae_title, received_at=datetime.now(UTC)
            )
        if added.outcome == "new":
            return Outcome.STORED, ""
        if added.outcome == "identical":
            return Outcome.IDENTICAL, ""
        code, text = added.reason_code or "CONFLICT", added.reason_text or "contradicts what is stored"
        self._quarantine(incoming, facts, code, text)
        return Outcome.CONFLICT, f"{code}: {text}"

    def _mismatch(self, incoming: IncomingDataSet, facts: InstanceFacts, text: str) -> tuple[Outcome, str]:
        self._quarantine(incoming, facts, "REQUEST_MISMATCH", text)
        return Outcome.MISMATCH, text

    def _quarantine(self, incoming: IncomingDataSet, facts: InstanceFacts | None, code: str, text: str) -> None:
        """Keep the bytes and say why; the store makes no second row for the same bytes and reason."""
        stored = incoming.quarantine()
        with self._database.writing() as writing:
            writing.quarantine(
                stored,
                reason_code=code,
                reason_text=text,
                calling_ae_title=incoming.request.calling_ae_title,
                received_at=datetime.now(UTC),
                sop_instance_uid=facts.sop_instance_uid if facts else incoming.request.sop_instance_uid,
                study_instance_uid=facts.study_instance_uid if facts else None,
                series_instance_uid=facts.series_instance_uid if facts else None,
            )


def _short_reason(error: Exception) -> str:
    """Name a transient error without its text, which may hold a path."""
    if isinstance(error, StorageFull):
        return "no room for another instance"
    return "database not available" if isinstance(error, StoreUnavailable) else "storage not available"
