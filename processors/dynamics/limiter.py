"""Limiter, optionally with look-ahead."""

from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..base import ParameterError
from ..controls import ParamRange
from ..core.bounds import clip
from ..core.envelope import MAX_ALPHA, carry_on, coefficients, truncated_onepole
from ..core.gain import peak_square
from ..core.gain_curve import Curve
from ..core.knees import hard_knee
from ..core.recursion import Coefficient, ballistics
from ..core.sliding import sliding_maximum
from ..core.streaming import in_blocks, with_past
from .base import Knee, Raw, compression, threshold
from .desk import Desk

RANGES = {
    "threshold_db": (-60, 0, -6.0),
    "ratio": (20, 100, 100.0),
    "knee_db": (0, 1, 0.5),
    "attack_ms": (0.1, 1, 0.5),
    "release_ms": (5, 500, 50.0),
    "smoothing_ms": (0.1, 500, 1.0),
    "makeup_db": (-12, 12, 0.0),
}


class Limiter(Desk):
    r"""Peak limiter: a compressor of high ratio and fast attack that follows the loudest channel.

    With e the largest energy of all channels, smoothed, the level is G = ln(e + 10⁻¹³), the threshold
    T = ``log_threshold`` − 6, the ratio R = 1 + exp(``log_ratio``) and W = exp(``log_knee``). The output is
    exp(g + ``log_makeup``)·u with

    .. math::
        g = \frac12 \left(\frac{1}{R} - 1\right) \cdot \begin{cases}
            \max(0, G - T) & \text{hard} \\
            (G - T + W/2)^2 / 2W \text{ for } |G - T| \le W/2, \text{ else the same} & \text{quadratic} \\
            \ln\left(1 + e^{W (G - T)}\right) / W & \text{exponential}
        \end{cases}

    The factor ½ converts logarithms of energies to those of amplitudes, so that the ratio is the effective one. Since
    smoothing takes time, the first peaks exceed the threshold.

    With ``lookahead_ms`` none does. The gain is at most that of infinite ratio, min(g, −max(0, G − T)/2). The energy is
    the maximum of the current and the next N samples, so it rises at once, N samples early, and falls with the release.
    The log gain is then smoothed by a response (1 − α)αᵏ/(1 − αᴺ⁺¹) of N + 1 samples, where α is the coefficient of the
    attack: a mean of gains each of which is sufficient. So no sample of the output exceeds threshold + makeup, up to
    rounding. Offline the output is not delayed, so it depends on future inputs: ``causal`` is false, and in a stream
    the latency is N, ``latency_samples``. With a sidechain this refers to its signal.

    Controls: ``threshold_db``, ``ratio``, ``knee_db``, ``attack_ms``, ``release_ms`` and ``makeup_db``, defined as in
    :class:`Compressor`. With an exponential knee, W is exp(``knee_db``) per decibel.

    Raw parameters: ``log_threshold``, ``log_ratio``, ``log_knee``: 1 each, natural logarithms of energies and ratios;
    a hard knee ignores the latter. ``z_alpha_pre``: logits of the coefficients of attack and release, 2; or
    of that of the IIR filter, 1. ``log_makeup``: 1, ln of an amplitude.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        knee_type: ``"hard"``, ``"quadratic"`` or ``"exponential"``.
        smooth_type: ``"ballistics"``, or ``"iir"`` with the control ``smoothing_ms``.
        lookahead_ms: How far to look ahead, 0 or more milliseconds.
        makeup: Whether there is a makeup gain.
        sidechain: Whether a second inlet ``"sidechain"``, with channels of its own number, drives the gain. In a graph
            it reads silence while nothing is connected.

    Attributes:
        latency_samples: N, how many samples it looks ahead.

    Raises:
        ParameterError: An unsupported option value, or look-ahead with an IIR filter, which cannot hold a peak.

    References:
        D. Giannoulis, M. Massberg, J. D. Reiss, "Digital dynamic range compressor design — a tutorial and
        analysis", JAES 60(6), 2012. P. Hämäläinen, "Smoothing of the control signal without clipped output in digital
        peak limiters", DAFx 2002.
    """

    ranges = RANGES
    detector = staticmethod(peak_square)

    def __init__(
        self,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        knee_type: Knee = "quadratic",
        smooth_type: Literal["ballistics", "iir"] = "ballistics",
        *,
        lookahead_ms: float = 0.0,
        makeup: bool = True,
        sidechain: bool = False,
    ) -> None:
        super().__init__(sample_rate, param_range, knee_type, smooth_type, makeup=makeup, sidechain=sidechain)
        if not lookahead_ms >= 0:
            raise ParameterError(f"lookahead_ms must be 0 or more milliseconds, not {lookahead_ms!r}.")
        if lookahead_ms and smooth_type == "iir":
            raise ParameterError("lookahead_ms needs smooth_type='ballistics': an IIR filter does not keep peaks.")
        self.lookahead_ms = lookahead_ms
        self.latency_samples = round(lookahead_ms * sample_rate / 1000)

    def gain(self, key: Tensor, raw: Raw) -> Tensor:
        if not self.lookahead_ms:
            return super().gain(key, raw)
        ahead = self.latency_samples
        energy = self.detector(key)
        attack, release = coefficients(raw["z_alpha_pre"], energy)
        # The gain begins to fall before the first sample.
        coming = energy if in_blocks() else F.pad(energy, (0, ahead))
        past = with_past(coming, ahead) if in_blocks() else F.pad(coming, (ahead, 0))
        peaks = carry_on(partial(_fall, release), sliding_maximum(past, ahead + 1))
        level, bound = self.level(peaks), threshold(raw)
        wall = hard_knee(level, bound, torch.full_like(bound, -0.5))
        log_gain = torch.minimum(self.log_gain(level, bound, raw), wall)
        attack = clip(attack, high=MAX_ALPHA)
        mean = truncated_onepole(log_gain, attack, ahead + 1) / (1 - attack ** (ahead + 1)).unsqueeze(-1).to(log_gain)
        return (mean if in_blocks() else mean[..., ahead:]).exp()

    def static_curve(self, raw: Raw) -> Curve:
        return self.curve(0.5 * compression(raw), raw)


def _fall(release: Coefficient, u: Tensor, initial: Coefficient) -> Tensor:
    """Rise instantly, and fall with the release."""
    return ballistics(u, 0.0, release, initial)
