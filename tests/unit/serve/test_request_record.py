"""What is known about a request afterwards: one line and one count, and nothing that identifies a patient."""

import json

import pytest
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from agatha.store.records import SCORES_DISCORDANT
from builders.paired_studies import write_contrast_result
from builders.served_studies import GAP, facts, receive, write_scored_study

CANARY = "CANARY^PHI"


@pytest.fixture
def lines():
    with structlog.testing.capture_logs() as captured:
        yield captured


def samples(text):
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_every_request_leaves_exactly_one_line(store, client, lines):
    receive(store, facts())
    client.get("/api/v1/studies/1.2.3?x=1")
    client.get("/api/v1/nothing/here")
    client.get("/openapi.json")
    assert [(line["event"], line["method"], line["route"], line["status"]) for line in lines] == [
        ("http_request", "GET", "/api/v1/studies/{study_instance_uid}", 200),
        ("http_request", "GET", "unmatched", 404),
        ("http_request", "GET", "/openapi.json", 200),
    ]
    assert all(line["duration_s"] >= 0 and line["request_id"] for line in lines)


def test_an_unexpected_error_is_logged_by_kind_and_place_only(client_of, store, lines):
    client = client_of(type("S", (), {"database": None, "files": store.files})())
    assert client.get("/api/v1/studies").status_code == 500
    line = lines[-1]
    assert (line["log_level"], line["status"], line["error"]) == ("error", 500, "AttributeError")
    assert "studies_api.py:" in line["at"]


def test_patient_data_reaches_no_log_metric_or_problem(store, client, lines, capfd):
    receive(store, facts(patient_id=CANARY, accession_number=CANARY, study_description=CANARY))
    found = client.get("/api/v1/studies", params={"patient_id": CANARY}).json()
    assert found["items"][0]["patient_id"] == CANARY
    problems = [
        client.get("/api/v1/studies", params={"patient_id": CANARY, "limit": CANARY}),
        client.get(f"/api/v1/studies/{CANARY}"),
        client.get(f"/api/v1/studies/1.2.3/series/{CANARY}/instances/{CANARY}"),
        client.get(f"/{CANARY}"),
        client.request(CANARY.replace("^", "-"), "/api/v1/studies"),
        client.post(f"/api/v1/studies/{CANARY}/reprocess", content=CANARY),
    ]
    assert all(answer.status_code >= 400 for answer in problems)
    client.get("/", params={"patient_id": CANARY})
    seen = [answer.text for answer in problems] + [client.get("/metrics").text, json.dumps(lines, default=str)]
    seen += list(capfd.readouterr())
    for text in seen:
        assert "CANARY" not in text
        assert "1.2.3" not in text


def test_metrics_count_requests_by_route_template(store, client):
    receive(store, facts())
    for uid in ("1.2.3", "9.9.9"):
        client.get(f"/api/v1/studies/{uid}")
    counted = samples(client.get("/metrics").text)
    route = "/api/v1/studies/{study_instance_uid}"
    for status in ("200", "404"):
        labels = (("method", "GET"), ("route", route), ("status", status))
        assert counted["agatha_http_requests_total", labels] == 1


def test_metrics_tell_rows_by_state_and_that_the_database_answers(store, client):
    receive(store, facts())
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    counted = samples(answer.text)
    assert counted["agatha_database_up", ()] == 1
    assert counted["agatha_series", (("state", "receiving"),)] == 1
    assert counted["agatha_jobs", (("state", "failed"),)] == 0
    assert ("agatha_oldest_due_seconds", (("kind", "jobs"),)) in counted


def test_metrics_tell_how_analyses_ended_and_how_many_studies_are_discordant(store, client):
    write_scored_study(store)
    result = write_contrast_result(store, refusal=GAP)
    counted = samples(client.get("/metrics").text)
    scored = (("analysis", "csct-scoring"), ("reason_code", ""), ("state", "completed"))
    refused = (("analysis", "ccta-scoring"), ("reason_code", GAP.code), ("state", "refused"))
    assert (counted["agatha_results", scored], counted["agatha_results", refused]) == (1, 1)
    assert counted["agatha_discordant_studies", ()] == 0
    with store.database.writing() as writing:
        writing.record_event(job_id=result.job_id, kind=SCORES_DISCORDANT, text="compared")
    assert samples(client.get("/metrics").text)["agatha_discordant_studies", ()] == 1


def test_metrics_still_answer_without_database(store, client_of):
    store.database.close()
    for file in store.folder.glob("agatha.db*"):
        file.unlink()
    (store.folder / "agatha.db").mkdir()
    client = client_of(store)
    answer = client.get("/metrics")
    assert answer.status_code == 200
    counted = samples(answer.text)
    assert counted["agatha_database_up", ()] == 0
    assert not any(name == "agatha_series" for name, _ in counted)


def test_a_given_registry_is_the_one_that_is_written(store, client_of):
    registry = CollectorRegistry()
    client = client_of(store, registry=registry)
    client.get("/health/live")
    labels = {"method": "GET", "route": "/health/live", "status": "200"}
    assert registry.get_sample_value("agatha_http_requests_total", labels) == 1


def test_every_answer_carries_the_security_headers(client):
    for address in ("/", "/api/v1/studies", "/nothing", "/static/agatha.css", "/health/live"):
        headers = client.get(address).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
