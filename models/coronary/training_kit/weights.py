"""Learning-rate schedule and running weight average of the training loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from coronary.training_kit.checkpoints import load_checkpoint


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


def training_state(
    network: nn.Module, optimiser: torch.optim.Optimizer, average: WeightAverage, step: int
) -> dict[str, Any]:
    """What a checkpoint holds of any training, to be taken up by :func:`resume_training`."""
    return {
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "average": average.average,
        "average_steps": average.steps,
        "step": step,
    }


def resume_training(
    state: dict[str, Any], network: nn.Module, optimiser: torch.optim.Optimizer, average: WeightAverage
) -> int:
    """Go on from a checkpoint's :func:`training_state`; returns the step it was written at."""
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    average.average, average.steps = state["average"], state["average_steps"]
    return int(state["step"])


def write_weights(path: Path, state: dict[str, Tensor]) -> None:
    """Write a network's weights as fp16, to go on from in a later training."""
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    halved = {name: a.astype(np.float16) if a.dtype == np.float32 else a for name, a in arrays.items()}
    np.savez_compressed(path, **halved)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read weights written by `write_weights`, as fp32."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return {name: torch.from_numpy(a.astype(np.float32) if a.dtype == np.float16 else a) for name, a in arrays.items()}


def kept_weights(
    path: Path, checkpoint: Path | None, pick: Callable[[dict[str, Any]], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Weights kept at `path`, as fp32; those of a training take their place first.

    Parameters
    ----------
    checkpoint
        Of the training; None: the weights stay those that are kept.
    pick
        The weights in the checkpoint's state.

    Raises
    ------
    FileNotFoundError
        If there is no checkpoint, or none is given and nothing is kept.
    """
    if checkpoint is not None:
        state = load_checkpoint(checkpoint)
        if state is None:
            raise FileNotFoundError(f"no checkpoint at {checkpoint}")
        write_weights(path, pick(state))
    return read_weights(path)
