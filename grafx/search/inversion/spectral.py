"""Spectral distance of each of many sounds from one target."""

import math
from collections.abc import Sequence

import torch
import torch.nn as nn
from torch import Tensor

from ...errors import AudioError
from ..arguments import HIGHEST_RATE, LOWEST_RATE, number, tensor, whole_number
from ..conditions import in_usual_torch

REFERENCE_RATE = 48000
FRAMES = (256, 1024, 4096)
NUM_BANDS = 40
LOWEST_HZ = 30.0
FLOOR = 1e-2  # −40 dB relative to the loudest band of the target
SMOOTH = 1e-10


class SpectralLoss(nn.Module):
    r"""Multi-resolution spectral distance of each of many sounds to one target.

    For each frame size it is the sum of the spectral convergence and of a mean difference of logarithms:

    .. math:: \frac{\lVert M - \hat M \rVert}{\lVert M \rVert}
        + \mathrm{mean}\,\bigl|\log (M + \varepsilon) - \log (\hat M + \varepsilon)\bigr|,
        \quad \varepsilon = 10^{-2} \max M

    where M are magnitudes of the short-time Fourier transform of the target, in mel bands, averaged over frame sizes.
    The distance of two silences is 0. ε reduces the weight of components more than 40 dB below the loudest, which are
    masked.

    Args:
        target: ``(channels, samples)``, not silent.
        sample_rate: In Hz.
        frames: Frame sizes in samples up to 48 kHz; twice that up to 96 kHz, and so on. The hop is a quarter.
        num_bands: Number of bands. Fewer bands resolve less detail, and give a smoother distance.

    Raises:
        AudioError: The target is not a finite signal, or the sample rate is not a number from 1 kHz to 1 MHz.
        SearchError: A frame size or the number of bands is not a positive integer.

    References:
        Yamamoto et al., "Parallel WaveGAN", ICASSP 2020, with mel bands and a floor.
    """

    @in_usual_torch
    def __init__(
        self, target: Tensor, sample_rate: float, frames: Sequence[int] = FRAMES, num_bands: int = NUM_BANDS
    ) -> None:
        super().__init__()
        target = tensor("target", target, any_device=True)
        if target.ndim != 2 or not target.is_floating_point() or not target.isfinite().all():
            raise AudioError(
                f"A target is a finite floating point tensor (channels, samples), not {target.dtype} of shape"
                f" {tuple(target.shape)}{'' if target.isfinite().all() else ' with NaN or infinity'}."
            )
        sample_rate = number("sample_rate", sample_rate, LOWEST_RATE, HIGHEST_RATE, AudioError)
        frames, num_bands = (
            [whole_number("frames", size, 1) for size in frames],
            whole_number("num_bands", num_bands, 1),
        )
        scale = 2.0 ** math.ceil(math.log2(sample_rate / REFERENCE_RATE))
        self.sizes = [max(16, int(size * scale)) for size in frames]
        self.bands = [mel_bands(size, sample_rate, num_bands).to(target) for size in self.sizes]
        self.windows = [torch.hann_window(size, dtype=target.dtype, device=target.device) for size in self.sizes]
        self.targets = [self._magnitudes(target[None], i) for i in range(len(self.sizes))]

    def forward(self, estimates: Tensor) -> Tensor:
        """Compute distances ``(batch,)`` of sounds ``(batch, channels, samples)``, as long as the target."""
        return torch.stack([self._distance(estimates, i) for i in range(len(self.sizes))]).mean(0)

    def _distance(self, estimates: Tensor, index: int) -> Tensor:
        target, found = self.targets[index], self._magnitudes(estimates, index)
        floor = FLOOR * target.max()
        difference = (found - target).flatten(1)
        convergence = (difference.square().sum(1) / target.square().sum() + SMOOTH).sqrt()  # sloped at 0 too
        ratios = ((found + floor) / (target + floor)).log().abs()
        return convergence + ratios.flatten(1).mean(1)

    def _magnitudes(self, signals: Tensor, index: int) -> Tensor:
        size, window, bands = self.sizes[index], self.windows[index], self.bands[index]
        hop = size // 4
        padded = nn.functional.pad(signals, (size // 2, size // 2 + hop))
        spectrum = torch.fft.rfft(padded.unfold(-1, size, hop) * window)
        power = spectrum.real.square() + spectrum.imag.square()
        return (power @ bands + 1e-20).sqrt()


def mel_bands(size: int, sample_rate: float, num_bands: int) -> Tensor:
    """Make triangular bands ``(size // 2 + 1, bands)`` of powers, none narrower than a bin of the transform."""
    top = sample_rate / 2
    mel = torch.linspace(_mel(min(LOWEST_HZ, top / 10)), _mel(top), num_bands + 2, dtype=torch.float64)
    centers = 700 * (10 ** (mel / 2595) - 1)
    bins = torch.arange(size // 2 + 1, dtype=torch.float64) * sample_rate / size
    width = sample_rate / size
    below = (centers[1:-1] - centers[:-2]).clamp(min=width)
    above = (centers[2:] - centers[1:-1]).clamp(min=width)
    offset = bins[:, None] - centers[1:-1]
    return (1 - torch.where(offset < 0, -offset / below, offset / above)).clamp(min=0)


def _mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)
