"""Errors: always a problem document, never a value of the request, never the text of an exception."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from agatha.serve.problems import PROBLEMS
from agatha.store.errors import SchemaMismatch, StoreUnavailable
from builders.served_studies import facts, queue_job, receive, settle

CANARY = "CANARY^PHI"


class BrokenDatabase:
    """A database whose every unit of work raises."""

    def __init__(self, error):
        self.error = error

    @contextmanager
    def reading(self):
        raise self.error
        yield

    writing = reading

    def ping(self):
        raise self.error


class StoreOf:
    def __init__(self, database, files):
        self.database, self.files = database, files


def check_problem(answer, status):
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "instance"} <= set(body)
    assert body["status"] == status
    assert body["instance"] == f"urn:uuid:{answer.headers['x-request-id']}"
    assert CANARY not in answer.text
    return body


def test_an_unknown_address_is_a_problem(client):
    check_problem(client.get(f"/api/v2/{CANARY}"), 404)


def test_a_wrong_method_names_the_right_ones(client):
    answer = client.delete("/api/v1/studies")
    check_problem(answer, 405)
    assert answer.headers["allow"] == "GET"


def test_an_invalid_parameter_is_named_but_its_value_is_not_repeated(client):
    body = check_problem(
        client.get("/api/v1/studies", params={"limit": CANARY, "study_date": CANARY, CANARY: "1"}), 422
    )
    assert {error["location"] for error in body["errors"]} == {"query.limit", "query.study_date", "query.?"}


def test_an_unavailable_database_is_503_with_retry_after(store, client_of):
    client = client_of(StoreOf(BrokenDatabase(StoreUnavailable(CANARY)), store.files))
    for answer in (
        client.get("/api/v1/studies"),
        client.get("/api/v1/studies/1.2.3"),
        client.get("/api/v1/studies/1.2.3/results"),
        client.get("/api/v1/studies/1.2.3/timeline"),
        client.post("/api/v1/studies/1.2.3/reprocess"),
        client.get("/api/v1/studies/1/series/2/instances/3"),
    ):
        check_problem(answer, 503)
        assert int(answer.headers["retry-after"]) > 0


def test_an_unexpected_error_is_500_without_its_text(store, client_of):
    client = client_of(StoreOf(BrokenDatabase(RuntimeError(CANARY)), store.files))
    check_problem(client.get("/api/v1/studies"), 500)


def test_a_database_of_another_version_says_what_to_do(store, client_of):
    client = client_of(StoreOf(BrokenDatabase(SchemaMismatch("x")), store.files))
    assert "agatha db upgrade" in check_problem(client.get("/api/v1/studies"), 500)["detail"]


def test_a_browser_gets_the_same_as_a_page_outside_the_api(client):
    accept = {"Accept": "text/html,application/xhtml+xml"}
    page = client.get("/studies/9.9", headers=accept)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Study not found" in page.text
    assert "Research use only" in page.text
    check_problem(client.get("/api/v1/studies/9.9", headers=accept), 404)


def test_a_stored_result_that_breaks_the_schema_is_not_served(store, client):
    series = receive(store, facts())
    settle(store, series, "routed", kind="csct")
    job = queue_job(store, series)
    with store.database.writing() as writing:
        lease = writing.lease_job(job.id, "worker", datetime.now(UTC), timedelta(minutes=1))
        document = {"calcium": {"agatston": {"total": CANARY}}, "reason": None, "quality": [], "outputs": []}
        writing.complete_job(
            lease, state="completed", provisional=False, document=document, outputs=[], destinations=[]
        )
    check_problem(client.get("/api/v1/studies/1.2.3/results"), 500)


def test_every_row_of_the_table_is_a_complete_problem():
    for problem in PROBLEMS.values():
        assert 400 <= problem.status < 600
        assert problem.title
        assert problem.detail.endswith(".")


def test_every_route_of_the_api_describes_its_errors_as_problem_documents(client):
    openapi = client.get("/openapi.json").json()
    assert openapi["info"]["version"] == "1.2.3"
    assert "HTTPValidationError" not in str(openapi)
    for path, operations in openapi["paths"].items():
        if not path.startswith("/api/"):
            continue
        for operation in operations.values():
            assert operation["summary"]
            assert operation["description"]
            errors = {code: r for code, r in operation["responses"].items() if code >= "400" and "content" in r}
            assert errors
            assert all("application/problem+json" in answer["content"] for answer in errors.values())
