"""How a score, a volume or a mass is written for a person. Decides wording only; programs get the exact numbers."""

from __future__ import annotations


def score_text(value: float, decimals: int = 1) -> str:
    """Rounded, and never a zero that is not one.

    What would read as zero gets one decimal, and "< 0.1" when that is zero too: 0.04 becomes "< 0.1" and 0.33 without
    decimals "0.3". Thousands are not separated: a comma means the opposite to half of the readers.
    """
    if value == 0:
        return "0"
    texts = (f"{value:.{digits}f}" for digits in (decimals, 1))
    return next((text for text in texts if float(text) != 0), "< 0.1")
