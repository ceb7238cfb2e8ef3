"""Train a detection network; resumable. The averaged weights of the last step are kept.

The command trains the network that ships, on bright pieces; :mod:`table_3` trains those of paper 3, on pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional

from coronary.calcium_detection.bright_pieces import CHANNELS as PIECE_CHANNELS
from coronary.calcium_detection.training.network import build_network
from coronary.training_kit.checkpoints import load_checkpoint, save_checkpoint
from coronary.training_kit.command import training_arguments
from coronary.training_kit.precision import autocast
from coronary.training_kit.weights import WeightAverage, resume_training, training_state, warm_cosine

CHECKPOINT_STEPS = 200

#: Draws the images of one batch and whether each shows calcium.
DrawBatch = Callable[[np.random.Generator], tuple[Tensor, NDArray[np.bool_]]]


def load_pieces(paths: Sequence[Path]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Views of the bright pieces of the cases in some files, and which are calcium."""
    views, is_calcium = [], []
    for path in paths:
        with np.load(path) as case:
            views.append(case["views"])
            is_calcium.append(case["piece_agatston"] > 0)
    return np.concatenate(views), np.concatenate(is_calcium)


def from_grey(views: NDArray[np.uint8]) -> Tensor:
    """Views of 8 bits as the network takes them, -1 to 1."""
    return torch.from_numpy(views).float() / 127.5 - 1.0


def pieces_drawn(views: NDArray[np.uint8], is_calcium: NDArray[np.bool_], batch: int) -> DrawBatch:
    """Batches of pieces, half of them calcium."""
    kinds = [np.flatnonzero(is_calcium), np.flatnonzero(~is_calcium)]

    def draw(rng: np.random.Generator) -> tuple[Tensor, NDArray[np.bool_]]:
        chosen = np.concatenate([rng.choice(kind, batch // 2) for kind in kinds])
        return from_grey(views[chosen]), is_calcium[chosen]

    return draw


def augmented(images: Tensor, optimisation: Mapping[str, Any], rng: np.random.Generator) -> Tensor:
    """Sheared, zoomed and shifted at random, flipped where the recipe says so; each picture in its own way."""
    count = len(images)
    shear, zoom, shift = (optimisation[name] for name in ("shear", "zoom", "shift"))
    matrix = np.tile(np.eye(2), (count, 1, 1)) * rng.uniform(1 - zoom, 1 + zoom, (count, 1, 1))
    matrix[:, 0, 1] += rng.uniform(-shear, shear, count)
    if optimisation["flip"]:
        matrix[:, :, 0] *= np.where(rng.uniform(size=count) < 0.5, -1.0, 1.0)[:, None]
    # The grid reaches from -1 to 1: a shift by a share of the side is twice as large there.
    theta = np.concatenate([matrix, rng.uniform(-2 * shift, 2 * shift, (count, 2, 1))], axis=2)
    grid = functional.affine_grid(torch.from_numpy(theta.astype(np.float32)), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def build_optimiser(network: nn.Module, optimisation: Mapping[str, Any]) -> torch.optim.Optimizer:
    """Gradient descent with momentum as in paper 3, or where the recipe gives none, AdamW."""
    rate, decay = optimisation["learning_rate"], optimisation["weight_decay"]
    if "momentum" in optimisation:
        momentum = optimisation["momentum"]
        return torch.optim.SGD(network.parameters(), lr=rate, momentum=momentum, weight_decay=decay)
    return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay, fused=True)


def train(network: nn.Module, optimisation: Mapping[str, Any], draw: DrawBatch, out: Path, title: str) -> nn.Module:
    """Train one network, which answers a logit of calcium; goes on from ``checkpoint.pt`` in `out`.

    Returns
    -------
    torch.nn.Module
        The network with the averaged weights, ready to answer.
    """
    torch.manual_seed(1)
    network = network.to(memory_format=torch.channels_last)
    average = WeightAverage(network)
    optimiser = build_optimiser(network, optimisation)
    step, total = 0, int(optimisation["steps"])
    if (state := load_checkpoint(out / "checkpoint.pt")) is not None:
        step = resume_training(state, network, optimiser, average)
    rng = np.random.default_rng([step, 5])
    with Progress() as progress:
        bar = progress.add_task(title, total=total, completed=step)
        while step < total:
            network.train()
            for group in optimiser.param_groups:
                factor = warm_cosine(step, warm_up=optimisation["warm_up_steps"], total=total)
                group["lr"] = optimisation["learning_rate"] * factor
            images, is_calcium = draw(rng)
            with autocast():
                logits = network(augmented(images, optimisation, rng).contiguous(memory_format=torch.channels_last))
            loss = functional.binary_cross_entropy_with_logits(logits.float(), torch.from_numpy(is_calcium).float())
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            average.update(network)
            step += 1
            progress.advance(bar)
            if step % CHECKPOINT_STEPS == 0 or step == total:
                save_checkpoint(out / "checkpoint.pt", training_state(network, optimiser, average, step))
    network.load_state_dict(average.average)
    return network.eval()


def main() -> None:
    """Train what ships: ``python -m coronary.calcium_detection.training.train --cases DIR --out run``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    arguments = training_arguments(parser, Path(__file__).with_name("config.toml"))
    optimisation = arguments.config["shipped"]
    draw = pieces_drawn(*load_pieces(arguments.cases), optimisation["batch"])
    train(build_network("resnet-50", PIECE_CHANNELS), optimisation, draw, arguments.out, "resnet-50")


if __name__ == "__main__":
    main()
