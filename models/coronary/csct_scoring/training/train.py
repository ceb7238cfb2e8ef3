"""Train the CSCT scoring network on virtual patients.

Resumable: a kill costs at most the steps since the last checkpoint. The model kept is the one with the smallest
Agatston difference on the validation patients (Hong 2022, section 2.4).
"""

from __future__ import annotations

import argparse
import json
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from coronary.calcium import VesselValues, score_calcium
from coronary.contract import AcquisitionFacts
from coronary.csct_scoring.predict import predict
from coronary.csct_scoring.preprocess import CHANNELS
from coronary.csct_scoring.training.batches import Batches, focal_loss
from coronary.csct_scoring.training.cases import TrainingCase
from coronary.csct_scoring.training.network import CalciumProbabilities, UNetPlusPlus
from coronary.csct_scoring.training.places import PlaceSampler
from coronary.ct_volume import CtVolume
from coronary.evaluation.virtual_cohort import cohort
from coronary.training_kit.checkpoints import load_checkpoint, save_checkpoint
from coronary.training_kit.precision import autocast
from coronary.training_kit.weights import WeightAverage, read_weights, resume_training, training_state, warm_cosine
from coronary.virtual_patient import VirtualScan, draw_acquisition, draw_patient, render

#: Steps between two checkpoints, and between two validations.
CHECKPOINT_STEPS = 100
VALIDATION_STEPS = 2000

#: Steps between two lines of progress.
REPORT_STEPS = 50

#: Most of an image is no territory, and LM is short.
TERRITORY_CLASS_WEIGHTS = torch.tensor([0.2, 2.0, 1.0, 1.0, 1.0])


class TorchSession:
    """A torch network behind the contract's ModelSession."""

    def __init__(self, network: CalciumProbabilities) -> None:
        self.network = network.eval()

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> Sequence[NDArray[np.float32]]:
        """Run the network once."""
        images = torch.from_numpy(inputs["image"]).to(memory_format=torch.channels_last)
        with torch.inference_mode(), autocast():
            return [self.network(images).float().numpy()]


def render_validation(seeds: Sequence[int]) -> list[VirtualScan]:
    """Scans of the validation patients, drawn as an evaluation's cohort is (`coronary.evaluation.virtual_cohort`)."""
    scans = []
    for member in cohort(seeds[0], seeds[1], "standard"):
        patient = draw_patient(member.seed, calcium=member.calcium, distractors=member.distractors)
        scans.append(render(patient, draw_acquisition(member.seed, "csct")))
    return scans


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


