"""Experiment 1 of paper 2: four networks restore the hidden middle of patches without calcium; table and picture.

Decides which patches and which errors. Beside the networks stands the biharmonic fill, which learns nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from coronary.calcium_inpainting.patches import HIDDEN_VOXELS, RANGE_HU, hidden_cube, to_hu, to_unit
from coronary.calcium_inpainting.training.cases import cut_patches, render_scan
from coronary.calcium_inpainting.training.network import NetworkName
from coronary.calcium_inpainting.training.train import load_patches, restore, train
from coronary.evaluation.image_quality import mean_squared_error
from coronary.training_kit.command import training_arguments
from coronary.virtual_patient import draw_patient

COMPARED: Sequence[NetworkName] = ("dense-unet", "densenet", "u-net", "autoencoder")
FILL = "biharmonic fill"

#: Patches in the picture, and the attenuation it shows, HU.
SHOWN = 5
WINDOW_HU = (-150.0, 650.0)


def unseen_patches(config: Mapping[str, Any]) -> NDArray[np.float32]:
    """The patches of the experiment, (n, 32, 32, 32) HU: the same number of every patient, none with calcium.

    Within the attenuations that the networks tell apart (``RANGE_HU``): else two patches with lung in them decide.
    """
    patients, experiment = config["patients"], config["experiment_1"]
    first, last = experiment["seeds"]
    found = []
    for seed in range(first, last + 1):
        scan = render_scan(draw_patient(seed, calcium="none"), patients)
        count = experiment["patches"] // (last + 1 - first)
        found.append(cut_patches(scan, count, 0.0, np.random.default_rng([seed, 2]))["patches"])
    return to_hu(to_unit(np.concatenate(found).astype(np.float32)))


def fill(patches_hu: NDArray[np.float32], hidden: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The patches with the smoothest filling that meets the visible voxels."""
    return np.stack([inpaint_biharmonic(patch, hidden) for patch in patches_hu]).astype(np.float32)


def errors(found_hu: NDArray[np.float32], true_hu: NDArray[np.float32], hidden: NDArray[np.bool_]) -> dict[str, float]:
    """Mean squared error over whole patches and over what was hidden, HU²."""
    within = np.broadcast_to(hidden, true_hu.shape)
    return {
        "patch": mean_squared_error(true_hu, found_hu),
        "hidden": mean_squared_error(true_hu, found_hu, within),
    }


def run(config: Mapping[str, Any], cases: Sequence[Path], out: Path) -> str:
    """Train what is not trained yet, restore the patches, write ``experiment-1.png``; returns the table.

    With the smaller cube every network goes on from what it has learnt with the larger one.
    """
    true_hu = unseen_patches(config)
    experiment = config["experiment_1"]
    seen, wanted = load_patches(cases)
    rows = ["| network | " + " | ".join(f"{side}³, patch | {side}³, hidden" for side in HIDDEN_VOXELS) + " |"]
    rows.append("|---" * (1 + 2 * len(HIDDEN_VOXELS)) + "|")
    restored: dict[tuple[str, int], NDArray[np.float32]] = {}
    for name in COMPARED:
        learnt: Mapping[str, Tensor] | None = None
        for side, steps in zip(HIDDEN_VOXELS, experiment["steps"], strict=True):
            optimisation = {**config["optimisation"], "steps": steps, "batch": experiment["batch"]}
            network = train(name, side, optimisation, seen, wanted, out / f"{name}-{side}", learnt)
            learnt = network.state_dict()
            restored[name, side] = restore(network, true_hu, hidden_cube(side))
    for side in HIDDEN_VOXELS:
        restored[FILL, side] = fill(true_hu, hidden_cube(side))
    for name in (*COMPARED, FILL):
        values = []
        for side in HIDDEN_VOXELS:
            found = errors(restored[name, side], true_hu, hidden_cube(side))
            values += [f"{found['patch']:.0f}", f"{found['hidden']:.0f}"]
        rows.append(f"| {name} | " + " | ".join(values) + " |")
    _draw(true_hu, restored, out / "experiment-1.png")
    first, last = experiment["seeds"]
    data = f"virtual patients, n = {len(true_hu)} patches without calcium, seeds {first}-{last}"
    course = " and then ".join(
        f"{count} steps with {side}³" for side, count in zip(HIDDEN_VOXELS, experiment["steps"], strict=True)
    )
    trained = f"{course}, {experiment['batch']} of {len(seen)} patches of other patients each"
    low, high = RANGE_HU
    title = f"Mean squared error between {low:g} and {high:g} HU, HU²"
    return f"{title} ({data}; trained in {trained}; experiment 1 of paper 2)\n\n" + "\n".join(rows) + "\n"


def _draw(true_hu: NDArray[np.float32], restored: Mapping[tuple[str, int], NDArray[np.float32]], path: Path) -> None:
    """The middle slice of some patches: as they are, as they are shown, as each restores them."""
    from matplotlib.figure import Figure

    side = HIDDEN_VOXELS[0]
    shown = np.where(hidden_cube(side), WINDOW_HU[0], true_hu)
    columns = {"original": true_hu, "input": shown, **{name: restored[name, side] for name in (*COMPARED, FILL)}}
    figure = Figure(figsize=(1.7 * len(columns), 1.8 * SHOWN), layout="constrained")
    for row, axes in enumerate(figure.subplots(SHOWN, len(columns))):
        for axis, (name, patches) in zip(axes, columns.items(), strict=True):
            axis.imshow(patches[row, patches.shape[1] // 2], cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1])
            axis.set_axis_off()
            if row == 0:
                axis.set_title(name, fontsize=9)
    figure.suptitle(f"Virtual patients, hidden cube of {side} voxels of 0.47 mm. Research use only.", fontsize=9)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run the experiment: ``python -m coronary.calcium_inpainting.training.experiment_1 --cases DIR --out DIR``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    arguments = training_arguments(parser, Path(__file__).with_name("config.toml"))
    table = run(arguments.config, arguments.cases, arguments.out)
    (arguments.out / "experiment-1.md").write_text(table, encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
