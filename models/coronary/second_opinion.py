"""The vote on a zero: what the independent detection says of a score of zero.

Decides when a zero is handed to a reader. Either network may be unsure: the score, of candidates that it only just left
out, or the detection. A zero that one doubts needs a clear answer of the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from coronary.contract import CalciumFindings
from coronary.detection_findings import DECISION_PROBABILITY, DetectionFindings, SecondOpinion
from coronary.reasons import (
    ZERO_CONFIRMED,
    ZERO_CONTRADICTED,
    ZERO_NOT_CONFIRMED,
    ZERO_UNCERTAIN,
    QualityNote,
    Refusal,
)

#: From this probability on, calcium is not excluded where the score doubts its own zero.
DOUBTFUL_PROBABILITY: Final = 0.2


def with_opinion_on_zero(score: CalciumFindings, ask: Callable[[], DetectionFindings | Refusal]) -> CalciumFindings:
    """A score with the opinion on it if it is zero; any other score as it is, and nobody is asked.

    A zero that is confirmed carries no note, also where the score alone was uncertain: it then rests on two networks
    that see the scan in different ways. One that is not confirmed has the verdict as its first note.
    """
    if score.score.agatston.total > 0:
        return score
    opinion = ask()
    doubts = [note for note in score.quality if note.code == ZERO_UNCERTAIN]
    verdict = verdict_on_zero(opinion, is_doubtful=bool(doubts))
    probability = None if isinstance(opinion, Refusal) else opinion.probability
    if verdict.code == ZERO_CONFIRMED:
        notes = tuple(note for note in score.quality if note not in doubts)
    else:
        notes = (verdict, *score.quality)
    return replace(score, quality=notes, second_opinion=SecondOpinion(verdict, probability))


def verdict_on_zero(opinion: DetectionFindings | Refusal, *, is_doubtful: bool) -> QualityNote:
    """What an opinion means for a score of zero, as code and sentence; `is_doubtful` if the score doubts it itself."""
    if isinstance(opinion, Refusal):
        text = f"The score is zero, and the second opinion could not be given: {opinion.text} Needs reading."
        return QualityNote(ZERO_NOT_CONFIRMED, text)
    limit = DOUBTFUL_PROBABILITY if is_doubtful else DECISION_PROBABILITY
    if opinion.probability < limit:
        before = "The score only just left out candidates, but the" if is_doubtful else "The"
        text = (
            f"{before} independent detection sees no coronary calcium either (probability {opinion.probability:.2f})."
        )
        return QualityNote(ZERO_CONFIRMED, text)
    where = opinion.likeliest_slice
    place = "" if where is None else f", most likely in slice {where + 1}"
    sees = (
        "does not exclude coronary calcium" if opinion.probability < DECISION_PROBABILITY else "sees coronary calcium"
    )
    text = (
        f"The score is zero, but the independent detection {sees} (probability {opinion.probability:.2f}{place}); "
        "needs reading."
    )
    return QualityNote(ZERO_CONTRADICTED, text)
