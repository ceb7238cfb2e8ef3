"""One series through assembling and routing, without database or queue: the stages in order, and what they said.

Decides the order of the stages and which analysis a refusal is reported under. The stages decide everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agatha.assemble import assemble_series, read_series_header
from agatha.dicom.ct_series import AssembledSeries
from agatha.pipeline.stage_times import stage
from agatha.route import AnalysisDecision, RouteDecision, decide_analyses, route_series, screen_header
from agatha.route.kind import score_header
from coronary.contract import Family, QualityNote, Refusal, SeriesKind


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """What is known about a series after assembling and routing.

    Parameters
    ----------
    decision
        The router's decision; None when the headers could not even be read, or no volume could be built.
    assembled
        The volume, when there is one.
    refusal
        Why the whole series is not analysed, or None.
    is_candidate
        False when nobody expects a result of such a series (a localizer, our own output): then there is no job.
    analyses
        The analyses to run or to refuse, each with its own refusal or None.
    """

    decision: RouteDecision | None
    assembled: AssembledSeries | None
    refusal: Refusal | None
    is_candidate: bool
    analyses: tuple[AnalysisDecision, ...]

    @property
    def is_positive(self) -> bool:
        """Whether at least one analysis can go on."""
        return any(analysis.refusal is None for analysis in self.analyses)

    @property
    def notes(self) -> tuple[QualityNote, ...]:
        """What routing and assembling have to say to the reader of a result."""
        routed = () if self.decision is None else self.decision.notes
        return (*routed, *(() if self.assembled is None else self.assembled.notes))

    def refusal_of(self, analysis: str) -> Refusal | None:
        """Why `analysis` is refused, or None when it is to run.

        Raises
        ------
        KeyError
            When the series is not for this analysis at all.
        """
        for decided in self.analyses:
            if decided.analysis == analysis:
                return decided.refusal
        raise KeyError(analysis)


def examine_series(
    paths: Sequence[Path], families: Sequence[Family], *, assume_kind: SeriesKind | None = None
) -> Examination:
    """Read, screen, assemble and route the instances of one series.

    Parameters
    ----------
    assume_kind
        Take the series for this kind: neither the hard rejects of the headers nor the blood pool are asked (a phantom
        is no patient). What no volume can be built from is refused all the same, and a blood pool that does not
        confirm the kind is noted in every result.
    """
    with stage("headers"):
        header = read_series_header(paths)
    if isinstance(header, Refusal):
        return _refused(None, None, header, families)
    screened = None if assume_kind is not None else screen_header(header)
    if screened is not None:
        if not screened.is_candidate or screened.refusal is None:
            return Examination(screened, None, screened.refusal, False, ())
        return _refused(screened, None, screened.refusal, families)
    with stage("assemble"):
        assembled = assemble_series(paths)
    if isinstance(assembled, Refusal):
        supposed = score_header(header)
        if supposed.kind == "chest_ncct":  # not scored anyway: a gap in it concerns nobody
            return Examination(supposed, None, assembled, False, ())
        return _refused(supposed, None, assembled, families)
    with stage("route"):
        decision = route_series(assembled, assume_kind)
    if not decision.is_candidate:
        return Examination(decision, assembled, decision.refusal, False, ())
    if decision.refusal is not None:
        return _refused(decision, assembled, decision.refusal, families)
    analyses = decide_analyses(decision, assembled, families)
    return Examination(decision, assembled, None, bool(analyses), analyses)


def _refused(
    decision: RouteDecision | None, assembled: AssembledSeries | None, refusal: Refusal, families: Sequence[Family]
) -> Examination:
    """Refuse the series under the analyses for its kind; one whose kind is unknown under the first of the registry.

    A candidate without any result would be a silence; one result per family, or per analysis that begins with the
    findings of another or gives a second opinion on them, would be noise.
    """
    kind = decision.kind if decision is not None else None
    asked = {family.second_opinion for family in families}
    leading = [family for family in families if family.needs is None and family.name not in asked] or families
    of_kind = [family for family in families if family.series_kind == kind]
    chosen = [family for family in leading if family.series_kind == kind] or of_kind or leading[:1]
    analyses = tuple(AnalysisDecision(analysis=family.name, refusal=refusal) for family in chosen)
    return Examination(decision, assembled, refusal, True, analyses)
