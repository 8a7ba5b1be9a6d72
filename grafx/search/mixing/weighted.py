"""Dry/wet weights and gain-staging around processors, as a search needs them."""

from collections.abc import Mapping

import torch.nn as nn

from ...data.attributes import WEIGHT
from ...processors import DryWet, GainStagingRegularization, StereoGain
from ...processors.container.base import Wrapper
from ...processors.contract import contract_of
from ...processors.dynamics.base import KeyedGain


def weighted(processors: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Put a dry/wet weight around each processor, and gain-staging around those that could trade level with a gain.

    Gains and dynamics are there to change the level, so it is not regularized. What takes the weight of a graph already
    stays as it is.

    Args:
        processors: Node type to processor.

    Returns:
        Node type to a processor that takes ``drywet_weight``.
    """
    return {node_type: _weighted(processor) for node_type, processor in processors.items()}


def _weighted(processor: nn.Module) -> nn.Module:
    if WEIGHT in contract_of(processor).external_parameters():
        return processor
    changes_level = isinstance(processor, StereoGain | KeyedGain)
    return DryWet(processor if changes_level else GainStagingRegularization(processor))


def inner(processor: nn.Module) -> nn.Module:
    """The processor itself, without the wrappers around it."""
    while isinstance(processor, Wrapper):
        processor = processor.processor
    return processor
