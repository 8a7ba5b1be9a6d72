"""Checks before a search whether stems and a mix belong together, by cross-correlation and least squares."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..conditions import in_usual_torch

SHORTEST = 1.0  # s, minimum length
PIECES, PIECE = 4, 6.0  # excerpts of long audio: number and length in seconds
LONGEST_DELAY = 0.2  # s
ALIGNED = 0.003  # s, which equalizers may delay
SAME = 0.001  # s, by which delays of stems differ that come from one delay of the mix
FOUND, LOST = (
    10.0,
    8.5,
)  # prominence of the peak of a stem that is in the mix, and of the largest chance peak of another
COHERENT = 0.25  # share of the energy of a stem's own frequencies that speaks for it, where a tone has no peak
CLEARER = 1.5  # how far a peak stands out over those without delay, or of the other sign
LOWEST, HIGHEST = 60.0, 10000.0  # Hz, between which signals are compared
CORRELATED, FITTED = 0.6, 0.15  # s: frames for cross-correlation and for least squares
MOST_TAPS, MOST_UNKNOWNS = 8, 48  # of least squares, per stem and in all
OCTAVES = (31.25, 62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)  # Hz, where they begin
AUDIBLE = 0.03  # share of the energy of the mix from which on an octave counts
NOTHING = 1e-4  # relative to the peak of a stem: its mid or side below this counts as silence
FOREIGN_OCTAVE, FOREIGN = 0.4, 0.3  # unexplained shares of an octave, and of all, that are said


@dataclass(frozen=True)
class StemDiagnosis:
    """Findings about a stem; ``None`` if unknown.

    Attributes:
        name: Name of the stem.
        in_mix: Whether the mix contains it.
        delay_ms: Delay in the mix relative to the stem.
        inverted: Whether its polarity is inverted in the mix.
        gain_db: Gain of the least-squares fit of all stems to the mix, after correction of delays and polarities.
    """

    name: str
    in_mix: bool | None = None
    delay_ms: float | None = None
    inverted: bool | None = None
    gain_db: float | None = None


@dataclass(frozen=True)
class Diagnosis:
    """Findings about stems and a mix.

    Attributes:
        stems: One for each.
        unexplained: Share of the energy of the mix that filters of the stems of about 0.7 s do not explain; ``None``
            if the audio is too short.
        notes: Problems, in sentences; empty if there are none.
    """

    stems: list[StemDiagnosis]
    unexplained: float | None
    notes: list[str]


@in_usual_torch
def diagnose(stems: Tensor, mix: Tensor, sample_rate: int, names: Sequence[str]) -> Diagnosis:
    """Detect stems that are late, inverted or missing in the mix, and content of the mix that is in no stem.

    Delays and polarities are those of the largest peak of the cross-correlation with the mix, in which all frequencies
    are weighted by their coherence, independent of level; so equalizers, compressors and reverbs hardly matter. A stem
    without a prominent peak and without coherence with the mix beyond that of the other stems is not in it. Energy that
    no linear filter of the stems explains is foreign, if it is a large part of an octave or of the mix.

    For audio longer than 24 s, four excerpts of 6 s are used.

    Args:
        stems: ``(K, 2, L)``.
        mix: ``(2, L)``.
        sample_rate: In Hz.
        names: One for each stem.

    References:
        Carter, Nuttall, Cable, "The smoothed coherence transform", Proc. IEEE 61(10), 1973; Knapp and Carter, "The
        generalized correlation method for estimation of time delay", IEEE Trans. ASSP 24(4), 1976.
    """
    if mix.shape[-1] < SHORTEST * sample_rate:
        return Diagnosis([StemDiagnosis(name) for name in names], None, [])
    pairs = torch.stack([_mid_and_side(_heard(stem, sample_rate)) for stem in stems.detach()])
    mono = torch.stack([max(pair, key=lambda signal: signal.square().sum().item()) for pair in pairs])
    mix = _heard(mix.detach(), sample_rate)
    sounding = mono.abs().amax(-1) > 0
    if not sounding.any() or not mix.any():
        return Diagnosis([StemDiagnosis(name) for name in names], None, [])
    peak = max(mono.abs().max().item(), mix.abs().max().item())  # so that squares stay within range
    mono, mix = mono / peak, mix / peak
    spectra = _cross_spectra(torch.cat([mono, mix]), sample_rate)
    coherences = _coherences(spectra, len(mono))
    found = []
    for index, name in enumerate(names):
        if not sounding[index]:
            found.append(StemDiagnosis(name))
            continue
        delay, sign, prominence = _peak(spectra, index, len(mono), sample_rate)
        if prominence >= FOUND:
            found.append(StemDiagnosis(name, True, 1000 * delay / sample_rate, sign < 0))
        else:
            present = True if coherences[index] > COHERENT else False if prominence < LOST else None
            found.append(StemDiagnosis(name, present))
    aligned = _aligned(mono, found, sample_rate)
    found = _with_gains(found, aligned, mix)
    sources = [_aligned(side, found, sample_rate) for side in (pairs / peak).unbind(1)]
    audible = NOTHING * mono.abs().amax(-1)
    octaves = _unexplained(torch.cat([side[side.abs().amax(-1) > audible] for side in sources]), mix, sample_rate)
    total = sum(energy for _, energy in octaves.values())
    unexplained = sum(share * energy for share, energy in octaves.values()) / max(total, 1e-30)
    return Diagnosis(found, unexplained, [*_delay_notes(found), *_notes(found), *_foreign_notes(octaves, unexplained)])


def _heard(signal: Tensor, sample_rate: int) -> Tensor:
    """Return the whole signal or, if it is long, excerpts spread evenly over it."""
    length, piece = signal.shape[-1], round(PIECE * sample_rate)
    if length <= PIECES * piece:
        return signal
    starts = [round((length - piece) * i / (PIECES - 1)) for i in range(PIECES)]
    return torch.cat([signal[..., start : start + piece] for start in starts], -1)


def _mid_and_side(stereo: Tensor) -> Tensor:
    left, right = stereo
    return torch.stack([left + right, left - right]) / 2


def _frames(signals: Tensor, size: int) -> Tensor:
    """Compute spectra ``(signals, frequencies, frames)``."""
    frames = signals.unfold(-1, size, size // 2) * torch.hann_window(size)
    return torch.fft.rfft(frames).mT


def _size(seconds: float, sample_rate: int) -> int:
    return 2 ** math.ceil(math.log2(seconds * sample_rate))


# Cross-correlation


def _cross_spectra(signals: Tensor, sample_rate: int) -> Tensor:
    """Average over frames ``(frequencies, signals, signals)``."""
    size = min(_size(CORRELATED, sample_rate), 2 ** int(math.log2(signals.shape[-1] / 2)))
    spectra = _frames(signals, size).transpose(0, 1)
    return spectra @ spectra.mH / spectra.shape[-1]


def _compared(spectra: Tensor, sample_rate: int) -> Tensor:
    """Select the frequencies to compare ``(frequencies,)``."""
    hertz = torch.linspace(0, sample_rate / 2, len(spectra))
    return (hertz > LOWEST) & (hertz < HIGHEST)


def _peak(spectra: Tensor, index: int, num_stems: int, sample_rate: int) -> tuple[int, int, float]:
    """Find the delay of a stem in samples, the sign of its peak, and its prominence.

    A delay or inversion is only reported if its peak clearly exceeds those without it.
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
    near = slice(reach - round(ALIGNED * sample_rate), reach + round(ALIGNED * sample_rate) + 1)
    offset, within = 0, correlation
    if correlation.abs().max() < CLEARER * correlation[near].abs().max():
        offset, within = near.start, correlation[near]
    best = int(within.abs().argmax())
    if within.max() > within.abs().max() / CLEARER:
        best = int(within.argmax())
    value = within[best]
    return offset + best - reach, 1 if value >= 0 else -1, float(value.abs() / chance)


