"""The comparison of a study's two scores, made while the second of them is reported.

Decides what a new score is compared with and by which limits: those of the family that estimates. The store makes sure
that nothing else had become the other score when the result is recorded (`complete_job`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agatha.pipeline.context import PipelineContext
from agatha.store.paired_scores import CCTA_ANALYSIS, PARTNER_OF, agatston_of, current_score, limits_of
from agatha.store.records import ComparedWith, JobRecord
from coronary.concordance import Concordance, LimitsOfAgreement, compare_scores
from coronary.contract import CalciumFindings, Findings
from coronary.registry import family_named, manifest_of


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the report of one score says about the other.

    Parameters
    ----------
    limits
        Limits of agreement of the reported family, where it has any.
    compared_with
        None where nothing is to be compared: no score of its own, or an analysis without partner.
    concordance
        None where the study has no other score.
    """

    limits: LimitsOfAgreement | None = None
    compared_with: ComparedWith | None = None
    concordance: Concordance | None = None


def compare_with_partner(context: PipelineContext, job: JobRecord, findings: Findings | None) -> Comparison:
    """Compare a new score with the study's current score of the other analysis."""
    if not isinstance(findings, CalciumFindings):
        return Comparison()
    limits, partner_analysis = agreement_of(job.analysis), PARTNER_OF.get(job.analysis)
    if partner_analysis is None:
        return Comparison(limits)
    with context.database.reading() as tx:
        partner = current_score(tx.results_of_study(job.study_instance_uid), partner_analysis)
    if partner is None:
        return Comparison(limits, ComparedWith(partner_analysis, None))
    concordance = concordance_with(job.analysis, findings, partner.document)
    return Comparison(limits, ComparedWith(partner_analysis, partner.id), concordance)


def concordance_with(analysis: str, findings: CalciumFindings, partner: Mapping[str, Any]) -> Concordance | None:
    """Compare findings with the document of the other analysis's score; None where there are no limits to do it by."""
    own, other = findings.score.agatston, agatston_of(partner)
    is_contrast = analysis == CCTA_ANALYSIS
    limits = agreement_of(analysis) if is_contrast else limits_of(partner)
    if limits is None:
        return None
    return compare_scores(other, own, limits) if is_contrast else compare_scores(own, other, limits)


def agreement_of(analysis: str) -> LimitsOfAgreement | None:
    """Limits of agreement of a family, from its manifest."""
    return manifest_of(family_named(analysis)).agreement
