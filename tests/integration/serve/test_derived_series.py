"""A calcium-removed series over HTTP: on the pages beside its source, as pictures, as zip."""

import io
import re
import zipfile

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from builders.findings import STUDY_UID, contrast_volume
from builders.paired_studies import write_derived_result

SLICES = 24
PAGE = f"/studies/{STUDY_UID}"


@pytest.fixture
def result(store):
    return write_derived_result(store)


@pytest.fixture
def images(store, result):
    with store.database.reading() as reading:
        outputs = reading.outputs_of_result(result.id)
    return [output for output in outputs if output.kind == "ct-calcium-removed"]


def series_address(output):
    return f"/api/v1/studies/{output.study_instance_uid}/series/{output.series_instance_uid}"


def picture(client, address):
    answer = client.get(f"{address}?window=350,1200")
    assert answer.status_code == 200
    return np.asarray(Image.open(io.BytesIO(answer.content))).astype(int)


def test_the_archive_holds_every_image_as_it_was_stored(store, client, images):
    answer = client.get(f"{series_address(images[0])}/archive")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert archive.namelist() == [f"{number:04d}.dcm" for number in range(1, SLICES + 1)]
    for name, image in zip(archive.namelist(), images, strict=True):
        assert archive.read(name) == store.files.path(image.storage_key).read_bytes()
    assert client.get(f"{series_address(images[0])}/archive").content == answer.content
    etag = {"If-None-Match": answer.headers["etag"]}
    assert client.get(f"{series_address(images[0])}/archive", headers=etag).status_code == 304


def test_there_is_no_archive_of_what_is_not_ours_or_not_all_there(store, client, images):
    assert client.get(f"/api/v1/studies/{STUDY_UID}/series/{'9.9'}/archive").status_code == 404
    assert client.get(f"{series_address(images[0]).replace(STUDY_UID, '9.9')}/archive").status_code == 404
    store.files.path(images[-1].storage_key).unlink()
    assert client.get(f"{series_address(images[0])}/archive").status_code == 500


def test_an_image_and_its_source_differ_exactly_where_it_was_altered(client, result, images):
    (series,) = result.document["stenosis"]["series"]
    assert 0 < len(series["altered_slices"]) < SLICES
    for index, image in enumerate(images):
        address = f"{series_address(image)}/instances/{image.sop_instance_uid}"
        same = np.array_equal(picture(client, f"{address}/rendered"), picture(client, f"{address}/source/rendered"))
        assert same == (index not in series["altered_slices"])


def test_only_a_derived_image_has_a_source_picture(store, client, result):
    with store.database.reading() as reading:
        (report,) = [output for output in reading.outputs_of_result(result.id) if output.kind == "sr"]
    address = f"{series_address(report)}/instances/{report.sop_instance_uid}/source/rendered"
    assert client.get(address).status_code == 404
    assert client.get(address.replace(report.sop_instance_uid, "9.9")).status_code == 404


def test_the_page_shows_both_series_slice_by_slice_and_names_the_changed_ones(client, result, images):
    page = client.get(PAGE).text
    (series,) = result.document["stenosis"]["series"]
    figures = re.findall(r'<figure id="[^"]+-(\d+)"( class="altered")?>', page)
    assert [int(number) for number, _ in figures] == list(range(1, SLICES + 1))
    assert [int(number) - 1 for number, altered in figures if altered] == series["altered_slices"]
    links = re.findall(r'href="#([^"]+)"', page)
    assert all(f'id="{anchor}"' in page for anchor in links)
    assert any("-slice-" in anchor for anchor in links)
    for address in set(re.findall(r'src="([^"]+rendered[^"]*)"', page)):
        assert client.get(address).status_code == 200, address


def test_the_page_says_where_not_to_trust_and_lists_the_series_once(client, result):
    page = client.get(PAGE).text
    assert page.count("Do not trust here.") == sum(
        not segment["is_trusted"] for segment in result.document["stenosis"]["segments"]
    )
    assert page.count("all as zip") == 2  # the series, and the reformats of three trunks
    assert f"{SLICES} images" in page
    assert "PACS: pending × 24" in page
    assert "CAD-RADS <strong>4A</strong>" in page


def test_the_work_list_says_that_a_series_is_ready(client, result):
    assert "calcium-removed series ready" in client.get("/").text


def test_the_result_names_all_images_in_the_order_of_the_volume(store, client, result, images):
    document = client.get(f"/api/v1/studies/{STUDY_UID}/results").json()[0]
    (output,) = [output for output in document["outputs"] if output["kind"] == "ct-calcium-removed"]
    assert output["sop_instance_uids"] == [image.sop_instance_uid for image in images]
    volume, _ = contrast_volume()
    heights = [float(dcmread(store.files.path(i.storage_key)).ImagePositionPatient[2]) for i in images]
    np.testing.assert_allclose(heights, [volume.to_lps_mm(np.array([[z, 0.0, 0.0]]))[0, 2] for z in range(SLICES)])
