"""Studies: finding them page by page, and asking for all their series to be analysed again.

Decides the order and the cursor of listings. A study's state is derived in `study_state`.
"""

import base64
import binascii

from sqlalchemy import select

from agatha.store.errors import InvalidCursor
from agatha.store.events import EventChanges
from agatha.store.leases import FRESH
from agatha.store.records import Page, StudyRecord
from agatha.store.rows import Unit, change, select_record, table_of
from agatha.store.study_state import refresh_study_state
from agatha.store.tables import Result, Series, Study

CURSOR_PREFIX = "studies:"
MAX_PAGE = 1000


def encode_cursor(last_id: int) -> str:
    """Return the opaque cursor of the page that follows the study with this row id."""
    return base64.urlsafe_b64encode(f"{CURSOR_PREFIX}{last_id}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> int:
    """Return the row id in a cursor.

    Raises
    ------
    InvalidCursor
        When `encode_cursor` did not make it.
    """
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        raise InvalidCursor("the cursor is not one of this listing") from None
    number = text.removeprefix(CURSOR_PREFIX)
    # 18 digits stay inside a 64-bit integer; a longer number cannot be one of ours.
    if number == text or not number.isascii() or not number.isdigit() or len(number) > 18:
        raise InvalidCursor("the cursor is not one of this listing")
    return int(number)


class StudyQueries(Unit):
    """Reading studies."""

    def find_studies(
        self,
        *,
        patient_id: str | None = None,
        accession_number: str | None = None,
        study_date: str | None = None,
        state: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[StudyRecord]:
        """Return studies that match every given value exactly, newest first.

        A study that arrives while someone pages through appears on no later page, and none is shown twice: a page
        begins below the row where the last one ended, not at a count.

        Raises
        ------
        InvalidCursor
            When `cursor` was not handed out here.
        ValueError
            When `limit` is not within 1 and 1000.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise ValueError(f"expected a limit between 1 and {MAX_PAGE}, got {limit}")
        filters = {
            Study.patient_id: patient_id,
            Study.accession_number: accession_number,
            Study.study_date: study_date,
            Study.state: state,
        }
        statement = select_record(StudyRecord, Study).order_by(Study.id.desc()).limit(limit + 1)
        statement = statement.where(*(column == value for column, value in filters.items() if value is not None))
        if cursor is not None:
            statement = statement.where(Study.id < decode_cursor(cursor))
        found = self._all(StudyRecord, statement)
        has_more = len(found) > limit
        return Page(tuple(found[:limit]), encode_cursor(found[limit - 1].id) if has_more else None)

    def study(self, study_instance_uid: str) -> StudyRecord | None:
        """Return the study, or None when no instance of it was stored."""
        statement = select_record(StudyRecord, Study).where(Study.study_instance_uid == study_instance_uid)
        return self._first(StudyRecord, statement)

    def studies_with_results(self, analysis: str) -> list[StudyRecord]:
        """Return the studies that have a result of an analysis, refusals and failures included, oldest first."""
        statement = select_record(StudyRecord, Study).order_by(Study.id)
        has_result = select(Result.id).where(Result.study_id == Study.id, Result.analysis == analysis).exists()
        return self._all(StudyRecord, statement.where(has_result))


class StudyChanges(EventChanges):
    """Writing studies."""

    def reprocess(self, study_instance_uid: str) -> int:
        """Send every series of the study back to receiving, so that each gets a result of a new version on request.

        The generation is part of a job's unique key: the same input may then be analysed once more. Work that is
        under way loses its claim on the series as it does when a new instance arrives.

        Returns
        -------
        int
            How many series were re-opened; 0 for an unknown study.
        """
        wanted = select(Study.id).where(Study.study_instance_uid == study_instance_uid)
        study_id = self._connection.execute(wanted).scalar_one_or_none()
        if study_id is None:
            return 0
        table = table_of(Series)
        reopened = self._update(
            change(Series)
            .where(table.c.study_id == study_id)
            .values(
                FRESH
                | {
                    "state": "receiving",
                    "reason_code": None,
                    "reason_text": None,
                    "input_version": table.c.input_version + 1,
                    "generation": table.c.generation + 1,
                }
            )
        )
        refresh_study_state(self._connection, study_id)
        self.record_event(
            study_id=study_id,
            kind="REPROCESS_REQUESTED",
            text=f"{reopened} series will be analysed again",
            detail={"series": reopened},
        )
        return reopened
