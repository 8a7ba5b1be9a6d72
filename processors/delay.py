"""Delays."""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .base import Control, ParameterSize, Processor
from .controls import ParamRange, Values
from .core.channels import filter_channels, filters_of_channels, num_filter_channels
from .core.convolution import FIRConvolution
from .core.delay import SurrogateDelay
from .core.fir import ZeroPhaseFIR, normalize_impulse
from .core.maps import AMPLITUDE_DB
from .core.optional import check_optional
from .core.streaming import once


class MultitapDelay(Processor):
    r"""Multitap delay with learnable delay times and coloured taps.

    Time is cut into M segments, and each holds P taps, whose delays are learned by
    :class:`~grafx.processors.core.delay.SurrogateDelay`. Every tap is filtered by a zero-phase FIR c, and what
    falls outside its segment is dropped. The sum, laid end to end, is scaled to unit energy (averaged over the
    channels, as left and right where the filters are converted):

    .. math:: y = u * \frac{h}{\lVert h \rVert}, \quad
        h = \mathrm{concat}_{m=1}^{M} \sum_{p=1}^{P} (c_{m,p} * \delta_{d_{m,p}})

    Raw parameters (C' is 1 for ``"mono"``, else 2):
        delay_z ``(B, C'·M·P, 2)``: real and imaginary parts; the delay is −∠z/2π of a segment. Channels are the
        slowest axis, taps of one segment the fastest.
        log_fir_magnitude ``(B, C'·M·P, bins)``: natural logarithms of each tap's magnitude response.

    Args:
        segment_len: samples in a segment.
        num_segments: M, how many segments there are.
        num_delay_per_segment: P, how many taps each of them has.
        processor_channel: ``"mono"``, ``"stereo"``, ``"midside"`` or ``"pseudo_midside"``.
        zp_filter_per_tap: filter each tap.
        zp_filter_bins: magnitudes of a tap's filter, which has 2·bins − 1 taps.
        pre_delay: samples before the first segment.
        straight_through, radii_loss, normalize_gradients: see
            :class:`~grafx.processors.core.delay.SurrogateDelay`.
        sample_rate: samples per second, which controls refer to.
        param_range: ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **conv: options of :class:`~grafx.processors.core.convolution.FIRConvolution`.

    Raises:
        ParameterError: an unknown ``processor_channel``.

    Source: Lee et al., "Searching for music mixing graphs: a pruning approach", DAFx 2024.
    """

    latency_samples = 0

    def __init__(
        self,
        segment_len: int = 3000,
        num_segments: int = 20,
        num_delay_per_segment: int = 1,
        processor_channel: str = "stereo",
        zp_filter_per_tap: bool = True,
        zp_filter_bins: int = 20,
        pre_delay: int = 0,
        straight_through: bool = True,
        radii_loss: bool = True,
        normalize_gradients: bool = True,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        **conv,
    ):
        super().__init__(sample_rate, param_range)
        self.processor_channel = processor_channel
        self.tap_axes = (num_filter_channels(processor_channel), num_segments, num_delay_per_segment)
        self.num_taps = self.tap_axes[0] * num_segments * num_delay_per_segment
        self.zp_filter_bins = zp_filter_bins
        self.pre_delay = pre_delay
        self.delay = SurrogateDelay(segment_len, straight_through, radii_loss, normalize_gradients)
        self.color = ZeroPhaseFIR(zp_filter_bins) if zp_filter_per_tap else None
        self.conv = FIRConvolution(mode="causal", **conv)

    def parameter_size(self) -> ParameterSize:
        size = {"delay_z": (self.num_taps, 2)}
        if self.color is not None:
            size["log_fir_magnitude"] = (self.num_taps, self.zp_filter_bins)
        return size

    def declare_controls(self) -> list[Control]:
        longest = (self.delay.N - 1) * 1000 / self.sample_rate
        controls = [
            Control("delay_ms", 0, longest, longest / 2, "delay_z", 0, "ms"),
            Control("focus", 0.01, 0.999, 0.9, "delay_z", 1),
        ]
        if self.color is not None:
            controls.append(Control("color_db", -60, 24, 0.0, "log_fir_magnitude", None, "dB", map=AMPLITUDE_DB))
        return controls

    # The delay is the angle of a complex number, and the focus tells how near it is to the unit circle.

    def values_to_raw(self, values: Values, batch_size: int, like: Tensor) -> Values:
        turn = values["delay_ms"] * (self.sample_rate / 1000 / self.delay.N)
        z = torch.polar(torch.atanh(values["focus"]), -2 * math.pi * turn)
        return super().values_to_raw({**values, "delay_ms": z.real, "focus": z.imag}, batch_size, like)

    def raw_to_dsp(self, raw_parameters: Mapping[str, Any]) -> Values:
        values = super().raw_to_dsp(raw_parameters)
        z = torch.complex(values["delay_ms"], values["focus"])
        turn = (-z.angle() / (2 * math.pi)) % 1
        delay_ms = torch.where(turn > 1 - 0.5 / self.delay.N, 0, turn) * (self.delay.N * 1000 / self.sample_rate)
        return {**values, "delay_ms": delay_ms, "focus": torch.tanh(z.abs())}

    def forward(
        self, input_signals: Tensor, delay_z: Tensor, log_fir_magnitude: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Delay signals.

        Args:
            input_signals: ``(B, C, L)``.
            delay_z: ``(B, C'·M·P, 2)``.
            log_fir_magnitude: ``(B, C'·M·P, bins)``, where the taps are filtered.

        Returns:
            The wet signals ``(B, C, L)``, and ``{"radii_reg": ()}``, the radii loss of all taps.

        Raises:
            ParameterError: a ``"midside"`` delay of a signal that is not stereo; magnitudes are missing, or given
                though the taps are not filtered.
        """
        check_optional(self, log_fir_magnitude=log_fir_magnitude)
        fir, radii_loss = once(self._response, delay_z, log_fir_magnitude)
        y = filter_channels(input_signals, fir, self.processor_channel, self.conv)
        return y, {"radii_reg": radii_loss}

    def tail_samples(self, delay_z: Tensor, log_fir_magnitude: Tensor | None = None) -> int:
        return self.pre_delay + self.delay.N * self.tap_axes[1] - 1

    def _response(self, delay_z: Tensor, log_fir_magnitude: Tensor | None) -> tuple[Tensor, Tensor]:
        taps, radii_loss = self._taps(delay_z, log_fir_magnitude)
        fir = normalize_impulse(filters_of_channels(taps, self.processor_channel))
        return F.pad(fir, (self.pre_delay, 0)), radii_loss

    def _taps(self, delay_z: Tensor, log_fir_magnitude: Tensor | None = None) -> tuple[Tensor, Tensor]:
        color = None if self.color is None else self.color(log_fir_magnitude)
        fir, radii_loss = self.delay(torch.complex(*delay_z.unbind(-1)), color)
        return fir.unflatten(1, self.tap_axes).sum(-2).flatten(-2), radii_loss
