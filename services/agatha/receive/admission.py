"""Who gets in: one table of reasons to reject an association, and one register of the peers that are here.

Decides by address, AE titles and counts. Which DICOM services an admitted peer may use is negotiated elsewhere.

The table, codes as in PS3.8 Section 9.3.4 (Table 9-21):

    | reason                  | result      | source                | reason/diagnostic                | codes   |
    |-------------------------|-------------|-----------------------|----------------------------------|---------|
    | application context     | 1 permanent | 1 service user        | 2 application context unsupported| 1, 1, 2 |
    | called AE title         | 1 permanent | 1 service user        | 7 called AE title not recognized | 1, 1, 7 |
    | calling AE title        | 1 permanent | 1 service user        | 3 calling AE title not recognized| 1, 1, 3 |
    | all places taken        | 2 transient | 3 provider (presentation) | 2 local limit exceeded       | 2, 3, 2 |
    | peer's places taken     | 2 transient | 3 provider (presentation) | 2 local limit exceeded       | 2, 3, 2 |
    | shutting down           | 2 transient | 3 provider (presentation) | 1 temporary congestion       | 2, 3, 1 |

A peer outside the allowed networks is not answered at all: its connection is closed before a byte of it is parsed.
"""

import threading
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from agatha.receive.config import ReceiveConfig

APPLICATION_CONTEXT_NAME = "1.2.840.10008.3.1.1.1"  # PS3.7 Annex A.2.1, the only one there is


class Rejection(Enum):
    """A reason to reject an association, with result, source and diagnostic of the A-ASSOCIATE-RJ."""

    APPLICATION_CONTEXT = ("application_context", 1, 1, 2)
    CALLED_AE_TITLE = ("called_ae_title", 1, 1, 7)
    CALLING_AE_TITLE = ("calling_ae_title", 1, 1, 3)
    ALL_PLACES_TAKEN = ("all_places_taken", 2, 3, 2)
    PEER_PLACES_TAKEN = ("peer_places_taken", 2, 3, 2)
    SHUTTING_DOWN = ("shutting_down", 2, 3, 1)

    @property
    def reason(self) -> str:
        """Return the reason as it stands in logs."""
        return self.value[0]

    @property
    def codes(self) -> tuple[int, int, int]:
        """Return result, source and diagnostic."""
        return self.value[1:]


@dataclass(frozen=True, slots=True)
class AssociationRequest:
    """What a peer says of itself when it asks for an association."""

    application_context: str
    called_ae_title: str
    calling_ae_title: str


class Peer(Protocol):
    """One connection, half-open or associated."""

    @property
    def peer_address(self) -> str:
        """Return the IP address."""
        ...

    @property
    def idle_s(self) -> float:
        """Return for how long nothing has been under way."""
        ...

    def drop(self, reason: str) -> None:
        """Close the connection from outside, soon."""
        ...


class Register:
    """The peers that are here. Thread-safe: the accepting thread and every association's thread use it.

    A connection is half-open until its association is admitted, and does not take a place before: peers that connect
    and say nothing can crowd out one another, never an association.
    """

    def __init__(self, config: ReceiveConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._half_open: dict[Peer, None] = {}
        self._associated: dict[Peer, None] = {}
        self._is_closing = False

    @property
    def is_closing(self) -> bool:
        """Say whether `close` was called."""
        return self._is_closing

    def enter(self, peer: Peer) -> None:
        """Register a new connection as half-open; drop the oldest ones that are too many."""
        with self._lock:
            self._half_open[peer] = None
            surplus = list(self._half_open)[: max(0, len(self._half_open) - self._config.max_half_open)]
            for oldest in surplus:
                del self._half_open[oldest]
        for oldest in surplus:
            oldest.drop("half_open_limit")

    def admit(self, peer: Peer, request: AssociationRequest) -> Rejection | None:
        """Give the peer a place, or return the first reason in the table's order why not."""
        with self._lock:
            rejection = self._reason_against(peer, request)
            if rejection is None:
                self._half_open.pop(peer, None)
                self._associated[peer] = None
            return rejection

    def leave(self, peer: Peer) -> None:
        """Forget a connection."""
        with self._lock:
            self._half_open.pop(peer, None)
            self._associated.pop(peer, None)

    def close(self) -> None:
        """Admit nobody from now on."""
        with self._lock:
            self._is_closing = True

    def half_open(self) -> list[Peer]:
        """Return the half-open connections, oldest first."""
        with self._lock:
            return list(self._half_open)

    def associated(self) -> list[Peer]:
        """Return the associated peers, oldest first."""
        with self._lock:
            return list(self._associated)

    def _reason_against(self, peer: Peer, request: AssociationRequest) -> Rejection | None:
        config = self._config
        if request.application_context != APPLICATION_CONTEXT_NAME:
            return Rejection.APPLICATION_CONTEXT
        if request.called_ae_title.strip() != config.ae_title.strip():
            return Rejection.CALLED_AE_TITLE
        if not config.allows_calling_ae_title(request.calling_ae_title):
            return Rejection.CALLING_AE_TITLE
        if len(self._associated) >= config.max_associations:
            return Rejection.ALL_PLACES_TAKEN
        of_this_peer = sum(other.peer_address == peer.peer_address for other in self._associated)
        if of_this_peer >= config.max_associations_per_peer:
            return Rejection.PEER_PLACES_TAKEN
        return Rejection.SHUTTING_DOWN if self._is_closing else None