def _coherences(spectra: Tensor, num_stems: int) -> list[float]:
    """Compute for each stem the share of energy that it explains at its frequencies, beyond the other stems."""
    stems = list(range(num_stems))
    residual, shares = _residual(spectra, stems, num_stems), []
    for index in stems:
        without = _residual(spectra, [other for other in stems if other != index], num_stems)
        weight = spectra[:, index, index].real
        share = (1 - residual / without.clamp(min=1e-30)).clamp(0, 1)
        shares.append(float((share * weight).sum() / weight.sum().clamp(min=1e-30)))
    return shares


def _residual(spectra: Tensor, sources: list[int], num_stems: int) -> Tensor:
    """Compute the energy of the mix ``(frequencies,)`` that filters of some stems do not explain."""
    energy = spectra.diagonal(dim1=1, dim2=2).real[:, num_stems:].sum(-1)
    if not sources:
        return energy
    towards = spectra[:, sources, num_stems:]
    explained = (towards.conj() * _solve(spectra[:, sources][:, :, sources], towards)).sum((1, 2)).real
    return (energy - explained).clamp(min=0)


def _solve(normal: Tensor, right: Tensor) -> Tensor:
    """Solve least squares with slight damping, since frequencies may be empty."""
    diagonal = normal.diagonal(dim1=1, dim2=2).real
    ridge = 1e-3 * diagonal + 1e-9 * diagonal.max() + 1e-30
    return torch.linalg.solve(normal + torch.diag_embed(ridge).to(normal.dtype), right)


