"""Run one family on one volume; before it the family whose findings it needs, after a zero the one that is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from agatha.dicom.ct_series import AssembledSeries
from agatha.infer.model_runtime import ModelRuntime
from coronary.contract import (
    CalciumFindings,
    DetectionFindings,
    Family,
    Findings,
    ProgressCallback,
    QualityNote,
    Refusal,
)
from coronary.registry import family_named, manifest_of, model_sha256
from coronary.second_opinion import with_opinion_on_zero

#: What the needed analysis, or one that may still be asked about a zero, takes of the time of both.
NEEDED_SHARE = 0.8
ASKED_SHARE = 0.4


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
    needed: CalciumFindings | None = None
    progress = on_progress
    if family.needs is not None:
        found = _findings_of(runtime, family.needs, series, _part(on_progress, 0.0, NEEDED_SHARE))
        if isinstance(found, Refusal):
            return found
        if not isinstance(found, CalciumFindings):
            raise TypeError(f"{family.needs} is needed for its calcium and found {type(found).__name__}")
        needed, progress = found, _part(on_progress, NEEDED_SHARE, 1.0)
    elif family.second_opinion is not None:
        progress = _part(on_progress, 0.0, 1.0 - ASKED_SHARE)
    outcome = _predict(runtime, family, series, progress, needed)
    if isinstance(outcome, Refusal):
        return outcome
    if family.second_opinion is not None and isinstance(outcome, CalciumFindings):
        progress = _part(on_progress, 1.0 - ASKED_SHARE, 1.0)
        ask = partial(_second_opinion, runtime, family.second_opinion, series, progress)
        outcome = with_opinion_on_zero(outcome, ask)
        on_progress(1.0)
    return replace(outcome, quality=(*notes, *outcome.quality))


def _second_opinion(
    runtime: ModelRuntime, analysis: str, series: AssembledSeries, on_progress: ProgressCallback
) -> DetectionFindings | Refusal:
    """What the detection says of the series."""
    opinion = _findings_of(runtime, analysis, series, on_progress)
    if not isinstance(opinion, DetectionFindings | Refusal):
        raise TypeError(f"{analysis} is asked whether there is calcium and found {type(opinion).__name__}")
    return opinion


def _part(on_progress: ProgressCallback, first: float, last: float) -> ProgressCallback:
    """Progress of one part of the work, which lies between two fractions of the whole."""
    return lambda done: on_progress(first + (last - first) * done)


def _findings_of(
    runtime: ModelRuntime, analysis: str, series: AssembledSeries, on_progress: ProgressCallback
) -> Findings | Refusal:
    """Findings of another analysis of this series: those of a moment ago, or made now."""
    family = family_named(analysis)
    outcome: Findings | Refusal | None = runtime.last_findings.of(analysis, series.src_digest)
    if outcome is None:
        outcome = family.check_eligibility(series.facts, series.volume)
    if outcome is None:
        outcome = _predict(runtime, family, series, on_progress, None)
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
