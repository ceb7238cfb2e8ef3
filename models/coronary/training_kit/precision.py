"""In which precision a network is trained on a CPU."""

from __future__ import annotations

import torch


def autocast(*, is_wanted: bool = True) -> torch.autocast:
    """Half the width (bfloat16) where the processor multiplies it fast; elsewhere it takes up to 30 times as long."""
    is_fast = torch.backends.cpu.get_cpu_capability() == "AVX512"
    return torch.autocast("cpu", torch.bfloat16, enabled=is_wanted and is_fast)
