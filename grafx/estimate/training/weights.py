"""Averaged weights, in place of those of the last step."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor


class Averaged:
    """Within it, a network has other weights."""

    def __init__(self, network: nn.Module, weights: Mapping[str, Tensor]) -> None:
        self.network, self.weights = network, weights

    def __enter__(self) -> None:
        self.network.eval()
        self.own = {name: value.detach().clone() for name, value in self.network.named_parameters()}
        self._put(self.weights)

    def __exit__(self, *error: Any) -> None:
        self._put(self.own)

    @torch.no_grad()
    def _put(self, weights: Mapping[str, Tensor]) -> None:
        for name, value in self.network.named_parameters():
            value.copy_(weights[name])
