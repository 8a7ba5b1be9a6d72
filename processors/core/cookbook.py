r"""Second-order filters of the Audio EQ Cookbook.

Each function takes angular frequencies :math:`\omega_0` in radians per sample between 0 and π, inverse quality factors
1/Q and, where it has a gain, its square root A (the filter's gain is A², 40 log₁₀ A dB), all positive and of shapes
that broadcast. It returns the numerator b and the denominator a, ``(…, 3)``. With :math:`c = \cos\omega_0` and
:math:`\alpha = \sin(\omega_0) / 2Q`, all but the shelves have the poles of

.. math:: a = (1 + \alpha,\; -2c,\; 1 - \alpha)

References:
    Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients", W3C Note, 2021 (first 1998).
"""

import math

import torch
from torch import Tensor

from .bounds import soft_bound, soft_bound_sum
from .precision import wide

Coefficients = tuple[Tensor, Tensor]


def low_pass(w0: Tensor, q_inv: Tensor) -> Coefficients:
    r"""Low-pass with the gain 1 at zero frequency and Q at ω₀: :math:`b = \frac{1 - c}{2}\,(1, 2, 1)`."""
    alpha = _alpha(w0, q_inv)
    level = torch.sin(w0 / 2).square().expand_as(alpha)
    return _stack(level, 2 * level, level), _resonance(w0, alpha)


def high_pass(w0: Tensor, q_inv: Tensor) -> Coefficients:
    r"""High-pass with the gain 1 at the Nyquist frequency and Q at ω₀: :math:`b = \frac{1 + c}{2}\,(1, -2, 1)`."""
    alpha = _alpha(w0, q_inv)
    level = torch.cos(w0 / 2).square().expand_as(alpha)
    return _stack(level, -2 * level, level), _resonance(w0, alpha)


def band_pass(w0: Tensor, q_inv: Tensor) -> Coefficients:
    r"""Band-pass with the gain 1 at ω₀ for any Q ("constant 0 dB peak gain"): :math:`b = (\alpha, 0, -\alpha)`."""
    alpha = _alpha(w0, q_inv)
    return _stack(alpha, torch.zeros_like(alpha), -alpha), _resonance(w0, alpha)


def notch(w0: Tensor, q_inv: Tensor) -> Coefficients:
    """Band-reject with the gain 0 at ω₀: :math:`b = (1, -2c, 1)`."""
    alpha = _alpha(w0, q_inv)
    return _resonance(w0, torch.zeros_like(alpha)), _resonance(w0, alpha)


def all_pass(w0: Tensor, q_inv: Tensor) -> Coefficients:
    r"""All-pass with half a turn at ω₀: :math:`b = (1 - \alpha,\; -2c,\; 1 + \alpha)`."""
    a = _resonance(w0, _alpha(w0, q_inv))
    return a.flip(-1), a


def peak(w0: Tensor, q_inv: Tensor, gain: Tensor) -> Coefficients:
    r"""Peaking filter with the gain A² at ω₀: α becomes αA in b and α/A in a."""
    alpha = _alpha(w0, q_inv)
    return _resonance(w0, alpha * gain), _resonance(w0, alpha / gain)


def high_shelf(w0: Tensor, q_inv: Tensor, gain: Tensor) -> Coefficients:
    r"""High shelf with the gain A² at the Nyquist frequency, 1 at zero frequency, A at ω₀.

    .. math::
        b = \bigl(& A + 1 + (A - 1)\,c + 2 \sqrt{A}\,\alpha, \\
        & -2\,(A - 1 + (A + 1)\,c), \\
        & A + 1 + (A - 1)\,c - 2 \sqrt{A}\,\alpha\bigr)

    and a is the same with 1/A in place of A.
    """
    return _shelf(w0, q_inv, gain), _shelf(w0, q_inv, 1 / gain)


def low_shelf(w0: Tensor, q_inv: Tensor, gain: Tensor) -> Coefficients:
    """Low shelf with the gain A² at zero frequency, 1 at Nyquist, A at ω₀: A² times the high shelf of 1/A."""
    b, a = high_shelf(w0, q_inv, 1 / gain)
    return gain.square().unsqueeze(-1) * b, a


def bilinear(c2: Tensor, c1: Tensor, c0: Tensor, G: Tensor | float) -> Tensor:
    """Compute the polynomial in 1/z of c₂ s² + c₁ s + c₀, times (G (1 + 1/z))², where G s is (1 − 1/z)/(1 + 1/z).

    Args:
        c2: Of shape ``(…)``, which broadcasts.
        c1: Likewise.
        c0: Likewise.
        G: tan(ω/2) of the angle ω that s = j maps to.

    Returns:
        ``(…, 3)``.
    """
    high, band, low = torch.broadcast_tensors(c2, c1 * G, c0 * G**2)
    return torch.stack([high + band + low, 2 * (low - high), high - band + low], -1)


def from_raw(w0: Tensor, q_inv: Tensor, log_gain: Tensor | None = None) -> tuple[Tensor, ...]:
    r"""Convert unconstrained parameters to the arguments of the formulas, in double precision.

    .. math:: \omega_0 = \pi\,\sigma(\tilde\omega), \quad 1/Q = e^{\tilde q}, \quad A = e^{\tilde g}

    To keep poles safely inside the unit circle and outputs finite, extreme values are bounded softly,
    see :func:`~grafx.processors.core.bounds.soft_bound`: :math:`\tilde\omega` beyond ±9 (2.7 Hz at 44.1 kHz),
    :math:`\tilde q` beyond ±8 (Q = 3000 or 1/3000), :math:`\tilde g` beyond ±5 (±87 dB), and gains of sections in
    series that add up to more than 260 dB, see :func:`~grafx.processors.core.bounds.soft_bound_sum`.

    Args:
        w0: :math:`\tilde\omega`, of shape ``(…, K)``.
        q_inv: :math:`\tilde q`, likewise.
        log_gain: :math:`\tilde g`, likewise, of K sections in series; ``None`` for filters without a gain.

    Returns:
        ω₀, 1/Q and, if there is a gain, A.
    """
    w0 = math.pi * torch.sigmoid(soft_bound(wide(w0), 9, 2))
    q_inv = torch.exp(soft_bound(wide(q_inv), 8, 4))
    if log_gain is None:
        return w0, q_inv
    return w0, q_inv, torch.exp(soft_bound_sum(soft_bound(wide(log_gain), 5, 5), 15, 5))


def from_cosine(cos_w0: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the arguments ω₀ and 1/Q of the formulas from cos ω₀ and α."""
    w0 = torch.acos(cos_w0)
    return w0, 2 * alpha / torch.sin(w0).clamp(min=torch.finfo(w0.dtype).tiny)


def _alpha(w0: Tensor, q_inv: Tensor) -> Tensor:
    return torch.sin(w0) * q_inv / 2


def _resonance(w0: Tensor, alpha: Tensor) -> Tensor:
    return _stack(1 + alpha, -2 * torch.cos(w0), 1 - alpha)


def _shelf(w0: Tensor, q_inv: Tensor, gain: Tensor) -> Tensor:
    c, edge = torch.cos(w0), 2 * gain.sqrt() * _alpha(w0, q_inv)
    mean = gain + 1 + (gain - 1) * c
    return _stack(mean + edge, -2 * (gain - 1 + (gain + 1) * c), mean - edge)


def _stack(*coefficients: Tensor) -> Tensor:
    return torch.stack(torch.broadcast_tensors(*coefficients), -1)
