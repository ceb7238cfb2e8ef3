"""Error → consequence: try again after a pause, or park the row with a reason. The one table of the pipeline's edge.

Decides nothing about refusals: those are values that stages return, never exceptions. Texts made here hold no message
of a foreign exception, because such a message can quote an attribute value of a patient.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Final, Literal

from celery.exceptions import SoftTimeLimitExceeded

from agatha.deliver import DeliveryFailed
from agatha.infer import ModelUnusable
from agatha.pipeline.lifecycle import IllegalTransition
from agatha.store.errors import (
    ComparisonOutdated,
    NotFound,
    SchemaMismatch,
    StatementRefused,
    StorageFull,
    StoreUnavailable,
)

Action = Literal["retry", "park"]

#: Code of a row that killed the worker at every attempt; what it refers to is not to be touched again.
WORKER_LOST: Final = "WORKER_LOST"


@dataclass(frozen=True, slots=True)
class Consequence:
    """What follows from an error, with a code and a sentence that may be shown."""

    action: Action
    code: str
    text: str
    dimse_status: int | None = None
    is_own_fault: bool = False


class FlowError(Exception):
    """Root of what a flow raises on purpose; carries its own code and sentence, and the DIMSE status it heard."""

    action: Action

    def __init__(self, code: str, text: str, dimse_status: int | None = None) -> None:
        super().__init__(f"{code}: {text}")
        self.consequence = Consequence(self.action, code, text, dimse_status)


class PermanentError(FlowError):
    """No later attempt can mend it: park and explain."""

    action = "park"


class TransientError(FlowError):
    """A later attempt may find it mended: retry with backoff and a ceiling, then park."""

    action = "retry"


#: Errors that probably come again with the same row: they are given up earlier than an outage is.
_OWN_FAULT: Final = frozenset({"TIME_LIMIT", "OUT_OF_MEMORY", "UNEXPECTED_ERROR"})

#: First matching row wins; subclasses stand above their bases.
_TABLE: Final[tuple[tuple[type[BaseException], Action, str, str], ...]] = (
    (StoreUnavailable, "retry", "STORE_UNAVAILABLE", "The database did not answer."),
    (StorageFull, "retry", "STORAGE_FULL", "There is no room for another file."),
    (ComparisonOutdated, "retry", "COMPARISON_OUTDATED", "The other score of the study changed again and again."),
    (NotFound, "park", "ROW_MISSING", "The row this task refers to does not exist."),
    (SchemaMismatch, "park", "SCHEMA_MISMATCH", "The database was migrated by another version."),
    (StatementRefused, "park", "STATEMENT_REFUSED", "The database refused a statement for what it says."),
    (ModelUnusable, "park", "MODEL_UNUSABLE", "The model file is missing or is not the one the manifest names."),
    (IllegalTransition, "park", "ILLEGAL_TRANSITION", "The state machine has no such step."),
    (SoftTimeLimitExceeded, "retry", "TIME_LIMIT", "The task took longer than its time limit."),
    (MemoryError, "retry", "OUT_OF_MEMORY", "There was not enough memory."),
)

_DISK_IS_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def consequence_of(error: BaseException) -> Consequence:
    """What follows from `error`; an error nobody foresaw is retried, and parked when the attempts are used up."""
    if isinstance(error, FlowError):
        return error.consequence
    if isinstance(error, DeliveryFailed):
        action: Action = "retry" if error.is_transient else "park"
        return Consequence(action, "DELIVERY_FAILED", str(error))
    if isinstance(error, OSError) and error.errno in _DISK_IS_FULL:
        return Consequence("retry", "STORAGE_FULL", "There is no room for another file.")
    for row in _TABLE:
        if isinstance(error, row[0]):
            return Consequence(*row[1:], is_own_fault=row[2] in _OWN_FAULT)
    return Consequence("retry", "UNEXPECTED_ERROR", f"Unexpected {type(error).__name__}.", is_own_fault=True)
