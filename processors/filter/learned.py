"""Learned filters: second-order sections in series, and a finite impulse response."""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arguments import check_optional
from ..base import Control, ParameterSize, Processor
from ..controls import ParamRange, Values, db, hz
from ..core import cookbook
from ..core.bounds import soft_bound
from ..core.channels import filter_channels, filters_of_channels, num_filter_channels
from ..core.convolution import FIRConvolution
from ..core.fir import normalize_impulse
from ..core.maps import (
    TANH,
    Map,
    default_hertz,
    frequency,
    hertz,
    inverse_softplus,
    linear,
    polar,
)
from ..core.precision import wide
from ..core.streaming import once
from .base import RecursiveFilter

MOST_NEPERS = 69.0  # of the gain of poles and zeros in series, for single precision to hold it
TINY = 1e-30


class FIRFilter(Processor):
    r"""FIR filter with a learned impulse response.

    .. math:: y = u * \frac{h}{\lVert h \rVert}, \quad h_n = \tanh \tilde h_n

    The response has unit energy, averaged over the channels (after conversion to left and right).

    Raw parameters:
        fir ``(B, C', N)``: h̃; C' is 1 for ``"mono"``, else 2.

    Args:
        fir_len: N, length of the response in samples.
        processor_channel: ``"mono"``, ``"stereo"``, ``"midside"`` or ``"pseudo_midside"``.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **conv: Options of :class:`~grafx.processors.core.convolution.FIRConvolution`.

    Raises:
        ParameterError: An unknown ``processor_channel``.

    References:
        Lee et al., "GRAFX: an open-source library for audio processing graphs in PyTorch", DAFx 2024.
    """

    latency_samples = 0

    def __init__(
        self,
        fir_len: int = 1023,
        processor_channel: str = "mono",
        param_range: ParamRange | None = None,
        **conv,
    ):
        super().__init__(param_range=param_range)
        self.fir_len = fir_len
        self.processor_channel = processor_channel
        self.num_channels = num_filter_channels(processor_channel)
        self.conv = FIRConvolution(mode="causal", **conv)

    def parameter_size(self) -> ParameterSize:
        return {"fir": (self.num_channels, self.fir_len)}

    def declare_controls(self) -> list[Control]:
        impulse = (0.99, *[0.0] * (self.fir_len - 1))
        return [Control("taps", -0.99, 0.99, (impulse,) * self.num_channels, "fir", map=TANH)]

    def forward(self, input_signals: Tensor, fir: Tensor) -> Tensor:
        """Filter.

        Args:
            input_signals: ``(B, C, L)``.
            fir: ``(B, C', N)``.

        Returns:
            ``(B, max(C, C'), L)``.

        Raises:
            ParameterError: A ``"midside"`` filter of a signal that is not stereo.
        """
        return filter_channels(input_signals, once(self._response, fir), self.processor_channel, self.conv)

    def _response(self, fir: Tensor) -> Tensor:
        return normalize_impulse(filters_of_channels(torch.tanh(fir), self.processor_channel))

    def tail_samples(self, fir: Tensor) -> int:
        return self.fir_len - 1


