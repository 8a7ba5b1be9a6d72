"""Crossovers, which split signals into bands on an outlet each."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor

from ..arguments import check_option
from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import TOLERANCE, ParamRange, Values, hz
from ..core.biquad import decay_samples
from ..core.bounds import soft_bound
from ..core.crossover_sections import crossover_sections
from ..core.maps import Map
from ..core.precision import wide
from ..core.state_variable import biquads
from ..core.streaming import once

LOWEST, HIGHEST = 20.0, 20000.0  # Hz
UP_TO_NYQUIST = 0.95  # of half the sample rate, that crossovers reach
ORDERS = 2, 4, 8
MARGIN = 0.04  # natural logarithm of what raw parameters reach beyond


class LinkwitzRileyCrossover(Processor):
    r"""Linkwitz–Riley crossover network.

    K bands are on the outlets ``band0``, ``band1``, …

    Each crossover splits the signal above the previous one by two cascaded Butterworth filters, which attenuate by 6 dB
    at its frequency and, for the fourth order, by 24 dB per octave beyond. The bands below pass the allpass filter that
    both sides sum to, so that all bands stay in phase:

    .. math:: \sum_{k=0}^{K-1} y_k = u * \prod_{i=0}^{K-2} a_i, \quad
        A_i(s) = \frac{s^2 - \sqrt 2\, s + 1}{s^2 + \sqrt 2\, s + 1}, \quad
        s = \frac{1}{\tan(\pi f_i / f_s)} \frac{1 - z^{-1}}{1 + z^{-1}}

    which has the magnitude 1 at all frequencies. For other orders, A is the allpass filter with the poles of one of the
    Butterworth filters. Both sides of a second-order crossover are in antiphase: the upper one is inverted, so that
    they sum to an allpass filter too. The frequencies are

    .. math:: (f_0, \ldots, f_{K-2}) = \mathrm{sort}_i\,(r_i e^{\tilde f_i}), \quad
        r_i = 20 \left(\tfrac{F}{20}\right)^{(i + 1)/K}

    in ascending order for all raw parameters, and limited to the range from 20 Hz to F, which is 20 kHz or 95 % of half
    the sample rate, whichever is lower. The limit is soft, with a tolerance of 4 %.

    The range of the control ``crossover{i}_freq`` is the i-th of K − 1 equal parts of the whole range on a logarithmic
    scale, so that any values ascend. ``param_range`` allows overlapping ranges.

    Raw parameters:
        log_freq ``(B, K - 1)``: f̃, natural logarithms of frequencies, relative to equally spaced ones.

    Args:
        num_bands: K, at least 2.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        order: 2, 4 or 8, for slopes of 12, 24 or 48 dB per octave.

    Raises:
        ParameterError: Fewer than two bands, an unsupported order, or values of controls that do not ascend.

    References:
        Linkwitz, "Active crossover networks for noncoincident drivers", JAES 24(1), 1976; the allpass filters,
        D'Appolito, "Active realization of multiway all-pass crossover systems", JAES 35(4), 1987.
    """

    latency_samples = 0

    def __init__(
        self,
        num_bands: int = 3,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        order: Literal[2, 4, 8] = 4,
    ):
        super().__init__(sample_rate, param_range)
        if num_bands < 2:
            raise ParameterError(f"A crossover splits into at least 2 bands: num_bands cannot be {num_bands}.")
        check_option("order", order, ORDERS)
        self.order = order
        self.num_bands = num_bands
        self.outlets = tuple(f"band{k}" for k in range(num_bands))
        self.highest = min(HIGHEST, UP_TO_NYQUIST * sample_rate / 2)

    def parameter_size(self) -> ParameterSize:
        return {"log_freq": self.num_bands - 1}

    def declare_controls(self) -> list[Control]:
        last = self.num_bands - 1
        return [
            hz(
                f"crossover{i}_freq",
                self._fraction(i / last),
                self._fraction((i + 1) / last),
                self._fraction((i + 1) / self.num_bands),
                "log_freq",
                index=i,
                map=self._map(i),
            )
            for i in range(last)
        ]

    def raw_to_dsp(self, raw_parameters: Mapping[str, Any]) -> Values:
        frequencies = self._frequencies(raw_parameters["log_freq"]).to(raw_parameters["log_freq"].dtype)
        return {control.name: frequencies[:, control.index] for control in self.declare_controls()}

    def values_to_raw(self, values: Values, batch_size: int, like: Tensor) -> Values:
        for lower, upper in pairwise(control.name for control in self.declare_controls()):
            _check_ascending(lower, values[lower], upper, values[upper])
        return super().values_to_raw(values, batch_size, like)

    def forward(self, input_signals: Tensor, log_freq: Tensor) -> tuple[Tensor, ...]:
        """Split signals.

        Args:
            input_signals: ``(B, C, L)``.
            log_freq: ``(B, K - 1)``.

        Returns:
            K bands ``(B, C, L)``, from the lowest to the highest.
        """
        bands = biquads(input_signals.unsqueeze(1), once(self._sections, log_freq))
        return bands.unbind(1)

    def tail_samples(self, log_freq: Tensor) -> int:
        return decay_samples(self._sections(log_freq)[..., 3:])

    def _sections(self, log_freq: Tensor) -> Tensor:
        return crossover_sections(self._frequencies(log_freq), self.sample_rate, self.order).unsqueeze(2)

    def _fraction(self, position: float) -> float:
        """Return the frequency at a fraction of the whole range, on a logarithmic scale."""
        return LOWEST * (self.highest / LOWEST) ** position

    def _frequencies(self, log_freq: Tensor) -> Tensor:
        positions = torch.arange(1, self.num_bands, dtype=torch.float64) / self.num_bands
        half = math.log(self.highest / LOWEST) / 2
        from_center = soft_bound(wide(log_freq) + (2 * positions.to(log_freq.device) - 1) * half, half, MARGIN)
        return (self._fraction(0.5) * from_center.exp()).sort(-1).values

    def _map(self, i: int) -> Map:
        reference = self._fraction((i + 1) / self.num_bands)
        low, high = LOWEST * (1 - MARGIN / 2), self.highest * (1 + MARGIN / 2)
        return Map(
            lambda value: torch.where((value > low) & (value < high), value, torch.nan).div(reference).log(),
            lambda raw: reference * raw.exp(),
        )


def _check_ascending(lower: str, below: Tensor, upper: str, above: Tensor) -> None:
    if torch.compiler.is_compiling():
        return
    wrong = below > above * (1 + TOLERANCE)
    if wrong.any():
        raise ParameterError(
            f"Crossovers must ascend, but {lower} is {below[wrong][0]:g} Hz and {upper} is {above[wrong][0]:g} Hz."
        )
