"""Allpass filters, which change phases alone: Schroeder's with long delays, and short ones of any order."""

from __future__ import annotations  # those within functions would be evaluated when they are compiled

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arguments import check_optional
from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange, hz, ms
from ..core import cookbook
from ..core.bounds import clip, soft_bound
from ..core.comb import State, comb_filter, whole_samples
from ..core.maps import TO_SILENCE, Map, frequency, hertz, within
from ..core.precision import wide
from ..core.state_space import decay_samples, state_space
from ..core.state_variable import biquads, quieter
from ..core.streaming import once, remember
from .cookbook import CookbookFilter, cookbook_controls

MOST_GAIN = 0.9995  # of a loop
LEAST_GAIN = 1e-6  # that is not zero
USUAL_GAIN = math.atanh(0.5 / MOST_GAIN)
MOST_REFLECTION = 4.0  # its inverse tanh

GAIN = Map(lambda g: torch.atanh(g / MOST_GAIN) - USUAL_GAIN, lambda z: MOST_GAIN * torch.tanh(z + USUAL_GAIN))


class SchroederAllpass(Processor):
    r"""Schroeder's allpass filters in series: decaying echoes with a flat magnitude response.

    .. math:: H(z) = \prod_{k=1}^{K} \frac{g_k + P_k(z)}{1 + g_k P_k(z)}, \quad P(z) = z^{-m}\,\frac{\eta + z^{-1}}
        {1 + \eta z^{-1}}, \quad \eta = \frac{1 - \Delta}{1 + \Delta}, \quad g = 0.9995 \tanh(\tilde g + 0.550)

    An echo comes each m + Δ samples, attenuated by g. The delay is a whole number m plus :math:`\tfrac12 \le \Delta <
    \tfrac32` of a first-order allpass filter, by which it can be learned; so the whole is an allpass filter for any
    delay from 1½ samples to the longest. Fixed delays are rounded to whole samples, and Δ is 1.

    **Frequency-dependent.** A first-order filter can replace the gain, with the gain :math:`g_0` at low and
    :math:`g_\infty` at high frequencies, so that these decay at different rates:

    .. math:: H(z) = \frac{\tilde N(z) + P(z)\,\tilde D(z)}{D(z) + P(z)\,N(z)}, \quad
        \frac{N(z)}{D(z)} = \frac{g_0 + g_\infty s}{1 + s}, \quad
        s = \frac{1}{\tan(\omega_0 / 2)} \frac{1 - z^{-1}}{1 + z^{-1}}, \quad
        \tilde N(z) = z^{-1} N(z^{-1})

    It is stable as :math:`|N| < |D|` on the unit circle, and an allpass filter as its numerator has the coefficients
    of its denominator in reversed order.

    Controls exist for each of K stages: ``delay_ms`` (unless fixed), and ``gain``, or ``gain_low``, ``gain_high`` and
    ``crossover_hz``.

    Raw parameters:
        z_delay ``(B, K)``: Delays are :math:`d_\text{max} (1.02\,\sigma(\tilde d) - 0.01)`, unless they are fixed. The
            gradient is zero where they are clipped.
        z_gain ``(B, K)``: g̃, or that of low frequencies.
        z_gain_high ``(B, K)``: That of high frequencies, if frequency-dependent.
        w0 ``(B, K)``: The crossover is :math:`\omega_0 = \pi \sigma(w_0)`, if frequency-dependent.

    Args:
        num_stages: K, at least 1.
        delay_ms: Fixed delays, a number for all stages or one for each; learned if ``None``.
        frequency_dependent: Use a filter in place of the gain.
        max_delay_ms: Longest learnable delay, in milliseconds.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: There are no stages, a wrong number of delays, or a delay shorter than 2 samples.

    References:
        Schroeder, "Natural sounding artificial reverberation", JAES 10(3), 1962; Schlecht, "Frequency-dependent
        Schroeder allpass filters", Applied Sciences 10(1), 2020. The filter of first order is a choice of ours.
    """

    latency_samples = 0

    def __init__(
        self,
        num_stages: int = 1,
        delay_ms: float | Sequence[float] | None = None,
        frequency_dependent: bool = False,
        max_delay_ms: float = 100.0,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        super().__init__(sample_rate, param_range)
        if num_stages < 1:
            raise ParameterError(f"num_stages must be at least 1, not {num_stages}.")
        self.num_stages = num_stages
        self.frequency_dependent = frequency_dependent
        self.max_delay_ms = max_delay_ms
        self.fixed = None if delay_ms is None else self._whole(delay_ms)
        self.longest = max(self.fixed) if self.fixed else math.floor(max_delay_ms * sample_rate / 1000 + 1e-6)
        if self.longest < 2:
            raise ParameterError(f"max_delay_ms must be 2 samples or more, not {max_delay_ms!r} ms.")

    def _whole(self, delay_ms: float | Sequence[float]) -> list[int]:
        each = [delay_ms] * self.num_stages if isinstance(delay_ms, (int, float)) else list(delay_ms)
        if len(each) != self.num_stages:
            raise ParameterError(f"delay_ms has {len(each)} values for {self.num_stages} stages: give one for each.")
        samples = [round(ms * self.sample_rate / 1000) for ms in each]
        if min(samples) < 2:
            raise ParameterError(f"delay_ms must be 2 samples or more each, not {min(each)!r} ms.")
        return samples

    def parameter_size(self) -> ParameterSize:
        delays = [] if self.fixed else ["z_delay"]
        gains = ["z_gain", "z_gain_high", "w0"] if self.frequency_dependent else ["z_gain"]
        return dict.fromkeys([*delays, *gains], self.num_stages)

    def declare_controls(self) -> list[Control]:
        longest = self.max_delay_ms
        low, high, _ = hertz(self.sample_rate)
        apart = tuple(longest * (k + 0.5) / self.num_stages for k in range(self.num_stages))
        controls = {
            "z_delay": ms("delay_ms", 0.0, longest, apart, "z_delay", map=self._map()),
            "z_gain": Control("gain", -0.99, 0.99, 0.5, "z_gain", map=GAIN),
        }
        if self.frequency_dependent:
            controls["z_gain"] = Control("gain_low", -0.99, 0.99, 0.5, "z_gain", map=GAIN)
            controls["z_gain_high"] = Control("gain_high", -0.99, 0.99, 0.5, "z_gain_high", map=GAIN)
            controls["w0"] = hz("crossover_hz", low, high, high / 4, "w0", map=frequency(self.sample_rate))
        return [controls[name] for name in self.parameter_size()]

    def forward(
        self,
        input_signals: Tensor,
        z_delay: Tensor | None = None,
        z_gain: Tensor | None = None,
        z_gain_high: Tensor | None = None,
        w0: Tensor | None = None,
    ) -> Tensor:
        """Filter.

        Args:
            input_signals: ``(B, C, L)``.
            z_delay: ``(B, K)``, unless delays are fixed.
            z_gain: ``(B, K)``.
            z_gain_high: ``(B, K)``, if frequency-dependent.
            w0: ``(B, K)``, likewise.

        Returns:
            ``(B, C, L)``.

        Raises:
            ParameterError: A parameter is missing, or given although the options exclude it.
        """
        check_optional(self, z_delay=z_delay, z_gain=z_gain, z_gain_high=z_gain_high, w0=w0)
        y = input_signals
        fractions = once(self._fractions, z_gain, z_delay)
        gains = once(self._gains, z_gain, z_gain_high, w0)
        for stage in range(self.num_stages):
            whole, eta = (t[:, stage, None] for t in fractions)
            y = self._stage(y, whole, eta, gains[:, stage, None])
        return y

    def tail_samples(
        self,
        z_delay: Tensor | None = None,
        z_gain: Tensor | None = None,
        z_gain_high: Tensor | None = None,
        w0: Tensor | None = None,
    ) -> int:
        whole, eta = self._fractions(z_gain.detach(), z_delay)
        gains = [GAIN.to_physical(wide(z.detach())).abs() for z in (z_gain, z_gain_high) if z is not None]
        passes = 1 + TO_SILENCE / -torch.stack(gains).amax(0).clamp(min=1e-3).log()
        ringing = 0.0 if w0 is None else TO_SILENCE / _angle(w0.detach()).clamp(max=math.pi - 1e-3).sin()
        longer = (1 + eta.abs()) / (1 - eta.abs())  # the delay of the interpolation at some frequency
        return math.ceil((passes * (whole + longer) + ringing).sum(1).max())

    def _map(self) -> Map:
        return within(0, self.max_delay_ms)

    def _fractions(self, z_gain: Tensor, z_delay: Tensor | None) -> tuple[Tensor, Tensor]:
        """Compute the whole samples of each stage, and the coefficient of the fraction, ``(B, K)``."""
        if z_delay is None:
            whole = torch.tensor(self.fixed, device=z_gain.device).expand(len(z_gain), -1) - 1
            return whole, torch.zeros_like(whole, dtype=torch.float64)
        samples = self.sample_rate / 1000 * self._map().to_physical(wide(z_delay))
        samples = clip(samples, 1.5, self.longest)
        whole = (samples.detach() - 0.5).floor()
        rest = samples - whole
        return whole_samples(whole, self.longest), (1 - rest) / (1 + rest)

    def _gains(self, z_gain: Tensor, z_gain_high: Tensor | None, w0: Tensor | None) -> Tensor:
        """Compute the coefficients of N and D, of order 0 or 1, ``(B, K, 2, order + 1)``."""
        low = GAIN.to_physical(wide(z_gain))
        if z_gain_high is None or w0 is None:
            return torch.stack([low, torch.ones_like(low)], -1)[..., None]
        high, half = GAIN.to_physical(wide(z_gain_high)), _angle(w0) / 2
        sin, cos = torch.sin(half), torch.cos(half)
        numbers = low * sin + high * cos, low * sin - high * cos, sin + cos, sin - cos
        return torch.stack(numbers, -1).unflatten(-1, (2, 2))

    def _stage(self, x: Tensor, whole: Tensor, eta: Tensor, gains: Tensor) -> Tensor:
        delay = partial(comb_filter, max_delay=self.longest)
        n, d = gains.unbind(-2)
        if not self.frequency_dependent:
            # y = g v + P v, where −g P v is what the loop adds to the input.
            n = n + torch.where(n.abs() < LEAST_GAIN, LEAST_GAIN - n, 0).detach()
            level = (1 - n[..., 0].square()).rsqrt()  # of the line, for noise
            if self.fixed:
                mix = torch.cat([n, d, torch.zeros_like(n)], -1)
                return _in_its_level(partial(delay, x, whole + 1, -n, None, mix), level, level * n[..., 0].abs())
            mix, eta = torch.cat([n, torch.zeros_like(n), -1 / n], -1), eta[..., None]
            b, a = torch.cat([-n * eta, -n], -1), torch.cat([d, eta], -1)
            return _in_its_level(partial(delay, x, whole, b, a, mix), level, level * n[..., 0].abs())
        # A(z) = D(z) (1 + η/z) + z⁻ᵐ N(z) (η + 1/z), and its reverse.
        most = torch.maximum((n.sum(-1) / d.sum(-1)).abs(), ((n[..., 0] - n[..., 1]) / (d[..., 0] - d[..., 1])).abs())
        level = ((d[..., 0].square() - d[..., 1].square()) * (1 - most.square())).rsqrt()  # of the line, for noise
        n, d = _times(n, eta, torch.ones_like(eta)), _times(d, torch.ones_like(eta), eta)
        v = biquads(x, _section(torch.ones_like(d[..., :1]), d))
        v = _in_its_level(partial(delay, v, whole, -n, d), level, level * most)
        late = partial(delay, v, whole, v.new_zeros(1), None, v.new_tensor([0.0, 1.0, 0.0]))
        u = _in_its_level(late, level, level)
        return biquads(v, _section(n.flip(-1)), level) + biquads(u, _section(d.flip(-1)), level)


class AllpassCascade(CookbookFilter):
    r"""Second-order allpass filters in series, for frequency-dependent phase and delay.

    .. math:: H(z) = \prod_{k=1}^{K}
        \frac{1 - \alpha - 2 c z^{-1} + (1 + \alpha) z^{-2}}{1 + \alpha - 2 c z^{-1} + (1 - \alpha) z^{-2}}, \quad
        c = \cos \omega_0, \quad \alpha = \frac{\sin \omega_0}{2 Q}

    Each shifts the phase by half a turn at its frequency and by a full turn in total. Around the frequency, the group
    delay is about :math:`4 Q / \omega_0` samples.

    By default, frequencies are equally spaced on a logarithmic scale.

    Raw parameters:
        w0 ``(B, K)``: ω₀ = πσ(w0), at σ(w0) of the Nyquist frequency.
        q_inv ``(B, K)``: natural logarithms of 1/Q.

    Extreme values are bounded softly, see :func:`~grafx.processors.core.cookbook.from_raw`.

    Args:
        num_filters: K, the number of filters in series.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **iir: Options of :class:`~grafx.processors.core.iir.IIRFilter`.

    References:
        Regalia, Mitra and Vaidyanathan, "The digital all-pass filter: a versatile signal processing building block",
        Proceedings of the IEEE 76(1), 1988; the sections, Bristow-Johnson, "Cookbook formulae for audio equalizer
        biquad filter coefficients".
    """

    formula = staticmethod(cookbook.all_pass)

    def __init__(self, num_filters: int = 4, sample_rate: float = 44100, param_range: ParamRange | None = None, **iir):
        super().__init__(sample_rate, param_range, **iir)
        self.num_filters = num_filters

    def declare_controls(self) -> list[Control]:
        low, high, _ = hertz(self.sample_rate)
        spaced = (low * (high / low) ** ((k + 1) / (self.num_filters + 1)) for k in range(self.num_filters))
        return cookbook_controls(self.sample_rate, tuple(spaced))


class AllpassLattice(Processor):
    r"""Allpass filter of order N, parametrized by reflection coefficients.

    .. math:: H(z) = \frac{z^{-N} A_N(z^{-1})}{A_N(z)}, \quad A_0 = 1, \quad
        A_n(z) = A_{n-1}(z) + k_n z^{-n} A_{n-1}(z^{-1}), \quad k_n = \tanh \tilde k_n

    It covers all stable allpass filters of this order and no others. It runs as a normalized lattice: the signal passes
    down N rotations

    .. math:: f_{n-1} &= \sqrt{1 - k_n^2}\,f_n - k_n\,b_{n-1}[t-1] \\
        b_n &= k_n\,f_n + \sqrt{1 - k_n^2}\,b_{n-1}[t-1]

    from :math:`f_N = u` to :math:`b_0 = f_0` and back up to :math:`y = b_N`. Their product is an orthogonal system of N
    states, so internal values stay as small as the signals.

    The control ``reflection`` is k.

    Raw parameters:
        z_reflection ``(B, N)``: k̃; beyond ±4 they are bounded softly to ±6.

    Args:
        order: N, at least 1.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: The order is less than 1.

    References:
        Gray and Markel, "A normalized digital filter structure", IEEE Transactions on Acoustics, Speech, and Signal
        Processing 23(3), 1975; Regalia, Mitra and Vaidyanathan, "The digital all-pass filter: a versatile signal
        processing building block", Proceedings of the IEEE 76(1), 1988.
    """

    latency_samples = 0

    def __init__(self, order: int = 4, sample_rate: float = 44100, param_range: ParamRange | None = None) -> None:
        super().__init__(sample_rate, param_range)
        if order < 1:
            raise ParameterError(f"order must be at least 1, not {order}.")
        self.order = order

    def parameter_size(self) -> ParameterSize:
        return {"z_reflection": self.order}

    def declare_controls(self) -> list[Control]:
        return [Control("reflection", -0.999, 0.999, 0.0, "z_reflection", map=Map(torch.atanh, torch.tanh))]

    def forward(self, input_signals: Tensor, z_reflection: Tensor) -> Tensor:
        """Filter.

        Args:
            input_signals: ``(B, C, L)``.
            z_reflection: ``(B, N)``.

        Returns:
            ``(B, C, L)``.
        """
        A, B, C, D = (m[:, None] for m in once(_lattice, z_reflection))
        return remember(lambda state: state_space(input_signals, A, B, C, D, state), "lattice")

    def tail_samples(self, z_reflection: Tensor) -> int:
        return decay_samples(_lattice(z_reflection.detach())[0])


def _in_its_level(comb: Callable[..., tuple[Tensor, State]], line: Tensor, inner: Tensor) -> Tensor:
    """Run a comb filter; in a stream, scale its line and inner filter down when their levels ``(B, 1)`` decrease."""
    levels = line.detach(), inner.detach()

    def step(state: tuple[State, tuple[Tensor, Tensor]] | None) -> tuple[Tensor, tuple[State, tuple[Tensor, Tensor]]]:
        past = None if state is None else tuple(quieter(s, *each) for s, *each in zip(*state, levels, strict=True))
        y, after = comb(state=past)
        return y, (after, levels)

    return remember(step, "comb")


def _lattice(z_reflection: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute A, B, C and D of the lattice, whose states are the outputs of its delays."""
    z = soft_bound(wide(z_reflection), MOST_REFLECTION, 2.0)
    rows, order = z.shape
    sin, cos = torch.tanh(z)[..., None], torch.cosh(z).reciprocal()[..., None]
    given = torch.eye(order + 1, dtype=z.dtype, device=z.device).expand(rows, -1, -1)
    forward, backward = given[:, order], []  # all as sums of the states and the input
    for n in range(order - 1, -1, -1):
        backward.append(sin[:, n] * forward + cos[:, n] * given[:, n])
        forward = cos[:, n] * forward - sin[:, n] * given[:, n]
    system = torch.stack([forward, *reversed(backward)], 1)
    return system[:, :order, :order], system[:, :order, order], system[:, order, :order], system[:, order, order]


def _angle(w0: Tensor) -> Tensor:
    return math.pi * torch.sigmoid(soft_bound(wide(w0), 9, 2))


def _times(p: Tensor, q0: Tensor, q1: Tensor) -> Tensor:
    """Multiply a polynomial ``(…, n)`` by q₀ + q₁/z."""
    return F.pad(p * q0[..., None], (0, 1)) + F.pad(p * q1[..., None], (1, 0))


def _section(b: Tensor, a: Tensor | None = None) -> Tensor:
    """Make one section of a cascade, ``(…, 1, 6)``."""
    a = torch.ones_like(b[..., :1]) if a is None else a
    return torch.cat([F.pad(c, (0, 3 - c.shape[-1])) for c in (b, a)], -1)[..., None, :]
