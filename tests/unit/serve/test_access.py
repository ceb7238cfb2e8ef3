"""Who may ask: token, host names, foreign sites."""

import base64

import pytest

from builders.served_studies import facts, receive, settle

TOKEN = "s3cret-token"


def basic(password, user="anyone"):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def guarded(store, client_of):
    return client_of(store, api_token=TOKEN)


def test_without_token_everything_but_liveness_is_refused(guarded):
    addresses = ("/", "/api/v1/studies", "/openapi.json", "/metrics", "/health/ready", "/x", "/static/agatha.css")
    for address in addresses:
        answer = guarded.get(address)
        assert answer.status_code == 401, address
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
    assert guarded.get("/health/live").json() == {"status": "alive"}


@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", f"bearer  {TOKEN}", basic(TOKEN), basic(TOKEN, "")])
def test_the_token_opens_as_bearer_and_as_basic_password(guarded, authorization):
    assert guarded.get("/api/v1/studies", headers={"Authorization": authorization}).status_code == 200


def test_anything_else_does_not_open(guarded):
    garbage = ("", "Bearer", "Bearer wrong", f"Bearer {TOKEN}x", TOKEN, f"Digest {TOKEN}", "Basic %%%", "Basic /w==")
    for authorization in (*garbage, basic("wrong")):
        answer = guarded.get("/api/v1/studies", headers={"Authorization": authorization})
        assert answer.status_code == 401, authorization


def test_an_empty_token_is_refused_at_the_start(store, client_of):
    with pytest.raises(ValueError, match="token is empty"):
        client_of(store, api_token=" ").get("/health/live")


def test_the_openapi_document_says_that_a_token_is_needed(guarded, client):
    openapi = guarded.get("/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"}).json()
    assert {"bearer": []} in openapi["security"]
    assert openapi["paths"]["/health/live"]["get"]["security"] == []
    assert "401" in openapi["paths"]["/api/v1/studies"]["get"]["responses"]
    assert "security" not in client.get("/openapi.json").json()


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:8080", 200), ("LOCALHOST", 200), ("[::1]:8080", 200), ("evil.example", 421), ("localhost.evil", 421)],
)
def test_only_known_hosts_are_answered(store, client_of, host, status):
    client = client_of(store, allowed_hosts=("localhost", "127.0.0.1", "[::1]"))
    assert client.get("/api/v1/studies", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 202),
        ({"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}, 202),
        ({"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_other_sites_cannot_make_a_browser_reprocess(store, client, headers, status):
    series = receive(store, facts())
    settle(store, series, "refused")
    assert client.post("/api/v1/studies/1.2.3/reprocess", headers=headers).status_code == status
    with store.database.reading() as reading:
        assert (reading.series(series.id).state == "receiving") == (status == 202)
