"""Modulation effects: delay, gain or pitch modulated by a low-frequency oscillator."""

import math
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from ..base import Control, ParameterError
from ..controls import ParamRange, db, ms
from ..core.broadcasting import is_one_of
from ..core.delay_line import Interpolation, delay_line_init, delay_line_process, delay_line_tail
from ..core.feedback_delay import feedback_delay
from ..core.maps import MARGIN, NEPER, within
from ..core.precision import wide
from ..core.streaming import remember
from .base import (
    LOOP,
    MIX,
    Modulated,
    ModulatedDelay,
    Raw,
    Waveform,
    feedback_control,
    loop_samples,
    mix_control,
    mixed,
)

SLOWEST = 0.1  # Hz of a vibrato whose full depth the line is long enough for
STEADY_WAVES = ("sine", "triangle")  # those that do not jump


class Chorus(ModulatedDelay):
    r"""Chorus: copies with modulated delays, mixed with the dry signal, like several players.

    .. math::
        y[n] = (1 - m)\,u[n] + \frac{m}{\sqrt V} \sum_{v=0}^{V-1} u\bigl(n - t_v[n]\bigr), \quad
        t_v[n] = \tfrac{f_s}{1000} \Bigl(d + D\,w\bigl(\tfrac{n f}{f_s} + \varphi + c\,\psi + \tfrac v V\bigr)\Bigr)

    for the channel c = 0, 1, …. The LFO w oscillates between −1 and 1, the V voices are spread evenly over its cycle,
    and each channel is ψ ahead of the previous one. Times are interpolated linearly, or as chosen, see
    :func:`~grafx.processors.core.delay_line.delay_line_init`, and are 0 where the depth exceeds the delay.

    With ``external``, the signal at the inlet ``"lfo"`` is w, such as that of an :class:`LFO` of depth 1. In a graph,
    an unconnected inlet reads silence, and the delay is constant.

    Controls: ``rate_hz`` is f, ``phase_cycles`` φ, ``spread_cycles`` ψ (without an external LFO), ``delay_ms`` d,
    ``depth_ms`` D and ``mix`` m.

    Raw parameters:
        log_rate ``(B, 1)``: ln (f / 0.5 Hz); not with an external LFO.
        phase, spread ``(B, 1)``: φ and ψ in cycles; not with an external LFO.
        z_delay, z_depth ``(B, 1)``: logits of d and D, which reach 1 % beyond their ranges.
        z_mix ``(B, 1)``: logit of m, between −0.001 and 1.001.

    Args:
        num_voices: V, at least 1; with an external LFO, 1.
        waveform: ``"sine"``, ``"triangle"``, ``"saw"`` or ``"square"``, as those of :class:`LFO`.
        interpolation: ``"linear"``, ``"cubic"`` or ``"allpass"``.
        external: Read the LFO from another node, at a second inlet ``"lfo"``.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unknown waveform or interpolation, no voice, or several with an external LFO.

    References:
        Dattorro, "Effect design, part 2: delay-line modulation and chorus", JAES 45(10), 1997.
    """

    own = ("z_delay", "z_depth", "z_mix")
    delays, depths = (0.0, 40.0), (0.0, 10.0)
    default_rate = 0.5

    def __init__(
        self,
        num_voices: int = 1,
        waveform: Waveform = "sine",
        interpolation: Interpolation = "linear",
        external: bool = False,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        if num_voices < 1 or (external and num_voices > 1):
            raise ParameterError(
                f"num_voices must be at least 1, and 1 with an external LFO, which has one phase; not {num_voices}."
            )
        super().__init__(waveform, external, sample_rate, param_range)
        self.num_voices = num_voices
        self.interpolation = interpolation
        _, self._line = delay_line_init(self.max_delay, interpolation)

    def own_controls(self) -> list[Control]:
        return [*super().own_controls(), mix_control()]

    def oscillate(self, x: Tensor, raw: Raw, offsets: Tensor | None = None) -> Tensor:
        voices = torch.arange(self.num_voices, dtype=x.dtype, device=x.device).reshape(-1, 1, 1, 1) / self.num_voices
        return super().oscillate(x, raw, voices if self.num_voices > 1 else None)

    def modulate(self, x: Tensor, swing: Tensor, raw: Raw) -> Tensor:
        times, line, base, scale = self.depth(raw) * swing, self._line, self.delay(raw), self.sample_rate / 1000
        wet = remember(lambda state: delay_line_process(x, times, state, line, base, scale), "delay line")
        return mixed(x, wet if self.num_voices == 1 else wet.sum(0) / self.num_voices**0.5, raw)

    def tail_samples(self, **raw_parameters: Tensor) -> int:
        return delay_line_tail(self._line)


class Flanger(ModulatedDelay):
    r"""Flanger: a short modulated delay with feedback, mixed with the dry signal to a moving comb filter.

    .. math::
        y[n] &= (1 - m)\,u[n] + m\,v\bigl(n - t[n]\bigr), \quad v[n] = u[n] + g\,v\bigl(n - t[n]\bigr) \\
        t[n] &= \max\Bigl(1,\ \tfrac{f_s}{1000} \bigl(d + D\,w(\tfrac{n f}{f_s} + \varphi + c\,\psi)\bigr)\Bigr)

    for the channel c = 0, 1, …, with linear interpolation, by which the loop loses treble but never gains. For a
    constant delay of t samples, the response is :math:`1 - m + m z^{-t} / (1 - g z^{-t})`; without feedback and with m
    = ½ the notches are at odd multiples of :math:`f_s / 2t`. The feedback is within ±0.98 for every raw value.

    A signal at the inlet ``"lfo"`` replaces the LFO w as in :class:`Chorus`.

    Controls: ``rate_hz`` is f, ``phase_cycles`` φ, ``spread_cycles`` ψ (without an external LFO), ``delay_ms`` d,
    ``depth_ms`` D, ``feedback`` g and ``mix`` m.

    Raw parameters:
        log_rate ``(B, 1)``: ln (f / 0.25 Hz); not with an external LFO.
        phase, spread ``(B, 1)``: φ and ψ in cycles; not with an external LFO.
        z_delay, z_depth ``(B, 1)``: logits of d and D, which reach 1 % beyond their ranges.
        z_feedback ``(B, 1)``: atanh of g / 0.98.
        z_mix ``(B, 1)``: logit of m, between −0.001 and 1.001.

    Args:
        waveform: ``"sine"``, ``"triangle"``, ``"saw"`` or ``"square"``, as those of :class:`LFO`.
        external: Read the LFO from another node, at a second inlet ``"lfo"``.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unknown waveform.

    References:
        Hartmann, "Flanging and phasers", JAES 26(6), 1978; Dattorro, "Effect design, part 2: delay-line modulation and
        chorus", JAES 45(10), 1997.
    """

    own = ("z_delay", "z_depth", "z_feedback", "z_mix")
    delays, depths = (0.1, 10.0), (0.0, 5.0)
    default_rate = 0.25

    def own_controls(self) -> list[Control]:
        return [*super().own_controls(), feedback_control(), mix_control()]

    def modulate(self, x: Tensor, swing: Tensor, raw: Raw) -> Tensor:
        base, scale, gain = self.delay(raw), self.sample_rate / 1000, LOOP.to_physical(wide(raw["z_feedback"]))
        loop = partial(feedback_delay, x, self.depth(raw) * swing, gain, self.max_delay, base=base, scale=scale)
        return mixed(x, remember(loop, "delay line"), raw)

    def tail_samples(self, **raw_parameters: Tensor) -> int:
        gain = LOOP.to_physical(wide(raw_parameters["z_feedback"].detach())).abs()
        return math.ceil(self.max_delay) + 1 + loop_samples(self.max_delay, gain.max().item() if gain.numel() else 0.0)


class Vibrato(Modulated):
    r"""Vibrato: a pitch modulated by a delay.

    .. math::
        y[n] = u\bigl(n - t[n]\bigr), \quad
        t[n] = D\,\Bigl(1 + w\bigl(\tfrac{n f}{f_s} + \varphi + c\,\psi\bigr)\Bigr), \quad
        D = \frac{2^{p / 1200} - 1}{s} \cdot \frac{f_s}{f}

    for the channel c = 0, 1, …, where s is the steepest slope of the LFO w, 2π for a sine and 4 for a triangle. So the
    pitch rises by p cents at most; it falls by the same number of Hz. A triangle alternates between two pitches. The
    mean delay is D. The line has room for the full depth from 0.1 Hz on: beyond it, times are clipped.

    With ``external``, D is set in milliseconds, and the signal at the inlet ``"lfo"`` is w. In a graph, an unconnected
    inlet reads silence, and the delay is constant.

    Controls: ``rate_hz`` is f, ``phase_cycles`` φ, ``spread_cycles`` ψ and ``depth_cents`` p; with an external LFO only
    ``depth_ms``, D.

    Raw parameters:
        log_rate ``(B, 1)``: ln (f / 5 Hz); not with an external LFO.
        phase, spread ``(B, 1)``: φ and ψ in cycles; not with an external LFO.
        z_depth ``(B, 1)``: logit of p, or of D, which reaches 1 % beyond its range.

    Args:
        waveform: ``"sine"`` or ``"triangle"``.
        interpolation: ``"linear"``, ``"cubic"`` or ``"allpass"``, see
            :func:`~grafx.processors.core.delay_line.delay_line_init`.
        external: Read the LFO from another node, at a second inlet ``"lfo"``.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unknown waveform or interpolation.

    References:
        Zölzer (ed.), "DAFX: digital audio effects", 2nd ed., Wiley, 2011.
    """

    own = ("z_depth",)
    waveforms = STEADY_WAVES
    default_rate = 5.0
    cents, milliseconds = (0.0, 100.0), (0.0, 10.0)

    def __init__(
        self,
        waveform: Literal["sine", "triangle"] = "sine",
        interpolation: Interpolation = "cubic",
        external: bool = False,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        super().__init__(waveform, external, sample_rate, param_range)
        self.interpolation = interpolation
        self.slope = {"sine": 2 * math.pi, "triangle": 4.0}[waveform]
        deepest = self.milliseconds[1] / 1000 if external else _stretch(self.cents[1]) / self.slope / SLOWEST
        _, self._line = delay_line_init(2 * (1 + MARGIN) * deepest * sample_rate, interpolation)

    def own_controls(self) -> list[Control]:
        if self.external:
            return [ms("depth_ms", *self.milliseconds, 5.0, "z_depth", scale="linear", map=within(*self.milliseconds))]
        return [Control("depth_cents", *self.cents, 50.0, "z_depth", unit="cents", map=within(*self.cents))]

    def modulate(self, x: Tensor, swing: Tensor, raw: Raw) -> Tensor:
        if self.external:
            depth = within(*self.milliseconds).to_physical(wide(raw["z_depth"])) * (self.sample_rate / 1000)
        else:
            cents = within(*self.cents).to_physical(wide(raw["z_depth"]))
            depth = _stretch(cents) / self.slope * self.sample_rate / self.rate(raw)
        times = depth.to(x.dtype).unsqueeze(-1) * swing
        line = self._line
        return remember(lambda state: delay_line_process(x, times, state, line, depth), "delay line")

    def tail_samples(self, **raw_parameters: Tensor) -> int:
        return delay_line_tail(self._line)


def _stretch(cents):
    """Relative increase of a frequency by a number of cents."""
    return 2 ** (cents / 1200) - 1


class Tremolo(Modulated):
    r"""Tremolo: a modulated level.

    .. math::
        y[n] = \Bigl(1 - \tfrac{1 - h}{2} \bigl(1 - w(\tfrac{n f}{f_s} + \varphi + c\,\psi)\bigr)\Bigr)\, u[n], \quad
        h = 10^{-D / 20}

    for the channel c = 0, 1, …. So the gain moves between 0 dB, where the LFO w is 1, and −D dB, where it is −1. With
    ψ = ½ two channels alternate.

    A signal at the inlet ``"lfo"`` replaces the LFO w as in :class:`Chorus`.

    Controls: ``rate_hz`` is f, ``phase_cycles`` φ, ``spread_cycles`` ψ (without an external LFO) and ``depth_db`` D.

    Raw parameters:
        log_rate ``(B, 1)``: ln (f / 5 Hz); not with an external LFO.
        phase, spread ``(B, 1)``: φ and ψ in cycles; not with an external LFO.
        z_depth ``(B, 1)``: logit of D, which reaches 1 % beyond its range.

    Args:
        waveform: ``"sine"``, ``"triangle"``, ``"saw"`` or ``"square"``, as those of :class:`LFO`.
        external: Read the LFO from another node, at a second inlet ``"lfo"``.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unknown waveform.

    References:
        Reiss and McPherson, "Audio effects: theory, implementation and application", CRC Press, 2014.
    """

    own = ("z_depth",)
    default_rate = 5.0
    decibels = (0.0, 40.0)

    def own_controls(self) -> list[Control]:
        return [db("depth_db", *self.decibels, 12.0, "z_depth", map=within(*self.decibels))]

    def modulate(self, x: Tensor, swing: Tensor, raw: Raw) -> Tensor:
        depth = within(*self.decibels).to_physical(raw["z_depth"]).unsqueeze(-1)
        half = -torch.expm1(-depth / NEPER) / 2
        return torch.addcmul(1 - half, half, swing) * x


class AutoPan(Modulated):
    r"""Auto-pan: a modulated position between left and right, at constant power.

    .. math::
        y_\text{left} = \sqrt2 \cos\bigl(\tfrac\pi4 (1 + p)\bigr)\,u_\text{left}, \quad
        y_\text{right} = \sqrt2 \sin\bigl(\tfrac\pi4 (1 + p)\bigr)\,u_\text{right}, \quad
        p[n] = D\,w\bigl(\tfrac{n f}{f_s} + \varphi\bigr)

    A mono input is used for both. In the middle, p = 0, nothing changes; the squares of both gains always add up to 2.
    Where the LFO w and the depth D are 1, the sound is fully on the right.

    A signal of one channel at the inlet ``"lfo"`` replaces the LFO as in :class:`Chorus`.

    Controls: ``rate_hz`` is f, ``phase_cycles`` φ (without an external LFO) and ``depth`` D.

    Raw parameters:
        log_rate ``(B, 1)``: ln f; not with an external LFO.
        phase ``(B, 1)``: φ in cycles; not with an external LFO.
        z_depth ``(B, 1)``: logit of D, between −0.001 and 1.001.

    Args:
        waveform: ``"sine"``, ``"triangle"``, ``"saw"`` or ``"square"``, as those of :class:`LFO`.
        external: Read the LFO from another node, at a second inlet ``"lfo"``.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unknown waveform.

    References:
        Reiss and McPherson, "Audio effects: theory, implementation and application", CRC Press, 2014.
    """

    own = ("z_depth",)
    spreads = False

    def own_controls(self) -> list[Control]:
        return [Control("depth", 0.0, 1.0, 0.5, "z_depth", map=MIX)]

    def modulate(self, x: Tensor, swing: Tensor, raw: Raw) -> Tensor:
        if not is_one_of(x.shape[1], 1, 2) or swing.shape[1] != 1:
            raise ParameterError(
                f"AutoPan takes signals of one or two channels and an LFO of one, not {tuple(x.shape)} and "
                f"{tuple(swing.shape)}."
            )
        angle = math.pi / 4 * (1 + MIX.to_physical(raw["z_depth"]).unsqueeze(-1) * swing)
        return 2**0.5 * torch.cat([angle.cos(), angle.sin()], 1) * x
