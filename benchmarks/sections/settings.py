"""Settings.

Mixes of known recipes, which plug-ins of pedalboard made, are searched by `grafx search`; here are the settings that
were found beside those of the recipes. `--songs FOLDER` holds the songs, each with a `truth.json`, and `--runs FOLDER`
the results, in folders whose paths name the song, such as `country` or `country-2`:

```bash
grafx search country/stems/*.flac --mix country/chain.flac --out runs/country
python -m benchmarks settings --songs songs --runs runs
```

**Heard** are settings of ours that sound as the plug-in's do, which is what we compare with; see the section Dynamics.
A plug-in's times are 2π time constants, and it smooths amplitudes, ours energies: so an attack is divided by π, a
release by 4π, and the threshold of a compressor is 1 dB lower. A gate measures energies first, so its threshold stays.
A found ratio includes the dry/wet weight: it is what both together do to a level that is 10 dB over the threshold, or
below that of a gate. The pan *p* of a recipe is of constant power, 1 in the middle: √2 cos and √2 sin of (p + 1) π / 4,
which reproduces those mixes to 16 bit; its dB are those of left over right. A found pan is where gains and imagers put
a signal in the middle, those of its chain and those of the master: an imager there, which stands for plug-ins that
compress each channel alone, brings all stems closer. A gain that is not there is one of 0 dB.
Delays are compared with the nearest of the loudest taps.

**What the sound cannot tell.** A gain and what else raises a chain alike: an equalizer's mean, the dry level of a
reverb, a gain of the master with its inverse on all stems. A threshold and a ratio if levels exceed the threshold by
few dB: a lower threshold with a lower ratio does the same. An attack, where nothing rises faster; a release, where
nothing pauses; and both at a ratio near 1. Whether a compressor acts on all stems or on the master, if one stem is far
louder than the others. An echo from a second one of twice the time, where there is feedback, and a delay from a reverb
whose first reflection it could be. Plug-ins compress each channel alone, ours both alike: unless they are equal, no
threshold is right for both.
"""

from collections.abc import Iterator
from pathlib import Path

from ..page import Table
from ..recipes import MASTER, Outcome, Pair, Recipe, f1, kinds, median_error, outcomes, pairs, read_recipe
from . import Bench, NotHere

WORKERS = ()
UNITS = {
    "threshold, dB": "dB",
    "ratio": "%",
    "attack, ms": "%",
    "release, ms": "%",
    "delay, ms": "ms",
    "gain, dB": "dB",
    "pan, dB": "dB",
}
"""Quantities and the units of their errors."""
COLUMNS = ("song", "chain", "processor", "setting", "recipe", "heard", "found", "off by")


def run(bench: Bench) -> Iterator[Table]:
    if bench.songs is None or bench.runs is None:
        raise NotHere("it takes songs and results of searches: --songs FOLDER --runs FOLDER")
    recipes = {recipe.song: recipe for recipe in map(read_recipe, sorted(Path(bench.songs).glob("*/truth.json")))}
    found = [(recipes[song], outcome) for song, outcome in outcomes(Path(bench.runs), list(recipes))]
    if not found:
        raise NotHere(f"{bench.runs} holds no results of {', '.join(recipes) or 'any song'}")
    compared = [(outcome.name, pair) for recipe, outcome in found for pair in pairs(recipe, outcome)]
    yield _medians([pair for _, pair in compared])
    yield _searches(found)
    each = Table("Each setting", COLUMNS)
    each.rows += [_row(name, pair) for name, pair in compared]
    yield each
    yield _one_sided(found)


def _medians(compared: list[Pair]) -> Table:
    table = Table("How far settings are off", ("setting", "of how many", "median", "three quarters within", "most"))
    for quantity, unit in UNITS.items():
        of = [pair for pair in compared if pair.quantity == quantity]
        if of:
            errors = sorted(pair.error for pair in of)
            numbers = (median_error(of), errors[(3 * len(errors) - 1) // 4], errors[-1])
            table.rows.append((quantity, len(of), *(_off(number, unit) for number in numbers)))
    return table


def _searches(found: list[tuple[Recipe, Outcome]]) -> Table:
    table = Table("Searches", ("song", "loss of plain", "left", "seconds", "F1 of kinds"))
    for recipe, outcome in found:
        numbers = outcome.metrics
        left = numbers["found_processors"] / max(1, numbers["console_processors"])
        wanted, have = kinds(recipe, outcome)
        row = (numbers["found_loss"] / numbers["plain_loss"], f"{left:.0%}".replace("%", " %"), numbers["seconds"])
        table.rows.append((outcome.name, *row, f1(wanted, have)))
    return table


def _one_sided(found: list[tuple[Recipe, Outcome]]) -> Table:
    table = Table("Kinds that only one side has", ("song", "chain", "only in the recipe", "only found"))
    for recipe, outcome in found:
        wanted, have = kinds(recipe, outcome)
        for owner in sorted({owner for owner, _ in wanted ^ have}, key=lambda owner: (owner == MASTER, owner)):
            sides = [
                ", ".join(sorted(kind for o, kind in side if o == owner)) for side in (wanted - have, have - wanted)
            ]
            table.rows.append((outcome.name, owner, *(side or "–" for side in sides)))
    return table


def _row(name: str, pair: Pair) -> tuple[str, ...]:
    numbers = [f"{number:.4g}".replace("-", "−").replace("inf", "∞") for number in (pair.true, pair.heard, pair.found)]
    return name, pair.owner, pair.kind, pair.quantity, *numbers, _off(pair.error, UNITS[pair.quantity])


def _off(error: float, unit: str) -> str:
    return f"{error:.0f} {unit}".replace("inf", "∞") if error >= 100 else f"{round(error, 3):.3g} {unit}"
