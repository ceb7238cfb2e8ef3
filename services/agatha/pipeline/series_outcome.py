"""What an examined series is recorded as: its state, the reason in words, and the jobs it gets.

Decides the state of the series and the keys of its jobs; what the stages found is taken as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from agatha.dicom.uids import config_digest, src_digest
from agatha.pipeline.context import PipelineContext
from agatha.pipeline.examination import Examination
from agatha.store.records import InstanceRecord
from coronary.contract import Refusal
from coronary.registry import family_named, manifest_of, model_sha256

SeriesOutcome = Literal["routed", "refused", "not_applicable"]

NO_ANALYSIS = Refusal("NO_ANALYSIS", "No analysis is for a series of this kind.")


class JobColumns(TypedDict):
    """The columns of a job that say what is to be done."""

    analysis: str
    src_digest: str
    model_name: str
    model_version: str
    model_sha256: str
    config_digest: str


def series_outcome(seen: Examination) -> tuple[SeriesOutcome, str | None, Refusal]:
    """State of the series, its kind, and the reason as code and sentence (for "routed": where it goes)."""
    kind = seen.decision.kind if seen.decision is not None else None
    if seen.is_positive:
        accepted = ", ".join(decided.analysis for decided in seen.analyses if decided.refusal is None)
        return "routed", kind, Refusal("ROUTED", f"Goes to {accepted}.")
    if not seen.is_candidate:
        return "not_applicable", kind, seen.refusal or NO_ANALYSIS
    first = next((decided.refusal for decided in seen.analyses if decided.refusal is not None), None)
    return "refused", kind, seen.refusal or first or NO_ANALYSIS


def route_detail(seen: Examination) -> dict[str, Any]:
    """Everything the router and the assembler said, as JSON."""
    detail: dict[str, Any] = {
        "analyses": {
            decided.analysis: None if decided.refusal is None else _refusal_json(decided.refusal)
            for decided in seen.analyses
        }
    }
    if seen.decision is not None:
        detail["decision"] = {
            "kind": seen.decision.kind,
            "rules": list(seen.decision.rules),
            "score": dict(seen.decision.score),
            "blood_pool_hu": seen.decision.blood_pool_hu,
        }
    if seen.refusal is not None:
        detail["refusal"] = _refusal_json(seen.refusal)
    if seen.assembled is not None:
        detail["notes"] = [{"code": note.code, "text": note.text} for note in seen.assembled.notes]
        detail["is_proven_complete"] = seen.assembled.is_proven_complete
        detail["slices"] = len(seen.assembled.slices)
    return detail


def sources_digest(seen: Examination | None, instances: Sequence[InstanceRecord]) -> str:
    """Digest of what the result is made from: the slices of the volume, or all instances when there is none."""
    if seen is not None and seen.assembled is not None:
        return seen.assembled.src_digest
    return src_digest((row.sop_instance_uid, None) for row in instances)


def job_columns(
    context: PipelineContext, seen: Examination | None, analysis: str, instances: Sequence[InstanceRecord]
) -> JobColumns:
    """Columns of the job for one analysis; equal columns are the same work."""
    family = family_named(analysis)
    manifest = manifest_of(family)
    return {
        "analysis": analysis,
        "src_digest": sources_digest(seen, instances),
        "model_name": manifest.name,
        "model_version": manifest.version,
        "model_sha256": model_sha256(family),
        "config_digest": config_digest({"sr_sop_class": context.config.sr_sop_class}),
    }


def _refusal_json(refusal: Refusal) -> dict[str, Any]:
    return {"code": refusal.code, "text": refusal.text, "detail": dict(refusal.detail)}
