"""Containers: dry/wet mixes, serial chains, parallel mixes."""

import math
from collections.abc import Mapping
from functools import reduce
from typing import Literal

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from ..arguments import check_option
from ..base import Control, ParameterError, ParameterSize
from ..contract import latency_of
from ..controls import db
from ..core.loudness import rms_difference
from ..core.maps import AMPLITUDE_DB, softplus_db
from ..core.streaming import after_start, in_blocks, late
from .base import Group, Output, Wrapper, _external_parameters, _only_signal, call_member, with_intermediates


class DryWet(Wrapper):
    r"""Mix of a processor's output and its input.

    .. math:: y = w \cdot \mathrm{wet} + (1 - w) \cdot \mathrm{dry}

    The weight is used unchanged: 0 is dry, 1 is wet, and other values are allowed. A mono input is broadcast to the
    channels of the wet signal.

    Raw parameters: those of the processor and ``drywet_weight``, 1, unless it is external.

    Args:
        processor: Processor of the wet signal.
        external_param: The weight is a common parameter of all nodes, and not in ``parameter_size``. It then also
            serves every such ``DryWet`` within the processor. If false, it is an ordinary raw parameter.

    Raises:
        ParameterError: The processor cannot be wrapped, or has another ``drywet_weight`` in addition to this one.
    """

    weights = "drywet_weight"

    def __init__(self, processor: nn.Module, external_param: bool = True) -> None:
        super().__init__(processor)
        self.external_param = external_param
        self.shared = external_param and "drywet_weight" in _external_parameters(processor)
        taken = {*processor.parameter_size(), *_external_parameters(processor)}
        if "drywet_weight" in taken and not self.shared:
            raise ParameterError(
                f"DryWet wraps a {type(processor).__name__} that takes a drywet_weight itself, and the two could not "
                "be told apart. Put the inner one into a SerialChain with external_param=False."
            )

    def parameter_size(self) -> ParameterSize:
        own = {} if self.external_param else {"drywet_weight": (1,)}
        return {**self.processor.parameter_size(), **own}

    def declare_controls(self) -> list[Control]:
        return [] if self.external_param else [Control("drywet", 0.0, 1.0, 1.0, "drywet_weight")]

    def external_parameters(self) -> set[str]:
        own = {"drywet_weight"} if self.external_param else set()
        return super().external_parameters() | own

    def forward(self, *inlet_signals: Tensor, drywet_weight: Tensor | None = None, **raw_parameters) -> Output:
        """Process ``(B, C, L)`` signals.

        Args:
            inlet_signals: The dry signal; the weight may follow it.
            drywet_weight: Of shape ``(B,)`` or ``(B, 1)``, or a single weight for the batch.
            raw_parameters: Those of the processor.

        Returns:
            The mix, and the processor's intermediates if it has any.

        Raises:
            ParameterError: The weight is missing or has another shape.
        """
        dry = self._dry(inlet_signals)
        if drywet_weight is None:
            remedy = "hand it in as a common parameter" if self.external_param else "it is a raw parameter"
            raise ParameterError(f"DryWet({type(self.processor).__name__}) needs drywet_weight: {remedy}.")
        if drywet_weight.shape not in ((), (1,), (1, 1), dry.shape[:1], (dry.shape[0], 1)):
            raise ParameterError(
                f"drywet_weight must be of shape ({dry.shape[0]},) or ({dry.shape[0]}, 1) for {dry.shape[0]} signals, "
                f"not {tuple(drywet_weight.shape)}."
            )
        if self.shared:
            raw_parameters["drywet_weight"] = drywet_weight
        wet, intermediates = call_member("processor", self.processor, raw_parameters, *inlet_signals)
        mix = self._mixed(dry, wet, drywet_weight.to(wet.dtype).reshape(-1, 1, 1))
        return with_intermediates(mix, intermediates)

    def _dry(self, inlet_signals: tuple[Tensor, ...]) -> Tensor:
        return _only_signal(self, inlet_signals)

    def _mixed(self, dry: Tensor, wet: Tensor, weight: Tensor) -> Tensor:
        return torch.lerp(*torch.broadcast_tensors(late(dry, self.latency_samples), wet), weight)


class GainStagingRegularization(Wrapper):
    r"""Wrapper that also returns how much a processor changes the loudness, to be penalized in training.

    .. math:: y = f(u), \quad r = \sum_b \left| \ln\left(\overline{u_b^2} + 10^{-7}\right)
        - \ln\left(\overline{y_b^2} + 10^{-7}\right) \right|

    Adds r as the intermediate ``key``: :func:`.rms_difference` of input and output, summed over the batch.

    Args:
        processor: The wrapped processor.
        key: Name of the intermediate.

    Raises:
        ParameterError: The processor cannot be wrapped.

    References:
        S. Lee et al., "Searching for music mixing graphs: a pruning approach", DAFx 2024.
    """

    def __init__(self, processor: nn.Module, key: str = "gain_reg") -> None:
        super().__init__(processor)
        self.key = key

    def forward(self, *inlet_signals: Tensor, **raw_parameters) -> tuple[Tensor, dict]:
        """Process ``(B, C, L)`` signals.

        Args:
            inlet_signals: The input signal.
            raw_parameters: Those of the processor.

        Returns:
            The processor's output, and its intermediates with ``key`` added.

        Raises:
            ParameterError: The processor has an intermediate of that name.
        """
        x = _only_signal(self, inlet_signals)
        y, intermediates = call_member("processor", self.processor, raw_parameters, x)
        if self.key in intermediates:
            raise ParameterError(
                f"{type(self.processor).__name__} has an intermediate {self.key!r} already: choose another key."
            )
        # In a block, the output is late against the input, and the difference is meaningless.
        return y, intermediates if in_blocks() else {**intermediates, self.key: rms_difference(x, y)}


