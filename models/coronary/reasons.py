"""Why something is not analysed, and what a reader of a result must know: coded values, never exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

#: Code of the note that a score was not acquired as reference Agatston scores are.
NOT_COMPARABLE: Final = "NOT_COMPARABLE"

#: Codes of the notes that hand a zero to a reader: it hangs on what was only just left out, the second opinion
#: contradicts it, or could not be given.
ZERO_UNCERTAIN: Final = "ZERO_UNCERTAIN"
ZERO_CONTRADICTED: Final = "ZERO_CONTRADICTED"
ZERO_NOT_CONFIRMED: Final = "ZERO_NOT_CONFIRMED"

#: What the second opinion says of a zero that it confirms; no note, as nothing has to be done.
ZERO_CONFIRMED: Final = "ZERO_CONFIRMED"

#: A result with one of them does not stand on its own.
NEEDS_READING: Final = frozenset({ZERO_UNCERTAIN, ZERO_CONTRADICTED, ZERO_NOT_CONFIRMED})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not analysed: a value, not an exception.

    ``code`` is stable and upper case (``GAP_BETWEEN_SLICES``); ``text`` is one English sentence that names the
    position or value that caused it; ``detail`` holds the same facts for programs (unit in each key).
    """

    code: str
    text: str
    detail: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QualityNote:
    """Something a reader of the result must know (``NON_STANDARD_KVP``, ``STENT_SUSPECTED``): code and sentence."""

    code: str
    text: str
