"""How far a mix is from the one to be matched."""

import math
import warnings

import torch
import torch.nn as nn
from torch import Tensor

REFERENCE_RATE = 44100
FFT_SIZES = (512, 1024, 4096)
NUM_MEL_BANDS = 64
SILENCE = 1e-8  # −80 dB


class MatchLoss(nn.Module):
    """Multi-resolution mel-spectrogram distance over left, right, mid and side.

    For each of the four signals and each FFT size, spectral convergence ‖M − M̂‖ / ‖M‖ plus the mean of
    |log M − log M̂|, where M are magnitudes in 64 mel bands; averaged over FFT sizes, then over signals. It is
    :class:`auraloss.freq.MultiResolutionSTFTLoss` with frames of 512, 1024 and 4096 samples at 44.1 kHz (the power of
    two nearest to the same duration at other rates) and hops of a quarter.

    A signal that is silent in the target, as the side of a mono mix is, has no scale to measure against; it is compared
    after adding the loudest of the target's four signals to both.

    Args:
        sample_rate: In Hz.

    Source:
        Yamamoto et al., "Parallel WaveGAN", ICASSP 2020; Steinmetz and Reiss, "auraloss", DMRN+15, 2020; left, right,
        mid and side as in Lee et al., "Searching for music mixing graphs: a pruning approach", DAFx 2024.
    """

    def __init__(self, sample_rate: int):
        super().__init__()
        # auraloss is heavy to import and only a search needs it.
        from auraloss.freq import MultiResolutionSTFTLoss

        scale = 2 ** round(math.log2(sample_rate / REFERENCE_RATE))
        sizes = [int(size * scale) for size in FFT_SIZES]
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an empty mel band would turn the loss into NaN
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
        return self.distance(estimate, target)


def _left_right_mid_side(stereo: Tensor) -> Tensor:
    left, right = stereo
    return torch.stack([left, right, (left + right) / 2, (left - right) / 2]).unsqueeze(1)