class Training:
    """The state of one run: network, optimiser, running average, step; kept in `folder` as ``checkpoint.pt``.

    Parameters
    ----------
    config
        The whole of ``config.toml``.
    start
        Weights to begin with (written by ``export``); None begins from nothing. A checkpoint in `folder` goes first.
    phase
        Position of the first phase to run, for weights that the ones before have made.
    """

    def __init__(self, config: Mapping[str, Any], folder: Path, start: Path | None, phase: int = 0) -> None:
        self.config = config
        self.optimisation = config["optimisation"]
        self.phases: list[dict[str, Any]] = config["phases"]
        self.checkpoint = folder / "checkpoint.pt"
        self.best_checkpoint = folder / "best.pt"
        torch.manual_seed(1)
        self.network = UNetPlusPlus(CHANNELS, config["network"]["width"]).to(memory_format=torch.channels_last)
        with torch.no_grad():
            self.network.calcium_head.bias[0] = 2.0  # most calcium-like pixels are bone
        if start is not None:
            self.network.load_state_dict(read_weights(start))
        self.step, self.phase, self.phase_step, self.best = 0, phase, 0, float("inf")
        self.average = WeightAverage(self.network)
        self.optimiser = self._new_optimiser()
        if (state := load_checkpoint(self.checkpoint)) is not None:
            self.step = resume_training(state, self.network, self.optimiser, self.average)
            self.phase, self.phase_step, self.best = state["phase"], state["phase_step"], state["best"]
            print(f"resumed at step {self.step}")

    def _new_optimiser(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.network.parameters(), weight_decay=self.optimisation["weight_decay"])

    @property
    def is_done(self) -> bool:
        """Whether the last phase has ended."""
        return self.phase == len(self.phases)

    def learn(self, images: Tensor, targets: Tensor, territories: Tensor) -> tuple[float, float]:
        """Take one step on one batch; returns the losses of the calcium and of the territory head."""
        phase = self.phases[self.phase]
        factor = warm_cosine(self.phase_step, warm_up=phase["warm_up_steps"], total=phase["cosine_steps"])
        for group in self.optimiser.param_groups:
            group["lr"] = phase["learning_rate"] * factor
        self.network.train()
        with autocast():
            calcium, territory = self.network(images.to(memory_format=torch.channels_last))
        calcium_loss = focal_loss(
            calcium.float(),
            targets,
            alpha=self.optimisation["focal_alpha"],
            gamma=phase["focal_gamma"],
            class_weights=torch.tensor(phase["vessel_weights"]),
        )
        territory_loss = functional.cross_entropy(territory.float(), territories, weight=TERRITORY_CLASS_WEIGHTS)
        self.optimiser.zero_grad(set_to_none=True)
        (calcium_loss + self.optimisation["territory_weight"] * territory_loss).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.average.update(self.network)
        self.step += 1
        self.phase_step += 1
        if self.phase_step == phase["steps"]:
            self._end_phase()
        return calcium_loss.item(), territory_loss.item()

    def _end_phase(self) -> None:
        """The next phase goes on from the averaged weights, with a fresh optimiser: its loss has another scale."""
        self.phase, self.phase_step = self.phase + 1, 0
        self.network.load_state_dict(self.average.average)
        self.average = WeightAverage(self.network)
        self.optimiser = self._new_optimiser()

    def keep_if_best(self, scans: Sequence[VirtualScan]) -> None:
        """Validate the averaged weights and keep them when no earlier ones came closer to the true scores."""
        averaged = UNetPlusPlus(CHANNELS, self.config["network"]["width"])
        averaged.load_state_dict(self.average.average)
        figures = validate(averaged, scans)
        print(f"step {self.step}  validation {json.dumps(figures)}", flush=True)
        if figures["difference"] <= self.best:
            self.best = figures["difference"]
            save_checkpoint(
                self.best_checkpoint, {"network": self.average.average, "step": self.step, "figures": figures}
            )

    def save(self) -> None:
        """Write everything that going on needs."""
        save_checkpoint(
            self.checkpoint,
            {
                **training_state(self.network, self.optimiser, self.average, self.step),
                "phase": self.phase,
                "phase_step": self.phase_step,
                "best": self.best,
            },
        )


def batches_of(training: Training, cases: Sequence[TrainingCase]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Batches as the present phase varies them; one process beside this one cuts the next."""
    config = training.config
    rng = np.random.default_rng(training.step + 1)
    sampler = PlaceSampler(cases, config["sampling"], list(config["patients"]["look_alike_shares"]), rng)
    augmentation = config["augmentation"][training.phases[training.phase]["augmentation"]]
    optimisation = config["optimisation"]
    batches = Batches(sampler, augmentation, optimisation["batch"], optimisation["crop_pixels"], rng)
    return iter(DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=4))


def train(training: Training, cases: Sequence[TrainingCase], minutes: float) -> None:
    """Train until the configured steps are done or `minutes` have passed."""
    scans: list[VirtualScan] = []
    losses: list[tuple[float, float]] = []
    started = time.monotonic()
    phase, loader = -1, iter(())
    while not training.is_done and time.monotonic() - started < 60 * minutes:
        if training.phase != phase:
            phase, loader = training.phase, batches_of(training, cases)
        losses.append(training.learn(*next(loader)))
        step = training.step
        if step % REPORT_STEPS == 0:
            calcium, territory = np.mean(losses[-REPORT_STEPS:], axis=0)
            rate = (time.monotonic() - started) / len(losses)
            print(f"step {step}  calcium {calcium:.4f}  territory {territory:.4f}  {rate:.2f} s/step", flush=True)
        if step % VALIDATION_STEPS == 0 or training.is_done:
            scans = scans or render_validation(training.config["patients"]["validation_seeds"])
            training.keep_if_best(scans)
        if step % CHECKPOINT_STEPS == 0 or training.is_done:
            training.save()


def main() -> None:
    """Train: ``python -m coronary.csct_scoring.training.train --cases cases --out run``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("config.toml"))
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="weights to begin with, e.g. weights.npz beside this file")
    parser.add_argument("--phase", type=int, default=0, help="first phase to run, from 0")
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cases = [TrainingCase.load(path) for path in sorted(arguments.cases.glob("*.npz"))]
    print(f"{len(cases)} training patients")
    training = Training(tomllib.loads(arguments.config.read_text()), arguments.out, arguments.start, arguments.phase)
    train(training, cases, arguments.minutes)


if __name__ == "__main__":
    main()
