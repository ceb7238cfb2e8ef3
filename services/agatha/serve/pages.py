"""The pages: work list, study page, pictures on it, the button to analyse again, and the style sheet.

Decides which page answers which address. Pages hold no script; everything works with links and forms.
"""

from functools import partial
from importlib.resources import files as package_files
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field, field_validator

from agatha.dicom.analysis_terms import ANALYSIS_TERMS
from agatha.serve.conditional import entity_tag
from agatha.serve.documents import StudyState
from agatha.serve.instances_api import Frame, key_slice_response
from agatha.serve.lesion_frames import SourceImage
from agatha.serve.page_views import QUANTITIES, VESSELS, study_view, worklist_row
from agatha.serve.study_queries import ServeContext, StudyFilter, reopen_study
from agatha.store.records import STUDY_STATES

#: Seconds after which the work list loads itself again when asked to.
REFRESH_S = 30


#: Files that belong to the pages, with their media types.
STATIC_FILES = {"agatha.css": "text/css", "agatha.svg": "image/svg+xml"}


class WorklistFilter(StudyFilter):
    """Filter of the work list, with what only a page has."""

    limit: int = Field(25, ge=1, le=200)
    refresh: int | None = Field(None, ge=5, le=3600)

    @field_validator("refresh", mode="before")
    @classmethod
    def empty_refresh_is_none(cls, value: object) -> object:
        """Take the empty field of a form as no refresh."""
        return None if value == "" else value


def pages_router(context: ServeContext) -> APIRouter:
    """Return the routes that a person opens in a browser."""
    router = APIRouter(include_in_schema=False)
    database, links, templates = context.database, context.links, context.templates

    @router.get("/")
    def worklist(wanted: Annotated[WorklistFilter, Query()]) -> HTMLResponse:
        with database.reading() as reading:
            page = reading.find_studies(**wanted.model_dump(exclude={"refresh"}))
            rows = [worklist_row(reading, study) for study in page.items]
        return HTMLResponse(
            templates.render(
                "worklist.html",
                rows=rows,
                wanted=wanted,
                states=STUDY_STATES,
                is_filtered=bool(wanted.model_dump(exclude_defaults=True, exclude={"cursor", "limit", "refresh"})),
                refresh_s=REFRESH_S,
                older_page=links.worklist_page(wanted.query(page.next_cursor)) if page.next_cursor else None,
                first_page=links.worklist_page(wanted.query()) if wanted.cursor else None,
                refreshed_page=links.worklist_page(
                    {**wanted.model_copy(update={"refresh": None}).query(wanted.cursor), "refresh": REFRESH_S}
                ),
                still_page=links.worklist_page(wanted.model_copy(update={"refresh": None}).query(wanted.cursor)),
                state_page=lambda state: state_page(wanted, state),
            )
        )

    def state_page(wanted: WorklistFilter, state: StudyState | None) -> str:
        return links.worklist_page(wanted.model_copy(update={"state": state}).query())

    @router.get("/studies/{study_instance_uid}")
    def study(study_instance_uid: str) -> HTMLResponse:
        view = study_view(context, study_instance_uid)
        return HTMLResponse(
            templates.render("study.html", view=view, quantities=QUANTITIES, vessels=VESSELS, terms=ANALYSIS_TERMS)
        )

    @router.post("/studies/{study_instance_uid}/reprocess")
    def reprocess(study_instance_uid: str) -> RedirectResponse:
        reopen_study(database, study_instance_uid)
        return RedirectResponse(links.study_page(study_instance_uid), status_code=303)

    @router.get("/studies/{study_instance_uid}/key-slices/{segmentation_uid}/{source_uid}")
    def key_slice(
        study_instance_uid: str, segmentation_uid: str, source_uid: str, request: Request, frame: Frame = None
    ) -> Response:
        source = SourceImage(source_uid, frame)
        return key_slice_response(context, request, study_instance_uid, segmentation_uid, source)

    def static_file(name: str) -> Response:
        content = package_files("agatha.serve").joinpath("static", name).read_bytes()
        headers = {"Cache-Control": "public, max-age=300", "ETag": entity_tag(content)}
        return Response(content, media_type=STATIC_FILES[name], headers=headers)

    for name in STATIC_FILES:
        router.add_api_route(f"/static/{name}", partial(static_file, name))

    return router
