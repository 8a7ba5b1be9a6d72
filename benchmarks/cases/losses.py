"""Losses of mixes: ours, and those of auraloss over left, right, mid and side."""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .songs import read_song

if TYPE_CHECKING:
    from torch import Tensor

FFT_SIZES = (512, 1024, 4096)
MEL: dict[str, Any] = {"scale": "mel", "n_bins": 64}


def auraloss_of(rate: int, **options: Any) -> Callable[["Tensor", "Tensor"], "Tensor"]:
    """Make the mean of a multi-resolution STFT loss over left, right, mid and side.

    Args:
        rate: Sample rate.
        **options: Of the loss; by default 64 mel bands.
    """
    import torch
    from auraloss.freq import MultiResolutionSTFTLoss

    sizes, hops = list(FFT_SIZES), [size // 4 for size in FFT_SIZES]
    distance = MultiResolutionSTFTLoss(sizes, hops, sizes, sample_rate=rate, **(options or MEL))

    def signals(stereo: "Tensor") -> "Tensor":
        left, right = stereo
        return torch.stack([left, right, (left + right) / 2, (left - right) / 2])[:, None, None]

    def mean(estimate: "Tensor", target: "Tensor") -> "Tensor":
        pairs = zip(signals(estimate), signals(target), strict=True)
        return torch.stack([distance(one, other) for one, other in pairs]).mean()

    return mean


def losses(song: str | None, seconds: float) -> Callable[[], dict[str, Any]]:
    """Compare our loss with auraloss's in mel bands, and with that of all bins, on mixes that are more or less spoiled.

    Returns:
        A function to run, which returns a list for each loss, in the order of the mixes, their ``names``, and how many
            of them are ``rebalanced``, which come first.
    """
    import torch

    from grafx.search import MatchLoss

    given = read_song(song, seconds)
    stems, mix = torch.from_numpy(given.stems), torch.from_numpy(given.mix)
    match_loss, gain = MatchLoss(given.rate), given.gain
    others = {"mel": auraloss_of(given.rate), "linear": auraloss_of(given.rate, scale=None)}

    def run() -> dict[str, Any]:
        found: dict[str, list[Any]] = {"names": [], "ours": [], "mel": [], "linear": []}
        with torch.no_grad():
            target = match_loss.reference(mix, gain)
            first, then = list(rebalanced(stems, mix)), damaged(mix)
            for name, estimate in [*first, *then]:
                found["names"].append(name)
                found["ours"].append(match_loss(estimate, target).item())
                for other, distance in others.items():
                    found[other].append(distance(gain * estimate, gain * mix).item())
        return {**found, "rebalanced": len(first)}

    return run


def rebalanced(stems: "Tensor", mix: "Tensor") -> Iterator[tuple[str, "Tensor"]]:
    """Yield names and mixes: the plain sum, others between it and the mix, and the mix with other levels."""
    import torch

    plain = stems.sum(0)
    yield "plain sum", plain
    for share in (0.5, 0.2, 0.1, 0.05):
        yield f"{share:.0%} of the plain sum", share * plain + (1 - share) * mix
    for decibels in (1, 3, 6):
        factor = 10 ** (decibels / 20)
        for index, stem in enumerate(stems):
            yield f"stem {index + 1} {decibels} dB louder", mix + (factor - 1) * stem
        yield f"{decibels} dB to one side", mix * torch.tensor([[math.sqrt(factor)], [1 / math.sqrt(factor)]])


def damaged(mix: "Tensor") -> Iterator[tuple[str, "Tensor"]]:
    """Yield names and mixes: with noise, clipped, and dull."""
    import torch

    noise = torch.randn(mix.shape, generator=torch.Generator().manual_seed(0)) * mix.square().mean().sqrt()
    for decibels in (60, 40, 20):
        yield f"noise at −{decibels} dB", mix + 10 ** (-decibels / 20) * noise
    for decibels in (3, 6, 12):
        peak = float(mix.abs().max()) * 10 ** (-decibels / 20)
        yield f"clipped by {decibels} dB", mix.clamp(-peak, peak)
    for taps in (3, 9, 31):
        kernel = torch.full((1, 1, taps), 1 / taps)
        yield f"mean of {taps} samples", torch.nn.functional.conv1d(mix[:, None], kernel, padding=taps // 2)[:, 0]