class SerialChain(Group):
    r"""Processors one after another, in the order of the dict.

    .. math:: y = f_K(\dots f_2(f_1(u)))

    Raw parameters: for each name, those of its processor.

    Args:
        processors: Name to processor.

    Raises:
        ParameterError: There is no processor, a name is invalid, or a processor cannot be wrapped.
    """

    def forward(self, *inlet_signals: Tensor, **raw_parameters) -> Output:
        """Process ``(B, C, L)`` signals.

        Args:
            inlet_signals: The input signal.
            raw_parameters: For each name a dict of its processor's parameters, and external parameters.

        Returns:
            The last processor's output, and ``{name: intermediates}`` of those that have any.

        Raises:
            ParameterError: Parameters of a processor are missing or unknown.
        """
        signal = _only_signal(self, inlet_signals)
        collected, latency = {}, 0
        for name, parameters in self._route(raw_parameters).items():
            signal, intermediates = call_member(name, self.processors[name], parameters, signal)
            if in_blocks():
                latency += latency_of(self.processors[name])
                signal = after_start(signal, latency)
            if intermediates:
                collected[name] = intermediates
        return with_intermediates(signal, collected)

    @property
    def latency_samples(self) -> int | None:
        """Sum of all members' latencies; ``None`` if one needs the whole signal."""
        latencies = [latency_of(member) for member in self.processors.values()]
        return None if None in latencies else sum(latencies)

    def tail_samples(self, **raw_parameters) -> int:
        return sum(self._tails(raw_parameters))


class ParallelMix(Group):
    r"""Processors in parallel, with mixed outputs.

    .. math::
        y = \sum_{k=1}^{K} g_k\, y_k, \quad
        g_k = \frac{e^{w_k}}{\sum_j e^{w_j}} \text{ (softmax)} \quad\text{or}\quad
        g_k = \frac{\ln(1 + e^{w_k})}{K \ln 2} \text{ (softplus)}

    Both are 1/K for weights of 0.

    Raw parameters: for each name, those of its processor; ``parallel_weights``, K.

    Args:
        processors: Name to processor.
        activation: ``"softmax"`` for gains that sum to 1, ``"softplus"`` for independent ones.

    Raises:
        ParameterError: There is no processor, a name is invalid, or a processor cannot be wrapped.
    """

    weights = "parallel_weights"

    def __init__(
        self, processors: Mapping[str, nn.Module], activation: Literal["softmax", "softplus"] = "softmax"
    ) -> None:
        super().__init__(processors)
        check_option("activation", activation, ("softmax", "softplus"))
        if "parallel_weights" in self.processors:
            raise ParameterError("No processor of a ParallelMix can be called 'parallel_weights'.")
        self.activation = activation

    def parameter_size(self) -> ParameterSize:
        return {**super().parameter_size(), "parallel_weights": len(self.processors)}

    def declare_controls(self) -> list[Control]:
        # Softmax normalizes them to a sum of one.
        to_gain = AMPLITUDE_DB if self.activation == "softmax" else softplus_db(len(self.processors) * math.log(2))
        return [db("gains_db", -60.0, 24.0, 0.0, "parallel_weights", map=to_gain)]

    def forward(self, *inlet_signals: Tensor, parallel_weights: Tensor | None = None, **raw_parameters) -> Output:
        """Process ``(B, C, L)`` signals.

        Args:
            inlet_signals: The input signal of all processors; the weights may follow it.
            parallel_weights: ``(B, K)``, in the order of the dict.
            raw_parameters: For each name a dict of its processor's parameters, and external parameters.

        Returns:
            The mix, and ``{name: intermediates}`` of the processors that have any.

        Raises:
            ParameterError: The weights are missing, or parameters of a processor are missing or unknown.
        """
        signal = _only_signal(self, inlet_signals)
        if parallel_weights is None:
            raise ParameterError(f"ParallelMix needs parallel_weights, (B, {len(self.processors)}).")
        weighted, collected = [], {}
        gains = self._gains(parallel_weights)[..., None, None].unbind(1)
        for (name, parameters), gain in zip(self._route(raw_parameters).items(), gains, strict=True):
            output, intermediates = call_member(name, self.processors[name], parameters, signal)
            weighted.append(gain * self._in_time(output, name))
            if intermediates:
                collected[name] = intermediates
        return with_intermediates(reduce(torch.add, weighted), collected)

    def tail_samples(self, *, parallel_weights: Tensor | None = None, **raw_parameters) -> int:
        return max(self._tails(raw_parameters))

    def _in_time(self, output: Tensor, name: str) -> Tensor:
        return late(output, self.latency_samples - latency_of(self.processors[name])) if in_blocks() else output

    def _gains(self, weights: Tensor) -> Tensor:
        if weights.shape[-1:] != (len(self.processors),):
            raise ParameterError(
                f"parallel_weights must have {len(self.processors)} columns, one for each of "
                f"{', '.join(self.processors)}, not the shape {tuple(weights.shape)}."
            )
        if self.activation == "softmax":
            return torch.softmax(weights, -1)
        return F.softplus(weights) / (len(self.processors) * math.log(2))
