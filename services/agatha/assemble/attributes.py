"""Typed access to attributes that may be missing, malformed, or buried in functional groups.

Decides that a value which cannot be read as its type counts as missing. What a missing value means is decided by
whoever asks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from agatha.assemble.refused import BAD_INPUT_ERRORS

#: Groups of a multi-frame object (PS3.3 section C.7.6.16): per frame, and shared by all frames.
PER_FRAME_GROUPS: Final = "PerFrameFunctionalGroupsSequence"
SHARED_GROUPS: Final = "SharedFunctionalGroupsSequence"


class Attributes:
    """The attributes that hold for one frame.

    Parameters
    ----------
    layers
        Data sets, the most specific first: items of the frame's functional groups, then of the shared ones, then the
        instance itself. The first that has a value wins.
    """

    def __init__(self, layers: Sequence[Dataset]) -> None:
        self._layers = layers

    def value(self, keyword: str) -> Any:
        """First non-empty value, as pydicom reads it; None when there is none or it cannot be read."""
        for layer in self._layers:
            try:
                value = layer.get(keyword)
            except BAD_INPUT_ERRORS:
                continue
            if value is not None and value != "":
                return value
        return None

    def texts(self, keyword: str) -> tuple[str, ...]:
        """All values as text without surrounding blanks."""
        value = self.value(keyword)
        if value is None:
            return ()
        values = value if isinstance(value, MultiValue | list | tuple) else [value]
        return tuple(str(item).strip("\0 ") for item in values)

    def text(self, keyword: str) -> str:
        r"""Value as text; several values are joined by ``\`` as in DICOM."""
        return "\\".join(self.texts(keyword))

    def numbers(self, keyword: str) -> tuple[float, ...]:
        """All values as numbers; empty when one of them is not a finite number."""
        try:
            values = tuple(float(item) for item in self.texts(keyword))
        except ValueError:
            return ()
        return values if all(math.isfinite(value) for value in values) else ()

    def number(self, keyword: str) -> float | None:
        """First value as a finite number."""
        values = self.numbers(keyword)
        return values[0] if values else None

    def integer(self, keyword: str) -> int | None:
        """First value as an integer."""
        value = self.number(keyword)
        return int(value) if value is not None and value == int(value) else None

    def items(self, keyword: str) -> tuple[Attributes, ...]:
        """Items of a sequence."""
        value = self.value(keyword)
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            return ()
        return tuple(Attributes([item]) for item in value if isinstance(item, Dataset))


def group_items(groups: Dataset) -> list[Dataset]:
    """First item of each functional group: what the standard calls a macro has exactly one (PS3.3 section C.7.6.16)."""
    items = []
    for tag in list(groups.keys()):
        try:
            element = groups[tag]
            if element.VR == "SQ" and len(element.value) > 0:
                items.append(element.value[0])
        except BAD_INPUT_ERRORS:
            continue
    return items
