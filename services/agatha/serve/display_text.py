"""How numbers, moments and codes are written for a person. Decides wording only; programs get the exact values."""

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
