"""Results, their schema in the OpenAPI document, and conditional requests."""

import json
import sqlite3
from contextlib import closing

import jsonschema
import pytest

from agatha.serve.result_schema import EXAMPLE_CONCORDANCE, EXAMPLE_CONTRAST_RESULT, EXAMPLE_RESULT, ResultDocument
from builders.findings import STUDY_UID, report_request
from builders.paired_studies import CCTA_SERIES_UID, WIDE, write_contrast_result, write_paired_study
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
    interval = calcium["interval"]
    assert set(interval) == {"confidence", "low", "high", "class_probability", "data", "lowest", "highest"}
    assert interval["low"] < interval["lowest"] < calcium["agatston"]["total"] < interval["highest"] < interval["high"]
    assert sum(interval["class_probability"].values()) == pytest.approx(1)
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
    interval = result["calcium"]["interval"]
    for broken in (
        {k: v for k, v in result.items() if k != "calcium"},
        result | {"calcium": result["calcium"] | {"agatston": {"total": 1.0}}},
        result | {"analysis": "tea-leaves"},
        result | {"calcium": result["calcium"] | {"risk_category": "low"}},
        result | {"calcium": result["calcium"] | {"interval": {"low": 1.0, "high": 2.0}}},
        result | {"calcium": result["calcium"] | {"interval": interval | {"class_probability": {"low": 1.0}}}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            validate_against_openapi(scored_client, [broken])


def test_the_examples_in_the_openapi_document_fit_their_own_schema():
    plain = ResultDocument.model_validate(EXAMPLE_RESULT)
    assert plain.contrast is None
    assert not plain.calcium.interval.model_extra
    assert sum(plain.calcium.interval.class_probability.values()) == pytest.approx(1)
    example = ResultDocument.model_validate(EXAMPLE_CONTRAST_RESULT)
    assert example.contrast is not None
    assert example.concordance is not None
    # No key that the types do not name: an example is not to promise more than the schema.
    for part in (example, example.contrast, example.concordance, example.contrast.arteries[0]):
        assert not part.model_extra


def analyze_again(store, client):
    """Ask for the only series to be analysed again, and refuse it."""
    assert client.post(f"/api/v1/studies/{STUDY_UID}/reprocess").status_code == 202
    with store.database.reading() as reading:
        series = reading.series_of_study(STUDY_UID)[0]
    settle(store, series, "routed", kind="csct")
    paths = sorted((store.folder / "source").glob("*.dcm"))
    complete(store, series, report_request(paths, None, refusal=GAP))


def test_newest_version_comes_first(store, client):
    write_scored_study(store, refusal=GAP)
    analyze_again(store, client)
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


def by_analysis(client):
    return {result["analysis"]: result for result in client.get(RESULTS).json()}


def test_a_result_of_a_contrast_scan_shows_what_it_rests_on(store, client):
    write_contrast_result(store)
    results = client.get(RESULTS).json()
    (result,) = results
    with store.database.reading() as reading:
        stored = reading.results_of_study(STUDY_UID)[0].document
    assert result["contrast"] == stored["contrast"]
    assert set(result["contrast"]) == {
        "calibration_factor_hu", "aorta_mean_hu", "aorta_sd_hu", "blood_pool_hu", "kvp", "thresholds_hu",
        "agatston_at_thresholds", "segmented_volume_mm3", "dominance", "arteries", "limits_of_agreement",
    }  # fmt: skip
    assert [shifted["shift_hu"] for shifted in result["contrast"]["agatston_at_thresholds"]] == [-25.0, 25.0]
    assert result["concordance"] is None
    assert result["calcium"]["interval"] is None
    validate_against_openapi(client, results)


def rewrite_documents(store, document):
    with closing(sqlite3.connect(store.folder / "agatha.db")) as connection, connection:
        connection.execute("UPDATE results SET document = ?", (json.dumps(document),))


def test_a_result_stored_before_contrast_scans_were_scored_has_both_keys_as_null(store, client):
    written = write_scored_study(store)
    old = {key: value for key, value in written.document.items() if key not in ("contrast", "concordance")}
    rewrite_documents(store, old)
    (result,) = client.get(RESULTS).json()
    assert (result["contrast"], result["concordance"]) == (None, None)


def test_a_result_stored_before_scores_had_an_interval_is_served_and_shown_without(store, client):
    written = write_scored_study(store)
    calcium = {key: value for key, value in written.document["calcium"].items() if key != "interval"}
    rewrite_documents(store, dict(written.document) | {"calcium": calcium})
    (result,) = client.get(RESULTS).json()
    assert result["calcium"]["interval"] is None
    assert result["calcium"]["agatston"] == calcium["agatston"]
    page = client.get(f"/studies/{STUDY_UID}")
    assert page.status_code == 200
    assert "interval" not in page.text


def test_both_results_of_a_study_show_that_their_scores_are_discordant(store, client):
    csct, ccta = write_paired_study(store)
    assert csct.document["concordance"] is None, "the first to be reported could not know: the overlay must add it"
    results = by_analysis(client)
    concordance = results["csct-scoring"]["concordance"]
    assert results["ccta-scoring"]["concordance"] == concordance
    assert concordance["is_discordant"] is True
    assert concordance["csct"] == csct.document["calcium"]["agatston"]
    assert concordance["ccta"] == ccta.document["calcium"]["agatston"]
    assert concordance["difference"] == pytest.approx(121.625 - 88.0)
    assert concordance["categories"] == {"csct": "11-100", "ccta": "101-400"}
    assert "outside the limits of agreement" in concordance["text"]
    validate_against_openapi(client, list(results.values()))


def test_scores_within_the_limits_are_compared_and_not_flagged(store, client):
    write_paired_study(store, WIDE)
    assert [result["concordance"]["is_discordant"] for result in by_analysis(client).values()] == [False, False]


@pytest.mark.parametrize("missing", ["limits", "score"])
def test_without_limits_or_a_second_score_nothing_is_compared(store, client, missing):
    write_scored_study(store)
    write_contrast_result(store, None) if missing == "limits" else write_contrast_result(store, refusal=GAP)
    assert [result["concordance"] for result in by_analysis(client).values()] == [None, None]


def test_the_comparison_is_between_the_scores_that_came_last(store, client):
    """A second contrast scan of the study: the calcium scan is compared with that one, the first one with nothing."""
    write_paired_study(store)
    last = write_contrast_result(store, WIDE, series_instance_uid="1.2.826.0.1.3680043.8.498.1.9")
    results = {result["series_instance_uid"]: result["concordance"] for result in client.get(RESULTS).json()}
    assert results.pop(CCTA_SERIES_UID) is None
    assert results[last.series_instance_uid]["is_discordant"] is False
    assert len(results) == 2
    assert len({json.dumps(concordance) for concordance in results.values()}) == 1


def test_a_current_result_shows_no_comparison_that_no_longer_holds_and_an_overtaken_one_what_its_report_says(
    store, client
):
    """Reported beside a contrast scan whose score is gone by now."""
    written = write_scored_study(store)
    rewrite_documents(store, dict(written.document) | {"concordance": EXAMPLE_CONCORDANCE})
    assert [result["concordance"] for result in client.get(RESULTS).json()] == [None]
    analyze_again(store, client)
    assert [result["concordance"] for result in client.get(RESULTS).json()] == [None, EXAMPLE_CONCORDANCE]


def test_the_partner_s_arrival_is_seen_by_whoever_asks_conditionally(store, client):
    write_scored_study(store)
    before = client.get(RESULTS)
    write_contrast_result(store)
    after = client.get(RESULTS, headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert client.get(RESULTS, headers={"If-None-Match": after.headers["etag"]}).status_code == 304
