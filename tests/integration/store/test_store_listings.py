"""Listings: filters, pages that neither skip nor repeat, and the counts behind the metrics."""

import pytest

from agatha.store.database import Database
from agatha.store.errors import InvalidCursor


def add_studies(rows, numbers) -> None:
    for number in numbers:
        rows.add(
            study_instance_uid=f"1.{number}",
            series_instance_uid=f"1.{number}.1",
            sop_instance_uid=f"1.{number}.1.1",
            patient_id=f"P{number % 2}",
            accession_number=f"A{number}",
            study_date=f"2024050{number % 3}",
        )


def test_pages_neither_skip_nor_repeat_while_studies_arrive(database: Database, rows) -> None:
    add_studies(rows, range(1, 8))
    seen: list[str] = []
    cursor, arriving = None, 100
    while True:
        with database.reading() as tx:
            page = tx.find_studies(limit=3, cursor=cursor)
        seen += [study.study_instance_uid for study in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
        add_studies(rows, [arriving])
        arriving += 1
    assert seen == [f"1.{number}" for number in range(7, 0, -1)]


def test_last_page_that_is_full_has_no_cursor(database: Database, rows) -> None:
    add_studies(rows, range(1, 5))
    with database.reading() as tx:
        first = tx.find_studies(limit=2)
        second = tx.find_studies(limit=2, cursor=first.next_cursor)
    assert first.next_cursor is not None
    assert (len(second.items), second.next_cursor) == (2, None)


def test_filters_match_exactly_and_together(database: Database, rows) -> None:
    add_studies(rows, range(1, 8))

    def found(**filters: str) -> list[str]:
        with database.reading() as tx:
            return [study.study_instance_uid for study in tx.find_studies(**filters).items]

    assert found(patient_id="P1") == ["1.7", "1.5", "1.3", "1.1"]
    assert found(patient_id="P1", study_date="20240501") == ["1.7", "1.1"]
    assert found(accession_number="A4") == ["1.4"]
    assert found(state="completed") == []
    assert found(patient_id="P") == []


@pytest.mark.parametrize(
    "cursor", ["", "x", "!!!!", "c3R1ZGllczo", "c3R1ZGllczotMQ", "é", "c3R1ZGllczo5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"]
)
def test_cursor_that_was_not_handed_out_is_refused(database: Database, cursor: str) -> None:
    with database.reading() as tx, pytest.raises(InvalidCursor):
        tx.find_studies(cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_limit_out_of_range_is_refused(database: Database, limit: int) -> None:
    with database.reading() as tx, pytest.raises(ValueError, match="limit"):
        tx.find_studies(limit=limit)


def test_counts_name_every_state_and_the_longest_wait(database: Database, rows) -> None:
    with database.reading() as tx:
        empty = tx.counts()
    assert empty["jobs"] == {"queued": 0, "running": 0, "completed": 0, "refused": 0, "failed": 0}
    assert empty["oldest_due_seconds"] == {"series": 0, "jobs": 0, "deliveries": 0}
    series_id = rows.add().series_id
    with database.reading() as tx:
        assert tx.counts()["oldest_due_seconds"]["series"] > 86_400  # its last instance came in 2024
    rows.complete(rows.lease(rows.job(series_id)))
    with database.reading() as tx:
        counts = tx.counts()
    assert counts["series"]["routed"] == 1
    assert counts["jobs"]["completed"] == 1
    assert counts["deliveries"]["pending"] == 1
    assert counts["studies"]["completed"] == 1
    assert counts["oldest_due_seconds"]["series"] == 0
    assert 0 <= counts["oldest_due_seconds"]["deliveries"] < 300
