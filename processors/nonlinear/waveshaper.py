"""Waveshapers with antialiasing, learned curves, and bit crushers."""

import math
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arguments import check_option
from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange, db
from ..core.antialiasing import antialiased
from ..core.bounds import safe_exp, soft_bound
from ..core.distortion import distort
from ..core.maps import RATIO, sigmoid, whole_if_nearly
from ..core.oversampling import check_factor, oversampled, oversampling_latency
from ..core.quantize import hold, quantize
from ..core.spline import rational_quadratic
from ..core.streaming import in_blocks, with_past
from ..core.waveshapes import WAVESHAPES

Shape = Literal["hard", "cubic", "tanh", "arctan", "tube", "sine_fold", "triangle_fold"]
BITS = sigmoid(0, 24)
SLOPE_BOUNDS = 5.0, 2.5  # of logarithms, since slopes multiply with both gains
ORDERS = {None: 0, "adaa1": 1, "adaa2": 2}
DRIVE = db("drive_db", -24, 48, 0.0, "log_drive")
POST_GAIN = db("post_gain_db", -48, 24, 0.0, "log_post_gain")


class _Oversampled(Processor):
    """Nonlinearity at a higher sample rate; offline, the latency is compensated."""

    latency_samples: int

    def __init__(self, oversampling: int, latency: int = 0, **controls) -> None:
        super().__init__(**controls)
        check_factor(oversampling)
        self.oversampling = oversampling
        self.latency_samples = oversampling_latency(oversampling, latency)
        self._latency = latency

    def _run(self, function, x: Tensor) -> Tensor:
        ahead = 0 if in_blocks() else self.latency_samples
        y = oversampled(function, F.pad(x, (0, ahead)) if ahead else x, self.oversampling, self._latency)
        return y[..., ahead:]


