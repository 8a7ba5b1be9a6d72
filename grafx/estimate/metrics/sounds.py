"""How far two sounds are apart."""

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ...errors import AudioError
from ...search import MatchLoss
from ...search.arguments import whole_rate
from ...search.loudness import loudness

LARGEST = 100.0
"""dB up to which a ratio to the distortion is given, since that of equal sounds has no end."""
TINY = 1e-30


@torch.no_grad()
def sound_distances(truth: Tensor, estimate: Tensor, sample_rate: float) -> dict[str, float]:
    r"""Compare the sound of an estimate with the true one.

    ===================  ==========================================================================================
    ``"mel"``            Multi-resolution mel-spectrogram distance of left, right, mid and side,
                         :class:`~grafx.search.MatchLoss`: from 0 (equal) to ∞, typically some 0.3 for what is close
                         and more than 1 for what is not. It is relative to the truth.
    ``"loudness_db"``    :math:`|L - \hat L|` of the integrated loudness in LUFS: from 0 to ∞. Symmetric.
    ``"si_sdr_db"``      Scale-invariant signal-to-distortion ratio,
                         :math:`10 \log_{10} \lVert \alpha s \rVert^2 / \lVert \alpha s - \hat s \rVert^2` with
                         :math:`\alpha = \langle s, \hat s \rangle / \lVert s \rVert^2` over both channels: from −100
                         (nothing in common) to 100 (equal, but for a factor). Symmetric.
    ===================  ==========================================================================================

    The first two hear a change of level, the third one does not; it hears phases, as of a delay by a sample, which the
    first do not.

    Args:
        truth: ``(C, L)``, mono or stereo; mono counts as two equal channels.
        estimate: ``(C, L)``.
        sample_rate: In Hz, a whole number from 1000 on.

    Raises:
        AudioError: One is no such signal, is silent, or holds NaN or infinity; or they are not of one shape.

    References:
        Yamamoto et al., "Parallel WaveGAN", ICASSP 2020; Recommendation ITU-R BS.1770-5, 2023; Le Roux et al.,
        "SDR – half-baked or well done?", ICASSP 2019.
    """
    rate = whole_rate(sample_rate)
    _check("truth", truth)
    _check("estimate", estimate)
    if truth.shape != estimate.shape:
        differ = "channels" if truth.shape[0] != estimate.shape[0] else "samples"
        raise AudioError(
            f"The truth has the shape {tuple(truth.shape)} and the estimate {tuple(estimate.shape)} (channels,"
            f" samples): give two sounds of as many {differ}, by {_REMEDIES[differ]}."
        )
    s, e = (signal.detach().cpu().double() for signal in (truth, estimate))
    levels = [loudness(signal.expand(2, -1), rate) for signal in (s, e)]
    return {"mel": _mel(s, e, rate), "loudness_db": abs(levels[0] - levels[1]), "si_sdr_db": _si_sdr(s, e)}


_REMEDIES = {
    "channels": "signal.expand(2, -1) for what is mono",
    "samples": "cutting the longer one, or padding the other with zeros",
}


def _check(name: str, signal: Any) -> None:
    if not isinstance(signal, Tensor) or not signal.is_floating_point():
        raise AudioError(f"The {name} must be a tensor of floating-point samples, not {signal!r:.80}.")
    if signal.ndim != 2 or signal.shape[0] not in (1, 2) or not signal.numel():
        raise AudioError(f"The {name} must be mono or stereo, (1 or 2, samples), not {tuple(signal.shape)}.")
    if not signal.isfinite().all():
        raise AudioError(f"The {name} holds NaN or infinity.")
    if not signal.any():
        raise AudioError(f"The {name} is silent, which is no distance from any sound: leave it out.")


@lru_cache(maxsize=4)
def _loss(sample_rate: int) -> MatchLoss:
    return MatchLoss(sample_rate)


def _mel(truth: Tensor, estimate: Tensor, sample_rate: int) -> float:
    """The distance in single precision, of sounds that silence follows up to the length of a frame."""
    loss = _loss(sample_rate)
    missing = max(0, loss.min_samples - truth.shape[-1])
    peak = truth.abs().max()  # MatchLoss does not depend on level, but single precision does
    signals = [torch.nn.functional.pad(signal / peak, (0, missing)).expand(2, -1) for signal in (truth, estimate)]
    return loss(signals[1].float(), signals[0].float()).item()


def _si_sdr(truth: Tensor, estimate: Tensor) -> float:
    s, e = truth / truth.norm(), estimate / estimate.norm()
    cosine = float((s * e).sum()) ** 2  # of the angle, squared: the power of what is in common
    rest = float((e - (s * e).sum() * s).square().sum())
    decibels = 10 * math.log10(max(cosine, TINY) / max(rest, TINY))
    return min(max(decibels, -LARGEST), LARGEST)
