"""Where stems are in a mix, from their cross-spectra with it."""

import math

import torch
from torch import Tensor

LONGEST_DELAY = 0.205  # s: 200 ms, and what equalizers add
ALIGNED = 0.0005  # s, which equalizers may delay
CLEARER = 1.5  # how far a peak stands out over those without delay, or of the other sign
LOWEST, HIGHEST = 60.0, 10000.0  # Hz, between which signals are compared
CORRELATED = 0.6  # s: frames
FRAMES = 8  # that are transformed at once
OCTAVES = (31.25, 62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)  # Hz, where they begin
OWN = 0.03  # share of the energy of a stem from which on an octave is one of its own
FEWEST_BINS = 20  # of an octave, for a share that is no chance


def frame_size(seconds: float, sample_rate: int) -> int:
    """Return the power of two of samples that is at least so long."""
    return 2 ** math.ceil(math.log2(seconds * sample_rate))


def cross_spectra(signals: Tensor, sample_rate: int) -> tuple[Tensor, int]:
    """Average over frames ``(frequencies, signals, signals)``, and their number."""
    size = min(frame_size(CORRELATED, sample_rate), 2 ** int(math.log2(signals.shape[-1] / 2)))
    frames = signals.unfold(-1, size, size // 2)
    total = torch.zeros(())
    for some in frames.split(FRAMES, 1):  # a few at once, as the spectra of all take memory
        spectra = torch.fft.rfft(some * torch.hann_window(size)).permute(2, 0, 1)
        total = total + spectra @ spectra.mH
    return total / frames.shape[1], frames.shape[1]


def peak(spectra: Tensor, index: int, num_stems: int, sample_rate: int) -> tuple[int, int, float]:
    """Find the delay of a stem in samples, the sign of its peak, and its prominence.

    The correlation is that of all frequencies, each weighted by its coherence. A delay or inversion is only reported if
    its peak clearly exceeds those without it: an echo is no delay.
    """
    powers = spectra.diagonal(dim1=1, dim2=2).real
    own = powers[:, index]
    counted = _compared(spectra, sample_rate) & (own > 1e-8 * own.max())
    correlation = torch.zeros(2 * (len(spectra) - 1))
    for channel in range(num_stems, num_stems + 2):
        coherence = spectra[:, channel, index] / (powers[:, channel] * own).clamp(min=1e-30).sqrt()
        correlation += torch.fft.irfft(coherence * counted)
    reach = min(round(LONGEST_DELAY * sample_rate), len(correlation) // 2 - 1)
    correlation = correlation.roll(reach)[: 2 * reach + 1]
    chance = correlation.square().median().sqrt().clamp(min=1e-30)
    margin = min(round(ALIGNED * sample_rate), reach)
    near = slice(reach - margin, reach + margin + 1)
    offset, within = 0, correlation
    if correlation.abs().max() < CLEARER * correlation[near].abs().max():
        offset, within = near.start, correlation[near]
    best = int(within.abs().argmax())
    if within.max() > within.abs().max() / CLEARER:
        best = int(within.argmax())
    value = within[best]
    return offset + best - reach, 1 if value >= 0 else -1, float(value.abs() / chance)


def explained_shares(spectra: Tensor, index: int, num_stems: int, sample_rate: int) -> tuple[float, float]:
    """Compute the share of energy of the mix that a stem explains beyond the other stems.

    Returns:
        That at the stem's frequencies, and that in the octave of its own where it is largest.
    """
    others = [other for other in range(num_stems) if other != index]
    without, own = _residual(spectra, others, num_stems), spectra[:, index, index].real
    share = (1 - _residual(spectra, [*others, index], num_stems) / without.clamp(min=1e-30)).clamp(0, 1)
    hertz = torch.linspace(0, sample_rate / 2, len(spectra))
    counted = _compared(spectra, sample_rate) & (own > 1e-6 * own.max())
    largest = 0.0
    for low in OCTAVES:
        octave = counted & (hertz >= low) & (hertz < 2 * low)
        if octave.sum() > FEWEST_BINS and own[octave].sum() > OWN * own.sum():
            largest = max(largest, share[octave].mean().item())
    return float((share * own).sum() / own.sum().clamp(min=1e-30)), largest


def solve(normal: Tensor, right: Tensor) -> Tensor:
    """Solve least squares with slight damping, since frequencies may be empty."""
    diagonal = normal.diagonal(dim1=1, dim2=2).real
    ridge = 1e-3 * diagonal + 1e-9 * diagonal.max() + 1e-30
    return torch.linalg.solve(normal + torch.diag_embed(ridge).to(normal.dtype), right)


def _compared(spectra: Tensor, sample_rate: int) -> Tensor:
    """Select the frequencies to compare ``(frequencies,)``."""
    hertz = torch.linspace(0, sample_rate / 2, len(spectra))
    return (hertz > LOWEST) & (hertz < HIGHEST)


def _residual(spectra: Tensor, sources: list[int], num_stems: int) -> Tensor:
    """Compute the energy of the mix ``(frequencies,)`` that filters of some stems do not explain."""
    energy = spectra.diagonal(dim1=1, dim2=2).real[:, num_stems:].sum(-1)
    if not sources:
        return energy
    towards = spectra[:, sources, num_stems:]
    explained = (towards.conj() * solve(spectra[:, sources][:, :, sources], towards)).sum((1, 2)).real
    return (energy - explained).clamp(min=0)
