"""Pictures of slices for table 3 of paper 3, cut from the cases in one of its three layouts.

A picture is positive when the slice has coronary calcium there that a score counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cc3d
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coronary.calcium import AGATSTON_THRESHOLD_HU
from coronary.calcium_detection.bright_pieces import WINDOW_HU, network_input
from coronary.calcium_detection.training.layouts import Layout, boxes_of, cut_out, resized

#: Something as bright as calcium in a picture is a piece of at least so many pixels; less is noise.
BRIGHT_PIXELS = 4


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures of one layout.

    Parameters
    ----------
    grey
        Each (3, rows, columns), grey values of 0 to 255 over the window; not all of one size.
    is_positive
        Shape (n,): whether each shows calcium that a score counts.
    is_bright
        Shape (n,): whether anything in it but noise reaches the threshold of calcium.
    """

    grey: Sequence[NDArray[np.uint8]]
    is_positive: NDArray[np.bool_]
    is_bright: NDArray[np.bool_]


def cut(cases: Iterable[Mapping[str, NDArray[Any]]], layout: Layout) -> Pictures:
    """All pictures of one layout from slices of :mod:`cases`, 8 bits as in the paper."""
    low, high = WINDOW_HU
    grey: list[NDArray[np.uint8]] = []
    positive, bright = [], []
    for case in cases:
        for planes, heart, amount in zip(case["planes_hu"], case["is_heart"], case["agatston"], strict=True):
            for part in cut_out(planes, heart, layout):
                pieces = cc3d.dust(part[1] >= AGATSTON_THRESHOLD_HU, threshold=BRIGHT_PIXELS, connectivity=4)
                bright.append(bool(pieces.any()))
                # A part of nine is smaller than its picture and is kept as it was cut out; a whole slice is larger.
                kept = part if layout == "cropped" else resized(part)
                grey.append(np.rint((np.clip(kept, low, high) - low) * (255.0 / (high - low))).astype(np.uint8))
            for top, bottom, left, right in boxes_of(heart, layout):
                positive.append(bool((amount[top:bottom, left:right] > 0).any()))
    return Pictures(grey, np.array(positive, np.bool_), np.array(bright, np.bool_))


def load(paths: Sequence[Path], layout: Layout) -> Pictures:
    """Pictures of the cases in some files."""

    def cases() -> Iterable[Mapping[str, NDArray[Any]]]:
        for path in paths:
            with np.load(path) as stored:
                yield {name: stored[name] for name in ("planes_hu", "is_heart", "agatston")}

    return cut(cases(), layout)


def to_tensor(grey: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Pictures as a network takes them, (n, 3, PICTURE_PIXELS, PICTURE_PIXELS), -1 to 1."""
    low, high = WINDOW_HU
    hu = [np.rint(each * ((high - low) / 255.0) + low).astype(np.int16) for each in grey]
    return torch.from_numpy(network_input(np.stack([resized(each) for each in hu])))


def draw_batch(known: Pictures, batch: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Numbers of the pictures of one batch: half with calcium; of four others three hold something as bright."""
    positive, bright = np.flatnonzero(known.is_positive), np.flatnonzero(known.is_bright & ~known.is_positive)
    dark = np.flatnonzero(~known.is_bright & ~known.is_positive)
    negative = [kind for kind in (bright, bright, bright, dark) if len(kind)]
    kinds = [positive] * (batch // 2) + [negative[k % len(negative)] for k in range(batch - batch // 2)]
    return np.array([rng.choice(kind) for kind in kinds])
