"""What kind of CT a series is: weighted rules over the headers, then the measured blood pool, which has the last word.

Headers lie: a contrast scan is sent as calcium score, ContrastBolusAgent is filled by the protocol on the native scan.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from agatha.dicom.ct_series import AssembledSeries, SeriesHeader
from agatha.dicom.kernels import is_soft_kernel
from agatha.route.decision import RouteDecision
from coronary.contract import QualityNote, Refusal, SeriesKind
from coronary.imaging.blood_pool import measure_blood_pool

#: Blood below this is unenhanced, above the second value enhanced (median, HU); between them nothing is decided.
UNENHANCED_BELOW_HU = 80.0
ENHANCED_ABOVE_HU = 180.0

#: Thickest slices that are scored at all, mm, with room for rounded headers. What a family accepts is its own matter.
THICKEST_SLICE_MM = 5.1

#: "Ca" must begin a word (not "thoracica scan"); so must "cor", without going on as "coronal", "core" or "correction".
CSCT_NAME = re.compile(r"casc(?!a)|(?<![a-z])ca[ _-]sc|calc(?!an)|smart ?score|agatston", re.I)
CCTA_NAME = re.compile(r"(?<![a-z])cor(?!e|onal|r|tex)|cta|angio|snapshot", re.I)


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """One row: a header that speaks for (or, with a negative weight, against) a kind.

    ``is_evidence``: a kind is considered only when one of its rows so marked applies. Thickness, voltage and kernel
    alone fit any chest, head or abdomen.
    """

    name: str
    kind: Literal["csct", "ccta", "chest_ncct"]
    weight: int
    applies: Callable[[SeriesHeader], bool]
    is_evidence: bool = False


def _name(header: SeriesHeader) -> str:
    """The text that names the series: its description, or the protocol (shared by the study) where that is silent."""
    description = header.facts.series_description
    if CSCT_NAME.search(description) or CCTA_NAME.search(description):
        return description
    return header.facts.protocol_name


def _is_named_csct(header: SeriesHeader) -> bool:
    return CSCT_NAME.search(_name(header)) is not None


def _is_named_ccta(header: SeriesHeader) -> bool:
    return CCTA_NAME.search(_name(header)) is not None and not _is_named_csct(header)


def _between(value: float | None, low: float, high: float) -> bool:
    return value is not None and low <= value <= high


HEADER_RULES = (
    HeaderRule("named calcium score", "csct", 4, _is_named_csct, is_evidence=True),
    HeaderRule("thickness 2.4-3.1 mm", "csct", 2, lambda h: _between(h.facts.slice_thickness_mm, 2.4, 3.1)),
    HeaderRule("spacing up to 3.1 mm", "csct", 1, lambda h: _between(h.spacing_mm, 1.0, 3.1)),
    HeaderRule("120 kV", "csct", 1, lambda h: _between(h.facts.kvp, 119.0, 121.0)),
    HeaderRule("soft kernel", "csct", 1, lambda h: is_soft_kernel(h.facts.convolution_kernel)),
    HeaderRule("no contrast agent", "csct", 1, lambda h: not h.facts.contrast_agent),
    HeaderRule("gated", "csct", 2, lambda h: bool(h.gating_evidence), is_evidence=True),
    HeaderRule("heart field of view", "csct", 1, lambda h: _between(h.field_of_view_mm, 1.0, 280.0)),
    HeaderRule("named coronary angiography", "ccta", 3, _is_named_ccta, is_evidence=True),
    HeaderRule("named calcium score", "ccta", -4, _is_named_csct),
    HeaderRule("thickness up to 1.0 mm", "ccta", 3, lambda h: _between(h.facts.slice_thickness_mm, 0.1, 1.05)),
    HeaderRule("contrast agent given", "ccta", 2, lambda h: bool(h.facts.contrast_agent)),
    HeaderRule("gated", "ccta", 2, lambda h: bool(h.gating_evidence), is_evidence=True),
    HeaderRule("several phases", "ccta", 1, lambda h: h.phases > 1),
    HeaderRule("heart field of view", "ccta", 1, lambda h: _between(h.field_of_view_mm, 1.0, 280.0)),
    HeaderRule("not gated", "chest_ncct", 3, lambda h: not h.gating_evidence),
    HeaderRule(
        "chest field of view", "chest_ncct", 3, lambda h: _between(h.field_of_view_mm, 300.0, 600.0), is_evidence=True
    ),
    HeaderRule("named calcium score", "chest_ncct", -4, _is_named_csct),
)


def score_header(header: SeriesHeader) -> RouteDecision:
    """Kind with the highest sum of weights among those with evidence; "other" when there is none.

    Ties go to the first kind of the table. Such a series is a candidate only if its kind is one that is scored.
    """
    matched = [rule for rule in HEADER_RULES if rule.applies(header)]
    score = {"csct": 0, "ccta": 0, "chest_ncct": 0}
    for rule in matched:
        score[rule.kind] += rule.weight
    considered = [rule.kind for rule in matched if rule.is_evidence and score[rule.kind] > 0]
    kind: SeriesKind = max(considered, key=lambda name: score[name]) if considered else "other"
    rules = tuple(f"{rule.kind} {rule.weight:+d}: {rule.name}" for rule in matched)
    return RouteDecision(kind=kind, rules=rules, score=score)


def route_series(assembled: AssembledSeries, assume_kind: SeriesKind | None = None) -> RouteDecision:
    """Decide the kind of an assembled series.

    Parameters
    ----------
    assume_kind
        Take the series for this kind whatever headers and blood pool say (a phantom has no blood); recorded as a rule,
        with what spoke against it. A blood pool that does not confirm it becomes a note for the reader of the result.

    Returns
    -------
    RouteDecision
        No candidate where the headers show neither a calcium score nor a coronary angiography: nobody expects a
        result of every chest CT in the archive. The reason is recorded all the same.
    """
    decision = score_header(assembled.header)
    pool = measure_blood_pool(assembled.volume)
    decision = replace(decision, blood_pool_hu=None if pool is None else round(pool.median_hu, 1))
    if assume_kind is not None:
        return _as_assumed(decision, assume_kind)
    if decision.kind not in ("csct", "ccta"):
        return replace(decision, refusal=_why_not_cardiac(decision), is_candidate=False)
    return replace(decision, refusal=_check_thickness(assembled.header) or _check_blood_pool(decision))


def _as_assumed(decision: RouteDecision, kind: SeriesKind) -> RouteDecision:
    against = _check_blood_pool(replace(decision, kind=kind))
    rules = (*decision.rules, f"kind {kind} given by the user (headers: {decision.kind})")
    if against is None:
        return replace(decision, kind=kind, rules=rules)
    rules = (*rules, f"overridden by the user: {against.code}: {against.text}")
    return replace(decision, kind=kind, rules=rules, notes=(_note_of_forced_kind(kind, decision.blood_pool_hu),))


def _note_of_forced_kind(kind: SeriesKind, blood_pool_hu: float | None) -> QualityNote:
    if blood_pool_hu is None:
        return QualityNote(
            "KIND_FORCED_WITHOUT_MEASUREMENT",
            f"The kind {kind} was given by the user; no blood pool was found in the images that could confirm it.",
        )
    expected = f"above {ENHANCED_ABOVE_HU:.0f} HU" if kind == "ccta" else f"below {UNENHANCED_BELOW_HU:.0f} HU"
    return QualityNote(
        "KIND_FORCED_AGAINST_MEASUREMENT",
        f"The kind {kind} was given by the user, but the blood pool has {blood_pool_hu:.0f} HU (expected: {expected}); "
        "the numbers may be wrong.",
    )


def _why_not_cardiac(decision: RouteDecision) -> Refusal:
    pool = decision.blood_pool_hu
    if decision.kind == "other":
        return Refusal(
            "KIND_UNKNOWN",
            "Neither a name nor ECG gating in the headers says that this is a calcium score or a coronary angiography.",
        )
    if pool is not None and pool > ENHANCED_ABOVE_HU:
        return Refusal(
            "NOT_GATED",
            f"A contrast-enhanced chest CT (blood pool {pool:.0f} HU) without ECG gating; such scans are not scored.",
            {"blood_pool_hu": pool},
        )
    return Refusal("NOT_GATED", "A chest CT without ECG gating; scoring of such scans is off, it needs its own method.")


def _check_thickness(header: SeriesHeader) -> Refusal | None:
    thickness = max(header.facts.slice_thickness_mm or 0.0, header.spacing_mm or 0.0)
    if thickness <= THICKEST_SLICE_MM:
        return None
    return Refusal(
        "SLICES_TOO_THICK",
        f"Slices of {thickness:g} mm; calcium is lost in slices thicker than {THICKEST_SLICE_MM:.0f} mm.",
        {"slice_thickness_mm": thickness},
    )


def _check_blood_pool(decision: RouteDecision) -> Refusal | None:
    """The blood pool's word: it refuses what the headers got wrong, and what it cannot tell."""
    pool = decision.blood_pool_hu
    if pool is None:
        return Refusal(
            "NO_BLOOD_POOL",
            "No heart was found in the images: no homogeneous soft tissue where the blood pool should be.",
        )
    detail = {"blood_pool_hu": pool}
    if UNENHANCED_BELOW_HU <= pool <= ENHANCED_ABOVE_HU:
        return Refusal(
            "CONTRAST_INDETERMINATE",
            f"Blood pool of {pool:.0f} HU: neither unenhanced (below {UNENHANCED_BELOW_HU:.0f} HU) "
            f"nor enhanced (above {ENHANCED_ABOVE_HU:.0f} HU).",
            detail,
        )
    if decision.kind == "csct" and pool > ENHANCED_ABOVE_HU:
        return Refusal(
            "CONTRAST_IN_CALCIUM_SCORE",
            f"The headers say calcium score, a scan without contrast agent, but the blood pool has {pool:.0f} HU "
            f"(enhanced: above {ENHANCED_ABOVE_HU:.0f} HU).",
            detail,
        )
    if decision.kind == "ccta" and pool < UNENHANCED_BELOW_HU:
        return Refusal(
            "NO_CONTRAST_IN_ANGIOGRAPHY",
            f"The headers say coronary angiography, but the blood pool has {pool:.0f} HU "
            f"(unenhanced: below {UNENHANCED_BELOW_HU:.0f} HU).",
            detail,
        )
    return None
