"""Train the network that sees the calcium: how would a patch look without it?

Ours, beside paper 2's networks that see nothing of the hidden cube. Resumable: a kill costs at most the steps since the
last checkpoint. The averaged weights of the last step are kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor, nn

from coronary.calcium_inpainting.patches import FINE_RANGE, WALL_HU, removal_input
from coronary.calcium_inpainting.training.network import THOUGHT_RANGE, RemovalNetwork
from coronary.training_kit.checkpoints import load_checkpoint, save_checkpoint
from coronary.training_kit.command import training_arguments
from coronary.training_kit.precision import autocast
from coronary.training_kit.weights import WeightAverage, resume_training, training_state, warm_cosine

CHECKPOINT_STEPS = 200

#: Where calcium adds less than this share of the contrast between wall and blood, there is none.
LEAST_EXCESS = 0.03

#: What a voxel without calcium weighs, of blood and of anything else; one with calcium weighs 1. Blood beside calcium
#: must stay as it was scanned.
BLOOD_WEIGHT = 0.5
OTHER_WEIGHT = 0.05

#: Patches that are drawn from those with calcium.
CALCIFIED_SHARE = 0.6


def load_cases(paths: Sequence[Path]) -> dict[str, NDArray[Any]]:
    """The arrays of all cases (:mod:`.cases`), one after the other."""
    found: dict[str, list[NDArray[Any]]] = {"patches": [], "calcium_free": [], "has_calcium": [], "blood_hu": []}
    for path in paths:
        with np.load(path) as case:
            for name, arrays in found.items():
                arrays.append(case[name])
    return {name: np.concatenate(arrays) for name, arrays in found.items()}


def draw_batch(
    cases: Mapping[str, NDArray[Any]], optimisation: Mapping[str, Any], rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (batch, 2, z, y, x), and the patches as scanned and without calcium, (batch, z, y, x), as at the network.

    A patch is turned to one of the 48 orientations of a cube. The attenuation of blood is known with an error, as in
    serving.
    """
    calcified = np.flatnonzero(cases["has_calcium"])
    others = np.flatnonzero(~cases["has_calcium"])
    pairs, bloods = [], []
    for _ in range(optimisation["batch"]):
        k = int(rng.choice(calcified if rng.uniform() < CALCIFIED_SHARE else others))
        axes, flipped = rng.permutation(3), np.flatnonzero(rng.uniform(size=3) < 0.5).tolist()
        pair = np.stack([cases["patches"][k], cases["calcium_free"][k]]).astype(np.float32)
        pairs.append(np.flip(pair.transpose(0, *(1 + axes)), [1 + axis for axis in flipped]))
        known = 1.0 + rng.normal(0.0, optimisation["blood_error"])
        bloods.append(WALL_HU + known * (float(cases["blood_hu"][k]) - WALL_HU))
    seen, wanted = np.stack(pairs, axis=1)
    blood_hu = np.array(bloods, np.float32)[:, None, None, None]
    scanned, truth = (torch.from_numpy((hu - WALL_HU) / (blood_hu - WALL_HU)) for hu in (seen, wanted))
    return torch.from_numpy(removal_input(seen, blood_hu)), scanned, truth


def removal_loss(answer: Tensor, scanned: Tensor, truth: Tensor) -> Tensor:
    """Error where calcium adds something, and less of it elsewhere; squared, linear from 0.5 on (Huber)."""
    has_calcium, is_blood = scanned - truth >= LEAST_EXCESS, truth >= 0.5
    weight = torch.where(has_calcium, 1.0, torch.where(is_blood, BLOOD_WEIGHT, OTHER_WEIGHT))
    # Blood and what is brighter are the same lumen; what is darker than the network sees is the same lung.
    wanted = torch.clamp(truth, FINE_RANGE[0], THOUGHT_RANGE[1])
    error = nn.functional.smooth_l1_loss(answer, wanted, beta=0.5, reduction="none")
    return (weight * error).sum() / weight.sum()


def train(optimisation: Mapping[str, Any], cases: Mapping[str, NDArray[Any]], out: Path) -> nn.Module:
    """Train the removal network; goes on from ``checkpoint.pt`` in `out`. Returns it with the averaged weights."""
    torch.manual_seed(1)
    network = RemovalNetwork().to(memory_format=torch.channels_last_3d)
    average = WeightAverage(network)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=optimisation["weight_decay"], fused=True)
    step, total = 0, int(optimisation["steps"])
    if (state := load_checkpoint(out / "checkpoint.pt")) is not None:
        step = resume_training(state, network, optimiser, average)
    rng = np.random.default_rng([step, 5])
    recent = 0.0
    with Progress() as progress:
        bar = progress.add_task("removal", total=total, completed=step)
        while step < total:
            network.train()
            for group in optimiser.param_groups:
                factor = warm_cosine(step, warm_up=optimisation["warm_up_steps"], total=total)
                group["lr"] = optimisation["learning_rate"] * factor
            inputs, scanned, truth = draw_batch(cases, optimisation, rng)
            with autocast():
                answer = network(inputs.to(memory_format=torch.channels_last_3d))
            loss = removal_loss(answer, scanned, truth)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            average.update(network)
            step += 1
            recent += 0.02 * (loss.item() - recent)
            progress.update(bar, advance=1, description=f"removal, loss {recent:.4f}")
            if step % CHECKPOINT_STEPS == 0 or step == total:
                save_checkpoint(out / "checkpoint.pt", training_state(network, optimiser, average, step))
    network.load_state_dict(average.average)
    return network.eval()


def main() -> None:
    """Train: ``python -m coronary.calcium_inpainting.training.train_removal --cases DIR --out run``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    arguments = training_arguments(parser, Path(__file__).with_name("config.toml"))
    train(arguments.config["removal"], load_cases(arguments.cases), arguments.out)


if __name__ == "__main__":
    main()
