"""An analysis that begins with the findings of another gets them, made once, or the refusal of the other."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from agatha.infer import ModelRuntime, analysis, last_findings, run_analysis
from builders.findings import contrast_volume, derived_findings
from coronary import registry
from coronary.contract import AcquisitionFacts, ModelManifest, QualityNote, Refusal

NOTE = QualityNote("NOTE_OF_THE_ROUTE", "Said before.")


@dataclass
class Scoring:
    outcome: Any
    eligibility: Refusal | None = None
    calls: int = 0
    name, package, series_kind, needs = "ccta-scoring", "", "ccta", None
    second_opinion = None

    def check_eligibility(self, _facts, _volume, /):
        return self.eligibility

    def predict(self, _sessions, _volume, _facts, _on_progress, basis=None, /):
        assert basis is None
        self.calls += 1
        return self.outcome


@dataclass
class Deriving:
    basis: Any = None
    name, package, series_kind, needs = "calcium-inpainting", "", "ccta", "ccta-scoring"
    second_opinion = None

    def check_eligibility(self, _facts, _volume, /):
        return None

    def predict(self, _sessions, volume, _facts, on_progress, basis=None, /):
        self.basis = basis
        on_progress(1.0)
        return derived_findings(volume, basis)


@pytest.fixture
def volume_and_findings():
    return contrast_volume()


@pytest.fixture
def run(monkeypatch, volume_and_findings):
    """`run(family, scoring, deriving)` in one process whose registry holds the two."""
    runtime = ModelRuntime(threads=1)
    monkeypatch.setattr(runtime, "sessions", lambda _family: {})
    monkeypatch.setattr(registry, "manifest_of", lambda family: ModelManifest(family.name, "1", {}, {}))
    monkeypatch.setattr(analysis, "manifest_of", registry.manifest_of)
    volume, _ = volume_and_findings

    def run(family, scoring, deriving, src_digest="a"):
        monkeypatch.setattr(registry, "FAMILIES", (scoring, deriving))
        monkeypatch.setattr(last_findings, "FAMILIES", (scoring, deriving))
        series = SimpleNamespace(volume=volume, facts=AcquisitionFacts(), src_digest=src_digest)
        done = []
        return run_analysis(runtime, family, series, [NOTE], done.append), done

    return run


def test_the_needed_analysis_runs_first_and_hands_over_its_findings(run, volume_and_findings):
    scoring, deriving = Scoring(volume_and_findings[1]), Deriving()
    findings, done = run(deriving, scoring, deriving)
    assert deriving.basis.score == volume_and_findings[1].score
    assert deriving.basis.parameters["model"] == "ccta-scoring 1"
    assert findings.quality[0] == NOTE
    assert done == [1.0]


def test_findings_of_a_moment_ago_are_not_made_again(run, volume_and_findings):
    scoring, deriving = Scoring(volume_and_findings[1]), Deriving()
    run(scoring, scoring, deriving)
    run(deriving, scoring, deriving)
    assert scoring.calls == 1
    run(deriving, scoring, deriving, src_digest="another series")
    assert scoring.calls == 2
    run(deriving, scoring, deriving)
    assert scoring.calls == 3  # only the last series is kept


@pytest.mark.parametrize("stage", ["outcome", "eligibility"])
def test_what_the_needed_analysis_refuses_is_refused(run, volume_and_findings, stage):
    refusal = Refusal("TREE_INCOMPLETE", "No circumflex.")
    scoring, deriving = replace(Scoring(volume_and_findings[1]), **{stage: refusal}), Deriving()
    outcome, _ = run(deriving, scoring, deriving)
    assert outcome is refusal
    assert deriving.basis is None


def test_the_hash_of_an_analysis_changes_with_what_it_needs(monkeypatch):
    monkeypatch.setattr(registry, "FAMILIES", (Scoring(None), Deriving()))
    hashes = set()
    for sha256 in ("a", "b"):
        networks = {"ccta-scoring": {"tree": SimpleNamespace(sha256=sha256)}, "calcium-inpainting": {}}
        monkeypatch.setattr(
            registry,
            "manifest_of",
            lambda family, networks=networks: ModelManifest("m", "1", networks[family.name], {}),
        )
        hashes.add(registry.model_sha256(Deriving()))
    assert len(hashes) == 2
