"""Run one family on one volume, and first the family whose findings it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agatha.dicom.ct_series import AssembledSeries
from agatha.infer.model_runtime import ModelRuntime
from coronary.contract import CalciumFindings, Family, Findings, ProgressCallback, QualityNote, Refusal
from coronary.registry import family_named, manifest_of, model_sha256

#: What the needed analysis takes of the time of both.
NEEDED_SHARE = 0.8


def run_analysis(
    runtime: ModelRuntime,
    family: Family,
    series: AssembledSeries,
    notes: Sequence[QualityNote],
    on_progress: ProgressCallback,
) -> Findings | Refusal:
    """Analyse an eligible series and add the model's identity to the parameters of the findings.

    A refusal is what only the analysis itself could find: no result, and the reason. What the needed analysis refuses
    is refused here too.

    Parameters
    ----------
    notes
        What the stages before have to say to the reader of the result; they precede the family's own.

    Raises
    ------
    ModelUnusable
        If one of the family's model files is missing or not the one its manifest names.
    """
    runtime.last_findings.begin(series.src_digest)
    if family.needs is None:
        outcome = _predict(runtime, family, series, on_progress, None)
    else:
        needed = _needed_findings(runtime, family.needs, series, lambda done: on_progress(NEEDED_SHARE * done))
        if isinstance(needed, Refusal):
            return needed
        outcome = _predict(
            runtime, family, series, lambda done: on_progress(NEEDED_SHARE + (1.0 - NEEDED_SHARE) * done), needed
        )
    if isinstance(outcome, Refusal):
        return outcome
    return replace(outcome, quality=(*notes, *outcome.quality))


def _needed_findings(
    runtime: ModelRuntime, analysis: str, series: AssembledSeries, on_progress: ProgressCallback
) -> CalciumFindings | Refusal:
    """Findings of another analysis of this series: those of a moment ago, or made now."""
    needed = family_named(analysis)
    outcome: Findings | Refusal | None = runtime.last_findings.of(analysis, series.src_digest)
    if outcome is None:
        outcome = needed.check_eligibility(series.facts, series.volume)
    if outcome is None:
        outcome = _predict(runtime, needed, series, on_progress, None)
    if not isinstance(outcome, CalciumFindings | Refusal):
        raise TypeError(f"{analysis} is needed for its calcium and found {type(outcome).__name__}")
    return outcome


def _predict(
    runtime: ModelRuntime,
    family: Family,
    series: AssembledSeries,
    on_progress: ProgressCallback,
    needed: CalciumFindings | None,
) -> Findings | Refusal:
    sessions = runtime.sessions(family)
    findings = family.predict(sessions, series.volume, series.facts, on_progress, needed)
    if isinstance(findings, Refusal):
        return findings
    manifest = manifest_of(family)
    parameters = {
        **findings.parameters,
        "model": f"{manifest.name} {manifest.version}",
        "model SHA-256": model_sha256(family),
    }
    if sessions:
        parameters["execution provider"] = ", ".join(sorted({each.provider for each in sessions.values()}))
    findings = replace(findings, parameters=parameters)
    runtime.last_findings.keep(family.name, series.src_digest, findings)
    return findings
