"""Frequency responses of crossover networks."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..arguments import check_known
from ..errors import ParameterError
from .fourier import irfft, rfft

SCALES = {"linear": np.linspace, "log": np.geomspace}


def crossover_frequencies(num_bands: int, f_min: float, f_max: float, scale: str = "log") -> np.ndarray:
    """Compute the edges between bands of equal width on a scale.

    The range from ``f_min`` to ``f_max`` is divided into bands of equal width, and the inner edges are returned: the
    lowest band extends down to 0, and the highest above ``f_max``.

    Args:
        num_bands: K, at least 1.
        f_min: Lower end of the range in Hz, above 0.
        f_max: Upper end of the range in Hz.
        scale: ``"log"`` or ``"linear"``.

    Returns:
        K − 1 frequencies in Hz.

    Raises:
        ParameterError: An unknown scale, no bands, or a range that does not ascend.
    """
    check_known("scale", scale, SCALES)
    if num_bands < 1:
        raise ParameterError(f"num_bands must be at least 1, not {num_bands}.")
    if not 0 < f_min < f_max:
        raise ParameterError(f"The bands must range from f_min > 0 Hz up to f_max, not from {f_min} to {f_max} Hz.")
    return SCALES[scale](f_min, f_max, num_bands + 1)[1:-1]


def linkwitz_riley(
    frequencies: Sequence[float], sample_rate: float, order: int, num_samples: int, zerophase: bool = False
) -> Tensor:
    r"""Compute the frequency responses of the bands of a Linkwitz–Riley crossover network.

    At each frequency the signal is split by two cascaded Butterworth filters on either side, which halve the amplitude
    there. The part above is split further by the next frequency; the part below passes the allpass filter that both
    sides sum to at each later frequency, so that all bands stay in phase:

    .. math:: H_k = \Big(\prod_{j < k} B_{h,j}^2\Big)\, B_{l,k}^2\, \prod_{j > k} \left(B_{l,j}^2 \pm B_{h,j}^2\right)

    With ``zerophase``, magnitudes :math:`|B|^2` replace :math:`B^2`, and the bands sum to 1.

    Args:
        frequencies: K − 1 ascending frequencies in Hz, below half the sample rate.
        sample_rate: In Hz.
        order: Order of the Butterworth filters; a band falls off by twice the order times 6 dB per octave.
        num_samples: N, length of the signals for the responses.
        zerophase: Avoid phase shifts.

    Returns:
        ``(K, ⌊N/2⌋ + 1)`` complex numbers in double precision, at the frequencies of a real Fourier transform.

    Raises:
        ParameterError: An order below 1, or a frequency that is not below half the sample rate.

    References:
        Linkwitz, "Active crossover networks for noncoincident drivers", JAES 24(1), 1976; the allpass filters,
        D'Appolito, "Active realization of multiway all-pass crossover systems", JAES 35(4), 1987.
    """
    if order < 1:
        raise ParameterError(f"order is that of Butterworth filters and must be at least 1, not {order}.")
    if any(f >= sample_rate / 2 for f in frequencies):
        raise ParameterError(
            f"Crossovers at {', '.join(f'{f:g}' for f in frequencies)} Hz must lie below half the sample rate, "
            f"{sample_rate / 2:g} Hz: lower f_max or raise sr."
        )
    import scipy.signal  # it takes a second

    bins = 2 * np.pi * np.fft.rfftfreq(num_samples)
    bands = [np.ones_like(bins, dtype=complex)]
    for frequency in frequencies:
        low, high = (
            scipy.signal.sosfreqz(scipy.signal.butter(order, frequency, side, output="sos", fs=sample_rate), bins)[1]
            for side in ("lowpass", "highpass")
        )
        # Butterworth filters of an odd order are in quadrature, so their squares are in antiphase.
        low, high = (abs(low) ** 2, abs(high) ** 2) if zerophase else (low**2, (-1) ** order * high**2)
        *below, rest = bands
        bands = [*(band * (low + high) for band in below), rest * low, rest * high]
    return torch.from_numpy(np.stack(bands))


def split_bands(x: Tensor, responses: Tensor) -> Tensor:
    """Filter periodic signals into bands.

    Args:
        x: One period of signals ``(…, N)``.
        responses: ``(K, ⌊N/2⌋ + 1)``, the result of :func:`linkwitz_riley` for N.

    Returns:
        ``(…, K, N)``.
    """
    return irfft(rfft(x).unsqueeze(-2) * responses, x.shape[-1])
