"""Which state may follow which, as rows.

Decides the legal transitions of series, jobs and deliveries and nothing else: when a transition happens is decided in
`tasks` and `sweep`, how it is written in `agatha.store`. A study has no row: its state is derived from its series and
jobs by the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agatha.store.records import LeasedKind


@dataclass(frozen=True, slots=True)
class Transition:
    """One legal step of one kind of row."""

    subject: LeasedKind
    source: str
    target: str
    when: str


TRANSITIONS: Final = (
    Transition("series", "receiving", "assembling", "a worker takes the lease after the settle time"),
    Transition("series", "assembling", "assembling", "another worker takes over an expired lease"),
    Transition("series", "assembling", "receiving", "a new instance arrived meanwhile, or the series must wait"),
    Transition("series", "assembling", "routed", "a volume was built and at least one analysis is for it"),
    Transition("series", "assembling", "refused", "it is a candidate, but must not be analysed: a coded reason"),
    Transition("series", "assembling", "not_applicable", "no analysis is for such a series"),
    Transition("series", "assembling", "failed", "an error outlasted all attempts, or cannot be mended by waiting"),
    Transition("series", "receiving", "receiving", "one more instance"),
    Transition("series", "routed", "receiving", "a late instance, or a request to reprocess"),
    Transition("series", "refused", "receiving", "a late instance, or a request to reprocess"),
    Transition("series", "not_applicable", "receiving", "a late instance, or a request to reprocess"),
    Transition("series", "failed", "receiving", "a late instance, or a request to reprocess"),
    Transition("jobs", "queued", "running", "a worker takes the lease"),
    Transition("jobs", "running", "running", "another worker takes over an expired lease"),
    Transition("jobs", "running", "queued", "a transient error: another attempt after a pause"),
    Transition("jobs", "running", "completed", "a score and its objects are stored"),
    Transition("jobs", "running", "refused", "the coded reason and its objects are stored"),
    Transition("jobs", "running", "failed", "an error outlasted all attempts, or the input moved on"),
    Transition("deliveries", "pending", "sending", "a worker takes the lease"),
    Transition("deliveries", "sending", "sending", "another worker takes over an expired lease"),
    Transition("deliveries", "sending", "pending", "a transient error: another attempt after a pause"),
    Transition("deliveries", "sending", "delivered", "the destination answered Success or a warning"),
    Transition("deliveries", "sending", "dead", "the destination refuses it, or all attempts are used up"),
)

_LEGAL: Final = frozenset((row.subject, row.source, row.target) for row in TRANSITIONS)


class IllegalTransition(Exception):
    """A step that the table does not have: a programming error, permanent."""


def check_transition(subject: LeasedKind, source: str, target: str) -> None:
    """Raise IllegalTransition unless the table has this step."""
    if (subject, source, target) not in _LEGAL:
        allowed = sorted(row.target for row in TRANSITIONS if (row.subject, row.source) == (subject, source))
        raise IllegalTransition(f"{subject}: {source} -> {target}; after {source} come {allowed or 'no states'}")
