"""Pieces of calcium that the trained tree network finds in virtual contrast scans, and how much of each is calcium.

What the certainty of a piece is to be learned from; serving does not use it yet. Patients carry look-alikes by
prevalence, as those who are scored do; tree and aorta are the true ones, so that only the network's own errors are in
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from coronary.ccta_scoring.calcium_pieces import calcium_pieces
from coronary.ccta_scoring.centerlines import CenterlinePoints
from coronary.ccta_scoring.contrast_calcium import CALCIUM_PROBABILITY
from coronary.ccta_scoring.masks import estimate_calcium, tree_answers
from coronary.ccta_scoring.preprocess import prepare
from coronary.ccta_scoring.training.network import Probability
from coronary.ccta_scoring.training.train import build_network
from coronary.contract import Refusal
from coronary.coronary_tree import trace_coronary_tree
from coronary.ct_volume import CtVolume
from coronary.evaluation.virtual_cohort import CONTRAST_KVP
from coronary.training_kit.case_files import run_command
from coronary.training_kit.weights import read_weights
from coronary.virtual_patient import (
    artery_mask,
    calcium_mask,
    coronary_attenuation_hu,
    draw_acquisition,
    draw_patient,
    render,
)


class _TreeNetwork:
    """The tree network of the kept weights behind the contract's ``ModelSession``."""

    def __init__(self) -> None:
        network = build_network("tree")
        network.load_state_dict(read_weights(Path(__file__).with_name("tree_weights.npz")))
        self._network = Probability(network).eval()

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> Sequence[NDArray[np.float32]]:
        with torch.inference_mode():
            return [self._network(torch.from_numpy(inputs["image"])).numpy()]


def build_case(seed: int, patients: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Find the pieces in the contrast scan of `seed`; `patients` is that table of ``config.toml``.

    Keys: ``features`` (n, PIECE_FEATURES), ``true_share`` (n,): share of each piece's voxels that are coronary calcium.
    """
    torch.set_num_threads(1)
    patient = draw_patient(seed, calcium="present" if seed % 2 else "none")
    acquisition = draw_acquisition(seed, "ccta", kvp=CONTRAST_KVP[seed // 2 % len(CONTRAST_KVP)])
    matrix = round(patients["fov_mm"] / patients["pixel_mm"])
    scan = render(patient, acquisition, in_plane_fov_mm=patients["fov_mm"], matrix=matrix)
    assert scan.aorta_mask is not None
    volume = CtVolume(scan.voxels_hu, scan.affine_lps)
    prepared = prepare(volume, (*acquisition.field_centre_mm[:2], 0.0))
    tree = trace_coronary_tree(volume, artery_mask(scan), scan.aorta_mask)
    for found in (prepared, tree):
        if isinstance(found, Refusal):
            raise ValueError(f"virtual patient {seed}: {found.text}")
    answers = tree_answers(_TreeNetwork(), prepared, lambda _done: None)
    estimate = estimate_calcium(answers, prepared.grid, volume, prepared.mixture.blood_hu)
    pieces = calcium_pieces(
        volume, CenterlinePoints.of_tree(tree), estimate, coronary_attenuation_hu(scan), CALCIUM_PROBABILITY
    )
    is_true = calcium_mask(scan)[tuple(estimate.index_zyx.T)]
    size = np.bincount(pieces.piece, minlength=len(pieces.features) + 1)[1:]
    true = np.bincount(pieces.piece, weights=is_true, minlength=len(pieces.features) + 1)[1:]
    return {"features": pieces.features, "true_share": true / size}


def main() -> None:
    """Write the pieces of each patient: ``python -m coronary.ccta_scoring.training.pieces --out pieces``."""
    run_command(build_case, main.__doc__, Path(__file__).with_name("config.toml"))


if __name__ == "__main__":
    main()
