"""What the receiver tells the outside: counters and one canonical line per association. No attribute of a patient.

Decides the vocabulary; what is made of it (metrics, log format) belongs to the composition root.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

_log = structlog.get_logger("agatha.receive")


@dataclass(frozen=True, slots=True)
class AssociationSummary:
    """One connection from its beginning to its end.

    `outcome` is ``released``, ``aborted``, ``rejected``, ``lost`` or ``never_associated``; `reason` says more where we
    ended it. `answers` counts C-STORE responses by their outcome.
    """

    peer_address: str
    calling_ae_title: str
    called_ae_title: str
    outcome: str
    reason: str | None
    answers: Mapping[str, int]
    echoes: int
    received_bytes: int
    duration_s: float


class ReceiveObserver(Protocol):
    """Hooks for metrics; called from the association's thread, so they must be quick and must not raise."""

    def association_closed(self, summary: AssociationSummary) -> None:
        """A connection ended, however."""
        ...

    def instance_stored(self, size_bytes: int, seconds: float, status: int) -> None:
        """A C-STORE request was answered; `seconds` from its first data byte to the answer."""
        ...

    def connection_refused(self, peer_address: str) -> None:
        """A connection from outside the allowed networks was closed unheard."""
        ...


class SilentObserver:
    """Observes nothing."""

    def association_closed(self, summary: AssociationSummary) -> None:
        """Do nothing."""

    def instance_stored(self, size_bytes: int, seconds: float, status: int) -> None:
        """Do nothing."""

    def connection_refused(self, peer_address: str) -> None:
        """Do nothing."""


def log_association(summary: AssociationSummary) -> None:
    """Write the canonical line of one association."""
    _log.info(
        "association",
        peer_address=summary.peer_address,
        calling_ae_title=summary.calling_ae_title,
        called_ae_title=summary.called_ae_title,
        outcome=summary.outcome,
        reason=summary.reason,
        answers=dict(summary.answers),
        echoes=summary.echoes,
        received_bytes=summary.received_bytes,
        duration_s=round(summary.duration_s, 3),
    )


def log_refused_connection(peer_address: str) -> None:
    """Write the line of a connection that was closed unheard."""
    _log.warning("connection_refused", peer_address=peer_address, reason="network_not_allowed")


def log_unexpected(where: str, error: BaseException) -> None:
    """Write the line of a defect: the type and place of an exception, never its message, which may quote a value."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    at = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame is not None else None
    _log.error("unexpected_error", where=where, error_type=type(error).__name__, at=at)
