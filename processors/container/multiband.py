"""Processors in frequency bands."""

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import Any, Literal

import torch
import torch.nn as nn
from torch import Tensor

from ..base import ParameterError, ParameterSize
from ..contract import contract_of
from ..controls import Leaf, ParamRange, Path, Values
from ..core.streaming import in_part
from ..filter.crossover import LinkwitzRileyCrossover
from .base import Group, Output, call_member, with_intermediates


class MultiBand(Group):
    r"""A processor in each of K frequency bands, with separate parameters.

    .. math:: y = \sum_{k=0}^{K-1} p(u_k;\, \theta_k)

    where :math:`u_k` are the bands of a :class:`LinkwitzRileyCrossover`. If the processor does not change its input, y
    is the allpass-filtered u: it has the magnitude of u at each frequency, but do not mix it with u. Inlets after the
    first one are not split.

    Controls are named ``band{k}_`` followed by the names of the processor's, and ``crossover{i}_freq``.

    Raw parameters:
        band0: Those of the processor for the lowest band; likewise ``band1`` and so on.
        log_freq ``(B, K - 1)``: Those of the crossover.

    Args:
        processor: Processor of the bands, with one outlet.
        num_bands: K, at least 2.
        sample_rate: Samples per second, which the crossovers refer to.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        crossover_order: 2, 4 or 8, see :class:`LinkwitzRileyCrossover`.

    Raises:
        ParameterError: Fewer than two bands, an unsupported order, or a processor that cannot be wrapped.
    """

    feeds_one_inlet = False

    def __init__(
        self,
        processor: nn.Module,
        num_bands: int = 3,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        crossover_order: Literal[2, 4, 8] = 4,
    ) -> None:
        crossover = LinkwitzRileyCrossover(num_bands, sample_rate, order=crossover_order)
        super().__init__(dict.fromkeys(crossover.outlets, processor), sample_rate=sample_rate, param_range=param_range)
        self.crossover = crossover
        self.inlets = tuple(contract_of(processor).inlets)

    def members(self) -> dict[Path, nn.Module]:
        return {**super().members(), (): self.crossover}

    def parameter_size(self) -> ParameterSize:
        return {**super().parameter_size(), **self.crossover.parameter_size()}

    # Raw parameters nest in bands, whereas names of controls have a prefix.

    def declare_leaves(self) -> list[Leaf]:
        return [_flat(leaf) for leaf in super().declare_leaves()]

    def raw_to_dsp(self, raw_parameters: Mapping[str, Any]) -> Values:
        values = super().raw_to_dsp(raw_parameters)
        bands = {band: values.pop(band, {}) for band in self.processors}
        return {f"{band}_{name}": value for band in bands for name, value in bands[band].items()} | values

    def values_to_raw(self, values: Values, batch_size: int, like: Tensor) -> Values:
        bands = {
            band: {name.removeprefix(f"{band}_"): v for name, v in values.items() if name.startswith(f"{band}_")}
            for band in self.processors
        }
        return super().values_to_raw({**values, **bands}, batch_size, like)

    def tail_samples(self, *, log_freq: Tensor, **raw_parameters) -> int:
        return self.crossover.tail_samples(log_freq) + max(self._tails(raw_parameters))

    def forward(self, *inlet_signals: Tensor, log_freq: Tensor | None = None, **raw_parameters) -> Output:
        """Process ``(B, C, L)`` signals.

        Args:
            inlet_signals: The signal to split, and those of the processor's other inlets.
            log_freq: ``(B, K - 1)``.
            raw_parameters: For each band a dict of its parameters, and external parameters.

        Returns:
            The sum of the bands, and ``{band: intermediates}`` if the processor has any.

        Raises:
            ParameterError: Parameters or signals are missing or unknown.
        """
        name = f"{type(self).__name__} of {len(self.processors)} bands"
        if len(inlet_signals) != len(self.inlets):
            raise ParameterError(f"{name} takes signals for {', '.join(self.inlets)}, but got {len(inlet_signals)}.")
        if log_freq is None:
            raise ParameterError(f"{name} needs log_freq, (B, {len(self.processors) - 1}).")
        signal, *others = inlet_signals
        outputs, collected = [], {}
        routed = self._route(raw_parameters).items()
        parts = in_part("crossover", lambda: self.crossover(signal, log_freq=log_freq))
        for (band, parameters), part in zip(routed, parts, strict=True):
            output, intermediates = call_member(band, self.processors[band], parameters, part, *others)
            outputs.append(output)
            if intermediates:
                collected[band] = intermediates
        return with_intermediates(reduce(torch.add, outputs), collected)


def _flat(leaf: Leaf) -> Leaf:
    if len(leaf.path) == 1:
        return leaf
    band, name, *inner = leaf.path
    path = (f"{band}_{name}", *inner)
    return leaf._replace(path=path, control=replace(leaf.control, name=path[-1]))
