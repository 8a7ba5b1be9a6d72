"""Design and scaling of finite impulse responses."""

import scipy.signal
import torch
import torch.nn as nn
from torch import Tensor

from .bounds import safe_exp


class ZeroPhaseFIR(nn.Module):
    r"""Symmetric filters from their log magnitudes, by frequency sampling.

    .. math:: h_n = w_n \frac{1}{2K-1} \sum_{k=-(K-1)}^{K-1} e^{m_{|k|}} \cos\frac{2\pi k (n - K + 1)}{2K - 1}

    The response has 2K − 1 taps, and its time origin is the middle one. Magnitudes belong to the frequencies
    f_s k / (2K − 1): the last one lies just below the Nyquist frequency.

    Args:
        num_magnitude_bins: K, at least 1.
        window: a window of ``scipy.signal.get_window`` (name, or tuple of name and arguments) in its periodic form.
    """

    def __init__(self, num_magnitude_bins: int, window: str | tuple = "hann"):
        super().__init__()
        self.num_taps = 2 * num_magnitude_bins - 1
        # Kept in float64, so that float64 designs are exact too.
        window = torch.from_numpy(scipy.signal.get_window(window, self.num_taps))
        self.register_buffer("window", window, persistent=False)

    def forward(self, log_magnitude: Tensor) -> Tensor:
        """Design filters.

        Args:
            log_magnitude: natural logarithms ``(…, K)``.

        Returns:
            ``(…, 2K − 1)`` taps.
        """
        return self.from_magnitude(safe_exp(log_magnitude))

    def from_magnitude(self, magnitude: Tensor) -> Tensor:
        """Design filters from linear magnitudes ``(…, K)``."""
        h = torch.fft.irfft(magnitude, n=self.num_taps).roll(self.num_taps // 2, dims=-1)
        return h * self.window.to(h.dtype)


def normalize_impulse(h: Tensor) -> Tensor:
    r"""Scale impulse responses to unit energy, averaged over their channels.

    .. math:: \tilde h = h \Big/ \sqrt{\frac{1}{C} \sum_{c, n} h_{c, n}^2}

    Silence stays silent.

    Args:
        h: ``(B, C, N)``.

    Returns:
        ``(B, C, N)``.
    """
    # The result does not depend on the level, so a constant may bring the squares into range.
    h = h / h.detach().abs().amax((1, 2), keepdim=True).clamp(min=1e-20)
    energy = h.square().sum(-1, keepdim=True).mean(1, keepdim=True)
    return h * (energy + 1e-12).rsqrt()
