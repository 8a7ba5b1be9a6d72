"""How far a mix is from the one to be matched."""

import math

import torch
import torch.nn as nn
from torch import Tensor

REFERENCE_RATE = 48000
FFT_SIZES = (512, 1024, 4096)
NUM_MEL_BANDS = 64
SILENCE = 1e-8  # −80 dB


class MatchLoss(nn.Module):
    r"""Multi-resolution mel-spectrogram distance over left, right, mid and side.

    For each of the four signals and each FFT size it is

    .. math:: \frac{\lVert M - \hat M \rVert}{\lVert M \rVert} + \mathrm{mean}\, |\log M - \log \hat M|

    where M are magnitudes in 64 mel bands; averaged over FFT sizes, then over signals. It is
    :class:`auraloss.freq.MultiResolutionSTFTLoss` with frames of 512, 1024 and 4096 samples up to 48 kHz, twice that
    up to 96 kHz and so on, half up to 24 kHz, and hops of a quarter.

    A signal that is silent in the target, as the side of a mono mix is, has no scale to measure against; it is compared
    after adding the loudest of the target's four signals to both.

    Args:
        sample_rate: In Hz.

    Source:
        Yamamoto et al., "Parallel WaveGAN", ICASSP 2020; Steinmetz and Reiss, "auraloss", DMRN+15, 2020; left, right,
        mid and side as in Lee et al., "Searching for music mixing graphs: a pruning approach", DAFx 2024.
    """

    @torch.inference_mode(False)  # so that what is made can be trained with later
    def __init__(self, sample_rate: int):
        super().__init__()
        # auraloss is heavy to import and only a search needs it.
        from auraloss.freq import MultiResolutionSTFTLoss

        # Shorter frames than half would leave mel bands empty, whose logarithm turns the loss into NaN.
        scale = 2.0 ** max(-1, math.ceil(math.log2(sample_rate / REFERENCE_RATE)))
        sizes = [int(size * scale) for size in FFT_SIZES]
        self.distance = MultiResolutionSTFTLoss(
            fft_sizes=sizes,
            hop_sizes=[size // 4 for size in sizes],
            win_lengths=sizes,
            scale="mel",
            n_bins=NUM_MEL_BANDS,
            sample_rate=sample_rate,
        )
        self.min_samples = max(sizes)

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        """The distance of an estimate to a target, both ``(2, samples)``."""
        estimate, target = _left_right_mid_side(estimate), _left_right_mid_side(target)
        energy = target.square().sum(-1, keepdim=True)
        silent = energy <= SILENCE * energy.max()
        if silent.any():
            carrier = target[energy.argmax()] * silent
            estimate, target = estimate + carrier, target + carrier
        # One at a time: auraloss takes the norms over a whole batch, in which the side would hardly count.
        distances = [self.distance(*pair) for pair in zip(estimate.split(1), target.split(1), strict=True)]
        return torch.stack(distances).mean()


def _left_right_mid_side(stereo: Tensor) -> Tensor:
    left, right = stereo
    return torch.stack([left, right, (left + right) / 2, (left - right) / 2]).unsqueeze(1)
