"""Train the CSCT scoring network on virtual patients.

Resumable: a kill costs at most the steps since the last checkpoint. The model kept is the one with the smallest
Agatston difference on the validation patients (Hong 2022, section 2.4).
"""

from __future__ import annotations

import argparse
import json
import time
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from coronary.calcium import VesselValues, score_calcium
from coronary.contract import AcquisitionFacts
from coronary.csct_scoring.predict import predict
from coronary.csct_scoring.preprocess import CHANNELS
from coronary.csct_scoring.training.batches import BatchMaker, SliceSampler, focal_loss
from coronary.csct_scoring.training.cases import TrainingCase, training_patient, training_seeds
from coronary.csct_scoring.training.network import CalciumProbabilities, UNetPlusPlus
from coronary.ct_volume import CtVolume
from coronary.training_kit.checkpoints import load_checkpoint, save_checkpoint
from coronary.training_kit.weights import WeightAverage, read_weights, warm_cosine
from coronary.virtual_patient import VirtualScan, draw_acquisition, render

#: Steps between two checkpoints, and between two validations.
CHECKPOINT_STEPS = 100
VALIDATION_STEPS = 1100


#: Most of an image is no territory, and LM is short.
TERRITORY_CLASS_WEIGHTS = torch.tensor([0.2, 2.0, 1.0, 1.0, 1.0])


class TorchSession:
    """A torch network behind the contract's ModelSession."""

    def __init__(self, network: CalciumProbabilities) -> None:
        self.network = network.eval()

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> Sequence[NDArray[np.float32]]:
        """Run the network once."""
        images = torch.from_numpy(inputs["image"]).to(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return [self.network(images).float().numpy()]


def validate(network: UNetPlusPlus, scans: Sequence[VirtualScan]) -> dict[str, float]:
    """Score the validation patients end to end; mean absolute differences of the Agatston score, and zero errors."""
    session = TorchSession(CalciumProbabilities(network))
    total, vessels, false_zero, false_positive = [], [], 0, 0
    for scan in scans:
        volume = CtVolume(scan.voxels_hu, scan.affine_lps)
        truth = score_calcium(scan.voxels_hu, scan.vessel_labels, volume.spacing_zyx_mm, volume.affine_lps).agatston
        found = predict(session, volume, AcquisitionFacts(), lambda _: None).score.agatston
        total.append(abs(found.total - truth.total) / (1 + truth.total) ** 0.5)
        vessels += [abs(getattr(found, v) - getattr(truth, v)) for v in ("LM", "LAD", "LCX", "RCA")]
        false_zero += found.total == 0 < truth.total
        false_positive += truth.total == 0 < found.total
        print("   true ", _in_one_line(truth), "  found ", _in_one_line(found))
    return {
        "difference": float(np.mean(total)),
        "vessel_difference": float(np.mean(vessels)),
        "false_zero": float(false_zero),
        "false_positive": float(false_positive),
    }


def _in_one_line(values: VesselValues) -> str:
    return "  ".join(f"{name} {value:7.1f}" for name, value in values.as_dict().items())


def train(
    config: Mapping[str, Any], cases_folder: Path, out: Path, minutes: float, threads: int, start: Path | None
) -> None:
    """Train until the configured steps are done or `minutes` have passed; state and best weights go to `out`.

    Parameters
    ----------
    start
        Weights to begin with (written by ``export``); None begins from nothing.
    """
    torch.set_num_threads(threads)
    paths = [cases_folder / f"{seed}.npz" for seed in training_seeds(config["patients"])]
    cases = [TrainingCase.load(path) for path in paths if path.exists()]
    print(f"{len(cases)} training patients")
    optimisation = config["optimisation"]
    torch.manual_seed(1)
    network = UNetPlusPlus(CHANNELS, config["network"]["width"]).to(memory_format=torch.channels_last)
    with torch.no_grad():
        network.calcium_head.bias[0] = 2.0  # most calcium-like pixels are bone
    if start is not None:
        network.load_state_dict(read_weights(start))
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=optimisation["learning_rate"], weight_decay=optimisation["weight_decay"]
    )
    average = WeightAverage(network)
    checkpoint = out / "checkpoint.pt"
    step, best = 0, float("inf")
    if (state := load_checkpoint(checkpoint)) is not None:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        average.average, average.steps = state["average"], state["average_steps"]
        step, best = state["step"], state["best"]
        print(f"resumed at step {step}")
    rng = np.random.default_rng(step + 1)
    batches = BatchMaker(SliceSampler(cases, config["sampling"]["vessel_draw"], rng), config["augmentation"], rng)
    weights = torch.tensor(optimisation["vessel_weights"])
    validation_first, validation_last = config["patients"]["validation_seeds"]
    scans: list[VirtualScan] = []
    started = time.monotonic()
    losses: list[tuple[float, float]] = []
    while step < optimisation["steps"] and time.monotonic() - started < 60 * minutes:
        for group in optimiser.param_groups:
            group["lr"] = optimisation["learning_rate"] * warm_cosine(
                step, warm_up=optimisation["warm_up_steps"], total=optimisation["steps"]
            )
        images, targets, territories = batches.make(optimisation["batch"])
        network.train()
        with torch.autocast("cpu", torch.bfloat16):
            calcium, territory = network(images)
        calcium_loss = focal_loss(
            calcium.float(),
            targets,
            alpha=optimisation["focal_alpha"],
            gamma=optimisation["focal_gamma"],
            class_weights=weights,
        )
        territory_loss = functional.cross_entropy(
            territory.float(), territories, weight=torch.tensor([0.2, 2, 1, 1, 1])
        )
        loss = calcium_loss + optimisation["territory_weight"] * territory_loss
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        average.update(network)
        losses.append((float(calcium_loss), float(territory_loss)))
        step += 1
        if step % 25 == 0:
            mean = np.mean(losses[-25:], axis=0)
            rate = (time.monotonic() - started) / len(losses)
            print(f"step {step}  calcium {mean[0]:.4f}  territory {mean[1]:.4f}  {rate:.2f} s/step", flush=True)
        if step % VALIDATION_STEPS == 0 or step == optimisation["steps"]:
            scans = scans or [
                render(training_patient(seed), draw_acquisition(seed, "csct"))
                for seed in range(validation_first, validation_last + 1)
            ]
            averaged = UNetPlusPlus(CHANNELS, config["network"]["width"])
            averaged.load_state_dict(average.average)
            figures = validate(averaged, scans)
            print(f"step {step}  validation {json.dumps(figures)}", flush=True)
            if figures["difference"] <= best:
                best = figures["difference"]
                save_checkpoint(out / "best.pt", {"network": average.average, "step": step, "figures": figures})
        if step % CHECKPOINT_STEPS == 0 or step == optimisation["steps"]:
            save_checkpoint(
                checkpoint,
                {
                    "network": network.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "average": average.average,
                    "average_steps": average.steps,
                    "step": step,
                    "best": best,
                },
            )


def main() -> None:
    """Train: ``python -m coronary.csct_scoring.training.train --cases cases --out run``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("config.toml"))
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="weights to begin with, e.g. weights.npz beside this file")
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    config = tomllib.loads(arguments.config.read_text())
    train(config, arguments.cases, arguments.out, arguments.minutes, arguments.threads, arguments.start)


if __name__ == "__main__":
    main()
