"""What the headers say about ECG gating and cardiac phase.

Decides what counts as evidence of gating and which phase is preferred for coronary analysis. Vendors put the phase in
different places; a percentage that belongs to an iterative reconstruction is not one.
"""

from __future__ import annotations

import re
from typing import Final

from agatha.assemble.attributes import Attributes

#: Where vendors write the phase: Siemens ScanOptions, others the names.
_PHASE_TEXTS: Final = ("ScanOptions", "SeriesDescription", "ProtocolName", "ImageComments")

#: Blending level of iterative reconstruction, which looks like a phase ("ASiR 40%").
_BLENDING: Final = re.compile(r"(asir|idose|aidr|safire|admire|veo|imr)[-_ a-z0-9]*?\d{1,3} ?%", re.IGNORECASE)
#: A percent sign is not allowed in ScanOptions (VR CS), so there it can be written TP70PC.
_PERCENT: Final = re.compile(r"(?<![\d.])(\d{1,3})(?:\.\d+)? ?(?:%|PC\b)")
_BEST_PHASE: Final = re.compile(r"best ?_?(dia|sys)", re.IGNORECASE)
_MILLISECONDS: Final = re.compile(r"(?<![\d.])\d{2,3} ?ms\b", re.IGNORECASE)
_GATED: Final = re.compile(r"(?<![a-z])(gated|gating|ecg|ekg)(?![a-z])", re.IGNORECASE)
_UNGATED: Final = re.compile(r"(non|un|not)[- _]?(gated|ecg|ekg)", re.IGNORECASE)

#: Attributes that only a gated acquisition has (PS3.3 sections C.8.2.1, C.7.6.18.1).
_GATING_ATTRIBUTES: Final = (
    "TriggerTime",
    "NominalCardiacTriggerDelayTime",
    "HeartRate",
    "NominalPercentageOfCardiacPhase",
    "LowRRValue",
    "HighRRValue",
)

#: Phases in which the coronary arteries rest, percent of the RR interval: mid-diastole, end-systole.
DIASTOLE_PERCENT: Final = (70.0, 80.0)
SYSTOLE_PERCENT: Final = (35.0, 45.0)
MID_DIASTOLE_PERCENT: Final = 75.0
BEST_DIASTOLE, DIASTOLE, BEST_SYSTOLE, SYSTOLE, OTHER_PHASE = range(5)


def gating_evidence(header: Attributes) -> tuple[str, ...]:
    """What speaks for ECG gating, as words; empty when nothing does."""
    evidence = [keyword for keyword in _GATING_ATTRIBUTES if (header.number(keyword) or 0) > 0]
    technique = header.text("CardiacSynchronizationTechnique").upper()
    if technique not in ("", "NONE"):
        evidence.append(f"CardiacSynchronizationTechnique {technique}")
    for keyword in ("ScanOptions", "SeriesDescription", "ProtocolName"):
        text = _BLENDING.sub("", header.text(keyword))
        patterns = (_PERCENT, _BEST_PHASE, _MILLISECONDS, _GATED)
        found = next((match for pattern in patterns if (match := pattern.search(text))), None)
        if found and not _UNGATED.search(text):
            evidence.append(f'"{found.group(0).strip()}" in {keyword}')
    return tuple(evidence)


def stated_phase_percent(header: Attributes) -> float | None:
    """Cardiac phase in percent of the RR interval, from the attribute, else from what the vendor wrote in words."""
    stated = header.number("NominalPercentageOfCardiacPhase")
    if stated is not None:
        return stated
    for keyword in _PHASE_TEXTS:
        found = _PERCENT.search(_BLENDING.sub("", header.text(keyword)))
        if found and int(found.group(1)) <= 100:
            return float(found.group(1))
    return None


def phase_percent(header: Attributes) -> float | None:
    """Cardiac phase in percent of the RR interval: as stated, else the trigger delay over the RR interval."""
    stated = stated_phase_percent(header)
    return stated if stated is not None else _relative_delay(header)


def phase_preference(header: Attributes) -> tuple[int, float]:
    """Rank of the phase for coronary analysis, lowest best: best diastole, 70–80 %, best systole, 35–45 %, others.

    Within a rank the phase nearest to mid-diastole comes first.
    """
    percent = phase_percent(header)
    distance = abs(percent - MID_DIASTOLE_PERCENT) if percent is not None else 100.0
    best = next((found for keyword in _PHASE_TEXTS if (found := _BEST_PHASE.search(header.text(keyword)))), None)
    if best is not None:
        return (BEST_DIASTOLE if best.group(1).lower() == "dia" else BEST_SYSTOLE), distance
    if percent is not None and DIASTOLE_PERCENT[0] <= percent <= DIASTOLE_PERCENT[1]:
        return DIASTOLE, distance
    if percent is not None and SYSTOLE_PERCENT[0] <= percent <= SYSTOLE_PERCENT[1]:
        return SYSTOLE, distance
    return OTHER_PHASE, distance


def _relative_delay(header: Attributes) -> float | None:
    rate = header.number("HeartRate") or 0.0
    interval_ms = (
        header.number("RRIntervalTimeNominal")
        or header.number("NominalInterval")
        or (60_000 / rate if rate > 0 else 0.0)
    )
    delay_ms = header.number("NominalCardiacTriggerDelayTime") or header.number("TriggerTime") or 0.0
    return round(100 * delay_ms / interval_ms, 1) if 0 < delay_ms <= interval_ms else None
