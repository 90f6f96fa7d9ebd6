"""Weights under which signals neither vanish nor explode, so that comparing outputs means something."""

from __future__ import annotations

import torch
from torch import nn


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """``model`` in inference mode with He-scaled convolutions and lively batch norms."""
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            for tensor, low, high in (
                (module.weight, 0.5, 1.2),
                (module.bias, -0.3, 0.3),
                (module.running_mean, -0.3, 0.3),
                (module.running_var, 0.5, 1.5),
            ):
                if tensor is not None:
                    nn.init.uniform_(tensor, low, high)
    return model.eval()
