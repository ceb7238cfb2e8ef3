"""What routing says about one series."""

from __future__ import annotations

from dataclasses import dataclass

from coronary.contract import QualityNote, Refusal, SeriesKind


@dataclass(frozen=True, slots=True)
class RouteDecision:
    """Kind of a series, with everything that led to it.

    Parameters
    ----------
    kind
        What the series is taken for.
    rules
        Every rule that matched, with its weight, in the order of the tables.
    score
        Sum of the weights for each kind that has rules.
    blood_pool_hu
        Measured median attenuation of the blood pool; None before it was measured or where there is none.
    refusal
        Why the series is not analysed, or None.
    is_candidate
        False where nobody expects a result: a localizer, a reformat, our own output. Then the refusal is recorded,
        but there is no job and no report.
    notes
        What the reader of a result must know about the decision: a kind given against the measurement.
    """

    kind: SeriesKind
    rules: tuple[str, ...]
    score: dict[str, int]
    blood_pool_hu: float | None = None
    refusal: Refusal | None = None
    is_candidate: bool = True
    notes: tuple[QualityNote, ...] = ()
