"""Every error the pipeline can meet, and what follows from it; typed out independently of the table."""

import errno

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from agatha.deliver import DeliveryFailed
from agatha.infer import ModelUnusable
from agatha.pipeline.consequences import PermanentError, TransientError, consequence_of
from agatha.pipeline.lifecycle import IllegalTransition
from agatha.store.errors import NotFound, SchemaMismatch, StatementRefused, StorageFull, StoreUnavailable


@pytest.mark.parametrize(
    ("error", "action", "code"),
    [
        (StoreUnavailable("x"), "retry", "STORE_UNAVAILABLE"),
        (StorageFull("x"), "retry", "STORAGE_FULL"),
        (OSError(errno.ENOSPC, "No space left"), "retry", "STORAGE_FULL"),
        (OSError(errno.EDQUOT, "Quota exceeded"), "retry", "STORAGE_FULL"),
        (SoftTimeLimitExceeded(), "retry", "TIME_LIMIT"),
        (MemoryError(), "retry", "OUT_OF_MEMORY"),
        (DeliveryFailed("gone", is_transient=True), "retry", "DELIVERY_FAILED"),
        (DeliveryFailed("unknown title", is_transient=False), "park", "DELIVERY_FAILED"),
        (TransientError("A", "a"), "retry", "A"),
        (PermanentError("B", "b"), "park", "B"),
        (NotFound("x"), "park", "ROW_MISSING"),
        (SchemaMismatch("x"), "park", "SCHEMA_MISMATCH"),
        (StatementRefused("x"), "park", "STATEMENT_REFUSED"),
        (ModelUnusable("x"), "park", "MODEL_UNUSABLE"),
        (IllegalTransition("x"), "park", "ILLEGAL_TRANSITION"),
        (FileNotFoundError(2, "x"), "retry", "UNEXPECTED_ERROR"),
        (KeyError("x"), "retry", "UNEXPECTED_ERROR"),
    ],
)
def test_consequence(error, action, code):
    consequence = consequence_of(error)
    assert (consequence.action, consequence.code) == (action, code)


def test_a_dimse_status_travels_with_the_error():
    assert consequence_of(PermanentError("REFUSED", "no", 0xC000)).dimse_status == 0xC000


def test_no_text_quotes_a_foreign_message():
    assert "CANARY" not in consequence_of(OSError("CANARY^PHI")).text
    assert "CANARY" not in consequence_of(RuntimeError("CANARY^PHI")).text
