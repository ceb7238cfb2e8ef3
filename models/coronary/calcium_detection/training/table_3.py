"""Table 3 of paper 3: validation and test accuracy of three networks on three layouts, as one command."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from coronary.calcium_detection.training.cases import build_case
from coronary.calcium_detection.training.layouts import LAYOUTS, Layout
from coronary.calcium_detection.training.network import NETWORK_NAMES, build_network
from coronary.calcium_detection.training.pictures import Pictures, cut, draw_batch, load, to_tensor
from coronary.calcium_detection.training.train import DrawBatch, train
from coronary.training_kit.command import training_arguments

TITLES: Mapping[Layout, str] = {
    "whole": "Whole slices",
    "segmented": "Heart segmented",
    "cropped": "Heart in nine parts",
}

#: Validation and test accuracy as printed, percent.
PAPER = {
    ("whole", "resnet-50"): (88.95, 81.08),
    ("whole", "inception-resnet-v2"): (52.24, 51.47),
    ("whole", "vgg"): (84.33, 61.23),
    ("segmented", "resnet-50"): (67.02, 81.56),
    ("segmented", "inception-resnet-v2"): (51.37, 48.57),
    ("segmented", "vgg"): (89.31, 73.25),
    ("cropped", "resnet-50"): (99.08, 98.52),
    ("cropped", "inception-resnet-v2"): (87.53, 80.23),
    ("cropped", "vgg"): (86.59, 96.20),
}


def balanced(found: Pictures, rng: np.random.Generator) -> Pictures:
    """As many pictures without calcium as with, as in the paper."""
    positive, negative = np.flatnonzero(found.is_positive), np.flatnonzero(~found.is_positive)
    count = min(len(positive), len(negative))
    chosen = np.concatenate([rng.permutation(positive)[:count], rng.permutation(negative)[:count]])
    return Pictures([found.grey[k] for k in chosen], found.is_positive[chosen], found.is_bright[chosen])


def pictures_drawn(known: Pictures, batch: int) -> DrawBatch:
    """Batches of pictures, :func:`draw_batch`."""

    def draw(rng: np.random.Generator) -> tuple[Tensor, NDArray[np.bool_]]:
        chosen = draw_batch(known, batch, rng)
        return to_tensor([known.grey[k] for k in chosen]), known.is_positive[chosen]

    return draw


def accuracy(network: nn.Module, pictures: Pictures) -> float:
    """Share of the pictures that are called what they are, percent."""
    batches = [pictures.grey[start : start + 16] for start in range(0, len(pictures.grey), 16)]
    with torch.inference_mode():
        found = np.concatenate([(network(to_tensor(batch)) >= 0).numpy() for batch in batches])
    return 100.0 * float(np.mean(found == pictures.is_positive))


def run(config: Mapping[str, Any], cases: Sequence[Path], out: Path) -> str:
    """Train what is not trained yet and measure; returns the table."""
    optimisation = config["optimisation"]
    unseen = {name: _cases(config, name) for name in ("validation", "test")}
    rows = ["| | validation | test | pictures | paper: validation | paper: test |", "|---" * 6 + "|"]
    for layout in LAYOUTS:
        rows.append(f"| **{TITLES[layout]}** | | | | | |")
        known = load(cases, layout)
        sets = {name: balanced(cut(each, layout), np.random.default_rng(6)) for name, each in unseen.items()}
        for name in NETWORK_NAMES:
            folder = out / f"{layout}-{name}"
            folder.mkdir(parents=True, exist_ok=True)
            draw = pictures_drawn(known, optimisation["batch"])
            network = train(build_network(name), optimisation, draw, folder, f"{name}, {TITLES[layout]}")
            found = [accuracy(network, each) for each in sets.values()]
            counts = " + ".join(str(len(each.grey)) for each in sets.values())
            printed = PAPER[layout, name]
            rows.append(
                f"| {name} | {found[0]:.2f} % | {found[1]:.2f} % | {counts} | {printed[0]:.2f} % | {printed[1]:.2f} % |"
            )
    seeds = config["table_3"]
    first, last = seeds["test_seeds"]
    data = f"virtual patients, test n = {last + 1 - first}, seeds {first}-{last}"
    return f"Accuracy per picture ({data}; paper 3, table 3)\n\n" + "\n".join(rows) + "\n"


def _cases(config: Mapping[str, Any], name: str) -> Sequence[Mapping[str, NDArray[Any]]]:
    first, last = config["table_3"][f"{name}_seeds"]
    return [build_case(seed, config["patients"]) for seed in range(first, last + 1)]


def main() -> None:
    """Make the table: ``python -m coronary.calcium_detection.training.table_3 --cases DIR --out run``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    arguments = training_arguments(parser, Path(__file__).with_name("config.toml"))
    table = run(arguments.config, arguments.cases, arguments.out)
    (arguments.out / "table-3.md").write_text(table, encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
