"""Train a network of paper 3 on pictures of one layout; resumable.

A picture is positive when it shows coronary calcium that a score counts. Batches hold as many with as without.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional

from coronary.calcium_detection.layouts import (
    LAYOUTS,
    PARTS,
    WINDOW_HU,
    Layout,
    heart_parts,
    network_input,
    pictures,
)
from coronary.calcium_detection.training.network import NETWORK_NAMES, NetworkName, build_network
from coronary.training_kit.checkpoints import load_checkpoint, save_checkpoint
from coronary.training_kit.command import training_arguments
from coronary.training_kit.precision import autocast

CHECKPOINT_STEPS = 200


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures (n, rows, columns), grey values of 0 to 255 over the window, and whether each shows calcium (n,)."""

    grey: NDArray[np.uint8]
    is_positive: NDArray[np.bool_]


def cut(cases: Iterable[Mapping[str, NDArray[Any]]], layout: Layout) -> Pictures:
    """All pictures of one layout from slices of :mod:`cases`, 8 bits as in the paper."""
    low, high = WINDOW_HU
    grey, positive = [], []
    for case in cases:
        for plane, heart, calcium in zip(case["planes_hu"], case["is_heart"], case["is_calcium"], strict=True):
            made = pictures(plane, heart, layout)
            grey.append(np.rint((np.clip(made, low, high) - low) * (255.0 / (high - low))).astype(np.uint8))
            if layout == "cropped":
                boxes = heart_parts(heart, PARTS)
                positive += [bool(calcium[top:bottom, left:right].any()) for top, bottom, left, right in boxes]
            else:
                positive += [bool(calcium.any())] * len(made)
    return Pictures(np.concatenate(grey), np.array(positive))


def load(paths: Sequence[Path], layout: Layout) -> Pictures:
    """Pictures of the cases in some files."""

    def cases() -> Iterable[Mapping[str, NDArray[Any]]]:
        for path in paths:
            with np.load(path) as stored:
                yield {name: stored[name] for name in ("planes_hu", "is_heart", "is_calcium")}

    return cut(cases(), layout)


def to_tensor(grey: NDArray[np.uint8]) -> Tensor:
    """Pictures as a network takes them, (n, 1, rows, columns), -1 to 1."""
    low, high = WINDOW_HU
    return torch.from_numpy(network_input(grey.astype(np.float32) * ((high - low) / 255.0) + low))


def augmented(images: Tensor, optimisation: Mapping[str, Any], rng: np.random.Generator) -> Tensor:
    """Sheared, zoomed, shifted and flipped at random; each picture in its own way."""
    count = len(images)
    shear, zoom, shift = (optimisation[name] for name in ("shear", "zoom", "shift"))
    matrix = np.tile(np.eye(2), (count, 1, 1)) * rng.uniform(1 - zoom, 1 + zoom, (count, 1, 1))
    matrix[:, 0, 1] += rng.uniform(-shear, shear, count)
    matrix[:, :, 0] *= np.where(rng.uniform(size=count) < 0.5, -1.0, 1.0)[:, None]
    # The grid reaches from -1 to 1: a shift by a share of the side is twice as large there.
    theta = np.concatenate([matrix, rng.uniform(-2 * shift, 2 * shift, (count, 2, 1))], axis=2)
    grid = functional.affine_grid(torch.from_numpy(theta.astype(np.float32)), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def train(name: NetworkName, optimisation: Mapping[str, Any], known: Pictures, out: Path) -> nn.Module:
    """Train one network; goes on from ``checkpoint.pt`` in `out`.

    Returns
    -------
    torch.nn.Module
        The network with the weights of the last step, ready to answer.
    """
    torch.manual_seed(1)
    network = build_network(name).to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=optimisation["learning_rate"],
        momentum=optimisation["momentum"],
        weight_decay=optimisation["weight_decay"],
    )
    step, total = 0, int(optimisation["steps"])
    if (state := load_checkpoint(out / "checkpoint.pt")) is not None:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        step = state["step"]
    rng = np.random.default_rng([step, 5])
    kinds = [np.flatnonzero(known.is_positive), np.flatnonzero(~known.is_positive)]
    half = optimisation["batch"] // 2
    with Progress() as progress:
        bar = progress.add_task(name, total=total, completed=step)
        while step < total:
            network.train()
            chosen = np.concatenate([rng.choice(kind, half) for kind in kinds])
            images = augmented(to_tensor(known.grey[chosen]), optimisation, rng)
            targets = torch.from_numpy(known.is_positive[chosen].astype(np.float32))
            with autocast():
                logits = network(images.to(memory_format=torch.channels_last))
            loss = functional.binary_cross_entropy_with_logits(logits.float(), targets)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            step += 1
            progress.advance(bar)
            if step % CHECKPOINT_STEPS == 0 or step == total:
                state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step}
                save_checkpoint(out / "checkpoint.pt", state)
    return network.eval()


def probabilities(network: nn.Module, grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probability of calcium in each picture, shape (n,)."""
    batches = np.array_split(grey, max(1, len(grey) // 16))
    with torch.inference_mode():
        found = [torch.sigmoid(network(to_tensor(some))).numpy() for some in batches]
    return np.concatenate(found).astype(np.float32)


def main() -> None:
    """Train: ``python -m coronary.calcium_detection.training.train resnet-50 cropped --cases DIR --out run``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("network", choices=NETWORK_NAMES)
    parser.add_argument("layout", choices=LAYOUTS)
    arguments = training_arguments(parser, Path(__file__).with_name("config.toml"))
    known = load(arguments.cases, arguments.layout)
    train(arguments.network, arguments.config["optimisation"], known, arguments.out)


if __name__ == "__main__":
    main()
