"""Inference.

Stereo tracks through a chain of plug-ins, without gradients: three bands of equalization, compressor, noise gate, gain,
delay and reverb. pedalboard runs a board for each track, one after another, or in threads, since its plug-ins release
the GIL; ours renders all tracks as one graph. The processors are similar, not equal: our delay has 20 taps for each
channel in place of one with feedback, and our reverb convolves with a response of 60,000 samples, recomputed in each
render, where theirs is made of comb filters.
"""

import os
from collections.abc import Iterator
from typing import Any

from ..measure import Run, alternate
from ..page import Table, ratio, scaled
from . import Bench

WORKERS = ("ours", "pedalboard")
CHAIN = {
    "three bands": "eq",
    "compressor": "compressor",
    "noise gate": "noisegate",
    "gain": "gain",
    "delay": "delay",
    "reverb": "reverb",
}


def run(bench: Bench) -> Iterator[Table]:
    tracks, samples = (2, 2**12) if bench.quick else (16, 2**17)
    table = Table(
        f"{tracks} tracks of {samples:,} samples, ms",
        ("", "our processor", "ours", "pedalboard", "ratio", "pedalboard, in threads", "ratio"),
    )
    chains = {"the whole chain": list(CHAIN.values()), **{name: [kind] for name, kind in CHAIN.items()}}
    for name, chain in chains.items():
        arguments: dict[str, Any] = {"chain": chain, "tracks": tracks, "samples": samples}
        ours, *theirs = alternate(
            Run(bench.ours, "rendering_strips", {**arguments, "sources": tracks}),
            Run(bench.pedalboard, "rendering_strips", {**arguments, "threads": 1}),
            Run(bench.pedalboard, "rendering_strips", {**arguments, "threads": os.cpu_count()}),
            repeats=1 if bench.quick else 9,
        )
        classes = ours.word or ("" if len(chain) > 1 else f"`{ours['processors'][0]}`")
        times = [scaled(result["seconds"], 1e3) for result in (ours, *theirs)]
        table.rows.append(
            (name, classes, times[0], times[1], ratio(times[1], times[0]), times[2], ratio(times[2], times[0]))
        )
    yield table
