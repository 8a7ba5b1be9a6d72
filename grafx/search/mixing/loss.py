"""Distance of a mix from the target."""

import math
from typing import Any, NamedTuple

import torch
import torch.nn as nn
from torch import Tensor

from ...errors import AudioError
from ...processors.core.filterbank import TriangularFilterBank, equal_steps
from ...processors.core.mel_distance import (
    Bands,
    Target,
    band_magnitudes,
    bands_of,
    mel_distances,
    stereo_spectra,
)
from ...processors.core.precision import wide
from ..arguments import whole_rate
from ..conditions import usual_torch
from ..loudness import reference_gain

REFERENCE_RATE = 48000
FFT_SIZES = (512, 1024, 4096)
NUM_MEL_BANDS = 64
SILENCE = 1e-8  # −80 dB


class Reference(NamedTuple):
    """A target prepared for many comparisons.

    Attributes:
        gain: Factor that brings it to −14 LUFS.
        num_samples: Its length.
        targets: Its spectrograms, for each resolution.
        norms: ``(resolutions, 4)``, those of the spectrograms.
    """

    gain: float
    num_samples: int
    targets: list[Target]
    norms: Tensor


class MatchLoss(nn.Module):
    r"""Multi-resolution mel-spectrogram distance over left, right, mid and side.

    For each of the four signals and each FFT size it is

    .. math:: \frac{\lVert M - \hat M \rVert}{\lVert M \rVert} + \mathrm{mean}\, |\log M - \log \hat M|

    where M are magnitudes in 64 mel bands; averaged over FFT sizes, then over signals. It is
    the value of ``auraloss.freq.MultiResolutionSTFTLoss`` with frames of 512, 1024 and 4096 samples up to 48 kHz, twice
    that up to 96 kHz and so on, half up to 24 kHz, and hops of a quarter.

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
        # Frames shorter than half would leave mel bands empty, whose logarithm turns the loss into NaN.
        scale = 2.0 ** max(-1, math.ceil(math.log2(sample_rate / REFERENCE_RATE)))
        self.sizes = [int(size * scale) for size in FFT_SIZES]
        with usual_torch():
            self.resolutions = [mel_bands(size, self.sample_rate) for size in self.sizes]
        self.min_samples = max(self.sizes)

    def forward(self, estimate: Tensor, target: Tensor | Reference, gain: float | None = None) -> Tensor:
        """Compute the distance of an estimate from a target.

        Args:
            estimate: A mix, ``(2, samples)``, or several, ``(N, 2, samples)``.
            target: The reference, ``(2, samples)``, or what :meth:`reference` made of it, which saves its transforms.
            gain: Factor that brings the target to −14 LUFS; measured by default. For an excerpt, use that of the whole
                song, so that soft parts count as soft. A prepared target has its own.

        Returns:
            A scalar, or ``(N,)``.
        """
        if isinstance(target, Reference):
            self._check(estimate, (2, target.num_samples))
        else:
            self._check(estimate, _shape(target))
            target = self.reference(target, gain)
        rows = estimate.reshape(-1, *estimate.shape[-2:])
        distances = wide(rows.new_zeros(len(rows), 4))
        for one, bands, norms in zip(target.targets, self._resolutions(rows, target.gain), target.norms, strict=True):
            squares, logs = mel_distances(rows, one, bands).unbind(-1)
            away = squares > 0
            norm = torch.where(away, squares, 1).sqrt() * away  # whose slope is 0 at 0
            distances = distances + norm / norms + logs / (one.magnitudes.shape[1] * one.magnitudes.shape[3])
        means = distances.mean(-1) / len(self.resolutions)
        return means.reshape(estimate.shape[:-2]).to(estimate.dtype)

    @torch.no_grad()
    def reference(self, target: Tensor, gain: float | None = None) -> Reference:
        """Prepare a target for many comparisons.

        Args:
            target: ``(2, samples)``.
            gain: As in :meth:`forward`.

        Returns:
            What :meth:`forward` takes in its place, for estimates of its length on its device. For each second at
            44.1 kHz it holds 0.6 MB or, if one of the four signals is silent, 2.7 MB.
        """
        self._check(target, _shape(target))
        gain = reference_gain(target, self.sample_rate) if gain is None else gain
        energy = _left_right_mid_side(target).square().sum(-1)
        silent, loudest = (energy <= SILENCE * energy.max())[None], int(energy.argmax())
        targets, norms = [], []
        for bands in self._resolutions(target, gain):
            spectra = stereo_spectra(target[None], bands.window, bands.hop)
            carrier = _left_right_mid_side(spectra[0].transpose(0, 1))[loudest][None]
            carrier = carrier if silent.any() else carrier[:, :0]
            magnitudes = band_magnitudes(target[None], bands, carrier, silent)
            targets.append(Target(magnitudes, carrier, silent))
            norms.append(wide(magnitudes[0]).square().sum((0, 2)).sqrt())
        return Reference(gain, target.shape[-1], targets, torch.stack(norms))

    def _resolutions(self, like: Tensor, gain: float) -> list[Bands]:
        """Those of the device of a signal, with windows that amplify."""
        if self.resolutions[0].window.device != like.device:
            self.resolutions = [
                Bands(window.to(like.device), hop, *(values.to(like.device) for values in of_bins))
                for window, hop, *of_bins in self.resolutions
            ]
        return [bands._replace(window=bands.window * gain) for bands in self.resolutions]

    def _check(self, estimate: Any, wanted: tuple[int, ...]) -> None:
        shape = _shape(estimate)
        if shape[-2:] != wanted or len(shape) not in (2, 3) or len(wanted) != 2 or wanted[0] != 2:
            raise AudioError(f"Mixes of one shape (2, samples) are compared, not {shape} with {wanted}.")
        if wanted[1] <= self.min_samples // 2:
            raise AudioError(f"Mixes are compared from {self.min_samples // 2 + 1} samples on, not {wanted[1]}.")
        if estimate.dtype != torch.float32:
            raise AudioError(f"Mixes of float32 are compared, not {estimate.dtype}: convert them.")


def _shape(signal: Any) -> tuple[int, ...]:
    return tuple(getattr(signal, "shape", ()))


def mel_bands(size: int, sample_rate: int) -> Bands:
    """Make mel bands of equal area on Slaney's scale, for Hann windows with hops of a quarter.

    Args:
        size: Samples of a frame.
        sample_rate: In Hz.
    """
    matrix = TriangularFilterBank.compute_matrix(
        size // 2 + 1, NUM_MEL_BANDS, "mel_slaney", 0.0, None, sample_rate, low_half_triangle=False
    )
    knots = equal_steps("mel_slaney", 0.0, sample_rate / 2, NUM_MEL_BANDS + 2)
    area = torch.from_numpy(2 / (knots[2:] - knots[:-2]))
    return bands_of((matrix * area).T.float(), torch.hann_window(size), size // 4)


def _left_right_mid_side(stereo: Tensor) -> Tensor:
    left, right = stereo
    return torch.stack([left, right, (left + right) / 2, (left - right) / 2])
