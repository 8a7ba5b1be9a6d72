"""Modulation.

Modulation effects, on ten seconds of stereo noise at 44.1 kHz with default settings, by one call: forward, and forward
with the gradients to the signal and all settings. *Real time* is the number of seconds of sound per second of
computing, forward. pedalboard has a chorus and a phaser, of one voice and six stages like ours here; its phaser moves
its filters every 128 samples, ours at each sample.
"""

from collections.abc import Iterator
from typing import Any

from ..measure import NOT_MEASURED, Run, alternate
from ..page import Table, ratio
from . import Bench

WORKERS = ("ours", "pedalboard")
SAMPLE_RATE = 44100
EFFECTS: tuple[tuple[str, str, dict[str, Any], str | None], ...] = (
    ("chorus", "Chorus", {}, "Chorus"),
    ("chorus, 4 voices", "Chorus", {"num_voices": 4}, None),
    ("flanger", "Flanger", {}, None),
    ("phaser, 6 stages", "Phaser", {"num_stages": 6}, "Phaser"),
    ("vibrato", "Vibrato", {}, None),
    ("tremolo", "Tremolo", {}, None),
    ("auto-pan", "AutoPan", {}, None),
    ("ring modulator", "RingModulator", {}, None),
    ("rotary speaker", "RotarySpeaker", {}, None),
)
"""Name, our class and its options, and the plug-in."""


def run(bench: Bench) -> Iterator[Table]:
    seconds = 0.02 if bench.quick else 10.0
    samples = round(seconds * SAMPLE_RATE)
    columns = ("", "forward, s", "real time", "with gradients, s", "pedalboard, s", "ratio")
    table = Table(f"{seconds:g} seconds of stereo", columns)
    for title, effect, options, plugin in EFFECTS[:1] if bench.quick else EFFECTS:
        ours = {"effect": effect, "options": options, "samples": samples}
        runs = [Run(bench.ours, "modulating", {**ours, "train": train}) for train in (False, True)]
        if plugin:
            runs.append(Run(bench.pedalboard, "modulating", {"plugin": plugin, "samples": samples}))
        results = alternate(*runs, repeats=1 if bench.quick else 7)
        forward, trained, *theirs = (result["seconds"] for result in results)
        real_time = forward if isinstance(forward, str) else f"{seconds / forward:,.0f} ×"
        other = theirs[0] if theirs else NOT_MEASURED
        table.rows.append((title, forward, real_time, trained, other, ratio(other, forward)))
    yield table
