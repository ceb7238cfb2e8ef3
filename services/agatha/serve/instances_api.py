"""Files and pictures of single objects: our outputs as DICOM, our outputs and their source slices as PNG.

Decides which objects may leave by this door: as a file only what the output ledger holds, as a picture also the
received instances of the same study. Both are looked up by UID in the database; no part of the address becomes a path.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydicom import dcmread
from starlette.types import Receive, Scope, Send

from agatha.serve.conditional import cache_headers, entity_tag, not_modified
from agatha.serve.lesion_frames import SourceImage, UnreadableSegmentation, read_lesion_frames
from agatha.serve.links import API
from agatha.serve.pictures import NotDisplayable, Window, key_slice_picture, key_slice_window, plain_picture
from agatha.serve.problems import InstanceNotFound, StoredFileMissing, problem_responses
from agatha.serve.series_archive import ZIP, archive_chunks, find_series, require_files
from agatha.serve.study_queries import ServeContext
from agatha.store.instance_files import InstanceFiles
from agatha.store.units_of_work import Reading

CHUNK_BYTES = 256 * 1024
PNG = "image/png"
DICOM = "application/dicom"

#: What may stand in a file name that a browser saves under.
UNSAFE_IN_NAME = re.compile(r"[^0-9A-Za-z.-]")

WindowText = Annotated[
    str | None, Query(max_length=40, description="Centre and width in HU: `50,350`.", examples=["50,350"])
]

Frame = Annotated[int | None, Query(ge=1, description="Frame of a multi-frame instance, from 1.")]


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """Where an object lies."""

    kind: str
    storage_key: str
    sha256: str
    size_bytes: int
    result_id: int | None = None


def instances_router(context: ServeContext) -> APIRouter:
    """Return the routes of files and pictures."""
    router = APIRouter(prefix=API, tags=["instances"])
    address = "/studies/{study_instance_uid}/series/{series_instance_uid}/instances/{sop_instance_uid}"

    @router.get(
        address,
        summary="An output as DICOM file",
        response_class=Response,
        responses={200: {"content": {DICOM: {}}}, **problem_responses(404, 503)},
    )
    def get_file(
        study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str, request: Request
    ) -> Response:
        """Return the bytes exactly as they were stored and sent (PS3.10)."""
        with context.database.reading() as reading:
            found = find_output(reading, study_instance_uid, series_instance_uid, sop_instance_uid)
        if found is None:
            raise InstanceNotFound
        tag = entity_tag(found.sha256)
        unchanged = not_modified(request, tag)
        return unchanged or file_response(context.files, found, tag, sop_instance_uid)

    @router.get(
        f"{address}/rendered",
        summary="An output or source instance as picture",
        response_class=Response,
        responses={200: {"content": {PNG: {}}}, **problem_responses(404, 406, 422, 503)},
    )
    def get_picture(
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uid: str,
        request: Request,
        frame: Frame = None,
        window: WindowText = None,
    ) -> Response:
        """Grey images are windowed (50, 350 HU unless given), colour images are shown as they are."""
        wanted = None if window is None else parse_window(window)
        with context.database.reading() as reading:
            found = find_output(reading, study_instance_uid, series_instance_uid, sop_instance_uid)
            found = found or find_source(reading, study_instance_uid, series_instance_uid, sop_instance_uid)
        if found is None:
            raise InstanceNotFound
        return picture_response(context.files, request, found, frame, wanted)

    @router.get(
        f"{address}/source/rendered",
        summary="The source of an image of a derived series as picture",
        response_class=Response,
        responses={200: {"content": {PNG: {}}}, **problem_responses(404, 406, 422, 503)},
    )
    def get_source_picture(
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uid: str,
        request: Request,
        window: WindowText = None,
    ) -> Response:
        """The image or frame that the derived one was made from, to be shown beside it in the same window."""
        wanted = None if window is None else parse_window(window)
        with context.database.reading() as reading:
            derived = find_output(reading, study_instance_uid, series_instance_uid, sop_instance_uid)
            if derived is None:
                raise InstanceNotFound
            require_file(context.files, derived)
            source = source_of(context.files.path(derived.storage_key))
            found = find_source(reading, study_instance_uid, None, source.sop_instance_uid)
        if found is None:
            raise InstanceNotFound
        return picture_response(context.files, request, found, source.frame, wanted)

    @router.get(
        "/studies/{study_instance_uid}/series/{series_instance_uid}/archive",
        summary="All objects of one series of outputs as zip file",
        response_class=Response,
        responses={200: {"content": {ZIP: {}}}, **problem_responses(404, 503)},
    )
    def get_archive(study_instance_uid: str, series_instance_uid: str, request: Request) -> Response:
        """The files exactly as they were stored and sent, for whoever cannot fetch a series over DICOM."""
        with context.database.reading() as reading:
            outputs = find_series(reading, study_instance_uid, series_instance_uid)
        require_files(context.files, outputs)
        tag = entity_tag("archive", *(output.sha256 for output in outputs))
        name = UNSAFE_IN_NAME.sub("_", f"{outputs[0].kind}-{series_instance_uid}.zip")
        headers = {**cache_headers(tag), "Content-Disposition": f'attachment; filename="{name}"'}
        return not_modified(request, tag) or StreamingResponse(
            archive_chunks(context.files, outputs), media_type=ZIP, headers=headers
        )

    return router


def picture_response(
    files: InstanceFiles, request: Request, found: StoredInstance, frame: int | None, window: Window | None
) -> Response:
    """Return one plane of a stored object as PNG, or 304 when the client has it."""
    require_file(files, found)
    tag = entity_tag("rendered", found.sha256, str(frame), str(window))
    return not_modified(request, tag) or Response(
        plain_picture(files.path(found.storage_key), frame, window), media_type=PNG, headers=dict(cache_headers(tag))
    )


def source_of(path: Path) -> SourceImage:
    """The image that a derived one names as its source (PS3.3 section C.7.6.1.1.4).

    Raises
    ------
    InstanceNotFound
        When it names none.
    """
    sources = dcmread(path, specific_tags=["SourceImageSequence"]).get("SourceImageSequence")
    if not sources:
        raise InstanceNotFound
    frame = sources[0].get("ReferencedFrameNumber")
    return SourceImage(str(sources[0].ReferencedSOPInstanceUID), None if frame is None else int(frame))


def key_slice_response(
    context: ServeContext, request: Request, study_instance_uid: str, segmentation_uid: str, source: SourceImage
) -> Response:
    """Return the picture of a source slice with the lesions of a segmentation of the same study outlined."""
    with context.database.reading() as reading:
        segmentation = find_output(reading, study_instance_uid, None, segmentation_uid)
        image = find_source(reading, study_instance_uid, None, source.sop_instance_uid)
        window = key_slice_window(is_contrast=segmentation is not None and is_of_contrast(reading, segmentation))
    if segmentation is None or image is None:
        raise InstanceNotFound
    require_file(context.files, segmentation)
    require_file(context.files, image)
    tag = entity_tag("key-slice", segmentation.sha256, image.sha256, str(source.frame), str(window))
    unchanged = not_modified(request, tag)
    if unchanged is not None:
        return unchanged
    try:
        lesions = read_lesion_frames(context.files.path(segmentation.storage_key))
    except UnreadableSegmentation as exc:
        raise NotDisplayable from exc
    picture = key_slice_picture(
        context.files.path(image.storage_key), source.frame, lesions.on(source), lesions.vessels, window
    )
    return Response(picture, media_type=PNG, headers=dict(cache_headers(tag)))


def find_output(
    reading: Reading, study_instance_uid: str, series_instance_uid: str | None, sop_instance_uid: str
) -> StoredInstance | None:
    """Return an object of the output ledger; `series_instance_uid` None accepts any series of the study."""
    for output in reading.outputs_of_study(study_instance_uid):
        if output.sop_instance_uid == sop_instance_uid and series_instance_uid in (None, output.series_instance_uid):
            return StoredInstance(output.kind, output.storage_key, output.sha256, output.size_bytes, output.result_id)
    return None


def is_of_contrast(reading: Reading, output: StoredInstance) -> bool:
    """Whether an output belongs to a result of a contrast scan."""
    result = None if output.result_id is None else reading.result(output.result_id)
    return result is not None and result.document.get("contrast") is not None


def find_source(
    reading: Reading, study_instance_uid: str, series_instance_uid: str | None, sop_instance_uid: str
) -> StoredInstance | None:
    """Return a received instance of the study; `series_instance_uid` None looks in all of its series."""
    for series in reading.series_of_study(study_instance_uid):
        if series_instance_uid not in (None, series.series_instance_uid):
            continue
        for instance in reading.instances_of_series(series.id):
            if instance.sop_instance_uid == sop_instance_uid:
                return StoredInstance("source", instance.storage_key, instance.sha256, instance.size_bytes)
    return None


def require_file(files: InstanceFiles, found: StoredInstance) -> None:
    """Raise StoredFileMissing unless the storage holds the file."""
    if not files.exists(found.storage_key):
        raise StoredFileMissing


def file_response(files: InstanceFiles, found: StoredInstance, tag: str, sop_instance_uid: str) -> Response:
    """Return a stored file as download."""
    try:
        stream = files.open(found.storage_key)
    except FileNotFoundError as exc:
        raise StoredFileMissing from exc
    name = UNSAFE_IN_NAME.sub("_", f"{found.kind}-{sop_instance_uid}.dcm")
    headers = {
        **cache_headers(tag),
        "Content-Length": str(found.size_bytes),
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return FileStream(stream, headers)


class FileStream(StreamingResponse):
    """A file as answer, piece by piece; closed at the end, also when the client went away in the middle."""

    def __init__(self, stream: BinaryIO, headers: Mapping[str, str]) -> None:
        super().__init__(iter(lambda: stream.read(CHUNK_BYTES), b""), media_type=DICOM, headers=headers)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stream.close()


def parse_window(text: str) -> Window:
    """Read ``centre,width`` in HU.

    Raises
    ------
    RequestValidationError
        Unless it is two finite numbers with a width of at least 1.
    """
    parts = text.split(",")
    try:
        center_hu, width_hu = (float(part) for part in parts)
        if not (abs(center_hu) < 1e6 and 1 <= width_hu < 1e6):
            raise ValueError
    except ValueError:
        error = {
            "type": "window",
            "loc": ("query", "window"),
            "msg": "expected centre and width in HU, e.g. 50,350, with a width of at least 1",
        }
        raise RequestValidationError([error]) from None
    return Window(center_hu, width_hu)
