"""Design and scaling of finite impulse responses."""

import numpy as np
import scipy.signal
import torch
import torch.nn as nn
from torch import Tensor

from ..errors import ParameterError
from .bounds import safe_exp, soft_bound
from .constants import Constants
from .filterbank import TriangularFilterBank


class ZeroPhaseFIR(Constants):
    r"""Symmetric filters from their log magnitudes, by frequency sampling.

    .. math:: h_n = w_n \frac{1}{2K-1} \sum_{k=-(K-1)}^{K-1} e^{m_{|k|}} \cos\frac{2\pi k (n - K + 1)}{2K - 1}

    The response has 2K − 1 taps, and its time origin is the middle one. Magnitudes belong to the frequencies
    f_s k / (2K − 1): the last one lies just below the Nyquist frequency.

    Args:
        num_magnitude_bins: K, at least 1.
        window: a window of ``scipy.signal.get_window`` (name, or tuple of name and arguments) in its periodic form.
        window_kwargs: arguments of the function in ``scipy.signal.windows`` that ``window`` names, such as
            ``{"beta": 8.0}`` for ``"kaiser"``.

    Raises:
        ParameterError: scipy knows no such window, or not with these arguments.
    """

    def __init__(self, num_magnitude_bins: int, window: str | tuple = "hann", window_kwargs: dict | None = None):
        super().__init__()
        self.num_taps = 2 * num_magnitude_bins - 1
        # Kept in float64, so that float64 designs are exact too.
        window = torch.from_numpy(_window(window, window_kwargs or {}, self.num_taps))
        self.register_constant("window", window)

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


class ZeroPhaseFilterBankFIR(nn.Module):
    r"""Symmetric filters from the log magnitudes of overlapping frequency bands.

    .. math:: m_k = \sqrt{\textstyle\sum_j W_{kj}\, e^{2 l_j} + \epsilon}

    are the magnitudes from which :class:`ZeroPhaseFIR` makes the response, where W is the matrix of a
    :class:`~grafx.processors.core.filterbank.TriangularFilterBank`: energies of bands are added up.

    Args:
        num_frequency_bins: K, the number of magnitudes.
        filterbank_kwargs: arguments of the filter bank besides the first.
        window: see :class:`ZeroPhaseFIR`.
        window_kwargs: see :class:`ZeroPhaseFIR`.
        eps: ε > 0, which keeps the slope of the root finite where no band reaches.
    """

    def __init__(
        self,
        num_frequency_bins: int,
        filterbank_kwargs: dict | None = None,
        window: str | tuple = "hann",
        window_kwargs: dict | None = None,
        eps: float = 1e-7,
    ):
        super().__init__()
        self.filterbank = TriangularFilterBank(num_frequency_bins, **(filterbank_kwargs or {}))
        self.fir = ZeroPhaseFIR(num_frequency_bins, window, window_kwargs)
        self.eps = eps

    def forward(self, log_magnitude: Tensor) -> Tensor:
        """Design filters.

        Args:
            log_magnitude: natural logarithms ``(…, J)`` of the magnitudes of J bands.

        Returns:
            ``(…, 2K − 1)`` taps.
        """
        energy = torch.exp(2 * soft_bound(log_magnitude))
        return self.fir.from_magnitude(torch.sqrt(self.filterbank(energy) + self.eps))


def _window(name: str | tuple, kwargs: dict, num_taps: int) -> np.ndarray:
    try:
        if kwargs:
            return getattr(scipy.signal.windows, name)(num_taps, sym=False, **kwargs)
        return scipy.signal.get_window(name, num_taps)
    except (AttributeError, TypeError, ValueError) as error:
        arguments = f" with {kwargs}" if kwargs else ""
        raise ParameterError(f"scipy.signal.windows has no window {name!r}{arguments}: {error}") from None


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