class Waveshaper(_Oversampled):
    r"""Distortion by a curve, with reduced aliasing.

    .. math:: y = e^q \bigl(f(e^p u + b) - f(b)\bigr)

    with a curve f of slope 1 at 0:

    .. math::
        \begin{array}{ll}
            \text{hard} & \min(\max(v, -1), 1) \\
            \text{cubic} & v - \tfrac{4}{27} v^3 \text{ up to } |v| = \tfrac32, \text{ and } \pm 1 \text{ beyond} \\
            \text{tanh} & \tanh v \\
            \text{arctan} & \tfrac{2}{\pi} \arctan \tfrac{\pi}{2} v \\
            \text{tube} & \tanh v \text{ above } 0, \; \tfrac12 \tanh 2v \text{ below} \\
            \text{sine\_fold} & \sin v \\
            \text{triangle\_fold} & \tfrac{2}{\pi} \arcsin \sin \tfrac{\pi}{2} v
        \end{array}

    The folders turn back at ±1, the more often the harder they are driven. The tube clips its lower half at −½, which
    adds even harmonics; so does an offset b.

    **Aliasing.** Harmonics beyond the Nyquist frequency fold back. There are two remedies, which can be combined:
    ``"adaa1"`` and ``"adaa2"`` apply the curve to lines between samples, or triangles of three, by its antiderivatives
    (:func:`~grafx.processors.core.antialiasing.antialiased`), and ``oversampling`` applies it at a higher rate.
    Antiderivatives attenuate the highest octave (−2.4 or −7.3 dB at 10 kHz, at 44.1 kHz, but −0.6 or −1.5 dB at twice
    that rate); oversampling preserves it up to 0.45 of the sample rate. The guide on waveshaping measures both.

    **Latency.** ``"adaa1"`` delays by half a sample, or less if oversampled, and has no latency. The other options look
    ahead, so that the output is aligned with the input offline, and late by ``latency_samples`` in a stream: 1 for
    ``"adaa2"``, and about 70 if oversampled.

    The control ``offset`` is b.

    Raw parameters:
        log_drive ``(B, 1)``: p, natural logarithm of the gain before.
        bias ``(B, 1)``: b.
        log_post_gain ``(B, 1)``: q, natural logarithm of the gain after.

    Args:
        shape: ``"hard"``, ``"cubic"``, ``"tanh"``, ``"arctan"``, ``"tube"``, ``"sine_fold"`` or ``"triangle_fold"``.
        antialiasing: None, ``"adaa1"`` or ``"adaa2"``.
        oversampling: 1, 2, 4 or 8 times the sample rate.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unsupported option value.

    References:
        Parker, Zavalishin and Le Bivic, "Reducing the aliasing of nonlinear waveshaping using continuous-time
        convolution", DAFx 2016; Bilbao, Esqueda, Parker and Välimäki, "Antiderivative antialiasing for memoryless
        nonlinearities", IEEE Signal Processing Letters 24(7), 2017.
    """

    def __init__(
        self,
        shape: Shape = "tanh",
        antialiasing: Literal["adaa1", "adaa2"] | None = None,
        oversampling: int = 1,
        *,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        check_option("shape", shape, tuple(WAVESHAPES))
        check_option("antialiasing", antialiasing, tuple(ORDERS))
        latency = 1 if antialiasing == "adaa2" else 0
        super().__init__(oversampling, latency, sample_rate=sample_rate, param_range=param_range)
        self.shape, self.antialiasing = shape, antialiasing

    def parameter_size(self) -> ParameterSize:
        return {"log_drive": 1, "bias": 1, "log_post_gain": 1}

    def declare_controls(self) -> list[Control]:
        return [DRIVE, Control("offset", -1, 1, 0.0, "bias"), POST_GAIN]

    def forward(self, input_signals: Tensor, log_drive: Tensor, bias: Tensor, log_post_gain: Tensor) -> Tensor:
        """Distort ``(B, C, L)`` signals.

        Args:
            input_signals: ``(B, C, L)``.
            log_drive, bias, log_post_gain: ``(B, 1)``.

        Returns:
            ``(B, C, L)``.
        """
        drive, post_gain = (safe_exp(gain).unsqueeze(-1) for gain in (log_drive, log_post_gain))
        if self.antialiasing is None and self.oversampling == 1:
            return distort(input_signals, drive, bias.unsqueeze(-1), post_gain, self.shape)
        return self._run(partial(self._distort, drive, bias.unsqueeze(-1)), input_signals) * post_gain

    def tail_samples(self, log_drive: Tensor, bias: Tensor, log_post_gain: Tensor) -> int:
        return max(self.latency_samples, ORDERS[self.antialiasing])

    def _distort(self, drive: Tensor, bias: Tensor, u: Tensor) -> Tensor:
        curve, order = WAVESHAPES[self.shape].curve, ORDERS[self.antialiasing]
        v = torch.addcmul(bias, with_past(u, order), drive)
        return (antialiased(v, self.shape, order) if order else curve(v)) - curve(bias)


class SplineDistortion(_Oversampled):
    r"""Distortion by a learned monotonic curve.

    .. math:: y = e^q f(e^p u)

    f is a monotonic rational-quadratic spline over [−1, 1], through f(0) = 0, continued as a straight line. Its K bins
    have the width 2/K. In each of them it rises by r, from a slope d₀ to d₁:

    .. math:: f = f_0 + \frac{r\,(s t^2 + d_0\,t (1 - t))}{s + (d_0 + d_1 - 2 s)\,t (1 - t)}, \quad
        s = \frac{K r}{2}, \quad 0 \le t \le 1

    where s and d are exponentials of raw parameters, so that raw zeros make it the identity. Its slope is continuous
    and positive: the distortion is invertible.

    Controls: ``bin_gain_db`` is s of K bins, ``knot_gain_db`` d at K + 1 knots.

    Raw parameters:
        log_drive ``(B, 1)``: p, natural logarithm of the gain before.
        log_bin_gain ``(B, K)``: ln s; beyond ±5 it is bounded to ±7.5.
        log_knot_gain ``(B, K + 1)``: ln d, likewise.
        log_post_gain ``(B, 1)``: q, natural logarithm of the gain after.

    Args:
        num_bins: K, an even number.
        oversampling: 1, 2, 4 or 8 times the sample rate, against aliasing.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: ``num_bins`` is odd or less than 2, or the oversampling is unsupported.

    References:
        Gregory and Delbourgo, "Piecewise rational quadratic interpolation to monotonic data", IMA Journal of Numerical
        Analysis 2(2), 1982; Durkan, Bekasov, Murray and Papamakarios, "Neural spline flows", NeurIPS 2019.
    """

    def __init__(
        self,
        num_bins: int = 8,
        oversampling: int = 1,
        *,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        super().__init__(oversampling, sample_rate=sample_rate, param_range=param_range)
        if num_bins < 2 or num_bins % 2:
            raise ParameterError(f"num_bins must be even, so that one knot is at 0, and at least 2, not {num_bins}.")
        self.num_bins = num_bins

    def parameter_size(self) -> ParameterSize:
        bins = self.num_bins
        return {"log_drive": 1, "log_bin_gain": bins, "log_knot_gain": bins + 1, "log_post_gain": 1}

    def declare_controls(self) -> list[Control]:
        gains = [db(f"{name}_gain_db", -36, 12, 0.0, f"log_{name}_gain") for name in ("bin", "knot")]
        return [DRIVE, *gains, POST_GAIN]

    def forward(
        self,
        input_signals: Tensor,
        log_drive: Tensor,
        log_bin_gain: Tensor,
        log_knot_gain: Tensor,
        log_post_gain: Tensor,
    ) -> Tensor:
        """Distort ``(B, C, L)`` signals.

        Args:
            input_signals: ``(B, C, L)``.
            log_drive: ``(B, 1)``.
            log_bin_gain: ``(B, K)``.
            log_knot_gain: ``(B, K + 1)``.
            log_post_gain: ``(B, 1)``.

        Returns:
            ``(B, C, L)``.
        """
        mean, slopes = (torch.exp(soft_bound(gain, *SLOPE_BOUNDS)) for gain in (log_bin_gain, log_knot_gain))
        rises = mean * (2 / self.num_bins)
        drive, post_gain = (safe_exp(gain).unsqueeze(-1) for gain in (log_drive, log_post_gain))
        # Gains are between the oversampling filters, whose past keeps the gain that it had.
        return self._run(lambda u: post_gain * rational_quadratic(drive * u, rises, slopes), input_signals)

    def tail_samples(
        self, log_drive: Tensor, log_bin_gain: Tensor, log_knot_gain: Tensor, log_post_gain: Tensor
    ) -> int:
        return self.latency_samples


class BitCrusher(Processor):
    r"""Bit crusher: reduction of bit depth and sample rate.

    .. math:: y[n] = q \left\lfloor \frac{u[m]}{q} + \frac12 \right\rfloor, \quad q = 2^{1 - b}, \quad
        m = \left\lceil \left\lfloor \frac{n}{h} \right\rfloor h \right\rceil

    b bits have 2ᵇ⁻¹ steps from 0 to 1, without clipping. Each sample is held for h samples, where h need not be an
    integer; values within the rounding of single precision count as integers. h is in samples, so its duration depends
    on the sample rate. Both alias by design.

    Neither has a useful slope, so gradients are estimates: rounding is straight-through for the signal, the step size
    gets the gradient of the rounding error, and h that of the delay it causes, estimated as if all samples were held
    for the elapsed part of h.

    Controls: ``bits`` is b, also between integers; ``downsampling`` is h.

    Raw parameters:
        z_bits ``(B, 1)``: b = 24 σ(z), 12 at 0.
        log_downsampling ``(B, 1)``: h = 1 + exp.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    References:
        Bengio, Léonard and Courville, "Estimating or propagating gradients through stochastic neurons for conditional
        computation", 2013; Esser et al., "Learned step size quantization", ICLR 2020.
    """

    latency_samples = 0

    def parameter_size(self) -> ParameterSize:
        return {"z_bits": 1, "log_downsampling": 1}

    def declare_controls(self) -> list[Control]:
        return [
            Control("bits", 1, 16, 8.0, "z_bits", map=BITS),
            Control("downsampling", 1, 100, 1.0, "log_downsampling", scale="log", map=RATIO),
        ]

    def forward(self, input_signals: Tensor, z_bits: Tensor, log_downsampling: Tensor) -> Tensor:
        """Crush ``(B, C, L)`` signals.

        Args:
            input_signals: ``(B, C, L)``.
            z_bits, log_downsampling: ``(B, 1)``.

        Returns:
            ``(B, C, L)``.
        """
        held = hold(input_signals, _duration(log_downsampling).squeeze(-1))
        step = torch.exp2(1 - whole_if_nearly(BITS.to_physical(z_bits))).unsqueeze(-1)
        return quantize(held, step)

    def tail_samples(self, z_bits: Tensor, log_downsampling: Tensor) -> int:
        return math.ceil(_duration(log_downsampling.detach()).max()) if log_downsampling.numel() else 0


def _duration(log_downsampling: Tensor) -> Tensor:
    return whole_if_nearly(RATIO.to_physical(soft_bound(log_downsampling)))
