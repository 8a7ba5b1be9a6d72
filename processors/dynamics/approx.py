"""Dynamic range processors with one smoother and a quadratic knee, as in early versions of GRAFX."""

import torch
from torch import Tensor

from ..base import ParameterSize
from ..core.bounds import safe_exp, soft_bound
from ..core.gain_curve import Curve
from ..core.knees import guarded_quadratic_knee
from ..core.maps import exponential
from .base import COMPRESSOR_RANGES, GATE_RANGES, HEARD_COMPRESSION, RAW_FLOOR, DynamicRangeProcessor, Raw, compression


class _OneSmoother(DynamicRangeProcessor):
    """Base class of processors with a one-pole smoother for the energy, and none for the gain."""

    def __init__(self, iir_len: int, **controls):
        super().__init__("iir", knee="quadratic", iir_len=iir_len, floor=RAW_FLOOR, **controls)

    def parameter_size(self) -> ParameterSize:
        size = super().parameter_size()
        return {"z_alpha": size.pop("z_alpha_pre"), **size}

    def _energy(self, key: Tensor, raw: Raw) -> Tensor:
        return super()._energy(key, {**raw, "z_alpha_pre": raw["z_alpha"]})


class ApproxCompressor(_OneSmoother):
    r"""Feed-forward compressor with a one-pole smoother and a quadratic knee.

    It is a :class:`Compressor` that smooths the energy by an ``"iir"`` filter, under another name of its
    coefficient:

    .. math::
        y = e^g u, \quad g = \left(\tfrac{1}{R} - 1\right) \cdot \begin{cases}
            0 & x < -W/2 \\
            (x + W/2)^2 / 2W & |x| \le W/2 \\
            x & x > W/2
        \end{cases}, \quad x = \ln(e + 10^{-5}) - T

    with the smoothed energy e, averaged over channels. The control ``ratio`` is the effective ratio r, R = 2r / (1 +
    r).

    Raw parameters:
        z_alpha ``(B, 1)``: logit of the smoothing coefficient.
        log_threshold ``(B, 1)``: T is 6 below it, a natural logarithm of an energy.
        log_ratio ``(B, 1)``: R = 1 + exp(log_ratio).
        log_knee ``(B, 1)``: W = exp(log_knee).

    Args:
        iir_len: Length of the impulse response of the smoother, in samples.
        flashfftconv: Accepted and ignored, since there is no convolution.
        max_input_len: Accepted and ignored.
        **controls: Options of :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: ``iir_len`` is less than 1.

    References:
        Lee et al., "Blind estimation of audio processing graph", ICASSP 2023; the curve is that of Giannoulis, Massberg
        and Reiss, "Digital dynamic range compressor design — a tutorial and analysis", JAES 60(6), 2012.
    """

    def __init__(self, iir_len: int = 16384, flashfftconv: bool = False, max_input_len: int = 2**17, **controls):
        super().__init__(iir_len, **controls)

    ranges = COMPRESSOR_RANGES
    ratio_map = HEARD_COMPRESSION

    def static_curve(self, raw: Raw) -> Curve:
        return self.curve(compression(raw), raw)


class ApproxNoiseGate(_OneSmoother):
    r"""Downward expander with a one-pole smoother and a quadratic knee.

    .. math::
        y = e^g u, \quad g = (1 - R) \cdot \begin{cases}
            x & x > W/2 \\
            (x + W/2)^2 / 2(W + 10^{-3}) & |x| \le W/2 \\
            0 & x < -W/2
        \end{cases}, \quad x = T - \ln(e + 10^{-5})

    with the smoothed energy e, averaged over channels. In contrast to :class:`NoiseGate`, R = exp(``log_ratio``), so a
    negative ``log_ratio`` amplifies levels below the threshold: there g is bounded, exact up to 20 (174 dB).
    The control ``ratio`` is the effective ratio, 2R − 1.

    Raw parameters:
        z_alpha ``(B, 1)``: logit of the smoothing coefficient.
        log_threshold ``(B, 1)``: T is 6 below it, a natural logarithm of an energy.
        log_ratio ``(B, 1)``: R = exp(log_ratio).
        log_knee ``(B, 1)``: W = exp(log_knee).

    Args:
        freq_sample_n: Length of the impulse response of the smoother, in samples.
        flashfftconv: Accepted and ignored, since there is no convolution.
        max_input_len: Accepted and ignored.
        **controls: Options of :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: ``freq_sample_n`` is less than 1.

    References:
        See :class:`ApproxCompressor`.
    """

    def __init__(self, freq_sample_n: int = 16384, flashfftconv: bool = False, max_input_len: int = 2**17, **controls):
        super().__init__(freq_sample_n, **controls)

    ranges = GATE_RANGES
    ratio_map = exponential(2.0, offset=-1, floor=0.0)

    def compute_gain(self, log_energy: Tensor, log_threshold: Tensor, log_ratio: Tensor, log_knee: Tensor) -> Tensor:
        """Compute the gain ``(B, 1, L)`` of log energies ``(B, L)``; other arguments are ``(B, 1)``."""
        raw = {"log_ratio": log_ratio, "log_knee": log_knee}
        return torch.exp(self.log_gain(log_energy, log_threshold, raw)).unsqueeze(1)

    def log_gain(self, level: Tensor, threshold: Tensor, raw: Raw) -> Tensor:
        slope = -torch.expm1(soft_bound(raw["log_ratio"]))
        return soft_bound(guarded_quadratic_knee(-level, -threshold, slope, safe_exp(raw["log_knee"])))
