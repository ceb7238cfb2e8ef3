"""Train a network of paper 3 on pictures of one layout; resumable.

A picture is positive when the slice has coronary calcium there that a score counts.
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

from coronary.calcium import AGATSTON_THRESHOLD_HU
from coronary.calcium_detection.layouts import (
    LAYOUTS,
    WINDOW_HU,
    Layout,
    boxes_of,
    cut_out,
    network_input,
    resized,
)
from coronary.calcium_detection.training.network import NETWORK_NAMES, NetworkName, build_network
from coronary.training_kit.checkpoints import load_checkpoint, save_checkpoint
from coronary.training_kit.command import training_arguments
from coronary.training_kit.precision import autocast

CHECKPOINT_STEPS = 200


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures of one layout.

    Parameters
    ----------
    grey
        Each (3, rows, columns), grey values of 0 to 255 over the window; not all of one size.
    agatston
        Shape (n,): score of the calcium that the slice has in the picture.
    is_bright
        Shape (n,): whether anything in it reaches the threshold of calcium.
    """

    grey: Sequence[NDArray[np.uint8]]
    agatston: NDArray[np.float32]
    is_bright: NDArray[np.bool_]

    @property
    def is_positive(self) -> NDArray[np.bool_]:
        """Whether each picture shows calcium that a score counts."""
        return self.agatston > 0


def cut(cases: Iterable[Mapping[str, NDArray[Any]]], layout: Layout) -> Pictures:
    """All pictures of one layout from slices of :mod:`cases`, 8 bits as in the paper."""
    low, high = WINDOW_HU
    grey: list[NDArray[np.uint8]] = []
    agatston, bright = [], []
    for case in cases:
        for planes, heart, amount in zip(case["planes_hu"], case["is_heart"], case["agatston"], strict=True):
            for part in cut_out(planes, heart, layout):
                bright.append(bool((part[1] >= AGATSTON_THRESHOLD_HU).any()))
                # A part of nine is smaller than its picture and is kept as it was cut out; a whole slice is larger.
                kept = part if layout == "cropped" else resized(part)
                grey.append(np.rint((np.clip(kept, low, high) - low) * (255.0 / (high - low))).astype(np.uint8))
            agatston += [
                float(amount[top:bottom, left:right].sum(dtype=np.float32))
                for top, bottom, left, right in boxes_of(heart, layout)
            ]
    return Pictures(grey, np.array(agatston, np.float32), np.array(bright, np.bool_))


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
    """Numbers of the pictures of one batch: half with calcium; of the others, half hold something as bright."""
    positive, bright = np.flatnonzero(known.is_positive), np.flatnonzero(known.is_bright & ~known.is_positive)
    dark = np.flatnonzero(~known.is_bright & ~known.is_positive)
    negative = [kind for kind in (bright, dark) if len(kind)]
    kinds = [positive] * (batch // 2) + [negative[k % len(negative)] for k in range(batch - batch // 2)]
    return np.array([rng.choice(kind) for kind in kinds])


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


def loss_of(answers: Tensor, agatston: Tensor) -> Tensor:
    """Cross-entropy of presence, and half the error of the amount where there is any."""
    is_positive = (agatston > 0).float()
    presence = functional.binary_cross_entropy_with_logits(answers[:, 0], is_positive)
    amount = functional.smooth_l1_loss(answers[:, 1] * is_positive, agatston.sqrt())
    return presence + 0.5 * amount


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
    with Progress() as progress:
        bar = progress.add_task(name, total=total, completed=step)
        while step < total:
            network.train()
            chosen = draw_batch(known, optimisation["batch"], rng)
            images = augmented(to_tensor([known.grey[k] for k in chosen]), optimisation, rng)
            with autocast():
                answers = network(images.to(memory_format=torch.channels_last))
            loss = loss_of(answers.float(), torch.from_numpy(known.agatston[chosen]))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            step += 1
            progress.advance(bar)
            if step % CHECKPOINT_STEPS == 0 or step == total:
                state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step}
                save_checkpoint(out / "checkpoint.pt", state)
    return network.eval()


def answers_of(network: nn.Module, grey: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Probability of calcium in each picture and the root of its score, shape (n, 2)."""
    found = []
    with torch.inference_mode():
        for start in range(0, len(grey), 16):
            answers = network(to_tensor(grey[start : start + 16]))
            found.append(torch.stack([torch.sigmoid(answers[:, 0]), answers[:, 1]], dim=1).numpy())
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
