"""How numbers, moments and codes are written for a person. Decides wording only; programs get the exact values."""

from collections.abc import Mapping
from datetime import UTC, datetime

from coronary.calcium import score_text


def number(value: float | None) -> str:
    """`score_text`, and a dash for what there is not."""
    return "–" if value is None else score_text(value)


def signed(value: float) -> str:
    """One decimal with its sign; a value that rounds to zero has none."""
    text = f"{abs(value):.1f}"
    if text == "0.0":
        return "0"
    return f"+{text}" if value > 0 else f"−{text}"


def signed_hu(value: float) -> str:
    """A shift of attenuations: ``+25 HU``."""
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{abs(value):g} HU"


def whole(value: float) -> str:
    """`score_text` without decimals."""
    return score_text(value, 0)


def percent(share: float) -> str:
    """A share (0 to 1) in whole percent, and never a certainty: ``> 99 %``."""
    return "> 99 %" if share > 0.995 else f"{100 * share:.0f} %"


def probabilities(shares: Mapping[str, float]) -> str:
    """Likeliest first, without those below half a percent: ``101-400: 93 %, 11-100: 7 %``."""
    likeliest = sorted(shares.items(), key=lambda each: -each[1])
    return ", ".join(f"{name}: {percent(share)}" for name, share in likeliest if share > 0.005)


def moment(value: datetime | None) -> str:
    """UTC, to the second."""
    return "–" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def dicom_date(value: str) -> str:
    """YYYYMMDD with hyphens; anything else as it is, nothing as a dash."""
    if len(value) == 8 and value.isascii() and value.isdigit():
        return f"{value[:4]}-{value[4:6]}-{value[6:]}"
    return value or "–"


def words(value: str | None) -> str:
    """A code word as words: ``not_applicable`` becomes ``not applicable``."""
    return (value or "–").replace("_", " ")
