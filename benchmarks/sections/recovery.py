"""Recovery.

Compressors with random settings play a sound, a drum loop unless a recording is given, and gradient descent looks for
the settings from what went in and what came out: Adam from the defaults, all six unknown, on the standard deviation
over time of the difference of gains in dB. *Found* are a threshold within 1 dB, a ratio within 10 % and times of attack
and release within 20 %. *Left* is that standard deviation at the end, and *beyond* by how much the level exceeds the
knee at most. Where it hardly does, another knee with another ratio has the same gain at all levels that occur: then
there is nothing in the sound to find them by.
"""

from collections.abc import Iterator
from pathlib import Path

from ..measure import Result, Run, alternate
from ..page import Table
from . import Bench

WORKERS = ("ours",)
WITHIN = {"ratio": 0.1, "attack_ms": 0.2, "release_ms": 0.2}
SHOWN = ("threshold_db", "ratio", "knee_db", "attack_ms", "release_ms", "makeup_db")


def run(bench: Bench) -> Iterator[Table]:
    seeds, count, steps, samples = (1, 2, 3, 2000) if bench.quick else (3, 10, 400, 88200)
    sound = "a drum loop" if bench.audio is None else Path(bench.audio).name
    arguments = {"knee": "quadratic", "count": count, "steps": steps, "samples": samples, "audio": bench.audio}
    total = Table(f"How many of {count} are found, {sound}", ("seed of the settings", "found", "seconds"))
    each = Table("Asked → found, seed 0", (*SHOWN, "left, dB", "beyond, dB", "found"))
    for seed in range(seeds):
        (result,) = alternate(Run(bench.ours, "recovery", {**arguments, "seed": seed}), repeats=1)
        found = [_is_found(result, index) for index in range(count)]
        total.rows.append((seed, sum(found), result["seconds"]))
        if seed == 0:
            for index in range(count):
                rest = (result[name][index] for name in ("left", "beyond"))
                each.rows.append((*_pairs(result, index), *rest, "yes" if found[index] else "no"))
    yield total
    yield each


def _is_found(result: Result, index: int) -> bool:
    asked, found = ({name: of[name][index] for name in SHOWN} for of in (result["asked"], result["found"]))
    near = all(abs(found[name] / asked[name] - 1) <= share for name, share in WITHIN.items())
    return near and abs(found["threshold_db"] - asked["threshold_db"]) <= 1


def _pairs(result: Result, index: int) -> list[str]:
    return [f"{result['asked'][name][index]:.3g} → {result['found'][name][index]:.3g}" for name in SHOWN]
