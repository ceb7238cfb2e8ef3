"""Virtual studies as one command; the rows are those of studies that were run before."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from agatha.processes import cohort_command, stenosis_cohort
from agatha.processes.cli import app
from agatha.processes.model_card import write_figures
from agatha.processes.settings import ConfigurationError
from coronary.registry import family_named, model_sha256

EVALUATION = Path(__file__).parents[3] / "docs/evaluation"
NAME = "ccta-scoring-standard"
CARD = f"# Card\n\nBefore.\n\n<!-- figures: {NAME} -->\nold figures\n<!-- end of figures: {NAME} -->\n\nAfter.\n"


def rows_of(path):
    return {row["case_id"]: row for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())}


@pytest.fixture
def scored(monkeypatch):
    """The cohort of the contrast scoring's card."""
    rows = rows_of(EVALUATION / "ccta-scoring/cases-standard.jsonl")
    asked = {}

    def run_logged(members, *_, **options):
        asked.update(members=list(members), **options)
        return rows

    monkeypatch.setattr(cohort_command, "run_logged", run_logged)
    return SimpleNamespace(rows=rows, asked=asked)


@pytest.fixture
def stenosis(monkeypatch):
    """The stenosis study as far as it was run."""
    rows = rows_of(EVALUATION / "stenosis/stenosis-cases.jsonl")
    monkeypatch.setattr(stenosis_cohort, "is_severe", lambda seed: str(seed) in rows)
    monkeypatch.setattr(stenosis_cohort, "run_logged", lambda members, *_, **__: {name: rows[name] for name in members})
    return rows


def run(*arguments):
    return CliRunner().invoke(app, ["evaluate", "cohort", *map(str, arguments)])


def test_a_scored_cohort_is_named_with_its_seeds_and_the_network(scored, tmp_path):
    result = run("ccta-scoring", "--first-seed", 506001, "--patients", 60, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    name = f"virtual patients, standard generator, n = {len(scored.rows)}, seeds 506001-506060"
    assert len(scored.asked["members"]) == 60
    page = (tmp_path / f"{NAME}.html").read_text(encoding="utf-8")
    assert name in page
    assert "SHA-256" in page
    text = (tmp_path / f"{NAME}.md").read_text(encoding="utf-8")
    assert name in text
    assert "By tube voltage" in text
    figures = json.loads((tmp_path / f"{NAME}.json").read_text(encoding="utf-8"))
    assert figures["n_scored"] == sum(row["predicted"] is not None for row in scored.rows.values())


def test_the_figures_of_a_card_are_written_between_their_marks(scored, tmp_path):
    card = tmp_path / "README.md"
    card.write_text(CARD, encoding="utf-8")
    arguments = ["ccta-scoring", "--first-seed", 506001, "--patients", 60, "--out", tmp_path, "--card", card]
    assert run(*arguments).exit_code == 0
    first = card.read_text(encoding="utf-8")
    assert first.startswith("# Card\n\nBefore.\n\n<!-- figures: ")
    assert first.endswith(f"<!-- end of figures: {NAME} -->\n\nAfter.\n")
    assert "old figures" not in first
    assert (tmp_path / f"{NAME}.md").read_text(encoding="utf-8").strip() in first
    assert run(*arguments).exit_code == 0
    assert card.read_text(encoding="utf-8") == first


@pytest.mark.parametrize("text", ["# Card\n", f"<!-- figures: {NAME} -->\nno end\n"])
def test_a_card_without_the_block_stays_as_it_is(tmp_path, text):
    card = tmp_path / "README.md"
    card.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=f"figures: {NAME}"):
        write_figures(card, NAME, "new figures")
    assert card.read_text(encoding="utf-8") == text


def test_cards_have_the_blocks_their_commands_write():
    models = Path(__file__).parents[3] / "models/coronary"
    for folder, name in (
        ("csct_scoring", "csct-scoring-standard"),
        ("csct_scoring", "csct-scoring-external"),
        ("calcium_detection", "calcium-detection-standard"),
        ("calcium_inpainting", "calcium-inpainting-standard"),
    ):
        card = (models / folder / "README.md").read_text(encoding="utf-8")
        assert card.count(f"<!-- figures: {name} -->") == card.count(f"<!-- end of figures: {name} -->") == 1


def test_the_detection_is_measured_against_the_exact_score(monkeypatch, tmp_path):
    answers = {1: (0.0, 0.1, "none"), 2: (12.0, 0.9, "low"), 3: (0.0, 0.2, "none"), 4: (30.0, 0.3, "none")}
    rows = {
        f"standard-{seed}": {
            "case_id": f"standard-{seed}",
            "true_agatston": score,
            "probability": probability,
            "presence": presence,
            "refusal": "",
            "covariates": {"distractors": ""},
            "model_sha256": "of the network",
        }
        for seed, (score, probability, presence) in answers.items()
    }
    asked = {}

    def run_logged(members, run, log, *, model_sha256, **_):
        asked.update(members=list(members), run=run, log=log, model_sha256=model_sha256)
        return rows

    monkeypatch.setattr(cohort_command, "run_logged", run_logged)
    result = run("calcium-detection", "--first-seed", 1, "--patients", 4, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert asked["members"] == list(rows)
    assert (asked["run"].func, asked["run"].keywords) == (
        cohort_command._run_detection_member,
        {"analysis": "calcium-detection"},
    )
    assert asked["log"] == tmp_path / "detection-standard.jsonl"
    assert asked["model_sha256"] == model_sha256(family_named("calcium-detection"))
    text = (tmp_path / "calcium-detection-standard.md").read_text(encoding="utf-8")
    assert "Calcium per patient: virtual patients, standard generator, n = 4, seeds 1-4" in text
    assert "| Sensitivity | 1/2," in text
    assert "| Specificity | 2/2, 100.0 %" in text


def test_the_stenosis_study_says_how_much_was_erased_and_who_was_refused(stenosis, tmp_path, monkeypatch):
    arguments = ["--first-seed", 950001, "--patients", len(stenosis), "--out", tmp_path]
    result = run("calcium-inpainting", *arguments)
    assert result.exit_code == 0, result.output
    text = (tmp_path / "stenosis.md").read_text(encoding="utf-8")
    assert f"virtual patients with severe calcium, n = {len(stenosis)}" in text
    assert "layout of paper 0, tables 2 and 3" in text
    refused = [name for name, row in stenosis.items() if row["refusal"]]
    assert f"Refused: {len(refused)} of {len(stenosis)} cases" in text
    assert all(name in text for name in refused)
    assert (tmp_path / "stenosis-roc.png").exists()
    monkeypatch.setattr(stenosis_cohort, "is_severe", lambda _seed: pytest.fail("the seeds were found already"))
    as_json = run("lumen-extraction", *arguments, "--json")
    assert json.loads(as_json.stdout)["data"].startswith("virtual patients with severe calcium")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["csct", "--patients", 5], "csct-scoring"),
        (["csct-scoring", "--patients", 0], "patients"),
        (["csct-scoring", "--patients", 5, "--keep", "kept"], "leave --keep out"),
        (["calcium-inpainting", "--patients", 5, "--variant", "external"], "standard generator only"),
    ],
)
def test_a_cohort_that_cannot_be_run_is_a_usage_error(tmp_path, arguments, message):
    result = run(*arguments, "--first-seed", 5, "--out", tmp_path)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
