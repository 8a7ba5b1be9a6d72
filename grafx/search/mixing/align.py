"""Stems put in their places in a mix before a search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from ..conditions import in_usual_torch
from .diagnosis import Diagnosis, StemDiagnosis, diagnose
from .diagnosis.correlation import ALIGNED
from .diagnosis.words import common_delay
from .placement import Placement, placed_stems


@dataclass(frozen=True)
class Alignment:
    """Stems as they are in a mix.

    Attributes:
        stems: ``(K, 2, L)``; those given, where nothing is to be changed.
        placements: What was done with each.
        diagnosis: What is known of stems and mix; its notes say what was done.
    """

    stems: Tensor
    placements: list[Placement]
    diagnosis: Diagnosis


@in_usual_torch
def align(stems: Tensor, mix: Tensor, sample_rate: int, names: Sequence[str]) -> Alignment:
    """Move and invert stems as they are in a mix, and silence those that are not in it.

    Stems may be up to 200 ms early or late.
    What :func:`diagnose` is not sure of stays as it is: delays below half a millisecond, those of delay effects and
    reverbs, stems without a prominent peak, and audio shorter than a second. Where all other stems are late by the same
    time, so is a stem of which nothing is known. If no stem is found in the mix, none is silenced.

    Args:
        stems: ``(K, 2, L)``.
        mix: ``(2, L)``.
        sample_rate: In Hz.
        names: One for each stem.

    Examples:
        >>> alignment = align(stems, mix, 44100, ["drums", "bass"])
        >>> print(*alignment.diagnosis.notes)
        drums is heard 23.4 ms earlier in the mix than in its file: it is moved.
    """
    diagnosis = diagnose(stems, mix, sample_rate, names, aligned=True)
    placements = _placements(diagnosis.stems, sample_rate)
    return Alignment(placed_stems(stems, placements), placements, diagnosis)


def unaligned(stems: Tensor, mix: Tensor, sample_rate: int, names: Sequence[str]) -> Alignment:
    """Leave all stems as they are, and only say what is known of them; arguments are those of :func:`align`."""
    return Alignment(stems, [Placement()] * len(stems), diagnose(stems, mix, sample_rate, names))


def _placements(found: Sequence[StemDiagnosis], sample_rate: int) -> list[Placement]:
    common = common_delay(found)
    placements = [_placement(stem, common, sample_rate) for stem in found]
    if all(placement.left_out for placement in placements):
        return [replace(placement, left_out=False) for placement in placements]
    return placements


def _placement(stem: StemDiagnosis, common: float | None, sample_rate: int) -> Placement:
    if stem.in_mix is False:
        return Placement(left_out=True)
    delay_ms = (common if stem.delay_ms is None else stem.delay_ms) or 0.0
    delay = round(delay_ms * sample_rate / 1000) if abs(delay_ms) > 1000 * ALIGNED else 0
    return Placement(delay, bool(stem.inverted))
