"""A score of zero asks the detection, any other score does not; what was found a moment ago is not made again."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agatha.infer import ModelRuntime, analysis, last_findings, run_analysis
from builders.findings import calcified_volume, detection_findings, findings_of
from coronary import registry
from coronary.contract import AcquisitionFacts, ModelManifest, Refusal


@dataclass
class Detection:
    outcome: Any
    eligibility: Refusal | None = None
    calls: int = 0
    name, package, series_kind, needs = "calcium-detection", "", "csct", None
    second_opinion = None

    def check_eligibility(self, _facts, _volume, /):
        return self.eligibility

    def predict(self, _sessions, _volume, _facts, on_progress, _basis=None, /):
        self.calls += 1
        on_progress(0.5)
        return self.outcome


@dataclass
class Scoring:
    outcome: Any
    name, package, series_kind, needs = "csct-scoring", "", "csct", None
    second_opinion = "calcium-detection"

    def check_eligibility(self, _facts, _volume, /):
        return None

    def predict(self, _sessions, _volume, _facts, on_progress, _basis=None, /):
        on_progress(1.0)
        return self.outcome


@pytest.fixture(scope="module")
def volume_and_labels():
    return calcified_volume()


@pytest.fixture
def run(monkeypatch, volume_and_labels):
    """`run(family, scoring, detection)` in one process whose registry holds the two."""
    runtime = ModelRuntime(threads=1)
    monkeypatch.setattr(runtime, "sessions", lambda _family: {})
    monkeypatch.setattr(registry, "manifest_of", lambda family: ModelManifest(family.name, "1", {}, {}))
    monkeypatch.setattr(analysis, "manifest_of", registry.manifest_of)

    def run(family, scoring, detection):
        monkeypatch.setattr(registry, "FAMILIES", (detection, scoring))
        monkeypatch.setattr(last_findings, "FAMILIES", (detection, scoring))
        series = SimpleNamespace(volume=volume_and_labels[0], facts=AcquisitionFacts(), src_digest="a")
        done = []
        return run_analysis(runtime, family, series, [], done.append), done

    return run


@pytest.fixture
def zero(volume_and_labels):
    volume, labels = volume_and_labels
    return findings_of(volume, np.zeros_like(labels), quality=())


def test_a_contradicted_zero_needs_reading(run, volume_and_labels, zero):
    detection = Detection(detection_findings(volume_and_labels[0], {4: 0.9}))
    found, done = run(Scoring(zero), Scoring(zero), detection)
    assert [note.code for note in found.quality] == ["ZERO_CONTRADICTED"]
    assert found.second_opinion.probability == 0.9
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_a_confirmed_zero_says_so_and_has_no_note(run, volume_and_labels, zero):
    found, _ = run(Scoring(zero), Scoring(zero), Detection(detection_findings(volume_and_labels[0], {})))
    assert found.quality == ()
    assert found.second_opinion.verdict.code == "ZERO_CONFIRMED"


def test_a_score_above_zero_is_not_asked_about(run, volume_and_labels):
    detection, scoring = Detection(None), Scoring(findings_of(*volume_and_labels))
    found, done = run(scoring, scoring, detection)
    assert (detection.calls, found.second_opinion, done[-1]) == (0, None, 1.0)


def test_a_detection_of_a_moment_ago_is_not_made_again(run, volume_and_labels, zero):
    detection, scoring = Detection(detection_findings(volume_and_labels[0], {})), Scoring(zero)
    run(detection, scoring, detection)
    run(scoring, scoring, detection)
    assert detection.calls == 1


@pytest.mark.parametrize("stage", ["outcome", "eligibility"])
def test_a_refused_second_opinion_leaves_the_zero_unconfirmed(run, zero, stage):
    refusal = Refusal("HEART_NOT_FOUND", "No heart was seen.")
    detection = Detection(refusal if stage == "outcome" else None, refusal if stage == "eligibility" else None)
    found, _ = run(Scoring(zero), Scoring(zero), detection)
    assert [note.code for note in found.quality] == ["ZERO_NOT_CONFIRMED"]


def test_the_hash_of_a_score_changes_with_the_network_that_is_asked(monkeypatch):
    monkeypatch.setattr(registry, "FAMILIES", (Detection(None), Scoring(None)))
    hashes = set()
    for sha256 in ("a", "b"):
        networks = {"calcium-detection": {"presence": SimpleNamespace(sha256=sha256)}, "csct-scoring": {}}
        monkeypatch.setattr(
            registry,
            "manifest_of",
            lambda family, networks=networks: ModelManifest("m", "1", networks[family.name], {}),
        )
        hashes.add(registry.model_sha256(Scoring(None)))
    assert len(hashes) == 2
