"""Consoles.

Mixing consoles: each track goes through equalizer, compressor, noise gate, imager, gain, delay and reverb, each four
tracks into a group with the same chain, and the groups into a master with the same. Signals are stereo. A training step
is a forward and a backward pass to all parameters. *Peak* is the most resident memory above what the process held
before. GRAFX 0.6.0's convolution is wrong where the sum of the lengths of signal and response is odd, as here; it does
the work all the same.
"""

from collections.abc import Iterator

from ..measure import Run, alternate
from ..page import Table, ratio
from . import Bench

WORKERS = ("ours", "theirs")
STRIP = ["eq", "compressor", "noisegate", "imager", "gain", "delay", "reverb"]


def run(bench: Bench) -> Iterator[Table]:
    sizes, samples = ((4,), 2**12) if bench.quick else ((4, 16, 32, 64), 2**17)
    for title, train in (("Forward", False), ("Training step", True)):
        table = Table(
            f"{title}, {samples:,} samples",
            ("tracks", "nodes", "s", "s (0.6.0)", "ratio", "peak MB", "peak MB (0.6.0)", "ratio"),
        )
        for tracks in sizes:
            arguments = console(tracks, samples, train)
            runs = [Run(worker, "rendering", arguments) for worker in (bench.ours, bench.theirs)]
            ours, theirs = alternate(*runs, repeats=1 if bench.quick else 5)
            peaks = [
                result["peak"] - result["before"] if result.word is None else result.word for result in (ours, theirs)
            ]
            nodes = tracks + (tracks + tracks // 4 + 1) * len(STRIP) + tracks // 4 + 2
            seconds = (ours["seconds"], theirs["seconds"])
            table.rows.append((tracks, nodes, *seconds, ratio(*seconds[::-1]), *peaks, ratio(*peaks[::-1])))
        yield table


def console(tracks: int, samples: int, train: bool) -> dict:
    """Arguments of the case ``rendering``."""
    graph = {"shape": "console", "tracks": tracks, "groups": tracks // 4, "chain": STRIP}
    return {**graph, "sources": tracks, "samples": samples, "train": train}
