"""The vote on a zero: what the independent detection says of a score of zero.

Decides when a zero is handed to a reader. A zero that is confirmed carries no note: it then rests on two networks that
see the scan in different ways.
"""

from __future__ import annotations

from coronary.contract import CalciumFindings
from coronary.detection_findings import DetectionFindings
from coronary.reasons import ZERO_CONTRADICTED, ZERO_NOT_CONFIRMED, QualityNote, Refusal


def vote_on_zero(score: CalciumFindings, opinion: DetectionFindings | Refusal) -> tuple[QualityNote, ...]:
    """Notes for the reader of a score of zero; none of any other score, or where the zero is confirmed."""
    if score.score.agatston.total > 0:
        return ()
    if isinstance(opinion, Refusal):
        text = f"The score is zero, and the second opinion could not be given: {opinion.text} Needs reading."
        return (QualityNote(ZERO_NOT_CONFIRMED, text),)
    if opinion.presence == "none":
        return ()
    where = opinion.likeliest_slice
    place = "" if where is None else f", most likely in slice {where + 1}"
    text = (
        f"The score is zero, but the independent detection sees coronary calcium with probability "
        f"{opinion.probability:.2f}{place}; needs reading."
    )
    return (QualityNote(ZERO_CONTRADICTED, text),)
