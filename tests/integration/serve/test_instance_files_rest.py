"""Files and pictures of single objects over HTTP."""

import io

import pytest
from PIL import Image
from pydicom import dcmread

from builders.findings import SERIES_UID, STUDY_UID
from builders.served_studies import facts, receive


def address_of(output, rest=""):
    return (
        f"/api/v1/studies/{output.study_instance_uid}/series/{output.series_instance_uid}"
        f"/instances/{output.sop_instance_uid}{rest}"
    )


@pytest.fixture(scope="module")
def outputs(scored):
    with scored.database.reading() as reading:
        return {output.kind: output for output in reading.outputs_of_study(STUDY_UID)}


def test_every_output_is_handed_out_as_it_was_stored(scored, scored_client, outputs):
    assert set(outputs) == {"sr", "seg-vessels", "seg-lesions", "summary", "key-images"}
    for output in outputs.values():
        answer = scored_client.get(address_of(output))
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/dicom")
        assert answer.content == scored.files.path(output.storage_key).read_bytes()
        assert dcmread(io.BytesIO(answer.content)).SOPInstanceUID == output.sop_instance_uid
        assert answer.headers["content-disposition"] == (
            f'attachment; filename="{output.kind}-{output.sop_instance_uid}.dcm"'
        )
        again = scored_client.get(address_of(output), headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304


def test_all_uids_of_the_address_must_belong_together(scored_client, outputs):
    sr, summary = outputs["sr"], outputs["summary"]
    base = f"/api/v1/studies/{STUDY_UID}/series"
    for address in (
        f"{base}/{summary.series_instance_uid}/instances/{sr.sop_instance_uid}",
        f"{base}/{sr.series_instance_uid}/instances/9.9",
        address_of(sr).replace(STUDY_UID, "9.9"),
        f"{base}/{sr.series_instance_uid}/instances/..%2f..%2fetc%2fpasswd",
    ):
        assert scored_client.get(address).status_code == 404


def test_received_instances_are_not_handed_out_as_files(scored_client):
    address = f"/api/v1/studies/{STUDY_UID}/series/{SERIES_UID}/instances/{SERIES_UID}.1"
    assert scored_client.get(address).status_code == 404
    assert scored_client.get(f"{address}/rendered").status_code == 200


def test_pictures_are_png_and_the_window_matters(scored_client, outputs):
    summary = scored_client.get(address_of(outputs["summary"], "/rendered"))
    assert summary.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(summary.content)).mode == "RGB"
    source = f"/api/v1/studies/{STUDY_UID}/series/{SERIES_UID}/instances/{SERIES_UID}.1/rendered"
    normal, same, wide = (
        scored_client.get(source, params=params) for params in ({}, {"window": "50,350"}, {"window": "-600,1500"})
    )
    assert normal.content == same.content != wide.content
    assert Image.open(io.BytesIO(normal.content)).size == (80, 64)
    assert normal.headers["etag"] != wide.headers["etag"]


def test_an_impossible_window_or_frame_is_a_422_problem(scored_client, outputs):
    for query in ("window=50", "window=a,b", "window=50,0", "window=nan,350", "window=50,inf", "frame=0"):
        answer = scored_client.get(address_of(outputs["summary"], f"/rendered?{query}"))
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), query


def test_what_has_no_picture_is_406(store, client, scored_client, outputs):
    assert scored_client.get(address_of(outputs["sr"], "/rendered")).status_code == 406
    assert scored_client.get(address_of(outputs["summary"], "/rendered?frame=2")).status_code == 406
    receive(store, facts(), b"not DICOM at all")
    answer = client.get("/api/v1/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/rendered")
    assert (answer.status_code, answer.headers["content-type"]) == (406, "application/problem+json")


def test_a_file_that_is_gone_is_a_500_problem_not_an_empty_file(store, client):
    receive(store, facts())
    with store.database.reading() as reading:
        instance = reading.instances_of_series(reading.series_by_uid("1.2.3.1").id)[0]
    store.files.remove(instance.storage_key)
    answer = client.get("/api/v1/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/rendered")
    assert (answer.status_code, answer.json()["title"]) == (500, "Stored file is missing")
