"""Chorus recovery.

Random choruses process four seconds of a sound, and `grafx.search.invert_effect` finds their settings from input and
output alone, with default options and the full range of each control. The phase of the LFO is unknown. Rates are 0.2 to
5 Hz, depths 0.5 to 5 ms, both on a logarithmic scale, delays 7 to 30 ms, the mix 0.3 to 0.8. A chorus is *found* with a
rate within 2 % and a depth within 10 %. *Plain* is gradient descent of the same waveform distance from the default
settings, by 300 steps of Adam. The chord is of four saws.

Cells below are the original settings, then those found where they differ. The *error* is the energy of the remaining
difference, relative to that of the output.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..measure import Unanswered
from ..page import Table
from . import Bench

WORKERS = ("ours",)
WITHIN = {"rate_hz": 0.02, "depth_ms": 0.1}
"""Parts of what was asked for."""
SETTINGS = {
    "rate_hz": "rate, Hz",
    "depth_ms": "depth, ms",
    "delay_ms": "delay, ms",
    "mix": "mix",
    "phase_cycles": "phase, cycles",
}

Outcome = dict[str, Any]


def run(bench: Bench) -> Iterator[Table]:
    seeds, sounds = (range(1), ("drums",)) if bench.quick else (range(3), ("drums", "chord"))
    names = {"drums": "a drum loop" if bench.audio is None else Path(bench.audio).name, "chord": "a chord"}
    found = {sound: [_recovered(bench, sound, seed, False) for seed in seeds] for sound in sounds}
    counts = Table("Choruses found", ("", *(f"seed {seed}" for seed in seeds), "seed 0, plain"))
    for sound, results in found.items():
        plain = _recovered(bench, sound, 0, True)
        counts.rows.append((names[sound], *map(_count, results), _count(plain)))
    yield counts
    first = found["drums"][0]
    columns = (*SETTINGS.values(), "error", "found")
    yield Table(f"Those of seed 0, {names['drums']}", columns, [] if isinstance(first, str) else [*map(_row, first)])


def _recovered(bench: Bench, sound: str, seed: int, plain: bool) -> list[Outcome] | str:
    """Results of each chorus, or the word that replaces them."""
    count, seconds = (1, 0.2) if bench.quick else (10, 4.0)
    size = {"count": count, "seconds": seconds, "audio": bench.audio, "plain": plain, "quick": bench.quick}
    try:
        return bench.ours.ask("chorus_recovery", {"sound": sound, "seed": seed, **size})["choruses"]
    except Unanswered as unanswered:
        return str(unanswered)
    finally:
        bench.ours.forget()


def _count(result: list[Outcome] | str) -> str:
    return result if isinstance(result, str) else f"{sum(map(_is_found, result))} of {len(result)}"


def _is_found(outcome: Outcome) -> bool:
    asked, found = outcome["asked"], outcome["found"]
    return all(abs(found[name] / asked[name] - 1) <= limit for name, limit in WITHIN.items())


def _row(outcome: Outcome) -> tuple[Any, ...]:
    settings = [_change(outcome["asked"][name], outcome["found"][name]) for name in SETTINGS]
    return *settings, f"{outcome['error']:.1g}", "yes" if _is_found(outcome) else "no"


def _change(asked: float, found: float) -> str:
    before, after = (f"{value:.2f}" for value in (asked, found))
    return before if before == after else f"{before} → {after}"
