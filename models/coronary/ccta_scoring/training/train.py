"""Train one of the two networks on virtual contrast scans.

Resumable: a kill costs at most the steps since the last checkpoint. The averaged weights of the last step are kept;
agreement on pieces of the validation patients is printed on the way.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from coronary.ccta_scoring.preprocess import (
    AORTA_CHANNELS,
    BYTE,
    COARSE_MM,
    PIXEL_MM,
    TREE_ANSWERS,
    TREE_CHANNELS,
    network_input,
)
from coronary.ccta_scoring.training.batches import Batches
from coronary.ccta_scoring.training.network import DeepLabV3Plus, VNet
from coronary.training_kit.checkpoints import load_checkpoint, save_checkpoint
from coronary.training_kit.precision import autocast
from coronary.training_kit.weights import WeightAverage, read_weights, resume_training, training_state, warm_cosine

NetworkName = Literal["tree", "aorta"]

CHECKPOINT_STEPS = 100
VALIDATION_STEPS = 500
REPORT_STEPS = 50

#: Excess attenuation counts for the loss from this share of its range: an eighth of the blood's attenuation. What it
#: weighs: an error of a tenth of the blood costs as much as 5 % of Dice.
LEAST_EXCESS = 0.03
EXCESS_WEIGHT = 2.0

#: Names of the pieces in a case, and their pixel size, mm.
PIECES = {"tree": ("patches", "patch_targets", PIXEL_MM), "aorta": ("slices", "slice_targets", COARSE_MM)}


def build_network(name: NetworkName) -> nn.Module:
    """The untrained network."""
    return VNet(TREE_CHANNELS, len(TREE_ANSWERS)) if name == "tree" else DeepLabV3Plus(AORTA_CHANNELS)


def load_pieces(paths: Sequence[Path], name: NetworkName) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pieces and targets of one network from all cases."""
    pieces, targets, _ = PIECES[name]
    images, truths = [], []
    for path in paths:
        with np.load(path) as case:
            images.append(case[pieces])
            truths.append(case[targets])
    return np.concatenate(images), np.concatenate(truths)


def soft_dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - Dice coefficient of the batch (Milletari 2016) plus cross-entropy, from which empty crops learn."""
    probability = torch.sigmoid(logits)
    overlap = 2.0 * (probability * target).sum() + 1.0
    dice = overlap / (probability.square().sum() + target.sum() + 1.0)
    return 1.0 - dice + functional.binary_cross_entropy_with_logits(logits, target)


def answers_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum over the masks, and the error of the excess attenuation where there is calcium.

    `logits` and `targets` have shape (batch, answers, rows, columns); the first two answers (or the only one) are
    masks, the third is the excess (:data:`.preprocess.TREE_ANSWERS`).
    """
    loss = sum(
        (soft_dice_loss(logits[:, k], (targets[:, k] >= 0.5).float()) for k in range(min(2, targets.shape[1]))),
        start=torch.zeros(()),
    )
    if targets.shape[1] > 2:
        excess = targets[:, 2]
        is_calcium = (excess >= LEAST_EXCESS).float()
        error = (torch.sigmoid(logits[:, 2]) - excess).abs() * is_calcium
        loss = loss + EXCESS_WEIGHT * error.sum() / (is_calcium.sum() + 1.0)
    return loss


def validate(network: nn.Module, pieces: NDArray[np.uint8], targets: NDArray[np.uint8]) -> dict[str, float]:
    """Dice coefficient of each mask over all pixels of the pieces; mean absolute error of the excess in calcium."""
    network.eval()
    masks = min(2, targets.shape[1])
    both, found, true = np.zeros(masks), np.zeros(masks), np.zeros(masks)
    errors: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for k in range(0, len(pieces), 8):
            logits = network(torch.from_numpy(network_input(pieces[k : k + 8])).to(memory_format=torch.channels_last))
            target = targets[k : k + 8]
            for answer in range(masks):
                mask, truth = (logits[:, answer] > 0).numpy(), target[:, answer] > BYTE / 2
                both[answer] += (mask & truth).sum()
                found[answer] += mask.sum()
                true[answer] += truth.sum()
            if targets.shape[1] > 2:
                excess = target[:, 2].astype(np.float32) / BYTE
                errors.append(np.abs(torch.sigmoid(logits[:, 2]).numpy() - excess)[excess >= LEAST_EXCESS])
    measured = {f"Dice {k + 1}": float(2.0 * both[k] / max(1.0, found[k] + true[k])) for k in range(masks)}
    if errors:
        measured["excess error"] = float(np.concatenate(errors).mean())
    return measured


def train(
    name: NetworkName,
    recipe: Mapping[str, Any],
    cases: Sequence[Path],
    validation: Sequence[Path],
    out: Path,
    start: Path | None,
    minutes: float,
) -> None:
    """Train until the recipe's steps are done or `minutes` have passed; ``checkpoint.pt`` in `out` is gone on from."""
    torch.manual_seed(1)
    network = build_network(name)
    if start is not None:
        network.load_state_dict(read_weights(start))
    network = network.to(memory_format=torch.channels_last)
    average = WeightAverage(network)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=recipe["weight_decay"], fused=True)
    step = 0
    if (state := load_checkpoint(out / "checkpoint.pt")) is not None:
        step = resume_training(state, network, optimiser, average)
        print(f"resumed at step {step}")
    batches = Batches(*load_pieces(cases, name), recipe, PIECES[name][2], np.random.default_rng(step + 1))
    loader = iter(DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=4))
    unseen = load_pieces(validation, name)
    losses: list[float] = []
    started = time.monotonic()
    while step < recipe["steps"] and time.monotonic() - started < 60 * minutes:
        factor = warm_cosine(step, warm_up=recipe["warm_up_steps"], total=recipe["steps"])
        for group in optimiser.param_groups:
            group["lr"] = recipe["learning_rate"] * factor
        images, targets = next(loader)
        network.train()
        with autocast(is_wanted=recipe["is_bfloat16"]):
            logits = network(images.to(memory_format=torch.channels_last))
        loss = answers_loss(logits.float(), targets)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        average.update(network)
        losses.append(loss.item())
        step += 1
        is_done = step == recipe["steps"]
        if step % REPORT_STEPS == 0:
            rate = (time.monotonic() - started) / len(losses)
            print(f"step {step}  loss {np.mean(losses[-REPORT_STEPS:]):.4f}  {rate:.2f} s/step", flush=True)
        if step % VALIDATION_STEPS == 0 or is_done:
            averaged = build_network(name)
            averaged.load_state_dict(average.average)
            figures = ", ".join(f"{key} {value:.4f}" for key, value in validate(averaged, *unseen).items())
            print(f"step {step}  validation: {figures}", flush=True)
        if step % CHECKPOINT_STEPS == 0 or is_done:
            save_checkpoint(out / "checkpoint.pt", training_state(network, optimiser, average, step))


def main() -> None:
    """Train: ``python -m coronary.ccta_scoring.training.train tree --cases DIR --validation DIR --out run``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("network", choices=("tree", "aorta"))
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("config.toml"))
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--validation", type=Path, required=True, help="cases of other patients")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="weights to begin with")
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = tomllib.loads(arguments.config.read_text())[arguments.network]
    cases, validation = (sorted(folder.glob("*.npz")) for folder in (arguments.cases, arguments.validation))
    train(arguments.network, recipe, cases, validation, arguments.out, arguments.start, arguments.minutes)


if __name__ == "__main__":
    main()
