"""What the REST routes and the pages ask the store for, each in one transaction.

Decides which filters exist and what a filter value may look like; refuses nothing about patients or studies.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agatha.serve.links import Links
from agatha.serve.page_templates import PageTemplates
from agatha.serve.problems import StillRunning, StudyNotFound
from agatha.serve.standing import StudyRows, is_moving
from agatha.store.database import Database
from agatha.store.instance_files import InstanceFiles
from agatha.store.units_of_work import Reading

StudyDate = Annotated[str, Field(description="YYYYMMDD or YYYY-MM-DD.", examples=["20260131"])]
STUDY_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ServeContext:
    """What every route needs."""

    database: Database
    files: InstanceFiles
    links: Links
    templates: PageTemplates


class StudyFilter(BaseModel):
    """Which studies are wanted; every given value must match exactly. An empty value counts as not given."""

    model_config = ConfigDict(extra="forbid")

    patient_id: str | None = Field(None, max_length=256, description="PatientID (0010,0020).")
    accession_number: str | None = Field(None, max_length=256, description="AccessionNumber (0008,0050).")
    study_date: StudyDate | None = None
    state: Literal["receiving", "processing", "completed", "refused", "failed"] | None = None
    limit: int = Field(50, ge=1, le=200, description="Studies per page.")
    cursor: str | None = Field(None, max_length=256, description="Opaque; the `next_cursor` of the page before.")

    @field_validator("patient_id", "accession_number", "study_date", "state", "cursor", mode="before")
    @classmethod
    def empty_is_absent(cls, value: Any) -> Any:
        """Take the empty field of a form as no filter."""
        return None if value == "" else value

    @field_validator("study_date")
    @classmethod
    def date_as_in_dicom(cls, value: str | None) -> str | None:
        """Bring a date into the form of DICOM (PS3.5 section 6.2, DA)."""
        if value is None:
            return None
        match = STUDY_DATE.fullmatch(value)
        if match is None:
            raise ValueError("expected a date as YYYYMMDD or YYYY-MM-DD")
        try:
            date(*(int(part) for part in match.groups()))
        except ValueError as exc:
            raise ValueError("expected a date of the calendar") from exc
        return "".join(match.groups())

    def query(self, cursor: str | None = None) -> dict[str, str | int]:
        """Return the filter as query parameters, for the address of another page."""
        given = self.model_dump(exclude_none=True, exclude_defaults=True, exclude={"cursor"})
        return given if cursor is None else given | {"cursor": cursor}


def read_study(reading: Reading, study_instance_uid: str) -> StudyRows:
    """Read all rows of a study.

    Raises
    ------
    StudyNotFound
        When nothing of it was stored.
    """
    study = reading.study(study_instance_uid)
    if study is None:
        raise StudyNotFound
    return StudyRows(
        study=study,
        series=reading.series_of_study(study_instance_uid),
        jobs=reading.jobs_of_study(study_instance_uid),
        results=reading.results_of_study(study_instance_uid),
        deliveries=reading.deliveries_of_study(study_instance_uid),
        quarantined=len(reading.quarantined(study_instance_uid)),
    )


def reopen_study(database: Database, study_instance_uid: str) -> int:
    """Ask for a study to be analysed again, in one transaction; return how many series were re-opened.

    Raises
    ------
    StudyNotFound
        When nothing of it was stored.
    StillRunning
        While images arrive or an analysis runs: it ends with a result of its own.
    """
    with database.writing() as writing:
        if is_moving(read_study(writing, study_instance_uid)):
            raise StillRunning
        return writing.reprocess(study_instance_uid)
