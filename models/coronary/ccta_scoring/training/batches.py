"""Batches for both networks: drawn pieces, rotated, stretched, bent, their attenuation varied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import IterableDataset

from coronary.ccta_scoring.preprocess import BYTE, network_input
from coronary.training_kit.warp import random_warp

#: Nodes of a bend along each side of a crop.
BEND_NODES = 5


class Batches(IterableDataset[tuple[Tensor, Tensor]]):
    """Endless batches of (inputs, targets).

    Parameters
    ----------
    pieces, targets
        Shapes (n, channels, size, size) and (n, answers, size, size), bytes.
    recipe
        The network's table of ``config.toml``.
    pixel_mm
        Of the pieces.
    """

    def __init__(
        self,
        pieces: NDArray[np.uint8],
        targets: NDArray[np.uint8],
        recipe: Mapping[str, Any],
        pixel_mm: float,
        rng: np.random.Generator,
    ) -> None:
        self.pieces, self.targets, self.recipe, self.pixel_mm, self.rng = pieces, targets, recipe, pixel_mm, rng

    def _middle(self, size: int) -> tuple[float, float]:
        """Middle of a crop, in normalised coordinates; beyond the piece by ``shift_mm`` at most."""
        shift = self.recipe.get("shift_mm", 0.0) / self.pixel_mm * 2.0 / size
        room = max(0.0, 1.0 - self.recipe["crop_pixels"] / size) + shift
        y, x = self.rng.uniform(-room, room, size=2)
        return float(y), float(x)

    def _cut(self) -> tuple[Tensor, Tensor]:
        a, number = self.recipe, int(self.rng.integers(len(self.pieces)))
        size = self.pieces.shape[-1]
        grid = random_warp(
            a,
            self.rng,
            size=size,
            crop_pixels=a["crop_pixels"],
            pixel_mm=self.pixel_mm,
            bend_nodes=BEND_NODES,
            draw_middle=lambda: self._middle(size),
        )
        piece = torch.from_numpy(network_input(self.pieces[number]))[None]
        image = functional.grid_sample(piece, grid, padding_mode="border", align_corners=False)[0]
        target = torch.from_numpy(self.targets[number].astype(np.float32) / BYTE)[None]
        target = functional.grid_sample(target, grid, padding_mode="border", align_corners=False)[0]
        gain, shift = (self.rng.uniform(-a[key], a[key]) for key in ("gain", "shift"))
        image = image * (1.0 + gain) + 2.0 * shift
        return image + 2.0 * a["noise"] * self.rng.uniform() * torch.randn(image.shape), target

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs (batch, channels, crop, crop) and targets (batch, answers, crop, crop), 0 to 1, for ever."""
        while True:
            cuts = [self._cut() for _ in range(self.recipe["batch"])]
            yield torch.stack([image for image, _ in cuts]), torch.stack([target for _, target in cuts])
