"""Where the network learns and predicts: on a GPU where torch finds one, else on the processors."""

import torch

__all__ = ["fastest"]


def fastest() -> torch.device:
    """CUDA's current device where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
