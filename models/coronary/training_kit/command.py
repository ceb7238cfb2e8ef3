"""What the training commands ask for alike: a recipe, cases, a folder, threads."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

import torch


def training_arguments(parser: argparse.ArgumentParser, config: Path) -> argparse.Namespace:
    """Parse the command line of a training with ``--config``, ``--cases``, ``--out`` and ``--threads``.

    Parameters
    ----------
    parser
        With what only this training asks for.
    config
        The recipe that is used unless another is given.

    Returns
    -------
    argparse.Namespace
        ``config`` as it was read, ``cases`` as the sorted files of the folder, ``out`` made; torch uses that many
        threads.
    """
    parser.add_argument("--config", type=Path, default=config)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    arguments.config = tomllib.loads(arguments.config.read_text())
    arguments.cases = sorted(arguments.cases.glob("*.npz"))
    return arguments
