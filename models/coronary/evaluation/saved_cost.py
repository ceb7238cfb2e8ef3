"""What examinations that are not needed after a better CT would have cost: the economics of paper 0.

Decides that an angiography with a flow reserve measurement is charged the fee of the latter alone, as the paper does.
Says nothing about how many examinations can be avoided.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Fees of paper 0, "Medical economic effect", in Japanese yen: angiography, the same with fractional flow reserve,
#: nuclear examination.
ANGIOGRAPHY_JPY = 200_000
FLOW_RESERVE_JPY = 440_000
NUCLEAR_JPY = 95_441


@dataclass(frozen=True, slots=True)
class SavedCost:
    """Saved fees by examination, in Japanese yen."""

    angiography_jpy: int
    flow_reserve_jpy: int
    nuclear_jpy: int

    @property
    def total_jpy(self) -> int:
        """All three."""
        return self.angiography_jpy + self.flow_reserve_jpy + self.nuclear_jpy


def saved_cost(*, angiographies: int, with_flow_reserve: int, nuclear: int) -> SavedCost:
    """Fees of avoided examinations; ``with_flow_reserve`` of the angiographies measured a flow reserve as well.

    Paper 0 prints 23,629,368 JPY for its 248 nuclear examinations; 248 · 95,441 is 23,669,368, and only with that do
    its parts add up to the total it prints, 225,629,368 JPY.

    Raises
    ------
    ValueError
        On a negative count, or more flow reserve measurements than angiographies.
    """
    if min(angiographies, with_flow_reserve, nuclear) < 0 or with_flow_reserve > angiographies:
        raise ValueError(
            f"{angiographies} angiographies, {with_flow_reserve} with flow reserve, {nuclear} nuclear: expected none "
            "below 0, and of the second no more than of the first"
        )
    return SavedCost(
        angiography_jpy=(angiographies - with_flow_reserve) * ANGIOGRAPHY_JPY,
        flow_reserve_jpy=with_flow_reserve * FLOW_RESERVE_JPY,
        nuclear_jpy=nuclear * NUCLEAR_JPY,
    )
