"""Recovery.

Random compressors, `Compressor(style="desk")`, process two seconds of a sound. From its input and its output alone,
gradient descent finds their settings: normalized values begin at the defaults and descend by Adam, 400 steps, all
compressors as one batch. What is minimized is the standard deviation over time of the difference of gains in dB. It
ignores the makeup gain, by which they differ on average. A recording keeps its own sample rate.

Thresholds lie 6 to 36 dB below the loudest 10 ms, ratios are 1.5 to 10, knees 0 to 12 dB, attacks 0.5 to 50 ms,
releases 20 to 500 ms and makeup gains −6 to 6 dB. A compressor is *found* with a threshold within 1 dB, a ratio within
10 % and times within 20 %.

Cells below are the original settings, then those found where they differ. *Left* is the remaining standard deviation.
*Beyond* is the level in dB by which the highest level exceeds the knee. Where it is negative, no level reaches the
straight part of the curve. Only a part of the knee's parabola is audible, which a wider knee with a higher threshold
and ratio has as well: such settings sound the same and cannot be distinguished.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..measure import Unanswered
from ..page import Table
from . import Bench

WORKERS = ("ours",)
KNEES = ("quadratic", "hard", "exponential")
WITHIN = {"threshold_db": 1.0, "ratio": 0.1, "attack_ms": 0.2, "release_ms": 0.2}
"""Decibels, and parts of what was asked for."""
SETTINGS = {
    "threshold_db": "threshold, dB",
    "ratio": "ratio",
    "knee_db": "knee, dB",
    "attack_ms": "attack, ms",
    "release_ms": "release, ms",
    "makeup_db": "makeup, dB",
}

Outcome = dict[str, Any]


def run(bench: Bench) -> Iterator[Table]:
    seeds, knees = (range(1), KNEES[:1]) if bench.quick else (range(5), KNEES)
    sound = "a drum loop" if bench.audio is None else Path(bench.audio).name
    found = {knee: [_recovered(bench, knee, seed) for seed in seeds] for knee in knees}
    counts = Table(f"Compressors found, {sound}", ("knee", *(f"seed {seed}" for seed in seeds)))
    counts.rows += [(knee, *map(_count, results)) for knee, results in found.items()]
    yield counts
    first, *others = ([] if isinstance(result, str) else result for result in found["quadratic"])
    missed = [outcome for result in others for outcome in result if not _is_found(outcome)]
    columns = (*SETTINGS.values(), "left, dB", "beyond, dB", "found")
    yield Table("Those of seed 0, quadratic knee", columns, [*map(_row, first)])
    if missed:
        yield Table("Those of other seeds that are not found, quadratic knee", columns, [*map(_row, missed)])


def _recovered(bench: Bench, knee: str, seed: int) -> list[Outcome] | str:
    """Results of each compressor, or the word that replaces them."""
    count, steps, seconds = (2, 3, 0.1) if bench.quick else (10, 400, 2.0)
    size = {"count": count, "steps": steps, "seconds": seconds, "audio": bench.audio}
    try:
        return bench.ours.ask("recovery", {"knee": knee, "seed": seed, **size})["compressors"]
    except Unanswered as unanswered:
        return str(unanswered)
    finally:
        bench.ours.forget()


def _count(result: list[Outcome] | str) -> str:
    return result if isinstance(result, str) else f"{sum(map(_is_found, result))} of {len(result)}"


def _is_found(outcome: Outcome) -> bool:
    asked, found = outcome["asked"], outcome["found"]
    return all(
        abs(found[name] - asked[name]) <= (limit if name.endswith("_db") else limit * asked[name])
        for name, limit in WITHIN.items()
    )


def _row(outcome: Outcome) -> tuple[Any, ...]:
    settings = [_change(outcome["asked"][name], outcome["found"][name]) for name in SETTINGS]
    beyond = f"{outcome['beyond']:.1f}".replace("-", "−")
    return *settings, outcome["left"], beyond, "yes" if _is_found(outcome) else "no"


def _change(asked: float, found: float) -> str:
    before, after = (f"{value:.1f}".replace("-", "−") for value in (asked, found))
    return before if before == after else f"{before} → {after}"
