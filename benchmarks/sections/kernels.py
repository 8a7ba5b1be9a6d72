"""Kernels.

The most expensive parts of processors, each alone, as in a console: 16 tracks, stereo, a filter for each track or row.
Backward passes reach signals, coefficients and responses. *Differs by* is the norm of the difference from ours relative
to that of ours, for the output or for the gradient of the signal, whichever is larger: it shows who computes something
else. GRAFX 0.6.0's convolution is wrong where the full result has an odd length, and is *repaired* by one more sample,
as in the consoles. Its `fsm` and dasp's sample the response of the biquads, which makes it finite.

One-pole smoothing is that of energies, truncated after 16,384 samples by GRAFX 0.6.0 and by ours, but not by torchaudio
and torchlpc. The gain is that of torchcomp's compressor and expander: a static curve, then ballistics.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..measure import Result, Run, alternate
from ..page import Table, ratio, scaled
from . import Bench

WORKERS = ("ours", "theirs")
PACKAGES = ("grafx", "torch", "torchaudio", "torchlpc", "torchcomp", "dasp_pytorch", "numba")
COLUMNS = (
    "kernel",
    "other",
    "forward, ms",
    "ms (other)",
    "ratio",
    "forward and backward, ms",
    "ms (other)",
    "ratio",
    "differs by",
)
NAMES = {
    "grafx06": "GRAFX 0.6.0",
    "grafx06_repaired": "GRAFX 0.6.0, repaired",
    "grafx06_fsm": "GRAFX 0.6.0 `fsm`",
    "grafx06_fsm_repaired": "GRAFX 0.6.0 `fsm`, repaired",
    "grafx06_lfilter": "GRAFX 0.6.0 `lfilter`",
    "grafx06_ssm": "GRAFX 0.6.0 `ssm`",
    "dasp": "dasp",
}


class Kernel(NamedTuple):
    """A kernel of ``cases/kernels.py``, its sizes, and the packages to compare."""

    title: str
    name: str
    sizes: dict[str, int]
    others: tuple[str, ...]


def run(bench: Bench) -> Iterator[Table]:
    yield table(bench, "cpu", repeats=1 if bench.quick else 5)


def table(bench: Bench, device: str, repeats: int) -> Table:
    """Measure each kernel on a device, ours next to the others."""
    tracks, samples = (2, 2**12) if bench.quick else (16, 2**17)
    found = Table(f"{tracks} × 2 rows of {samples:,} samples", COLUMNS)
    for kernel in _kernels(bench.quick):
        arguments = {"name": kernel.name, "device": device, "tracks": tracks, "samples": samples, **kernel.sizes}
        for name, cells in compared(bench, "kernel", arguments, "ours", kernel.others, repeats):
            found.rows.append((kernel.title, NAMES.get(name, name), *cells))
    return found


def compared(
    bench: Bench, case: str, arguments: dict[str, Any], ours: str, others: Sequence[str], repeats: int
) -> Iterator[tuple[str, list[Any]]]:
    """Compare one of our functions with those of other packages.

    Args:
        bench: Workers.
        case: Case that runs a function named by its argument ``package``; with gradients if ``train``.
        arguments: Other arguments.
        ours: Our function.
        others: Functions of other packages.
        repeats: Number of measurements of each.

    Returns:
        Each of the others with both times in ms and their ratio, forward, then with gradients, and the difference.
    """
    workers = {ours: bench.ours, **dict.fromkeys(others, bench.theirs)}
    forward, training = (
        alternate(
            *(Run(worker, case, {**arguments, "package": name, "train": train}) for name, worker in workers.items()),
            repeats=repeats,
        )
        for train in (False, True)
    )
    for index, name in enumerate(others, start=1):
        cells: list[Any] = []
        for results in (forward, training):
            mine, other = (scaled(results[i]["seconds"], 1e3) for i in (0, index))
            cells += [mine, other, ratio(other, mine)]
        differences = [difference(results[0], results[index]) for results in (forward, training)]
        yield name, [*cells, _largest(differences)]


def _kernels(quick: bool) -> Iterator[Kernel]:
    long, short, sections = (600, 63, 2) if quick else (60_000, 2_047, 10)
    grafx = ("grafx06", "grafx06_repaired")
    yield Kernel("one-pole smoothing", "smoothing", {}, (*grafx, "torchaudio", "torchlpc"))
    biquads = tuple(f"grafx06_{backend}" for backend in ("fsm", "fsm_repaired", "lfilter", "ssm"))
    yield Kernel(
        f"{sections} biquads in series",
        "biquads",
        {"sections": sections},
        (*biquads, "torchaudio", "torchlpc", "dasp"),
    )
    yield Kernel(f"convolution with {long:,} taps", "convolution", {"taps": long}, (*grafx, "torchaudio"))
    yield Kernel(f"convolution with {short:,} taps", "convolution", {"taps": short}, ("grafx06", "torchaudio"))
    yield Kernel("ballistics", "ballistics", {}, ("grafx06",))
    yield Kernel("gain with ballistics", "gain", {}, ("torchcomp",))


def difference(ours: Result, other: Result) -> float | str:
    """Compute the norm of the difference of probes relative to that of ours, or the reason why there is none."""
    if word := ours.word or other.word:
        return word
    pairs = list(zip(ours["probes"], other["probes"], strict=True))
    return (sum((a - b) ** 2 for a, b in pairs) / sum(a**2 for a, _ in pairs)) ** 0.5


def _largest(differences: Sequence[float | str]) -> float | str:
    return next((word for word in differences if isinstance(word, str)), None) or max(differences)
