"""Findings about stems and a mix in sentences, with what is to be done or was."""

from collections.abc import Sequence

from ....words import count
from .correlation import ALIGNED
from .findings import StemDiagnosis

SAME = 0.001  # s, by which delays of stems differ that come from one delay of the mix
AUDIBLE = 0.03  # share of the energy of the mix from which on an octave counts
FOREIGN_OCTAVE, FOREIGN = 0.4, 0.3  # unexplained shares of an octave, and of all, that are said


def common_delay(found: Sequence[StemDiagnosis]) -> float | None:
    """Return the delay in ms of the whole mix, or ``None`` if stems differ in theirs or have none."""
    delays = sorted(stem.delay_ms for stem in found if stem.delay_ms is not None)
    if len(delays) < 2 or delays[-1] - delays[0] > 1000 * SAME:
        return None
    delay = delays[len(delays) // 2]
    return delay if abs(delay) > 1000 * ALIGNED else None


def delay_notes(found: Sequence[StemDiagnosis], aligned: bool) -> list[str]:
    """Say which stems, or that all, are early or late; ``aligned``: that they are moved."""
    if (delay := common_delay(found)) is not None:
        end = "they are moved to it." if aligned else "move it, or let the search align them."
        return [f"The mix is {_by(delay)} than all stems: {end}"]
    end = "it is moved." if aligned else "move it, or let the search align it."
    return [
        f"{stem.name} is heard {_by(stem.delay_ms)} in the mix than in its file: {end}"
        for stem in found
        if stem.delay_ms is not None and abs(stem.delay_ms) > 1000 * ALIGNED
    ]


def stem_notes(found: Sequence[StemDiagnosis], aligned: bool) -> list[str]:
    """Say which stems are inverted, and which are not in the mix; ``aligned``: that they are left out if others are."""
    turned = "it is inverted, too." if aligned else "invert it, or let the search align it."
    some = any(stem.in_mix is not False for stem in found)
    missing = "check that it belongs to it." + (" It is left out." if aligned and some else "")
    inverted = [f"{stem.name} has the opposite polarity in the mix: {turned}" for stem in found if stem.inverted]
    return inverted + [f"{stem.name} is not found in the mix: {missing}" for stem in found if stem.in_mix is False]


def foreign_notes(octaves: dict[float, tuple[float, float]], unexplained: float) -> list[str]:
    """Say how much of the mix is in no stem, if it is much."""
    total = sum(energy for _, energy in octaves.values())
    foreign = [low for low, (share, energy) in octaves.items() if share > FOREIGN_OCTAVE and energy > AUDIBLE * total]
    if not foreign and unexplained <= FOREIGN:
        return []
    share = f"{100 * unexplained:.0f} % of the energy of the mix is in none of the stems"
    where = f", above all between {min(foreign):.0f} and {2 * max(foreign):.0f} Hz" if foreign else ""
    return [f"{share}{where}: a stem may be missing."]


def clipping_notes(clipped: int) -> list[str]:
    """Say that a mix is clipped."""
    if not clipped:
        return []
    return [
        f"The mix is clipped at {count(clipped, 'sample')}: what was cut off there cannot be matched; a mix that is not"
        " clipped is a better target."
    ]


def _by(delay_ms: float) -> str:
    return f"{abs(delay_ms):.1f} ms {'later' if delay_ms > 0 else 'earlier'}"
