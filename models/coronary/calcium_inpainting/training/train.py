"""Train an inpainting network on patches of virtual contrast scans.

Resumable: a kill costs at most the steps since the last checkpoint. The averaged weights of the last step are kept.
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
from torch.nn import functional

from coronary.calcium_inpainting.patches import HIDDEN_VOXELS, hidden_cube, network_input, to_hu, to_unit
from coronary.calcium_inpainting.training.network import NETWORK_NAMES, NetworkName, build_network
from coronary.training_kit.checkpoints import load_checkpoint, save_checkpoint
from coronary.training_kit.command import training_arguments
from coronary.training_kit.precision import autocast
from coronary.training_kit.weights import WeightAverage, resume_training, training_state, warm_cosine

CHECKPOINT_STEPS = 200

Patches = NDArray[np.int16]


def load_patches(paths: Sequence[Path]) -> tuple[Patches, Patches]:
    """What the networks see and what they must answer, (n, 32, 32, 32) HU each, from all cases.

    Paper 2 had no calcium-free twin: there a network learns what lies in the cube, calcium or not. Here it always
    learns what would be there without calcium.
    """
    seen, wanted = [], []
    for path in paths:
        with np.load(path) as case:
            seen.append(case["patches"])
            wanted.append(case["calcium_free"])
    return np.concatenate(seen), np.concatenate(wanted)


def draw_batch(
    seen: Patches, wanted: Patches, hidden: NDArray[np.bool_], count: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Inputs (batch, 2, z, y, x) and targets (batch, z, y, x), flipped at random along the three axes (paper 2)."""
    chosen = rng.integers(len(seen), size=count)
    flipped = [np.flatnonzero(rng.uniform(size=3) < 0.5).tolist() for _ in chosen]
    pair = [
        np.stack([np.flip(patches[k], axes) for k, axes in zip(chosen, flipped, strict=True)]).astype(np.float32)
        for patches in (seen, wanted)
    ]
    return torch.from_numpy(network_input(pair[0], hidden)), torch.from_numpy(to_unit(pair[1]))


def train(
    name: NetworkName,
    side: int,
    optimisation: Mapping[str, Any],
    seen: Patches,
    wanted: Patches,
    out: Path,
    begin: Mapping[str, Tensor] | None = None,
) -> nn.Module:
    """Train one network with a hidden cube of `side` voxels; goes on from ``checkpoint.pt`` in `out`.

    The loss is the mean squared error over the whole patch, which did better in paper 2 than over the cube alone.

    Parameters
    ----------
    begin
        Weights to begin with; None: untrained ones.

    Returns
    -------
    torch.nn.Module
        The network with the averaged weights, ready to answer.
    """
    torch.manual_seed(1)
    network = build_network(name).to(memory_format=torch.channels_last_3d)
    if begin is not None:
        network.load_state_dict(begin)
    average = WeightAverage(network)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=optimisation["weight_decay"], fused=True)
    step, total, hidden = 0, int(optimisation["steps"]), hidden_cube(side)
    if (state := load_checkpoint(out / "checkpoint.pt")) is not None:
        step = resume_training(state, network, optimiser, average)
    rng = np.random.default_rng([step, side])
    with Progress() as progress:
        bar = progress.add_task(f"{name}, cube of {side}", total=total, completed=step)
        while step < total:
            network.train()
            for group in optimiser.param_groups:
                factor = warm_cosine(step, warm_up=optimisation["warm_up_steps"], total=total)
                group["lr"] = optimisation["learning_rate"] * factor
            inputs, targets = draw_batch(seen, wanted, hidden, optimisation["batch"], rng)
            with autocast():
                answer = network(inputs.to(memory_format=torch.channels_last_3d))
            loss = functional.mse_loss(answer.float(), targets)
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


def restore(network: nn.Module, patches_hu: NDArray[np.float32], hidden: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The patches as a network restores them, shape (n, 32, 32, 32), HU."""
    inputs = torch.from_numpy(network_input(patches_hu, hidden))
    with torch.inference_mode():
        return to_hu(np.concatenate([network(some).numpy() for some in inputs.split(8)]))


def main() -> None:
    """Train: ``python -m coronary.calcium_inpainting.training.train dense-unet --cases DIR --out run``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("network", choices=NETWORK_NAMES)
    parser.add_argument("--side", type=int, choices=HIDDEN_VOXELS, default=HIDDEN_VOXELS[0], help="of the hidden cube")
    arguments = training_arguments(parser, Path(__file__).with_name("config.toml"))
    seen, wanted = load_patches(arguments.cases)
    train(arguments.network, arguments.side, arguments.config["optimisation"], seen, wanted, arguments.out)


if __name__ == "__main__":
    main()
