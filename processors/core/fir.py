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
    r"""Design of symmetric filters from log magnitudes, by frequency sampling.

    .. math:: h_n = w_n \frac{1}{2K-1} \sum_{k=-(K-1)}^{K-1} e^{m_{|k|}} \cos\frac{2\pi k (n - K + 1)}{2K - 1}

    The response has 2K − 1 taps, and its time origin is the middle one. Magnitudes are at the frequencies
    f_s k / (2K − 1): the last one is just below the Nyquist frequency.

    Args:
        num_magnitude_bins: K, at least 1.
        window: Window w, see :func:`get_window`.
        window_kwargs: Its arguments, such as ``{"beta": 8.0}`` for ``"kaiser"``.
        **more_window_kwargs: The same as keywords.

    Raises:
        ParameterError: An unknown window or wrong arguments of it, or a tensor of another length.
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
        # Kept in float64, for exact float64 designs.
        window = get_window(window, self.num_taps, **(window_kwargs or {}), **more_window_kwargs)
        self.register_constant("window", window)

    def frequencies(self, sample_rate: float) -> tuple[float, ...]:
        """The K frequencies of the magnitudes, in Hz."""
        return tuple(sample_rate * k / self.num_taps for k in range(self.num_taps // 2 + 1))

    def forward(self, log_magnitude: Tensor) -> Tensor:
        """Design filters.

        Args:
            log_magnitude: Natural logarithms ``(…, K)``.

        Returns:
            ``(…, 2K − 1)`` taps.
        """
        return self.from_magnitude(safe_exp(log_magnitude))

    def from_magnitude(self, magnitude: Tensor) -> Tensor:
        """Design filters from linear magnitudes ``(…, K)``."""
        return _from_magnitude(magnitude, self.num_taps, self.window)


class ZeroPhaseFilterBankFIR(nn.Module):
    r"""Design of symmetric filters from the log magnitudes of overlapping frequency bands.

    .. math:: m_k = \sqrt{\textstyle\sum_j W_{kj}\, e^{2 l_j} + \epsilon}

    are the magnitudes for :class:`ZeroPhaseFIR`, where W is the matrix of a
    :class:`~grafx.processors.core.filterbank.TriangularFilterBank`: energies of bands are added. Without a filter bank
    it is a :class:`ZeroPhaseFIR`.

    Args:
        num_frequency_bins: K, the number of magnitudes.
        use_filterbank: Parametrize the magnitudes of bands, not of frequencies.
        filterbank_kwargs: Arguments of the filter bank except the first.
        window: See :class:`ZeroPhaseFIR`.
        window_kwargs: See :class:`ZeroPhaseFIR`.
        eps: ε > 0, for a finite derivative of the root at frequencies outside all bands.
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
            log_magnitude: Natural logarithms ``(…, J)`` of the magnitudes of J bands; ``(…, K)`` without a filter bank.

        Returns:
            ``(…, 2K − 1)`` taps.
        """
        if self.filterbank is None:
            return self.fir(log_magnitude)
        energy = torch.exp(2 * soft_bound(log_magnitude))
        return self.fir.from_magnitude(torch.sqrt(self.filterbank(energy) + self.eps))


def log_magnitude_to_zerophase_fir(log_magnitude: Tensor, fir_len: int, window: Tensor | None = None) -> Tensor:
    """Design symmetric filters of any length from log magnitudes, as in :class:`ZeroPhaseFIR`.

    Args:
        log_magnitude: Natural logarithms ``(…, K)`` at the frequencies f_s k / N; those from ⌊N/2⌋ + 1 on are ignored,
            and missing ones are −∞.
        fir_len: N, the number of taps. The time origin is the tap ⌊N/2⌋.
        window: ``(N,)``, factors of the taps.

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
        eps: Added to the energy of a response whose largest sample is 1.

    Returns:
        ``(B, C, N)``.
    """
    # The result does not depend on the level, so a constant factor can avoid overflow of the squares.
    ir = ir / ir.detach().abs().amax((1, 2), keepdim=True).clamp(min=1e-20)
    energy = ir.square().sum(-1, keepdim=True).mean(1, keepdim=True)
    return ir * (energy + eps).rsqrt()