class BiquadFilter(RecursiveFilter):
    r"""Biquads in series, with learned coefficients.

    .. math:: H(z) = \prod_{k=1}^{K} \frac{1 + b_0 + b_1 z^{-1} + b_2 z^{-2}}{1 + a_1 z^{-1} + a_2 z^{-2}}, \quad
        a_1 = 2 \tanh \tilde a_1, \quad a_2 = \tfrac{1}{2} \left((2 - |a_1|) \tanh \tilde a_2 + |a_1|\right)

    which covers all filters with poles inside the unit circle, and no others. Values beyond ±5 for ã and ±1000 for b
    are bounded softly.

    Raw parameters:
        Bs ``(B, K, 3)``: b₀, b₁ and b₂ of each biquad.
        A1_pre ``(B, K)``: ã₁.
        A2_pre ``(B, K)``: ã₂.
        A0 ``(B, K)``, with ``normalized``: Factors of the denominators; the output is divided by all of them (by at
            least 10⁻⁴).

    Args:
        num_filters: K, the number of biquads.
        normalized: Use ``A0``.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **iir: Options of :class:`~grafx.processors.core.iir.IIRFilter`.

    References:
        Nercessian, Sarroff and Werner, "Lightweight and interpretable neural modeling of an audio distortion effect
        using hyperconditioned differentiable biquads", ICASSP 2021.
    """

    def __init__(
        self,
        num_filters: int = 1,
        normalized: bool = False,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        **iir,
    ):
        super().__init__(sample_rate, param_range, **iir)
        self.num_filters = num_filters
        self.normalized = normalized

    def parameter_size(self) -> ParameterSize:
        size = {"Bs": (self.num_filters, 3), "A1_pre": self.num_filters, "A2_pre": self.num_filters}
        return {**size, "A0": self.num_filters} if self.normalized else size

    def declare_controls(self) -> list[Control]:
        # a2 is relative to its bounds, which depend on a1: a stable filter at every setting.
        return [
            Control("b0", -2, 2, 1.0, "Bs", index=0, map=linear(1, 1)),
            Control("b1", -2, 2, 0.0, "Bs", index=1),
            Control("b2", -2, 2, 0.0, "Bs", index=2),
            Control("a1", -1.998, 1.998, 0.0, "A1_pre", map=Map(lambda a: torch.atanh(a / 2), lambda z: 2 * z.tanh())),
            Control("a2_position", -0.999, 0.999, 0.0, "A2_pre", map=TANH),
        ] + ([Control("a0", 0.1, 10, 1.0, "A0", scale="log")] if self.normalized else [])

    def forward(
        self, input_signals: Tensor, Bs: Tensor, A1_pre: Tensor, A2_pre: Tensor, A0: Tensor | None = None
    ) -> Tensor:
        """Filter.

        Args:
            input_signals: ``(B, C, L)``.
            Bs: ``(B, K, 3)``.
            A1_pre: ``(B, K)``.
            A2_pre: ``(B, K)``.
            A0: ``(B, K)``, with ``normalized``.

        Returns:
            ``(B, C, L)``.

        Raises:
            ParameterError: ``A0`` is missing, or given although the options exclude it.
        """
        check_optional(self, A0=A0)
        return self._filter(input_signals, Bs, A1_pre, A2_pre, A0)

    def sections(self, Bs: Tensor, A1_pre: Tensor, A2_pre: Tensor, A0: Tensor | None = None) -> cookbook.Coefficients:
        b = torch.cat([1 + _weight(Bs[..., :1]), _weight(Bs[..., 1:])], -1)
        a1, a2 = (torch.tanh(soft_bound(wide(a), 5, 2.5)) for a in (A1_pre, A2_pre))
        a1 = 2 * a1
        a2 = ((2 - a1.abs()) * a2 + a1.abs()) / 2
        if A0 is not None:
            b = b * (A0 / (A0.square() + 1e-8)).unsqueeze(-1)
        return b, torch.stack([torch.ones_like(a1), a1, a2], -1)