# Least squares


def _aligned(mono: Tensor, found: Sequence[StemDiagnosis], sample_rate: int) -> Tensor:
    """Shift and invert stems as in the mix."""
    rows = []
    for signal, stem in zip(mono, found, strict=True):
        delay = round((stem.delay_ms or 0) * sample_rate / 1000)
        shifted = signal.roll(delay)
        if delay > 0:
            shifted[:delay] = 0
        elif delay < 0:
            shifted[delay:] = 0
        rows.append(-shifted if stem.inverted else shifted)
    return torch.stack(rows)


def _with_gains(found: Sequence[StemDiagnosis], aligned: Tensor, mix: Tensor) -> list[StemDiagnosis]:
    """Add the level of each stem that is in the mix."""
    scale = aligned.square().sum(-1).sqrt().clamp(min=1e-30)
    rows = (aligned / scale[:, None]).double()
    gains = torch.linalg.solve(rows @ rows.T + 1e-6 * torch.eye(len(rows)).double(), rows @ mix.double().T)
    gains = gains.square().mean(-1).sqrt() / scale
    return [
        StemDiagnosis(
            stem.name,
            stem.in_mix,
            stem.delay_ms,
            stem.inverted,
            20 * math.log10(max(gain, 1e-9)) if stem.in_mix else None,
        )
        for stem, gain in zip(found, gains.tolist(), strict=True)
    ]


def _unexplained(stems: Tensor, mix: Tensor, sample_rate: int) -> dict[float, tuple[float, float]]:
    """Compute for each octave the share that no filters of the stems explain, and its energy.

    Filters span several frames, to include reverbs.
    """
    spectra = _frames(torch.cat([stems, mix]), _size(FITTED, sample_rate)).transpose(0, 1)
    count, frames = len(stems), spectra.shape[-1]
    independent = 0.75 * frames  # of frames that overlap by a half
    taps = max(1, min(MOST_TAPS, MOST_UNKNOWNS // count, int(0.5 * independent / count)))
    hertz, octaves = torch.linspace(0, sample_rate / 2, len(spectra)), {}
    for low in (low for low in OCTAVES if low <= sample_rate / 2):
        part = spectra[(hertz >= low) & (hertz < 2 * low)]
        residual = energy = 0.0
        for chunk in part.split(256):
            sources, target = chunk[:, :count], chunk[:, count:]
            past = torch.nn.functional.pad(sources, (taps - 1, 0)).unfold(-1, frames, 1).flatten(1, 2)
            filters = _solve(past @ past.mH, past @ target.mH)
            residual += (target - filters.mH @ past).abs().square().sum().item()
            energy += target.abs().square().sum().item()
        # The same number of unknowns explains as large a share of any signal.
        share = residual / max(energy, 1e-30) / (1 - min(0.6, count * taps / independent))
        octaves[low] = min(share, 1.0), energy
    return octaves


# In words


def _delay_notes(found: Sequence[StemDiagnosis]) -> list[str]:
    delays = {stem.name: stem.delay_ms for stem in found if stem.delay_ms is not None}
    late = {name: delay for name, delay in delays.items() if abs(delay) > 1000 * ALIGNED}
    if not late:
        return []
    if len(delays) > 1 and max(delays.values()) - min(delays.values()) <= 1000 * SAME:
        delay = sorted(delays.values())[len(delays) // 2]
        return [
            f"The mix is {abs(delay):.1f} ms {'later' if delay > 0 else 'earlier'} than all stems: move it, as a search"
            " cannot."
        ]
    return [
        f"{name} is heard {abs(delay):.1f} ms {'later' if delay > 0 else 'earlier'} in the mix than in its file: move"
        " it, as a search cannot."
        for name, delay in late.items()
    ]


def _notes(found: Sequence[StemDiagnosis]) -> list[str]:
    inverted = [
        f"{stem.name} has the opposite polarity in the mix: invert it, as a search cannot."
        for stem in found
        if stem.inverted
    ]
    missing = [
        f"{stem.name} is not found in the mix: check that it belongs to it." for stem in found if stem.in_mix is False
    ]
    return [*inverted, *missing]


def _foreign_notes(octaves: dict[float, tuple[float, float]], unexplained: float) -> list[str]:
    total = sum(energy for _, energy in octaves.values())
    foreign = [low for low, (share, energy) in octaves.items() if share > FOREIGN_OCTAVE and energy > AUDIBLE * total]
    if not foreign and unexplained <= FOREIGN:
        return []
    share = f"{100 * unexplained:.0f} % of the energy of the mix is in none of the stems"
    where = f", above all between {min(foreign):.0f} and {2 * max(foreign):.0f} Hz" if foreign else ""
    return [f"{share}{where}: a stem may be missing."]
