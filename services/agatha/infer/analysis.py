"""Run one family on one volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agatha.infer.model_runtime import ModelRuntime
from coronary.contract import AcquisitionFacts, CalciumFindings, Family, ProgressCallback, QualityNote, Refusal
from coronary.ct_volume import CtVolume
from coronary.registry import manifest_of


def run_analysis(
    runtime: ModelRuntime,
    family: Family,
    volume: CtVolume,
    facts: AcquisitionFacts,
    notes: Sequence[QualityNote],
    on_progress: ProgressCallback,
) -> CalciumFindings | Refusal:
    """Analyse an eligible volume and add the model's identity to the parameters of the findings.

    A refusal is what only the analysis itself could find: no result, and the reason.

    Parameters
    ----------
    notes
        What the stages before have to say to the reader of the result; they precede the family's own.

    Raises
    ------
    ModelUnusable
        If one of the family's model files is missing or not the one its manifest names.
    """
    sessions = runtime.sessions(family)
    findings = family.predict(sessions, volume, facts, on_progress)
    if isinstance(findings, Refusal):
        return findings
    manifest = manifest_of(family)
    parameters = {
        **findings.parameters,
        "model": f"{manifest.name} {manifest.version}",
        "model SHA-256": manifest.sha256,
        "execution provider": ", ".join(sorted({each.provider for each in sessions.values()})),
    }
    return replace(findings, quality=(*notes, *findings.quality), parameters=parameters)
