"""Consoles.

Mixing consoles: each track goes through equalizer, compressor, noise gate, imager, gain, delay and reverb, each four
tracks into a group with the same chain, and the groups into a master with the same. Signals are stereo. A training step
is a forward and a backward pass to all parameters; a recording render keeps the tensors for the backward pass, without
running it. *Peak* is the maximum resident memory above that of a process that had only rendered a short signal,
measured once, in a separate process.

GRAFX 0.6.0's convolution is wrong where the full result has an odd length, as in most processors here. In addition to
the original, we measure it *repaired*: such signals are padded with one zero sample, whose output is dropped. This is
also the faster of the two, since transforms of odd lengths are slow.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..measure import Result, Run, alternate
from ..page import Table, ratio
from ..plot import COLORS, Line, Plot
from . import Bench

WORKERS = ("ours", "theirs")
STRIP = ["eq", "compressor", "noisegate", "imager", "gain", "delay", "reverb"]
MODES = {
    "Forward": {"train": False},
    "Forward, recording for gradients": {"train": False, "record": True},
    "Training step": {"train": True},
}
Found = dict[str, dict[int, Sequence[float | str]]]
"""A number of each rival, by mode and tracks."""

COLUMNS = ("tracks", "nodes", "ours", "0.6.0", "ratio", "0.6.0 repaired", "ratio")


def run(bench: Bench) -> Iterator[Table | Plot]:
    sizes, samples = ((4,), 2**12) if bench.quick else ((4, 16, 32, 64), 2**17)
    cases = {
        title: {tracks: rivals(bench, console(tracks, samples) | mode) for tracks in sizes}
        for title, mode in MODES.items()
    }
    times = _measured(cases, lambda result: result["seconds"], repeats=1 if bench.quick else 3)
    peaks = _measured(cases, _above, repeats=1, fresh=not bench.quick)
    yield _plot(times)
    for title in MODES:
        yield table(f"{title}, {samples:,} samples, seconds", times[title])
    for title in MODES:
        yield table(f"{title}, {samples:,} samples, peak MB", peaks[title])


def console(tracks: int, samples: int) -> dict[str, Any]:
    """Arguments of the case ``rendering``, except for the mode."""
    graph = {"shape": "console", "tracks": tracks, "groups": tracks // 4, "chain": STRIP}
    return {**graph, "sources": tracks, "samples": samples}


def rivals(bench: Bench, arguments: dict[str, Any]) -> list[Run]:
    """Workers to compare: ours, GRAFX 0.6.0, and its repaired version."""
    cases = ((bench.ours, "rendering"), (bench.theirs, "rendering"), (bench.theirs, "rendering_repaired"))
    return [Run(worker, case, arguments) for worker, case in cases]


def table(title: str, found: dict[int, Sequence[float | str]]) -> Table:
    """Times of the rivals for some numbers of tracks."""
    rows = []
    for tracks, (ours, theirs, repaired) in found.items():
        nodes = tracks + (tracks + tracks // 4 + 1) * len(STRIP) + tracks // 4 + 2
        rows.append((tracks, nodes, ours, theirs, ratio(theirs, ours), repaired, ratio(repaired, ours)))
    return Table(title, COLUMNS, rows)


def _measured(cases: dict[str, dict[int, list[Run]]], quantity: Callable[[Result], Any], **how: Any) -> Found:
    return {
        title: {tracks: [quantity(result) for result in alternate(*runs, **how)] for tracks, runs in sizes.items()}
        for title, sizes in cases.items()
    }


def _above(result: Result) -> float | str:
    peak, before = result["peak"], result["before"]
    return peak if isinstance(peak, str) else max(0.0, peak - before)


def _plot(times: Found) -> Plot:
    lines = []
    for color, mode, found in zip(COLORS, ("forward", "recording", "training"), times.values(), strict=False):
        for name, rival in (("", 1), (", repaired", 2)):
            points = [(tracks, _times_slower(seconds[rival], seconds[0])) for tracks, seconds in found.items()]
            lines.append(Line(f"{mode}{name}", points, color, dashed=rival == 2))
    description = "How many times longer GRAFX 0.6.0 takes than grafx, over the number of tracks."
    return Plot("benchmarks_consoles", description, "tracks", "time of GRAFX 0.6.0 / ours", lines)


def _times_slower(theirs: float | str, ours: float | str) -> float | str:
    return next((word for word in (theirs, ours) if isinstance(word, str)), None) or theirs / ours
