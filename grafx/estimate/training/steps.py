"""What follows from the number of a step alone, so that a training can go on anywhere."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..features import without_dry
from ..seeds import seed_of

HIDDEN = 0.3
"""Share of examples whose dry sound is hidden, where it may be given or not."""


def rate_at(step: int, warmup: int, steps: int) -> float:
    """The share of the highest learning rate, which rises, then follows a cosine to 0."""
    return min(1.0, (step + 1) / warmup) * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def rows_of(step: int, batch_size: int, count: int, seed: int) -> Tensor:
    """The examples of a step: all come once in an order of its own, then again in another."""
    start = step * batch_size
    epochs = range(start // count, (start + batch_size - 1) // count + 1)
    orders = [torch.randperm(count, generator=_generator("order", seed, epoch)) for epoch in epochs]
    first = start - epochs[0] * count
    return torch.cat(orders)[first : first + batch_size]


def hidden_in(step: int, batch_size: int, dry: str, seed: int) -> Tensor:
    """Which examples of a step come without their dry sound."""
    if dry != "either":
        return torch.full((batch_size,), dry == "absent")
    return torch.rand(batch_size, generator=_generator("hidden", seed, step)) < HIDDEN


def _generator(*key: Any) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of(*key) % 2**63)


def mixed(heard: Mapping[str, Tensor], hidden: Tensor) -> dict[str, Tensor]:
    """Features, some of them without what the dry sound told."""
    if not hidden.any():
        return dict(heard)
    alone = without_dry({name: value[hidden] for name, value in heard.items()})
    found = {name: value.clone() for name, value in heard.items()}
    for name, value in found.items():
        value[hidden] = alone[name]
    return found
