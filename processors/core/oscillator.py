r"""Waveforms of oscillators over their phase θ in cycles.

The four basic waveforms are between −1 and 1. Sine, triangle and square begin like a sine at phase 0, rising from 0; a
saw jumps from 1 down to −1 there, and rises in between. Their Fourier series, for
:class:`~grafx.processors.core.wavetable.Wavetable`, are

.. math::
    \text{sine} = \sin 2\pi\theta, \quad
    \text{saw} = -\frac{2}{\pi} \sum_{k \ge 1} \frac{\sin 2\pi k \theta}{k}, \quad
    \text{square} = \frac{4}{\pi} \sum_{k \text{ odd}} \frac{\sin 2\pi k \theta}{k}, \quad
    \text{triangle} = \frac{8}{\pi^2} \sum_{k \text{ odd}} \frac{\sin(\pi k / 2) \sin 2\pi k \theta}{k^2}
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .maps import Map, sigmoid

NARROWEST = 1e-12  # cycles that a jump takes at a frequency of 0
BELOW_ZERO = 0.01  # Hz, for 0 to have a finite raw value


def sine_series(num_harmonics: int) -> Tensor:
    """Compute Fourier coefficients ``(K + 1,)`` of a sine, see :class:`~grafx.processors.core.wavetable.Wavetable`."""
    return torch.where(torch.arange(num_harmonics + 1) == 1, -1j, 0)


def saw_series(num_harmonics: int) -> Tensor:
    """Compute Fourier coefficients ``(K + 1,)`` of a rising saw."""
    k = torch.arange(num_harmonics + 1, dtype=torch.float64)
    return torch.where(k > 0, 2j / (math.pi * k.clamp(min=1)), 0)


def square_series(num_harmonics: int) -> Tensor:
    """Compute Fourier coefficients ``(K + 1,)`` of a square wave."""
    return -2 * (torch.arange(num_harmonics + 1) % 2) * saw_series(num_harmonics)


def triangle_series(num_harmonics: int) -> Tensor:
    """Compute Fourier coefficients ``(K + 1,)`` of a triangle."""
    k = torch.arange(num_harmonics + 1, dtype=torch.float64)
    signs = (k % 2) * (2 - k % 4)
    return -8j * signs / (math.pi * k.clamp(min=1)).square()


def sine(phase: Tensor) -> Tensor:
    """Evaluate a sine."""
    return torch.sin(2 * math.pi * phase)


def triangle(phase: Tensor) -> Tensor:
    """Evaluate a triangle that is not band-limited, for low frequencies."""
    return 4 * ((phase + 0.75).remainder(1) - 0.5).abs() - 1


def rounded_saw(phase: Tensor, increment: Tensor) -> Tensor:
    r"""Evaluate a saw for low frequencies, whose jumps take two samples.

    Within a sample of a jump, quadratic polynomials connect both sides. So the values stay within −1 and 1, and the
    output is a continuous, differentiable function of phase and increment.

    Args:
        phase: θ in cycles, of any shape.
        increment: Cycles per sample, which broadcasts with it.

    References:
        Välimäki and Huovilainen, "Antialiasing oscillators in subtractive synthesis", IEEE Signal Processing Magazine
        24(2), 2007.
    """
    turn = phase.remainder(1)
    return 2 * turn - 1 - _rounding(turn, increment)


def rounded_square(phase: Tensor, increment: Tensor) -> Tensor:
    """Evaluate a square wave for low frequencies, whose jumps take two samples, see :func:`rounded_saw`."""
    turn = phase.remainder(1)
    level = torch.where(turn < 0.5, torch.ones_like(turn), -1)
    return level + _rounding(turn, increment) - _rounding((turn + 0.5).remainder(1), increment)


def _rounding(turn: Tensor, increment: Tensor) -> Tensor:
    """Correction that turns a jump from −1 to 1 at the phase 0 into a smooth step."""
    width = increment.abs().clamp(NARROWEST, 0.5)
    return F.relu(1 - (1 - turn) / width).square() - F.relu(1 - turn / width).square()


def pitch(sample_rate: float, reference: float) -> Map:
    r"""Make a map to Hz: f = (f_s/2 + ε) σ(z + b) − ε, with a reference frequency at z = 0 and ε = 0.01 Hz.

    At low frequencies, f doubles when z grows by ln 2, and f is always below half the sample rate. 0 Hz is a finite z.
    """
    to_raw, to_physical = sigmoid(-BELOW_ZERO, sample_rate / 2)
    middle = math.log((reference + BELOW_ZERO) / (sample_rate / 2 - reference))
    return Map(lambda hertz: to_raw(hertz) - middle, lambda raw: to_physical(raw + middle))
