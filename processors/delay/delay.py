"""Delays."""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arguments import bind, check_optional
from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange, Values, db, ms
from ..core.channels import filter_channels, filters_of_channels, num_filter_channels
from ..core.convolution import FIRConvolution
from ..core.delay import SurrogateDelay
from ..core.delay_line import Interpolation, delay_line_init, delay_line_min_delay, delay_line_process, delay_line_tail
from ..core.fir import ZeroPhaseFIR, normalize_impulse
from ..core.lengths import samples_of
from ..core.maps import Map, whole_if_nearly, within
from ..core.precision import wide
from ..core.recent import recent
from ..core.streaming import remember

LOUDEST = 4  # taps that a summary names


class DelayLine(Processor):
    r"""Delay line with a modulated delay time.

    The delay is a control plus the signal at the inlet ``"time"``, both in milliseconds, limited to the line:

    .. math:: y[n] = x(n - t[n]), \quad
        t[n] = \mathrm{clip}\Bigl(\tfrac{f_s}{1000}\,(d + m[n]),\ 0,\ t_\text{max}\Bigr), \quad
        d = d_\text{max} \bigl(1.02\,\sigma(\tilde d) - 0.01\bigr)

    Between samples it interpolates linearly, by a cubic polynomial, or by an allpass filter, which suits times that are
    constant or drift, see :func:`~grafx.processors.core.delay_line.delay_line_init`. In a graph, an unconnected inlet
    reads silence, and the delay is constant. An oscillator of amplitude 3 at the inlet modulates it by ±3 ms: a
    vibrato, and mixed with the dry signal a chorus, or a flanger if d is a few milliseconds. Nodes with the same input
    are the taps of one line.

    Raw parameters:
        z_delay ``(B, 1)``: d̃, where d is ``delay_ms``. Its gradient is zero where the time is clipped.

    Args:
        max_delay_ms: The longest delay, in milliseconds.
        max_delay_ms: Longest delay, in milliseconds.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: The longest delay is not positive, or the interpolation is unknown.

    References:
        Dattorro, "Effect design, part 2: delay-line modulation and chorus", JAES 45(10), 1997.
    """

    latency_samples = 0
    inlets = ("main", "time")

    def __init__(
        self,
        max_delay_ms: float = 1000.0,
        interpolation: Interpolation = "linear",
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        super().__init__(sample_rate, param_range)
        if not 0 < max_delay_ms < math.inf:
            raise ParameterError(f"max_delay_ms must be a positive number of milliseconds, not {max_delay_ms!r}.")
        self.max_delay_ms = max_delay_ms
        self.interpolation = interpolation
        _, self._line = delay_line_init(max_delay_ms * sample_rate / 1000, interpolation)

    def parameter_size(self) -> ParameterSize:
        return {"z_delay": 1}

    def declare_controls(self) -> list[Control]:
        longest = self.max_delay_ms
        return [ms("delay_ms", 0.0, longest, longest / 2, "z_delay", map=self._map())]

    def forward(self, input_signals: Tensor, time: Tensor | None = None, *, z_delay: Tensor) -> Tensor:
        """Delay signals.

        Args:
            input_signals: ``(B, C, L)``.
            time: Milliseconds added to the delay, ``(B, 1, L)`` or ``(B, C, L)``; optional.
            z_delay: ``(B, 1)``.

        Returns:
            The wet signals ``(B, C, L)``.

        Raises:
            ParameterError: The time has another batch size or length than the signals.
        """
        signals = (input_signals,) if time is None else (input_signals, time)
        bind(self, self.inlets[: len(signals)], signals, {"z_delay": z_delay})
        times, base, line = 0.0 if time is None else time, self._samples(z_delay), self._line
        rate = self.sample_rate / 1000
        return remember(lambda state: delay_line_process(input_signals, times, state, line, base, rate), "delay line")

    def tail_samples(self, z_delay: Tensor) -> int:
        return delay_line_tail(self._line)

    def min_delay_samples(self, input_signals: Tensor, time: Tensor | None = None, *, z_delay: Tensor) -> int:
        """Return the minimum delay in samples between an output and the latest input that it depends on.

        Args:
            input_signals: Of any shape; the values are ignored.
            time: See :meth:`forward`.
            z_delay: ``(B, 1)``.

        Returns:
            The minimum over all rows and samples, at least 0.
        """
        swing = 0.0 if time is None else self.sample_rate / 1000 * wide(time)
        return delay_line_min_delay(self._samples(z_delay).unsqueeze(-1) + swing, self._line)

    def _map(self) -> Map:
        return within(0, self.max_delay_ms)

    def _samples(self, z_delay: Tensor) -> Tensor:
        return whole_if_nearly(self.sample_rate / 1000 * self._map().to_physical(wide(z_delay)))


class MultitapDelay(Processor):
    r"""Multitap delay with learnable delay times and coloured taps.

    Time is divided into M segments, and each holds P taps, whose delays are learned by
    :class:`~grafx.processors.core.delay.SurrogateDelay`. Every tap is filtered by a zero-phase FIR c, and cut at the
    ends of its segment. The concatenated segments are scaled to unit energy (averaged over the channels, after
    conversion to left and right):

    .. math:: y = u * \frac{h}{\lVert h \rVert}, \quad
        h = \mathrm{concat}_{m=1}^{M} \sum_{p=1}^{P} (c_{m,p} * \delta_{d_{m,p}})

    Raw parameters (C' is 1 for ``"mono"``, else 2):
        delay_z ``(B, C'·M·P, 2)``: real and imaginary parts; the delay is −∠z/2π of a segment. Channels are the
        slowest axis, taps of one segment the fastest.
        log_fir_magnitude ``(B, C'·M·P, bins)``: natural logarithms of each tap's magnitude response.

    Args:
        segment_len: Length of a segment in samples.
        num_segments: M, the number of segments.
        num_delay_per_segment: P, the number of taps per segment.
        processor_channel: ``"mono"``, ``"stereo"``, ``"midside"`` or ``"pseudo_midside"``.
        zp_filter_per_tap: Filter each tap.
        zp_filter_bins: Magnitudes of a tap's filter, which has 2·bins − 1 taps.
        flashfftconv, max_input_len: See :class:`~grafx.processors.core.convolution.FIRConvolution`.
        pre_delay: Samples before the first segment.
        straight_through, radii_loss, normalize_gradients: See
            :class:`~grafx.processors.core.delay.SurrogateDelay`.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        segment_s: Length of a segment in seconds, in place of ``segment_len``, for any sample rate.

    Raises:
        ParameterError: An unknown ``processor_channel``.

    References:
        Lee et al., "Searching for music mixing graphs: a pruning approach", DAFx 2024.
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
        flashfftconv: bool = False,
        max_input_len: int = 2**17,
        pre_delay: int = 0,
        straight_through: bool = True,
        radii_loss: bool = True,
        normalize_gradients: bool = True,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        segment_s: float | None = None,
    ):
        super().__init__(sample_rate, param_range)
        segment_len = samples_of(segment_len, segment_s, sample_rate, "segment_s")
        self.processor_channel = processor_channel
        self.tap_axes = (num_filter_channels(processor_channel), num_segments, num_delay_per_segment)
        self.num_taps = self.tap_axes[0] * num_segments * num_delay_per_segment
        self.zp_filter_bins = zp_filter_bins
        self.pre_delay = pre_delay
        self.delay = SurrogateDelay(segment_len, straight_through, radii_loss, normalize_gradients)
        self.color = ZeroPhaseFIR(zp_filter_bins) if zp_filter_per_tap else None
        self.conv = FIRConvolution("causal", flashfftconv, max_input_len)

    def parameter_size(self) -> ParameterSize:
        size = {"delay_z": (self.num_taps, 2)}
        if self.color is not None:
            size["log_fir_magnitude"] = (self.num_taps, self.zp_filter_bins)
        return size

    def declare_controls(self) -> list[Control]:
        longest = (self.delay.N - 1) * 1000 / self.sample_rate
        channels, segments, taps = self.tap_axes
        apart = tuple(longest * (p + 0.5) / taps for p in range(taps)) * (channels * segments)
        controls = [
            ms("delay_ms", 0, longest, apart, "delay_z", index=0),
            Control("focus", 0.01, 0.999, 0.9, "delay_z", index=1),
        ]
        if self.color is not None:
            controls.append(db("color_db", -60, 24, 0.0, "log_fir_magnitude"))
        return controls

    # The delay is the angle of a complex number, and the focus its distance from the unit circle.

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

    def summary(self, raw_parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return ``loudest_db`` for each row: times, channels and levels of the loudest taps in the wet signal.

        It condenses the many values of :meth:`raw_to_dsp`.
        """
        delay_ms = self.raw_to_dsp(raw_parameters)["delay_ms"]
        if self.color is None:
            energy = torch.ones_like(delay_ms)
        else:
            energy = self.color(raw_parameters["log_fir_magnitude"]).square().sum(-1)
        energy = (energy / energy.sum(-1, keepdim=True) * self.tap_axes[0]).clamp(min=1e-12)
        first = torch.arange(self.tap_axes[1], device=delay_ms.device).mul(self.delay.N).add(self.pre_delay)
        starts = first[:, None].expand(self.tap_axes).flatten() * (1000 / self.sample_rate)
        names = {1: ("",), 2: (" mid", " side") if "midside" in self.processor_channel else (" left", " right")}
        channel = [name for name in names[self.tap_axes[0]] for _ in range(self.num_taps // self.tap_axes[0])]
        rows = []
        for times, levels in zip((delay_ms + starts).tolist(), (10 * energy.log10()).tolist(), strict=True):
            loudest = sorted(range(self.num_taps), key=lambda k, levels=levels: -levels[k])[:LOUDEST]
            rows.append({"loudest_db": {f"{times[k]:.4g} ms{channel[k]}": levels[k] for k in sorted(loudest)}})
        return rows

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
            ParameterError: A ``"midside"`` delay of a signal that is not stereo; magnitudes are missing, or given
                although the taps are not filtered.
        """
        check_optional(self, log_fir_magnitude=log_fir_magnitude)
        fir, radii_loss = recent(self._response, delay_z, log_fir_magnitude)
        y = filter_channels(input_signals, fir, self.processor_channel, self.conv)
        return y, {"radii_reg": radii_loss}

    def tail_samples(self, delay_z: Tensor, log_fir_magnitude: Tensor | None = None) -> int:
        return self.pre_delay + self.delay.N * self.tap_axes[1] - 1

    def min_delay_samples(
        self, input_signals: Tensor, *, delay_z: Tensor, log_fir_magnitude: Tensor | None = None
    ) -> int:
        """Return the minimum delay in samples between an output and the latest input that it depends on.

        Args:
            input_signals: Of any shape; the values are ignored.
            delay_z: ``(B, C'·M·P, 2)``.
            log_fir_magnitude: ``(B, C'·M·P, bins)``, where the taps are filtered.

        Returns:
            The time of the first tap of all rows, filters included.
        """
        with torch.no_grad():
            fir, _ = self._response(delay_z, log_fir_magnitude)
        silent = (fir == 0).flatten(0, -2).all(0)
        return int(silent.long().cumprod(0).sum())

    def get_ir(self, delay_z: Tensor, log_fir_magnitude: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the impulse responses ``(B, C', pre_delay + M · segment_len)`` and the radii loss.

        Args:
            delay_z: ``(B, C'·M·P, 2)``.
            log_fir_magnitude: ``(B, C'·M·P, bins)``, where the taps are filtered.
        """
        check_optional(self, log_fir_magnitude=log_fir_magnitude)
        fir, radii_loss = self._response(delay_z, log_fir_magnitude)
        return fir, {"radii_reg": radii_loss}

    def _response(self, delay_z: Tensor, log_fir_magnitude: Tensor | None) -> tuple[Tensor, Tensor]:
        taps, radii_loss = self._taps(delay_z, log_fir_magnitude)
        fir = normalize_impulse(filters_of_channels(taps, self.processor_channel))
        return F.pad(fir, (self.pre_delay, 0)), radii_loss

    def _taps(self, delay_z: Tensor, log_fir_magnitude: Tensor | None = None) -> tuple[Tensor, Tensor]:
        color = None if self.color is None else self.color(log_fir_magnitude)
        fir, radii_loss = self.delay(torch.complex(*delay_z.unbind(-1)), color)
        return fir.unflatten(1, self.tap_axes).sum(-2).flatten(-2), radii_loss
