"""Learning-rate schedule and running weight average used by every training loop."""

from __future__ import annotations

import math

import torch
from torch import nn


def warm_cosine(step: int, *, warm_up: int, total: int, floor: float = 0.02) -> float:
    """Factor on the learning rate: linear warm-up, then a half cosine down to `floor`."""
    if step < warm_up:
        return (step + 1) / warm_up
    done = min(1.0, (step - warm_up) / max(1, total - warm_up))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))


class WeightAverage:
    """Exponential moving average of parameters and buffers (Polyak averaging); what is validated and exported."""

    def __init__(self, network: nn.Module, decay: float = 0.998) -> None:
        self.decay = decay
        self.steps = 0
        self.average = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Mix the current weights in; early steps use a shorter memory so that the start is forgotten."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for name, tensor in network.state_dict().items():
            if tensor.dtype.is_floating_point:
                self.average[name].mul_(decay).add_(tensor.detach(), alpha=1 - decay)
            else:
                self.average[name].copy_(tensor)
