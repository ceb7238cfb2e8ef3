"""Results, their schema in the OpenAPI document, and conditional requests."""

import jsonschema
import pytest

from agatha.serve.documents import EXAMPLE_RESULT, ResultDocument
from builders.findings import STUDY_UID, report_request
from builders.served_studies import GAP, complete, facts, receive, settle, write_scored_study

RESULTS = f"/api/v1/studies/{STUDY_UID}/results"


def validate_against_openapi(client, document):
    """Check a list of results against what /openapi.json says about the route."""
    openapi = client.get("/openapi.json").json()
    operation = openapi["paths"]["/api/v1/studies/{study_instance_uid}/results"]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator.check_schema(schema | {"components": openapi["components"]})
    jsonschema.Draft202012Validator(schema | {"components": openapi["components"]}).validate(document)


def test_a_completed_result_has_every_promised_key_and_fits_the_schema(scored_client):
    results = scored_client.get(RESULTS).json()
    assert len(results) == 1
    result = results[0]
    assert {
        "analysis", "state", "reason", "provisional", "series_instance_uid", "model", "created_at", "version",
        "calcium", "quality", "outputs",
    } <= set(result)  # fmt: skip
    calcium = result["calcium"]
    for quantity in ("agatston", "volume_mm3", "mass_mg"):
        values = calcium[quantity]
        assert set(values) == {"total", "LM", "LAD", "LCX", "RCA"}
        assert sum(v for k, v in values.items() if k != "total") == pytest.approx(values["total"])
    assert set(calcium["lesions"][0]) >= {
        "vessel", "agatston", "volume_mm3", "mass_mg", "peak_hu", "mean_hu", "center_lps_mm", "slices",
    }  # fmt: skip
    assert result["outputs"][0].keys() == {"kind", "sop_class_uid", "series_instance_uid", "sop_instance_uids"}
    validate_against_openapi(scored_client, results)


def test_the_numbers_are_those_of_the_stored_document(scored, scored_client):
    with scored.database.reading() as reading:
        stored = reading.results_of_study(STUDY_UID)[0].document
    served = scored_client.get(RESULTS).json()[0]
    assert served["calcium"] == stored["calcium"]
    assert served["quality"] == stored["quality"]
    assert served["outputs"] == stored["outputs"]


def test_a_refusal_is_a_result_without_numbers(store, client):
    write_scored_study(store, refusal=GAP)
    result = client.get(RESULTS).json()[0]
    assert result["state"] == "refused"
    assert result["calcium"] is None
    assert (result["reason"]["code"], result["reason"]["text"]) == (GAP.code, GAP.text)
    validate_against_openapi(client, [result])


def test_the_schema_refuses_a_result_without_calcium_key_or_with_a_missing_vessel(scored_client):
    result = scored_client.get(RESULTS).json()[0]
    for broken in (
        {k: v for k, v in result.items() if k != "calcium"},
        result | {"calcium": result["calcium"] | {"agatston": {"total": 1.0}}},
        result | {"analysis": "tea-leaves"},
        result | {"calcium": result["calcium"] | {"risk_category": "low"}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            validate_against_openapi(scored_client, [broken])


def test_the_example_in_the_openapi_document_fits_its_own_schema():
    assert ResultDocument.model_validate(EXAMPLE_RESULT).calcium is not None


def test_newest_version_comes_first(store, client):
    write_scored_study(store, refusal=GAP)
    assert client.post(f"/api/v1/studies/{STUDY_UID}/reprocess").status_code == 202
    with store.database.reading() as reading:
        series = reading.series_of_study(STUDY_UID)[0]
    settle(store, series, "routed", kind="csct")
    paths = sorted((store.folder / "source").glob("*.dcm"))
    complete(store, series, report_request(paths, None, refusal=GAP))
    assert [result["version"] for result in client.get(RESULTS).json()] == [2, 1]


def test_results_of_a_study_without_any_are_an_empty_list(store, client):
    receive(store, facts())
    assert client.get("/api/v1/studies/1.2.3/results").json() == []


def test_if_none_match_answers_304_until_something_changes(store, client):
    write_scored_study(store, refusal=GAP)
    first = client.get(RESULTS)
    tag = first.headers["etag"]
    for value in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(RESULTS, headers={"If-None-Match": value})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(RESULTS, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_finalised_result_is_no_longer_provisional_and_has_another_etag(store, client):
    result = write_scored_study(store, refusal=GAP, provisional=True)
    before = client.get(RESULTS)
    assert before.json()[0]["provisional"] is True
    with store.database.writing() as writing:
        writing.finalise_result(result.id)
    after = client.get(RESULTS, headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.json()[0]["provisional"] is False
