"""Design and scaling of finite impulse responses."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from .bounds import safe_exp, soft_bound
from .constants import Constants
from .filterbank import TriangularFilterBank
from .fourier import irfft
from .windows import Window, get_window


class ZeroPhaseFIR(Constants):
    r"""Symmetric filters from their log magnitudes, by frequency sampling.

    .. math:: h_n = w_n \frac{1}{2K-1} \sum_{k=-(K-1)}^{K-1} e^{m_{|k|}} \cos\frac{2\pi k (n - K + 1)}{2K - 1}

    The response has 2K − 1 taps, and its time origin is the middle one. Magnitudes belong to the frequencies
    f_s k / (2K − 1): the last one lies just below the Nyquist frequency.

    Args:
        num_magnitude_bins: K, at least 1.
        window: the window w, see :func:`get_window`.
        window_kwargs: its arguments, such as ``{"beta": 8.0}`` for ``"kaiser"``.
        **more_window_kwargs: the same, one by one.

    Raises:
        ParameterError: there is no such window, or not with these arguments, or it is a tensor of another length.
    """

    window: Tensor

    def __init__(
        self,
        num_magnitude_bins: int = 1024,
        window: Window = "hann",
        window_kwargs: Mapping[str, Any] | None = None,
        **more_window_kwargs,
    ):
        super().__init__()
        self.num_taps = 2 * num_magnitude_bins - 1
        # Kept in float64, so that float64 designs are exact too.
        window = get_window(window, self.num_taps, **(window_kwargs or {}), **more_window_kwargs)
        self.register_constant("window", window)

    def frequencies(self, sample_rate: float) -> tuple[float, ...]:
        """The K frequencies of the magnitudes, in Hz."""
        return tuple(sample_rate * k / self.num_taps for k in range(self.num_taps // 2 + 1))

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
        return _from_magnitude(magnitude, self.num_taps, self.window)


class ZeroPhaseFilterBankFIR(nn.Module):
    r"""Symmetric filters from the log magnitudes of overlapping frequency bands.

    .. math:: m_k = \sqrt{\textstyle\sum_j W_{kj}\, e^{2 l_j} + \epsilon}

    are the magnitudes from which :class:`ZeroPhaseFIR` makes the response, where W is the matrix of a
    :class:`~grafx.processors.core.filterbank.TriangularFilterBank`: energies of bands are added up. Without a filter
    bank it is a :class:`ZeroPhaseFIR`.

    Args:
        num_frequency_bins: K, the number of magnitudes.
        use_filterbank: give the magnitudes of bands, not of frequencies.
        filterbank_kwargs: arguments of the filter bank besides the first.
        window: see :class:`ZeroPhaseFIR`.
        window_kwargs: see :class:`ZeroPhaseFIR`.
        eps: ε > 0, which keeps the slope of the root finite where no band reaches.
    """

    def __init__(
        self,
        num_frequency_bins: int = 1024,
        use_filterbank: bool = False,
        filterbank_kwargs: Mapping[str, Any] | None = None,
        window: Window = "hann",
        window_kwargs: Mapping[str, Any] | None = None,
        eps: float = 1e-7,
    ):
        super().__init__()
        bank = TriangularFilterBank(num_frequency_bins, **(filterbank_kwargs or {})) if use_filterbank else None
        self.filterbank = bank
        self.num_magnitudes = num_frequency_bins if bank is None else bank.num_filters
        self.fir = ZeroPhaseFIR(num_frequency_bins, window, window_kwargs)
        self.eps = eps

    def forward(self, log_magnitude: Tensor) -> Tensor:
        """Design filters.

        Args:
            log_magnitude: natural logarithms ``(…, J)`` of the magnitudes of J bands; ``(…, K)`` without a filter bank.

        Returns:
            ``(…, 2K − 1)`` taps.
        """
        if self.filterbank is None:
            return self.fir(log_magnitude)
        energy = torch.exp(2 * soft_bound(log_magnitude))
        return self.fir.from_magnitude(torch.sqrt(self.filterbank(energy) + self.eps))


def log_magnitude_to_zerophase_fir(log_magnitude: Tensor, fir_len: int, window: Tensor | None = None) -> Tensor:
    """Symmetric filters of any length from log magnitudes, as :class:`ZeroPhaseFIR` makes them.

    Args:
        log_magnitude: natural logarithms ``(…, K)`` at the frequencies f_s k / N; from ⌊N/2⌋ + 1 on they are left out,
            and those that lack are −∞.
        fir_len: N, the number of taps. The time origin is the tap ⌊N/2⌋.
        window: ``(N,)``, what the taps are multiplied by.

    Returns:
        ``(…, N)`` taps.
    """
    return _from_magnitude(safe_exp(log_magnitude), fir_len, window)


def _from_magnitude(magnitude: Tensor, num_taps: int, window: Tensor | None) -> Tensor:
    h = irfft(magnitude, num_taps).roll(num_taps // 2, dims=-1)
    return h if window is None else h * window.to(h)


def normalize_impulse(ir: Tensor, eps: float = 1e-12) -> Tensor:
    r"""Scale impulse responses to unit energy, averaged over their channels.

    .. math:: \tilde h = h \Big/ \sqrt{\frac{1}{C} \sum_{c, n} h_{c, n}^2}

    Silence stays silent.

    Args:
        ir: ``(B, C, N)``.
        eps: what is added to the energy of a response whose largest sample is 1.

    Returns:
        ``(B, C, N)``.
    """
    # The result does not depend on the level, so a constant may bring the squares into range.
    ir = ir / ir.detach().abs().amax((1, 2), keepdim=True).clamp(min=1e-20)
    energy = ir.square().sum(-1, keepdim=True).mean(1, keepdim=True)
    return ir * (energy + eps).rsqrt()
