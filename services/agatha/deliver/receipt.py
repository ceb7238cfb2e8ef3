"""What became of each instance that was sent, sorted by what has to be done next.

The one table: DIMSE status of a C-STORE response (PS3.4 Section B.2.3, PS3.7 Section 9.1.1.1.9 and Annex C) → verdict.

    | status                              | verdict   | because                                                  |
    |-------------------------------------|-----------|----------------------------------------------------------|
    | 0x0000 success                      | delivered | stored                                                   |
    | 0xB000-0xBFFF, 0x0001, 0x0107, 0x0116 warning | delivered | stored, with a remark that is kept in the receipt |
    | 0xA700-0xA7FF out of resources      | retry     | the same bytes may be accepted later                     |
    | 0x0213 resource limitation          | retry     | likewise                                                 |
    | 0xA900-0xA9FF, 0xC000-0xCFFF, 0x0122, 0x0124, any other | refused | the same bytes will be refused again       |
    | no response (lost, aborted, silent) | retry     | it may or may not be stored; sending twice is harmless   |
    | no presentation context accepted    | refused   | the peer cannot take this kind of object at all          |
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SUCCESS: Final = 0x0000
WARNINGS: Final = frozenset({0x0001, 0x0107, 0x0116, *range(0xB000, 0xC000)})
OUT_OF_RESOURCES: Final = frozenset({0x0213, *range(0xA700, 0xA800)})


class Verdict(StrEnum):
    """What has to be done next with an instance that was sent."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the peer said about one instance.

    `dimse_status` is None when no answer came; `error` is None when it was stored without a remark, and holds the
    peer's comment where it sent one.
    """

    sop_instance_uid: str
    dimse_status: int | None
    error: str | None
    verdict: Verdict

    @property
    def reason(self) -> str:
        """Why the peer does not have it, in our own words: its comment may quote an attribute of a patient."""
        if self.dimse_status is not None:
            return f"status 0x{self.dimse_status:04X}"
        return self.error or "no reason given"

    @property
    def is_delivered(self) -> bool:
        """Say whether the peer has the instance."""
        return self.verdict is Verdict.DELIVERED

    @property
    def is_transient(self) -> bool:
        """Say whether sending the same bytes again may succeed."""
        return self.verdict is Verdict.RETRY


class DeliveryFailed(Exception):
    """No association came about, so nothing was sent.

    Parameters
    ----------
    text
        The reason; holds the destination's name, no attribute of an instance.
    is_transient
        Whether the same call may succeed later. Only a peer that rejects us permanently (PS3.8 Table 9-21, result 1:
        an AE title it does not know) is a matter for a person.
    """

    def __init__(self, text: str, *, is_transient: bool) -> None:
        super().__init__(text)
        self.is_transient = is_transient


def verdict_of_status(status: int) -> Verdict:
    """Sort one DIMSE status by the table above."""
    if status == SUCCESS or status in WARNINGS:
        return Verdict.DELIVERED
    return Verdict.RETRY if status in OUT_OF_RESOURCES else Verdict.REFUSED
