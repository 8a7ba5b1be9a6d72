"""Memory.

A console: each track goes through equalizer, compressor, noise gate, gain, delay and reverb into one of four groups
with the same chain, and these into the master with the same. Signals are stereo. Memory is measured in fresh processes
that have rendered a short signal before: *resident* is the peak of the process above its memory just before, *tensors*
the maximum number of bytes in tensors made by the render, as counted by torch's allocator. Seconds are those of
persistent processes. Ratios compare with the first row.

A render keeps only signals that a later step reads; the second and third row then access the signals of all nodes,
which renders once more and holds all of them, one by one or copied into one tensor. GRAFX 0.6.0 always holds all.
"""

from collections.abc import Iterator
from typing import Any

from ..measure import Run, Worker, alternate
from ..page import Table, ratio
from . import Bench

WORKERS = ("ours", "theirs")

COLUMNS = ("", "resident MB", "ratio", "tensors MB", "ratio", "seconds", "ratio")


def run(bench: Bench) -> Iterator[Table]:
    tracks, samples = (4, 2**12) if bench.quick else (32, 2**17)
    console = {"shape": "console", "tracks": tracks, "sources": tracks, "samples": samples}
    size = f"{tracks} tracks of {samples:,} samples"
    without = {**console, "train": False}
    yield _table(
        bench,
        f"Rendering {size} without gradients",
        {
            "output": (bench.ours, "rendering", without),
            "output, then `signals[0]`": (bench.ours, "rendering_all", {**without, "as_tensor": False}),
            "output, then `signals.tensor()`": (bench.ours, "rendering_all", {**without, "as_tensor": True}),
            "GRAFX 0.6.0": (bench.theirs, "rendering", without),
        },
    )
    training = {**console, "train": True}
    yield _table(
        bench,
        f"A training step with {size}",
        {
            "forward and backward": (bench.ours, "rendering", training),
            "with `checkpoint=True`": (bench.ours, "rendering", {**training, "options": {"checkpoint": True}}),
            "GRAFX 0.6.0": (bench.theirs, "rendering", training),
        },
    )


def _table(bench: Bench, title: str, cases: dict[str, tuple[Worker, str, dict[str, Any]]]) -> Table:
    runs = [Run(*case) for case in cases.values()]
    resident = alternate(*runs, repeats=1 if bench.quick else 3, fresh=not bench.quick)
    lasting = resident if bench.quick else alternate(*runs, repeats=7)
    counts = [run._replace(arguments={**run.arguments, "count": True}) for run in runs]
    counted = alternate(*counts, repeats=1, fresh=not bench.quick)
    columns = (
        [_above(result["peak"], result["before"]) for result in resident],
        [result["tensors"] for result in counted],
        [result["seconds"] for result in lasting],
    )
    table = Table(title, COLUMNS)
    for index, name in enumerate(cases):
        cells = [cell for column in columns for cell in (column[index], ratio(column[index], column[0]))]
        table.rows.append((name, *cells))
    return table


def _above(peak: float | str, before: float | str) -> float | str:
    return peak if isinstance(peak, str) else max(0.0, peak - before)
