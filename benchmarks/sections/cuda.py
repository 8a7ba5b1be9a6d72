"""CUDA.

Consoles and kernels as above, on one GPU. Seconds end when the GPU is done; *peak* is the maximum memory of tensors
above that before the render. `benchmarks/cuda.sh` runs this section after the tests that need a GPU, then a
search and a profile.
"""

from collections.abc import Iterator

from ..measure import Unanswered, alternate
from ..page import Table
from . import Bench, NotHere, consoles, kernels

WORKERS = ("ours", "theirs")
PACKAGES = (*kernels.PACKAGES, "triton")


def run(bench: Bench) -> Iterator[Table]:
    if not has_gpu(bench):
        raise NotHere("there is no CUDA device")
    sizes, samples = ((4,), 2**12) if bench.quick else ((16, 64), 2**17)  # ten minutes at most, with all else
    for title in ("Forward", "Training step"):
        mode = consoles.MODES[title]
        found = {}
        for tracks in sizes:
            arguments = {**consoles.console(tracks, samples), **mode, "device": "cuda"}
            found[tracks] = alternate(*consoles.rivals(bench, arguments), repeats=1 if bench.quick else 5)
        for quantity, key in (("seconds", "seconds"), ("peak MB", "tensors")):
            numbers = {tracks: [result[key] for result in results] for tracks, results in found.items()}
            yield consoles.table(f"{title}, {samples:,} samples, {quantity}", numbers)
    yield kernels.table(bench, "cuda", repeats=1 if bench.quick else 7)


def has_gpu(bench: Bench) -> bool:
    """Whether ours finds a CUDA device."""
    try:
        return bench.ours.ask("has_gpu", {})["gpu"]
    except Unanswered:
        return False
