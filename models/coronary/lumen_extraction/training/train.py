"""Train DL-LEM: two mappings between contrast and non-contrast slices, as a CycleGAN or against the virtual truth.

``paper`` is unpaired, as in paper 0: least-squares adversarial loss (Mao 2017) and cycle consistency (Zhu 2017).
``paired`` is ours: the same generator learns the slice without contrast agent, which only virtual patients have.
Resumable: a kill costs at most the steps since the last checkpoint.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from coronary.lumen_extraction import Form
from coronary.lumen_extraction.slices import to_unit
from coronary.lumen_extraction.training.network import BlendedConvolutions, Discriminator
from coronary.training_kit.checkpoints import load_checkpoint, save_checkpoint
from coronary.training_kit.command import training_arguments
from coronary.training_kit.precision import autocast
from coronary.training_kit.weights import WeightAverage, resume_training, training_state, warm_cosine

FORMS: tuple[Form, ...] = get_args(Form)

CHECKPOINT_STEPS = 100

Slices = NDArray[Any]

#: Pixels this near an artery are what the paired training is for; each weighs as many others.
NEAR_PIXELS = 6
ARTERY_WEIGHT = 10.0


def load_slices(paths: Sequence[Path]) -> dict[str, Slices]:
    """Slices of all cases by name (:mod:`.cases`), each (n, rows, columns), HU."""
    found: dict[str, list[Slices]] = {"contrast": [], "contrast_off": [], "places": [], "non_contrast": []}
    for path in paths:
        with np.load(path) as case:
            for name, slices in found.items():
                slices.append(case[name])
    return {name: np.concatenate(slices) for name, slices in found.items()}


def draw_crops(stack: Slices, count: int, size: int, rng: np.random.Generator) -> Tensor:
    """Crops (count, 1, size, size) at drawn places, flipped left and right at random."""
    depth, rows, columns = stack.shape
    z, y, x = (rng.integers(n, size=count) for n in (depth, rows - size + 1, columns - size + 1))
    step = np.where(rng.uniform(size=count) < 0.5, -1, 1)
    crops = [to_unit(stack[z[k], y[k] : y[k] + size, x[k] : x[k] + size])[:, :: int(step[k])] for k in range(count)]
    return torch.from_numpy(np.stack(crops)[:, None])


class ArteryCrops:
    """Pairs of crops with and without contrast agent that show arteries, half of them calcium.

    Parameters
    ----------
    slices
        As from :func:`load_slices`.
    """

    def __init__(self, slices: Mapping[str, Slices]) -> None:
        self.slices = slices
        self.places = [np.argwhere(slices["places"] == kind) for kind in (1, 2)]

    def draw(self, count: int, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Contrast, contrast off, and weights, (count, 1, size, size) each, turned as a square can be."""
        found: list[list[NDArray[np.float32]]] = [[], [], []]
        limit = np.array(self.slices["contrast"].shape[1:]) - size
        for k in range(count):
            places = self.places[k % 2]
            z, *middle = places[rng.integers(len(places))]
            y, x = np.clip(np.array(middle) - rng.integers(size // 4, 3 * size // 4, size=2), 0, limit)
            window = (z, slice(y, y + size), slice(x, x + size))
            near = ndimage.binary_dilation(self.slices["places"][window] > 0, iterations=NEAR_PIXELS)
            turns, is_flipped = int(rng.integers(4)), rng.uniform() < 0.5
            planes = (
                to_unit(self.slices["contrast"][window]),
                to_unit(self.slices["contrast_off"][window]),
                np.where(near, ARTERY_WEIGHT, 1.0).astype(np.float32),
            )
            for of_all, plane in zip(found, planes, strict=True):
                turned = np.rot90(plane, turns)
                of_all.append(np.ascontiguousarray(turned[::-1] if is_flipped else turned))
        contrast, off, weight = (torch.from_numpy(np.stack(planes)[:, None]) for planes in found)
        return contrast, off, weight


class CycleGan(nn.Module):
    """Both mappings and both discriminators, with their losses."""

    def __init__(self, cycle_weight: float) -> None:
        super().__init__()
        self.to_non_contrast, self.to_contrast = BlendedConvolutions(), BlendedConvolutions()
        self.is_non_contrast, self.is_contrast = Discriminator(), Discriminator()
        self.cycle_weight = cycle_weight

    def generators(self) -> list[nn.Parameter]:
        """Parameters of both mappings."""
        return [*self.to_non_contrast.parameters(), *self.to_contrast.parameters()]

    def discriminators(self) -> list[nn.Parameter]:
        """Parameters of both discriminators."""
        return [*self.is_non_contrast.parameters(), *self.is_contrast.parameters()]

    def generator_loss(self, contrast: Tensor, non_contrast: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Loss of the mappings, and the made non-contrast and contrast slices."""
        off, on = self.to_non_contrast(contrast), self.to_contrast(non_contrast)
        adversarial = _score_loss(self.is_non_contrast(off), 1.0) + _score_loss(self.is_contrast(on), 1.0)
        cycle = functional.l1_loss(self.to_contrast(off), contrast) + functional.l1_loss(
            self.to_non_contrast(on), non_contrast
        )
        return adversarial + self.cycle_weight * cycle, off.detach(), on.detach()

    def discriminator_loss(self, contrast: Tensor, non_contrast: Tensor, off: Tensor, on: Tensor) -> Tensor:
        """Loss of both discriminators on scanned slices and made ones."""
        return (
            _score_loss(self.is_non_contrast(non_contrast), 1.0)
            + _score_loss(self.is_non_contrast(off), 0.0)
            + _score_loss(self.is_contrast(contrast), 1.0)
            + _score_loss(self.is_contrast(on), 0.0)
        )


def train_paired(optimisation: Mapping[str, Any], slices: Mapping[str, Slices], out: Path) -> BlendedConvolutions:
    """Train the generator against the slice without contrast agent; goes on from ``checkpoint.pt`` in `out`.

    Returns
    -------
    BlendedConvolutions
        The mapping from contrast to non-contrast slices with averaged weights, ready to answer.
    """
    torch.manual_seed(1)
    network = BlendedConvolutions().to(memory_format=torch.channels_last)
    average = WeightAverage(network)
    optimiser = torch.optim.Adam(network.parameters(), betas=tuple(optimisation["betas"]))
    step, total = 0, int(optimisation["steps"])
    if (state := load_checkpoint(out / "checkpoint.pt")) is not None:
        step = resume_training(state, network, optimiser, average)
    rng = np.random.default_rng([step, 4])
    crops = ArteryCrops(slices)
    network.train()
    with Progress() as progress:
        bar = progress.add_task("DL-LEM, paired", total=total, completed=step)
        while step < total:
            for group in optimiser.param_groups:
                group["lr"] = optimisation["learning_rate"] * warm_cosine(step, warm_up=100, total=total)
            contrast, truth, weight = crops.draw(optimisation["batch"], optimisation["crop_pixels"], rng)
            with autocast():
                shares, blended = network.parts(contrast.to(memory_format=torch.channels_last))
            error = (shares.float() * blended.float()).sum(dim=1, keepdim=True) - truth
            loss = (weight * error.abs()).sum() / weight.sum()
            _descend(optimiser, loss)
            average.update(network)
            step += 1
            progress.update(bar, advance=1, description=f"DL-LEM, paired, loss {loss.item():.4f}")
            if step % CHECKPOINT_STEPS == 0 or step == total:
                save_checkpoint(out / "checkpoint.pt", training_state(network, optimiser, average, step))
    network.load_state_dict(average.average)
    return network.eval()


def train_paper(optimisation: Mapping[str, Any], slices: Mapping[str, Slices], out: Path) -> BlendedConvolutions:
    """Train both mappings as a CycleGAN on unpaired slices; goes on from ``checkpoint.pt`` in `out`.

    Returns
    -------
    BlendedConvolutions
        The mapping from contrast to non-contrast slices, ready to answer.
    """
    torch.manual_seed(1)
    gan = CycleGan(optimisation["cycle_weight"])
    rates = {"lr": optimisation["learning_rate"], "betas": tuple(optimisation["betas"])}
    for_generators = torch.optim.Adam(gan.generators(), **rates)
    for_discriminators = torch.optim.Adam(gan.discriminators(), **rates)
    step, total = 0, int(optimisation["steps"])
    if (state := load_checkpoint(out / "checkpoint.pt")) is not None:
        gan.load_state_dict(state["gan"])
        for_generators.load_state_dict(state["for_generators"])
        for_discriminators.load_state_dict(state["for_discriminators"])
        step = int(state["step"])
    rng = np.random.default_rng([step, 4])
    count, size = optimisation["batch"], optimisation["crop_pixels"]
    gan.train()
    with Progress() as progress:
        bar = progress.add_task("DL-LEM, paper", total=total, completed=step)
        while step < total:
            contrast, non_contrast = (
                draw_crops(slices[kind], count, size, rng) for kind in ("contrast", "non_contrast")
            )
            with autocast():
                loss, off, on = gan.generator_loss(contrast, non_contrast)
            _descend(for_generators, loss)
            with autocast():
                doubt = gan.discriminator_loss(contrast, non_contrast, off, on)
            _descend(for_discriminators, doubt)
            step += 1
            progress.update(bar, advance=1, description=f"DL-LEM, paper, loss {loss.item():.4f}")
            if step % CHECKPOINT_STEPS == 0 or step == total:
                state = {
                    "gan": gan.state_dict(),
                    "for_generators": for_generators.state_dict(),
                    "for_discriminators": for_discriminators.state_dict(),
                    "step": step,
                }
                save_checkpoint(out / "checkpoint.pt", state)
    return gan.to_non_contrast.eval()


def _score_loss(score: Tensor, wanted: float) -> Tensor:
    return functional.mse_loss(score, torch.full_like(score, wanted))


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


def main() -> None:
    """Train: ``python -m coronary.lumen_extraction.training.train paper --cases DIR --out run``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("form", choices=FORMS)
    arguments = training_arguments(parser, Path(__file__).with_name("config.toml"))
    train = {"paper": train_paper, "paired": train_paired}[arguments.form]
    train(arguments.config[arguments.form], load_slices(arguments.cases), arguments.out)


if __name__ == "__main__":
    main()
