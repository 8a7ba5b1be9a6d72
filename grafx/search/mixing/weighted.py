"""Dry/wet weights and gain-staging around processors, as a search needs them."""

from collections.abc import Mapping

import torch
import torch.nn as nn
from torch import Tensor

from ...data.attributes import WEIGHT
from ...errors import SearchError
from ...processors import DryWet, GainStagingRegularization, StereoGain
from ...processors.container.base import Wrapper
from ...processors.contract import contract_of
from ...processors.dynamics.base import KeyedGain


class SendGain(StereoGain):
    r"""Gains with which a chain feeds a bus: a send, which is cut where it is removed, instead of bypassed.

    .. math:: y_c[n] = e^{g_c}\, u_c[n], \quad c \in \{l, r\}

    Raw parameters:
        log_gain ``(B, 2)``: natural logarithms of the two gains.

    Attributes:
        dry: Whether the input passes where the processor is not wanted. Any class may say so.
    """

    dry = False


class KeyedDryWet(DryWet):
    """A :class:`.DryWet` of a processor that other inlets drive: the signal of the first inlet is the dry one."""

    feeds_one_inlet = False

    def __init__(self, processor: nn.Module) -> None:
        super().__init__(processor)
        self.inlets = contract_of(processor).inlets

    def _dry(self, inlet_signals: tuple[Tensor, ...]) -> Tensor:
        return inlet_signals[0]


class WetOnly(KeyedDryWet):
    r"""A weight without a dry part, which is how much of a processor's output is there: :math:`y = w \cdot wet`."""

    def _mixed(self, dry: Tensor, wet: Tensor, weight: Tensor) -> Tensor:  # noqa: ARG002 – none of it is heard
        return weight * wet


def weighted(processors: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Put a dry/wet weight around each processor, and gain-staging around those that could trade level with a gain.

    Gains and dynamics are there to change the level, so it is not regularized, nor is that of what other inlets drive.
    A send has no dry part. What takes the weight of a graph already stays as it is.

    Args:
        processors: Node type to processor.

    Returns:
        Node type to a processor that takes ``drywet_weight``.

    Raises:
        SearchError: A processor has no inlet, or several outlets, so that there is no dry signal to mix with; or it
            has a dry/wet weight among its parameters.
    """
    return {node_type: _weighted(node_type, processor) for node_type, processor in processors.items()}


def _weighted(node_type: str, processor: nn.Module) -> nn.Module:
    contract = contract_of(processor)
    if WEIGHT in contract.external_parameters():
        return processor
    if has_own_weight(processor):
        raise SearchError(
            f"'{node_type}', a {type(processor).__name__}, has a dry/wet weight of its own, which that of the graph"
            " cannot be told from: put it into a SerialChain."
        )
    if not contract.inlets or len(contract.outlets) != 1:
        has = f"{len(contract.inlets)} inlet(s) and {len(contract.outlets)} outlet(s)"
        raise SearchError(
            f"A search mixes processors with their input, but '{node_type}', a {type(processor).__name__}, has {has}:"
            " use one with an inlet and a single outlet."
        )
    if not passes_dry(processor):
        return WetOnly(processor)
    if len(contract.inlets) > 1:
        return KeyedDryWet(processor)
    changes_level = isinstance(processor, StereoGain | KeyedGain)
    return DryWet(processor if changes_level else GainStagingRegularization(processor))


def has_own_weight(processor: nn.Module) -> bool:
    """Whether a dry/wet weight is among the parameters of a processor, which that of a graph does not reach."""
    return WEIGHT in contract_of(processor).parameter_size()


def inner(processor: nn.Module) -> nn.Module:
    """The processor itself, without the wrappers around it."""
    while isinstance(processor, Wrapper):
        processor = processor.processor
    return processor


def passes_dry(processor: nn.Module) -> bool:
    """Whether the input passes where a processor is removed; otherwise it is a send, which is cut."""
    return bool(getattr(inner(processor), "dry", True))


def is_gain(processor: nn.Module) -> bool:
    """Whether a processor is a gain for each channel: one in a chain, or that of a send."""
    return isinstance(inner(processor), StereoGain)


def amplitude(processor: nn.Module, log_gain: Tensor, weight: float) -> Tensor:
    """What a gain scales the channels by, with its weight."""
    return weight * log_gain.exp() if not passes_dry(processor) else 1 + weight * torch.expm1(log_gain)
