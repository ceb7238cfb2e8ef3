"""In which precision a network is trained on a CPU."""

from __future__ import annotations

import torch


def autocast() -> torch.autocast:
    """Half the width (bfloat16) where the processor multiplies it fast; elsewhere it takes up to 30 times as long."""
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.backends.cpu.get_cpu_capability() == "AVX512")
