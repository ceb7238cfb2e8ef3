"""Listing, detail and the request to analyse again."""

import pytest

from builders.served_studies import facts, queue_job, receive, settle


def receive_many(store, count):
    for n in range(1, count + 1):
        receive(
            store, facts(f"1.2.{n}", f"1.2.{n}.1", f"1.2.{n}.1.1", patient_id=f"PAT-{n % 2}", study_date=f"2026010{n}")
        )


def test_studies_are_listed_newest_first(store, client):
    receive_many(store, 3)
    body = client.get("/api/v1/studies").json()
    assert [item["study_instance_uid"] for item in body["items"]] == ["1.2.3", "1.2.2", "1.2.1"]
    assert body["next_cursor"] is None


def test_link_header_leads_through_all_pages_and_keeps_the_filter(store, client):
    receive_many(store, 7)
    address, seen = "/api/v1/studies?patient_id=PAT-1&limit=2", []
    while address:
        answer = client.get(address)
        assert answer.status_code == 200
        seen += [item["study_instance_uid"] for item in answer.json()["items"]]
        link = answer.links.get("next")
        assert (link is None) == (answer.json()["next_cursor"] is None)
        address = link["url"] if link else None
    assert seen == ["1.2.7", "1.2.5", "1.2.3", "1.2.1"]


def test_study_date_is_understood_with_and_without_hyphens(store, client):
    receive_many(store, 3)
    for date in ("20260102", "2026-01-02"):
        items = client.get("/api/v1/studies", params={"study_date": date}).json()["items"]
        assert [item["study_instance_uid"] for item in items] == ["1.2.2"]


def test_filters_combine_and_match_exactly(store, client):
    receive(store, facts("1.2.1", "1.2.1.1", "1.2.1.1.1", patient_id="A", accession_number="X"))
    receive(store, facts("1.2.2", "1.2.2.1", "1.2.2.1.1", patient_id="AB", accession_number="X"))
    found = client.get("/api/v1/studies", params={"patient_id": "A", "accession_number": "X"}).json()["items"]
    assert [item["study_instance_uid"] for item in found] == ["1.2.1"]
    assert client.get("/api/v1/studies?state=completed").json()["items"] == []


def test_a_hostile_filter_value_cannot_break_the_link_header(store, client):
    hostile = 'x>; rel="evil"\r\nSet-Cookie: a=b'
    for n in (1, 2):
        receive(store, facts(f"1.2.{n}", f"1.2.{n}.1", f"1.2.{n}.1.1", patient_id=hostile))
    answer = client.get("/api/v1/studies", params={"patient_id": hostile, "limit": 1})
    assert "set-cookie" not in answer.headers
    assert set(answer.links) == {"next"}
    assert len(client.get(answer.links["next"]["url"]).json()["items"]) == 1


def test_an_invalid_query_is_a_422_problem(client):
    dates = ["study_date=2026", "study_date=20261332", "study_date=2026-W01-1"]
    for query in ["limit=0", "limit=201", "limit=many", "state=done", "cursor=zzz", "patientid=1", *dates]:
        answer = client.get(f"/api/v1/studies?{query}")
        assert answer.status_code == 422, query
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == 422


def test_an_empty_filter_counts_as_none(store, client):
    receive_many(store, 1)
    query = "patient_id=&accession_number=&study_date=&state=&cursor="
    assert len(client.get(f"/api/v1/studies?{query}").json()["items"]) == 1


def test_detail_names_series_with_kind_state_and_reason_and_the_jobs(store, client):
    first = receive(store, facts())
    settle(store, first, "not_applicable", kind="other", reason_code="LOCALIZER", reason_text="A localizer.")
    second = receive(store, facts(series="1.2.3.2", instance="1.2.3.2.1", series_number=4))
    settle(store, second, "routed", kind="csct")
    queue_job(store, second)
    body = client.get("/api/v1/studies/1.2.3").json()
    assert [(s["kind"], s["state"]) for s in body["series"]] == [("other", "not_applicable"), ("csct", "routed")]
    assert body["series"][0]["reason"] == {"code": "LOCALIZER", "text": "A localizer."}
    assert body["series"][1]["reason"] is None
    assert [(job["analysis"], job["state"]) for job in body["jobs"]] == [("csct-scoring", "queued")]
    assert body["state"] == "processing"
    for name in ("self", "results", "timeline"):
        assert client.get(body["links"][name]).status_code == 200


def test_links_carry_the_public_address_and_never_the_host_of_the_request(store, client_of):
    receive(store, facts())
    client = client_of(store, public_base_url="https://agatha.example/ct/")
    links = client.get("/api/v1/studies/1.2.3", headers={"Host": "evil.example"}).json()["links"]
    assert links["self"] == "https://agatha.example/ct/api/v1/studies/1.2.3"
    assert links["page"] == "https://agatha.example/ct/studies/1.2.3"
    assert '"/ct/static/agatha.css"' in client.get("/").text


@pytest.mark.parametrize("rest", ["", "/results", "/timeline"])
def test_an_unknown_study_is_a_404_problem(client, rest):
    for uid in ("9.9.9", "not-a-uid", "%00", "x" * 500, "1.2%27%3B--"):
        answer = client.get(f"/api/v1/studies/{uid}{rest}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_reprocess_reopens_every_series(store, client):
    series = receive(store, facts())
    settle(store, series, "refused", kind="csct", reason_code="X", reason_text="Because.")
    answer = client.post("/api/v1/studies/1.2.3/reprocess")
    assert answer.status_code == 202
    assert answer.json()["series_reopened"] == 1
    assert client.get(answer.headers["location"]).status_code == 200
    with store.database.reading() as reading:
        assert reading.series(series.id).state == "receiving"
        assert reading.series(series.id).input_version == 2


def test_reprocess_while_images_arrive_is_a_conflict_and_changes_nothing(store, client):
    series = receive(store, facts())
    answer = client.post("/api/v1/studies/1.2.3/reprocess")
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    with store.database.reading() as reading:
        assert reading.series(series.id).input_version == 1


def test_reprocess_while_a_job_waits_is_a_conflict(store, client):
    series = receive(store, facts())
    settle(store, series, "routed", kind="csct")
    queue_job(store, series)
    assert client.post("/api/v1/studies/1.2.3/reprocess").status_code == 409


def test_reprocess_of_an_unknown_study_is_not_found(client):
    assert client.post("/api/v1/studies/9.9/reprocess").status_code == 404
