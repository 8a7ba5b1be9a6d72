"""Distance of a mix from the target."""

import atexit
import importlib
import math
import shutil
import tempfile
from types import ModuleType

import torch
import torch.nn as nn
from torch import Tensor

from ...errors import AudioError
from ..arguments import whole_rate
from ..conditions import usual_torch
from ..loudness import reference_gain

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

    The distance does not depend on level: one factor brings both mixes to the level at which the target has −14 LUFS,
    typical of released music. It is a constant for gradients.

    A signal that is silent in the target, such as the side of a mono mix, has no reference scale; it is compared after
    adding the loudest of the target's four signals to both.

    Args:
        sample_rate: In Hz.

    Raises:
        AudioError: The sample rate is not a positive number, or the mixes are not stereo signals of one length.

    References:
        Yamamoto et al., "Parallel WaveGAN", ICASSP 2020; Steinmetz and Reiss, "auraloss", DMRN+15, 2020; left, right,
        mid and side as in Lee et al., "Searching for music mixing graphs: a pruning approach", DAFx 2024.
    """

    @torch.inference_mode(False)  # so that the module can be used in training
    def __init__(self, sample_rate: int):
        super().__init__()
        self.sample_rate = whole_rate(sample_rate)
        stft_loss = _auraloss().MultiResolutionSTFTLoss

        # Frames shorter than half would leave mel bands empty, whose logarithm turns the loss into NaN.
        scale = 2.0 ** max(-1, math.ceil(math.log2(sample_rate / REFERENCE_RATE)))
        sizes = [int(size * scale) for size in FFT_SIZES]
        with usual_torch():
            self.distance = stft_loss(
                fft_sizes=sizes,
                hop_sizes=[size // 4 for size in sizes],
                win_lengths=sizes,
                scale="mel",
                n_bins=NUM_MEL_BANDS,
                sample_rate=self.sample_rate,
            )
        self.min_samples = max(sizes)

    def forward(self, estimate: Tensor, target: Tensor, gain: float | None = None) -> Tensor:
        """Compute the distance of an estimate from a target, both ``(2, samples)``.

        Args:
            estimate: A mix.
            target: The reference.
            gain: Factor that brings the target to −14 LUFS; measured by default. For an excerpt, use that of the whole
                song, so that soft parts count as soft.
        """
        self._check(estimate, target)
        gain = reference_gain(target, self.sample_rate) if gain is None else gain
        estimate, target = gain * estimate, gain * target
        estimate, target = _left_right_mid_side(estimate), _left_right_mid_side(target)
        energy = target.square().sum(-1, keepdim=True)
        silent = energy <= SILENCE * energy.max()
        if silent.any():
            carrier = target[energy.argmax()] * silent
            estimate, target = estimate + carrier, target + carrier
        # One at a time: auraloss takes norms over a whole batch, in which the side would hardly count.
        distances = [self.distance(*pair) for pair in zip(estimate.split(1), target.split(1), strict=True)]
        return torch.stack(distances).mean()

    def _check(self, estimate: Tensor, target: Tensor) -> None:
        shapes = [tuple(getattr(signal, "shape", ())) for signal in (estimate, target)]
        if shapes[0] != shapes[1] or len(shapes[0]) != 2 or shapes[0][0] != 2:
            raise AudioError(f"Mixes of one shape (2, samples) are compared, not {shapes[0]} with {shapes[1]}.")
        if shapes[0][1] <= self.min_samples // 2:
            raise AudioError(f"Mixes are compared from {self.min_samples // 2 + 1} samples on, not {shapes[0][1]}.")
        if not (estimate.dtype == target.dtype == torch.float32):
            raise AudioError(f"Mixes of float32 are compared, not {estimate.dtype} with {target.dtype}: convert them.")


def _auraloss() -> ModuleType:
    """Import auraloss.freq, which is slow and needed by a search only.

    librosa, its source of filters, needs a folder for the numba cache; a temporary one is used if no other is writable.
    """
    try:
        importlib.import_module("librosa.filters")
    except RuntimeError:
        folder = tempfile.mkdtemp(prefix="grafx-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        numba = importlib.import_module("numba")
        before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, folder
        try:
            importlib.import_module("librosa.filters")
        finally:
            numba.config.CACHE_DIR = before
    return importlib.import_module("auraloss.freq")


def _left_right_mid_side(stereo: Tensor) -> Tensor:
    left, right = stereo
    return torch.stack([left, right, (left + right) / 2, (left - right) / 2]).unsqueeze(1)
