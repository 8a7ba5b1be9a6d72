"""Energy of a frequency band."""

import torch
from torch import Tensor

from . import butterworth
from .gain import mean_square
from .state_variable import biquads


def band_energy(bands: Tensor, w0: Tensor) -> Tensor:
    r"""Compute the energy of band-passed signals, without the ripple of a squared sine.

    .. math:: e[n] = \tfrac{1}{2} \left(x[n]^2 + (a * x)[n]^2\right), \quad A(s) = \frac{1 - s}{1 + s}

    averaged over channels. The allpass filter a shifts the phase by a quarter at its frequency ω₀. So a sine of that
    frequency has the constant energy of half its squared amplitude, and an envelope follower with a fast attack tracks
    it without bias. At other frequencies the ripple is less than that of :math:`x^2`, around the same mean.

    Args:
        bands: x, ``(B, C, L)``.
        w0: ω₀, the centre of the band, in radians per sample, ``(B, 1)``.

    Returns:
        ``(B, L)``.
    """
    turn = torch.cat(butterworth.all_pass(w0, 1), -1)
    quarter = biquads(bands, turn)
    return 0.5 * (mean_square(bands) + mean_square(quarter))
