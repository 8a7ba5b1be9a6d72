"""Curves of equalizers in closed form, from spectrograms."""

import numpy as np
import torch
from torch import Tensor

from ...processors.core.filterbank import TriangularFilterBank, equal_steps

NUM_BANDS = 40
SIZE = 4096  # samples of a frame
PULL = 0.05  # towards a flat curve, relative to what the sound says
FLOOR = 1e-3  # relative to the mean of a band, below which a frame says little
LOWEST, HIGHEST = 1e-3, 1e3  # of a gain of powers
KNEE = 20.0  # Hz, from which on the scale of frequencies is logarithmic


def nearest_curves(stems: Tensor, mix: Tensor, log_gains: Tensor, sample_rate: float) -> tuple[Tensor, Tensor]:
    r"""Compute for each stem the curve with which its powers add up to nearly those of the mix, band by band.

    .. math:: \min_{a \ge 0} \sum_t w_t^2 \Big( P_t - \sum_k a_k g_k^2 S_{kt} \Big)^2 + \lambda \sum_k (a_k - 1)^2

    over frames of both channels, with weights :math:`w_t = P_t^{-1/2}` between loudness and its logarithm.

    Args:
        stems: ``(K, 2, L)``.
        mix: ``(2, L)``.
        log_gains: ``(K, 2)``, the ln of g, that curves are relative to.
        sample_rate: In Hz.

    Returns:
        The centres of the bands in Hz, ``(B,)``, and the ln of magnitudes, ``(K, B)``.
    """
    from scipy.optimize import nnls

    size = min(SIZE, 2 ** int(np.log2(mix.shape[-1])))
    bank = TriangularFilterBank.compute_matrix(size // 2 + 1, NUM_BANDS, "mel_slaney", 0.0, None, sample_rate, False)
    amplified = stems * log_gains.exp().unsqueeze(-1)
    sources, target = _band_powers(amplified, bank.T, size).numpy(), _band_powers(mix, bank.T, size).numpy()
    curves = []
    for band in range(NUM_BANDS):
        rows, wanted = sources[:, :, band].reshape(len(stems), -1).T, target[:, band].reshape(-1)
        weight = (np.maximum(wanted, rows.sum(1)) + FLOOR * wanted.mean() + 1e-30) ** -0.5
        rows, wanted = rows * weight[:, None], wanted * weight
        pull = np.sqrt(PULL * (np.square(rows).sum(0) + 1e-30))
        solution, _ = nnls(np.vstack([rows, np.diag(pull)]), np.concatenate([wanted, pull]))
        curves.append(0.5 * np.log(solution.clip(LOWEST, HIGHEST)))
    centres = equal_steps("mel_slaney", 0.0, sample_rate / 2, NUM_BANDS + 2)[1:-1]
    return torch.from_numpy(centres), torch.tensor(np.array(curves)).T.to(stems.dtype)


def at_bins(centres: Tensor, curve: Tensor, hertz: Tensor) -> Tensor:
    """Interpolate a curve ``(B,)`` over the logarithm of frequency."""
    scale = [np.log(frequency.numpy() + KNEE) for frequency in (hertz, centres)]
    return torch.from_numpy(np.interp(scale[0], scale[1], curve.numpy())).to(curve.dtype)


def _band_powers(signals: Tensor, bank: Tensor, size: int) -> Tensor:
    """Compute ``(…, bands, frames)`` of ``(…, L)``."""
    return (bank @ power_spectrogram(signals.flatten(0, -2), size)).unflatten(0, signals.shape[:-1])


def power_spectrogram(signals: Tensor, size: int) -> Tensor:
    """Compute ``(…, bins, frames)`` of ``(…, L)`` in float64, with at most one leading axis."""
    window = torch.hann_window(size, dtype=torch.float64)
    return torch.stft(signals.double(), size, size // 4, window=window, return_complex=True).abs().square()
