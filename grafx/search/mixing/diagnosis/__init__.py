"""Checks before a search whether stems and a mix belong together, by cross-correlation and least squares."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...conditions import in_usual_torch
from ..placement import Placement, placed
from .clipping import clipped_samples
from .correlation import cross_spectra, explained_shares, peak
from .excerpts import heard
from .findings import Diagnosis, StemDiagnosis
from .shares import gains, unexplained
from .words import clipping_notes, delay_notes, foreign_notes, stem_notes

__all__ = ["Diagnosis", "StemDiagnosis", "diagnose"]

SHORTEST = 1.0  # s, minimum length
FOUND, LOST = (
    12.0,
    10.5,
)  # prominence of the peak of a stem that is in the mix, and of the largest chance peak of another
COHERENT = 0.25  # share of the energy of a stem's own frequencies that speaks for it, where a tone has no peak
BY_CHANCE = 2.0  # share of an octave that any stem may explain, over what a noise of as many frames does
NOTHING = 1e-4  # relative to the peak of a stem: its mid or side below this counts as silence


@in_usual_torch
def diagnose(stems: Tensor, mix: Tensor, sample_rate: int, names: Sequence[str], *, aligned: bool = False) -> Diagnosis:
    """Detect stems that are late, inverted or missing in the mix, a clipped mix, and content of it that is in no stem.

    Delays and polarities are those of the largest peak of the cross-correlation with the mix, in which all frequencies
    are weighted by their coherence, independent of level; so equalizers, compressors and reverbs hardly matter. A stem
    without a prominent peak, and which explains no more of the mix beyond the other stems than a noise would, in no
    octave, is not in it. Energy that no linear filter of the stems explains is foreign, if it is a large part of an
    octave or of the mix. Samples are clipped where several in a row are at the peak of the mix, and get there abruptly.

    For audio longer than 24 s, four excerpts of 6 s are used, and more for stems that are silent in them.

    Args:
        stems: ``(K, 2, L)``.
        mix: ``(2, L)``.
        sample_rate: In Hz.
        names: One for each stem.
        aligned: Whether notes are to say what :func:`align` does, rather than what is to be done.

    References:
        Carter, Nuttall, Cable, "The smoothed coherence transform", Proc. IEEE 61(10), 1973; Knapp and Carter, "The
        generalized correlation method for estimation of time delay", IEEE Trans. ASSP 24(4), 1976.
    """
    clipped = clipped_samples(mix.detach())
    nothing = Diagnosis([StemDiagnosis(name) for name in names], None, clipping_notes(clipped), clipped)
    if mix.shape[-1] < SHORTEST * sample_rate:
        return nothing
    stems, mix = heard(stems.detach(), mix.detach(), sample_rate)
    pairs = torch.stack([_mid_and_side(stem) for stem in stems])
    mono = torch.stack([max(pair, key=lambda signal: signal.square().sum().item()) for pair in pairs])
    if not mono.any() or not mix.any():
        return nothing
    largest = max(mono.abs().max().item(), mix.abs().max().item())  # so that squares stay within range
    pairs, mono, mix = pairs / largest, mono / largest, mix / largest
    found = _found(mono, mix, sample_rate, names)
    placed = _placed(mono, found, sample_rate)
    found = [
        replace(stem, gain_db=20 * math.log10(max(gain, 1e-9)) if stem.in_mix else None)
        for stem, gain in zip(found, gains(placed, mix), strict=True)
    ]
    audible = NOTHING * mono.abs().amax(-1)
    sources = [_placed(side, found, sample_rate)[side.abs().amax(-1) > audible] for side in pairs.unbind(1)]
    octaves = unexplained(torch.cat(sources), mix, sample_rate)
    total = sum(energy for _, energy in octaves.values())
    foreign = sum(share * energy for share, energy in octaves.values()) / max(total, 1e-30)
    notes = [*delay_notes(found, aligned), *stem_notes(found, aligned), *foreign_notes(octaves, foreign)]
    return Diagnosis(found, foreign, [*notes, *clipping_notes(clipped)], clipped)


def _mid_and_side(stereo: Tensor) -> Tensor:
    left, right = stereo
    return torch.stack([left + right, left - right]) / 2


def _found(mono: Tensor, mix: Tensor, sample_rate: int, names: Sequence[str]) -> list[StemDiagnosis]:
    """Look for each stem in the mix."""
    spectra, frames = cross_spectra(torch.cat([mono, mix]), sample_rate)
    chance = 1 / max(frames - len(mono), 1)  # of the energy of a frequency, by one more unknown
    found = []
    for index, name in enumerate(names):
        if not mono[index].any():
            found.append(StemDiagnosis(name))
            continue
        delay, sign, prominence = peak(spectra, index, len(mono), sample_rate)
        if prominence >= FOUND:
            found.append(StemDiagnosis(name, True, 1000 * delay / sample_rate, sign < 0))
            continue
        share, of_octave = explained_shares(spectra, index, len(mono), sample_rate)
        lost = prominence < LOST and of_octave < BY_CHANCE * chance < 1
        found.append(StemDiagnosis(name, True if share > COHERENT else False if lost else None))
    return found


def _placed(signals: Tensor, found: Sequence[StemDiagnosis], sample_rate: int) -> Tensor:
    """Shift and invert signals ``(K, L)`` of stems as in the mix."""
    rows = []
    for signal, stem in zip(signals, found, strict=True):
        delay = round((stem.delay_ms or 0) * sample_rate / 1000)
        rows.append(placed(signal, Placement(delay, bool(stem.inverted))))
    return torch.stack(rows)
