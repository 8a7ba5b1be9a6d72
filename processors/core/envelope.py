"""Envelope followers: smoothers of energies and gains, with raw coefficients for each signal."""

from __future__ import annotations  # those within functions would be evaluated when they are compiled

from collections.abc import Callable
from functools import partial

import torch
import torch.nn as nn
from torch import Tensor

from ..errors import ParameterError
from .bounds import clip
from .precision import wide
from .recursion import Coefficient, ballistics, last_output, onepole
from .smoothed import smooth_block
from .streaming import in_blocks, once, remember

MAX_ALPHA = 1 - 1e-5


class TruncatedOnePoleIIRFilter(nn.Module):
    r"""Exponential smoothing with an impulse response of finite length.

    .. math::
        y[n] = \max\Bigl(0, \sum_{k=0}^{N-1} (1 - \alpha)\,\alpha^k\,u[n-k]\Bigr), \quad
        \alpha = \min(\sigma(z), 1 - 10^{-5})

    It is computed as one exact recursion, for any length.

    Args:
        iir_len: Length N of the impulse response, at least 1.
        flashfftconv: Accepted and ignored, since there is no convolution.
        max_input_len: Accepted and ignored.

    Raises:
        ParameterError: ``iir_len`` is less than 1.
    """

    def __init__(self, iir_len: int = 16384, flashfftconv: bool = False, max_input_len: int | None = None) -> None:
        super().__init__()
        if iir_len < 1:
            raise ParameterError(f"iir_len is the length of a response and must be at least 1, not {iir_len}.")
        self.iir_len = iir_len

    def forward(self, input_signals: Tensor, z_alpha: Tensor) -> Tensor:
        """Smooth non-negative signals, such as energies.

        Args:
            input_signals: Of shape ``(B, L)`` or ``(B, C, L)``.
            z_alpha: Logits of the coefficients α, of shape ``(B, 1)``.

        Returns:
            The smoothed signals, in the shape of ``input_signals``.
        """
        return torch.relu(self.smooth(input_signals, z_alpha))

    def compute_impulse(self, z_alpha: Tensor) -> Tensor:
        """Compute the impulse responses ``(B, N)`` of logits ``(B, 1)``."""
        alpha = torch.sigmoid(wide(z_alpha)).clamp(max=MAX_ALPHA)
        times = torch.arange(self.iir_len, dtype=alpha.dtype, device=alpha.device)
        return ((1 - alpha) * alpha**times).to(z_alpha.dtype)

    def smooth(self, input_signals: Tensor, z_alpha: Tensor) -> Tensor:
        """Smooth signals of either sign: ``forward`` without the maximum."""
        alpha, forgotten = once(self.coefficients, z_alpha)
        shape = -1, *[1] * (input_signals.ndim - 2)
        return truncated_onepole(input_signals, alpha.reshape(shape), self.iir_len, forgotten.reshape(shape))

    def coefficients(self, z_alpha: Tensor) -> tuple[Tensor, Tensor]:
        r"""Compute :math:`\alpha` and :math:`\alpha^N`, in the shape of ``z_alpha`` and in float64."""
        alpha = self.alpha(z_alpha)
        return alpha, alpha**self.iir_len

    def alpha(self, z_alpha: Tensor) -> Tensor:
        r"""Compute :math:`\alpha`, in the shape of ``z_alpha`` and in float64."""
        return clip(torch.sigmoid(z_alpha.double()), high=MAX_ALPHA)


class Ballistics(nn.Module):
    r"""Smoothing with separate attack and release coefficients.

    .. math::
        y[n] = \alpha\,y[n-1] + (1 - \alpha)\,u[n], \quad
        \alpha = \begin{cases} \sigma(z_A) & u[n] \ge y[n-1] \\ \sigma(z_R) & u[n] < y[n-1] \end{cases}

    References:
        D. Giannoulis, M. Massberg, J. D. Reiss, "Digital dynamic range compressor design — a tutorial and
        analysis", JAES 60(6), 2012.
    """

    def forward(self, input_signals: Tensor, z_alpha: Tensor, initial: Coefficient = 0.0) -> Tensor:
        """Smooth signals.

        Args:
            input_signals: Of shape ``(B, L)`` or ``(B, C, L)``.
            z_alpha: Logits of the attack and release coefficients, of shape ``(B, 2)``.
            initial: Initial state, y[−1]: 0 for an energy or a log gain, 1 for a linear gain.

        Returns:
            The smoothed signals, in the shape of ``input_signals``.
        """
        shape = -1, *[1] * (input_signals.ndim - 2)
        attack, release = (alpha.reshape(shape) for alpha in once(self.coefficients, z_alpha))
        return carry_on(partial(_ballistics, attack, release), input_signals, initial)

    def coefficients(self, z_alpha: Tensor) -> tuple[Tensor, ...]:
        """Compute those of attack and release, each ``(B, 1)``, in float64."""
        return tuple(alpha.contiguous() for alpha in self.alpha(z_alpha).split(1, -1))

    def alpha(self, z_alpha: Tensor) -> Tensor:
        """Compute the coefficients, in the shape of ``z_alpha`` and in float64."""
        return torch.sigmoid(z_alpha.double())


def truncated_onepole(u: Tensor, alpha: Tensor, taps: int, forgotten: Tensor | None = None) -> Tensor:
    """Run :func:`~grafx.processors.core.recursion.onepole` with a truncated response, on a signal or on a block.

    Args:
        u: Signals ``(..., L)``.
        alpha: Coefficients.
        taps: Length of the response.
        forgotten: Their powers by that, if known.
    """
    if not in_blocks():
        return onepole(u, alpha, taps=taps)
    forgotten = alpha**taps if forgotten is None else forgotten
    return remember(partial(smooth_block, u, alpha, forgotten, taps), "smoothed")


def carry_on(recursion: Callable[[Tensor, Coefficient], Tensor], u: Tensor, initial: Coefficient = 0.0) -> Tensor:
    """Run a recursion, whose state is its last output, on a signal or on a block.

    Args:
        recursion: Function from signals and their initial values to outputs, in the precision of the signals.
        u: Signals ``(..., L)``.
        initial: Outputs before the first sample, for the first block.

    Returns:
        Outputs ``(..., L)``.
    """
    if not in_blocks():
        return recursion(u, initial)

    def step(before: Tensor | None) -> tuple[Tensor, Tensor]:
        start = initial if before is None else before
        y = recursion(wide(u), start)  # in single precision, each block would begin with a rounding
        return y.to(u.dtype), last_output(y, start).clone()

    return remember(step, "last output")


def _ballistics(attack: Tensor, release: Coefficient, u: Tensor, initial: Coefficient) -> Tensor:
    return ballistics(u, attack, release, initial)


def coefficients(z_alpha: Tensor, signals: Tensor) -> tuple[Tensor, ...]:
    """Convert logits ``(B, K)`` to K coefficients that broadcast over the leading axes of ``(B, ..., L)`` signals.

    They are float64, since float32 has few digits of 1 − α for α close to 1.
    """
    alpha = torch.sigmoid(z_alpha.double())
    return tuple(a.reshape(-1, *[1] * (signals.ndim - 2)) for a in alpha.unbind(-1))