class PoleZeroFilter(RecursiveFilter):
    r"""Filter given by conjugate pairs of poles and zeros.

    .. math:: H(z) = e^g \prod_{k=1}^{K} \frac{(1 - q_k z^{-1})(1 - q_k^* z^{-1})}{(1 - p_k z^{-1})(1 - p_k^* z^{-1})},
        \quad p = \tilde p\,\frac{\tanh |\tilde p|}{|\tilde p|}

    so that poles are inside the unit circle. Values beyond 5 for \|p̃\| and ±1000 for q are bounded softly, and the
    total gain at the angles of the poles to 600 dB.

    Raw parameters:
        log_gain ``(B, 1)``: g, natural logarithm of the gain.
        poles ``(B, K, 2)``: real and imaginary parts of p̃.
        zeros ``(B, K, 2)``: real and imaginary parts of q.

    Args:
        num_filters: K, the number of pairs of poles and of zeros.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **iir: Options of :class:`~grafx.processors.core.iir.IIRFilter`.

    References:
        Lee et al., "GRAFX: an open-source library for audio processing graphs in PyTorch", DAFx 2024.
    """

    def __init__(self, num_filters: int = 1, sample_rate: float = 44100, param_range: ParamRange | None = None, **iir):
        super().__init__(sample_rate, param_range, **iir)
        self.num_filters = num_filters

    def parameter_size(self) -> ParameterSize:
        return {"log_gain": 1, "poles": (self.num_filters, 2), "zeros": (self.num_filters, 2)}

    def declare_controls(self) -> list[Control]:
        low, high, _ = hertz(self.sample_rate)
        default = default_hertz(self.sample_rate, self.num_filters)
        return [
            db("gain_db", -60, 24, 0.0, "log_gain"),
            Control("pole_radius", 0.01, 0.9999, 0.5, "poles", index=0),
            hz("pole_hz", low, high, default, "poles", index=1),
            Control("zero_radius", 0.01, 2, 0.5, "zeros", index=0),
            hz("zero_hz", low, high, default, "zeros", index=1),
        ]

    # The controls of the complex poles and zeros are radius and angle.

    def values_to_raw(self, values: Values, batch_size: int, like: Tensor) -> Values:
        turn = 2 * math.pi / self.sample_rate
        poles = polar(torch.atanh(values["pole_radius"]), values["pole_hz"] * turn)
        zeros = polar(values["zero_radius"], values["zero_hz"] * turn)
        parts = zip(("pole_radius", "pole_hz", "zero_radius", "zero_hz"), (*poles, *zeros), strict=True)
        return super().values_to_raw({**values, **dict(parts)}, batch_size, like)

    def raw_to_dsp(self, raw_parameters: Mapping[str, Any]) -> Values:
        values = super().raw_to_dsp(raw_parameters)
        poles, zeros = (torch.complex(values[f"{r}_radius"], values[f"{r}_hz"]) for r in ("pole", "zero"))
        hertz = (z.angle().abs() * self.sample_rate / (2 * math.pi) for z in (poles, zeros))
        radii = torch.tanh(poles.abs()), zeros.abs()
        return {
            **values,
            **dict(zip(("pole_radius", "zero_radius", "pole_hz", "zero_hz"), (*radii, *hertz), strict=True)),
        }

    def forward(self, input_signals: Tensor, log_gain: Tensor, poles: Tensor, zeros: Tensor) -> Tensor:
        """Filter.

        Args:
            input_signals: ``(B, C, L)``.
            log_gain: ``(B, 1)``.
            poles: ``(B, K, 2)``.
            zeros: ``(B, K, 2)``.

        Returns:
            ``(B, C, L)``.
        """
        return self._filter(input_signals, log_gain, poles, zeros)

    def sections(self, log_gain: Tensor, poles: Tensor, zeros: Tensor) -> cookbook.Coefficients:
        # An offset keeps the slope finite where all is zero.
        poles = _weight(poles)
        distance = torch.sqrt(poles.square().sum(-1, keepdim=True) + 1e-24)
        poles = poles / distance * torch.tanh(soft_bound(distance, 5, 2.5))
        b, a = _conjugate_pair(_weight(zeros)), _conjugate_pair(poles)
        # Gain, zeros and poles, each within its bounds, could overflow together.
        angles = torch.atan2(poles[..., 1], poles[..., 0]).detach()
        excess = F.relu(soft_bound(wide(log_gain)) + _loudest(b, a, angles) - MOST_NEPERS)
        gain = torch.exp((soft_bound(wide(log_gain)) - excess) / self.num_filters).unsqueeze(-1)
        return gain * b, a


def _loudest(b: Tensor, a: Tensor, angles: Tensor) -> Tensor:
    """Return the log gain of sections ``(B, K, 3)`` at the angle of its maximum, ``(B, 1)``."""
    powers = torch.exp(-1j * angles[..., None] * torch.arange(3, device=angles.device)).mT.unsqueeze(1)
    responses = ((c.unsqueeze(-2).to(powers.dtype) @ powers).abs().squeeze(-2) + TINY for c in (b, a))
    numerator, denominator = (r.log() for r in responses)
    return (numerator - denominator).sum(1).amax(-1, keepdim=True)


