"""Batches for training: which slices are drawn, and how they are varied.

Slices with and without coronary calcium come 1:1 (Hong 2022, section 2.4); among the first the vessel is drawn
before the slice, because LM and LCX are rare. No mirroring: it would turn LAD into RCA.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from coronary.csct_scoring.preprocess import CROP_PIXELS, context_slices, stack_channels
from coronary.csct_scoring.training.cases import NO_TARGET, TrainingCase

#: Share of the slices without coronary calcium that show something like it where a vessel runs.
LOOK_ALIKE_SHARE = 0.5


class SliceSampler:
    """Draws (case, slice) pairs."""

    def __init__(self, cases: Sequence[TrainingCase], vessel_draw: Sequence[float], rng: np.random.Generator) -> None:
        self.cases = cases
        self.rng = rng
        self.with_vessel: list[list[tuple[int, int]]] = [[], [], [], []]
        self.without: list[tuple[int, int]] = []
        self.look_alikes: list[tuple[int, int]] = []
        for number, case in enumerate(cases):
            for z in range(case.target.shape[0]):
                present = set(np.unique(case.target[z]).tolist()) & {1, 2, 3, 4}
                for vessel in present:
                    self.with_vessel[vessel - 1].append((number, z))
                if not present:
                    self.without.append((number, z))
                    # Bright but not coronary calcium, where a vessel runs: stents, the wall at the ostia.
                    if ((case.target[z] == 0) & (case.territory[z] > 0)).any():
                        self.look_alikes.append((number, z))
        draw = np.array([p if slices else 0.0 for p, slices in zip(vessel_draw, self.with_vessel, strict=True)])
        self.vessel_draw = draw / draw.sum()

    def draw(self, batch: int) -> list[tuple[int, int]]:
        """Half of the batch with coronary calcium, half without; of these every other one with a look-alike."""
        pairs: list[tuple[int, int]] = []
        for position in range(batch):
            if position % 2 == 0:
                slices = self.with_vessel[int(self.rng.choice(4, p=self.vessel_draw))]
            else:
                wants_look_alike = self.look_alikes and self.rng.random() < LOOK_ALIKE_SHARE
                slices = self.look_alikes if wants_look_alike else self.without
            pairs.append(slices[int(self.rng.integers(len(slices)))])
        return pairs


class BatchMaker:
    """Cuts, rotates, scales and shifts drawn slices and varies their attenuation."""

    def __init__(self, sampler: SliceSampler, augmentation: Mapping[str, Any], rng: np.random.Generator) -> None:
        self.sampler = sampler
        self.augmentation = augmentation
        self.rng = rng

    def _transform(self, size: int) -> Tensor:
        """Sampling grid of shape (1, CROP, CROP, 2) for a random rotation, scale and shift."""
        a = self.augmentation
        angle = np.deg2rad(self.rng.uniform(-a["rotation_deg"], a["rotation_deg"]))
        scale = 1.0 + self.rng.uniform(-a["scale"], a["scale"])
        shift = self.rng.uniform(-a["shift_pixels"], a["shift_pixels"], 2) * 2.0 / size
        ratio = scale * CROP_PIXELS / size
        cos, sin = np.cos(angle) * ratio, np.sin(angle) * ratio
        theta = torch.tensor([[[cos, -sin, shift[0]], [sin, cos, shift[1]]]], dtype=torch.float32)
        return functional.affine_grid(theta, [1, 1, CROP_PIXELS, CROP_PIXELS], align_corners=False)

    def _cut(self, case: TrainingCase, z: int) -> tuple[Tensor, Tensor, Tensor]:
        a = self.augmentation
        slices = context_slices(z, case.hu.shape[0], case.slice_spacing_mm)
        grid = self._transform(case.hu.shape[1])
        hu = torch.from_numpy(case.hu[list(slices)].astype(np.float32))[None]
        hu = functional.grid_sample(hu, grid, padding_mode="border", align_corners=False)[0]
        whole = np.stack([case.peak_hu[z], case.target[z], case.territory[z]]).astype(np.float32)
        nearest = functional.grid_sample(
            torch.from_numpy(whole)[None], grid, mode="nearest", padding_mode="border", align_corners=False
        )[0]
        hu = hu * (1 + self.rng.uniform(-a["hu_gain"], a["hu_gain"])) + self.rng.uniform(-a["hu_shift"], a["hu_shift"])
        channels = stack_channels(hu.numpy(), nearest[0].numpy())
        return torch.from_numpy(channels), nearest[1].long(), nearest[2].long()

    def make(self, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs (batch, channels, CROP, CROP), targets and territories (batch, CROP, CROP)."""
        cuts = [self._cut(self.sampler.cases[number], z) for number, z in self.sampler.draw(batch)]
        inputs, targets, territories = (torch.stack(list(part)) for part in zip(*cuts, strict=True))
        return inputs.to(memory_format=torch.channels_last), targets, territories


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
