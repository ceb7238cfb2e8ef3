"""Batches for training: crops around drawn places, and how they are varied.

No mirroring: it would turn LAD into RCA.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import IterableDataset

from coronary.csct_scoring.preprocess import PIXEL_MM, context_slices, stack_channels
from coronary.csct_scoring.training.cases import NO_TARGET
from coronary.csct_scoring.training.places import Place, PlaceSampler
from coronary.training_kit.warp import random_warp

#: Nodes of a bend along each side of a crop: 34 mm apart, the size of a chamber.
BEND_NODES = 4


class Batches(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """Endless batches: crops of drawn slices, rotated, stretched, bent and shifted, their attenuation varied.

    Parameters
    ----------
    crop_pixels
        Size of the crops. Smaller than in serving, they hold the drawn place and spare time; the network is
        convolutional.
    """

    def __init__(
        self,
        sampler: PlaceSampler,
        augmentation: Mapping[str, Any],
        batch: int,
        crop_pixels: int,
        rng: np.random.Generator,
    ) -> None:
        self.sampler = sampler
        self.batch = batch
        self.augmentation = augmentation
        self.crop_pixels = crop_pixels
        self.rng = rng

    def _middle(self, place: int, size: int) -> float:
        """Middle of a crop along one axis, in normalised coordinates, that shows pixel `place` and stays inside."""
        half = self.crop_pixels / 2
        off_centre = self.rng.uniform(-0.75, 0.75) * half
        return float(np.clip(place + off_centre, half, size - half)) * 2.0 / size - 1.0

    def _cut(self, place: Place) -> tuple[Tensor, Tensor, Tensor]:
        number, z, row, column = place
        case, a = self.sampler.cases[number], self.augmentation
        # Stretched along the normal: neighbours that stand for the same distance lie nearer or further away.
        spacing_mm = case.slice_spacing_mm * (1.0 + self.rng.uniform(-a["stretch"], a["stretch"]))
        slices = context_slices(z, case.hu.shape[0], spacing_mm)
        size = case.hu.shape[1]
        grid = random_warp(
            a,
            self.rng,
            size=size,
            crop_pixels=self.crop_pixels,
            pixel_mm=PIXEL_MM,
            bend_nodes=BEND_NODES,
            draw_middle=lambda: (self._middle(row, size), self._middle(column, size)),
        )
        hu = torch.from_numpy(case.hu[list(slices)].astype(np.float32))[None]
        hu = functional.grid_sample(hu, grid, padding_mode="border", align_corners=False)[0]
        whole = np.stack([case.peak_hu[z], case.target[z], case.territory[z]]).astype(np.float32)
        nearest = functional.grid_sample(
            torch.from_numpy(whole)[None], grid, mode="nearest", padding_mode="border", align_corners=False
        )[0]
        hu = hu * (1 + self.rng.uniform(-a["hu_gain"], a["hu_gain"])) + self.rng.uniform(-a["hu_shift"], a["hu_shift"])
        channels = stack_channels(hu.numpy(), nearest[0].numpy())
        return torch.from_numpy(channels), nearest[1].long(), nearest[2].long()

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Inputs (batch, channels, crop, crop), targets and territories (batch, crop, crop), for ever."""
        while True:
            cuts = [self._cut(place) for place in self.sampler.draw(self.batch)]
            inputs, targets, territories = (torch.stack(list(part)) for part in zip(*cuts, strict=True))
            yield inputs, targets, territories


def focal_loss(logits: Tensor, target: Tensor, *, alpha: float, gamma: float, class_weights: Tensor) -> Tensor:
    """Focal loss (Lin 2020; Hong 2022, Eq. 4) over the pixels that have a target.

    Divided by the number of coronary pixels, so that the many easy bone pixels do not dilute it.
    """
    chosen = target != NO_TARGET
    log_probability = functional.log_softmax(logits.permute(0, 2, 3, 1)[chosen], dim=1)
    truth = target[chosen]
    log_p = log_probability.gather(1, truth[:, None])[:, 0]
    loss = -alpha * (1 - log_p.exp()) ** gamma * log_p * class_weights[truth]
    positives = (truth > 0).sum()
    return loss.sum() / (positives + 20)