class StateVariableFilter(RecursiveFilter):
    r"""State-variable filters in series, which mix a high-, a band- and a low-pass with the same poles.

    .. math:: H(s) = \prod_{k=1}^{K} \frac{c_{hp} s^2 + c_{bp} s + c_{lp}}{s^2 + 2R s + 1}, \quad
        s = \frac{1}{G}\,\frac{1 - z^{-1}}{1 + z^{-1}}

    with :math:`G = \tan(\tfrac{\pi}{2} \sigma(\tilde G))`, which puts the cutoff at :math:`\sigma(\tilde G)` of the
    Nyquist frequency, and the damping :math:`2R = \mathrm{softplus}(\tilde R)/\ln 2 + 0.01`, which is 1 + 0.01 for
    :math:`\tilde R = 0`. G̃ beyond ±10, and R̃ and c beyond ±1000, are bounded softly.

    Raw parameters:
        twoR ``(B, K)``: R̃.
        G ``(B, K)``: G̃.
        c_hp, c_bp, c_lp ``(B, K)``: amplitudes of the high-, band- and low-pass.

    Args:
        num_filters: K, the number of filters.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **iir: Options of :class:`~grafx.processors.core.iir.IIRFilter`.

    References:
        Wishnick, "Time-varying filters for musical applications", DAFx 2014; as differentiable filters, Lee, Choi and
        Lee, "Differentiable artificial reverberation", IEEE/ACM TASLP 30, 2022.
    """

    def __init__(self, num_filters: int = 1, sample_rate: float = 44100, param_range: ParamRange | None = None, **iir):
        super().__init__(sample_rate, param_range, **iir)
        self.num_filters = num_filters

    def parameter_size(self) -> ParameterSize:
        return dict.fromkeys(("twoR", "G", "c_hp", "c_bp", "c_lp"), self.num_filters)

    def declare_controls(self) -> list[Control]:
        quality = Map(
            lambda q: inverse_softplus((1 / q - 1e-2) * math.log(2)), lambda z: 1 / (F.softplus(z) / math.log(2) + 1e-2)
        )
        low, high, _ = hertz(self.sample_rate)
        default = default_hertz(self.sample_rate, self.num_filters)
        # A single filter is a low-pass; several pass everything, like those of an equalizer.
        high_and_band = (0.0, 0.0) if self.num_filters == 1 else (1.0, 2**0.5)
        return [
            hz("frequency_hz", low, high, default, "G", map=frequency(self.sample_rate)),
            Control("q", 0.1, 50, 0.5**0.5, "twoR", scale="log", map=quality),
            Control("highpass", -2, 2, high_and_band[0], "c_hp"),
            Control("bandpass", -2, 2, high_and_band[1], "c_bp"),
            Control("lowpass", -2, 2, 1.0, "c_lp"),
        ]

    def forward(
        self, input_signals: Tensor, twoR: Tensor, G: Tensor, c_hp: Tensor, c_bp: Tensor, c_lp: Tensor
    ) -> Tensor:
        """Filter.

        Args:
            input_signals: ``(B, C, L)``.
            twoR: ``(B, K)``.
            G: ``(B, K)``.
            c_hp: ``(B, K)``.
            c_bp: ``(B, K)``.
            c_lp: ``(B, K)``.

        Returns:
            ``(B, C, L)``.
        """
        return self._filter(input_signals, twoR, G, c_hp, c_bp, c_lp)

    def sections(self, twoR: Tensor, G: Tensor, c_hp: Tensor, c_bp: Tensor, c_lp: Tensor) -> cookbook.Coefficients:
        G = torch.tan(math.pi / 2 * torch.sigmoid(soft_bound(wide(G), 10, 5)))
        twoR = F.softplus(_weight(twoR)) / math.log(2) + 1e-2
        return self.get_biquad_coefficients(twoR, G, _weight(c_hp), _weight(c_bp), _weight(c_lp))

    @staticmethod
    def get_biquad_coefficients(
        twoR: Tensor, G: Tensor, c_hp: Tensor, c_bp: Tensor, c_lp: Tensor
    ) -> cookbook.Coefficients:
        """Compute numerators and denominators ``(…, 3)`` from 2R, G and the amplitudes c, each ``(…)``."""
        one = torch.ones_like(G)
        return cookbook.bilinear(c_hp, c_bp, c_lp, G), cookbook.bilinear(one, twoR, one, G)


def _weight(x: Tensor) -> Tensor:
    """Bound a polynomial coefficient, to stay within the range of float32 for a few sections in series."""
    return soft_bound(wide(x), 1e3, 1e3)


def _conjugate_pair(root: Tensor) -> Tensor:
    """Compute the polynomial in 1/z of a complex root ``(…, 2)`` and its conjugate."""
    real, square = root[..., 0], root.square().sum(-1)
    return torch.stack([torch.ones_like(real), -2 * real, square], -1)
