"""Streaming.

The console of 16 tracks, rendered block by block by `StreamRenderer`; the initial console of a search, whose processors
have dry/wet weights; and a graph of 15 nodes such as a search leaves. Signals are stereo noise at 44.1 kHz. *Of real
time* is the time to render a block relative to that of its sound: below 1 it is finished before the next one arrives,
on average. *Slowest* is the maximum time of a block in a run, which matters in real time. The reverb's response of
60,000 samples is convolved in parts of several sizes, whose work is spread over the blocks. Ten minutes are rendered in
blocks that keep up with real time. In these, the slowest block is mostly one that other programs interrupted; *late* is
the share of blocks that took longer than their sound lasts.

Memory is measured in separate processes, as the peak of resident memory: of a minute and of ten in blocks, generated
block by block and dropped, and of the minute at once by `Renderer`. We know of no other package that renders
such graphs block by block, and GRAFX 0.6.0 does not, so all columns are ours.
"""

from collections.abc import Iterator
from typing import Any

from ..measure import Result, Run, Unanswered, alternate
from ..page import Table, ratio, scaled
from . import Bench
from .consoles import console

WORKERS = ("ours",)
RATE = 44100
CONSOLES = {"plain": "console", "search": "console of a search", "found": "found graph"}
PATIENCE = 20
"""Timeout of a render, relative to the length of the sound."""


def run(bench: Bench) -> Iterator[Table]:
    tracks, seconds = (4, 0.05) if bench.quick else (16, 4)
    lengths = (64, 4096) if bench.quick else (64, 128, 512, 4096)
    cases = {(name, length): _blocks(bench, name, tracks, length, seconds) for name in CONSOLES for length in lengths}
    results = alternate(*cases.values(), repeats=1 if bench.quick else 3)
    speeds = dict(zip(cases, results, strict=True))
    yield _speeds(f"{tracks} tracks in blocks", speeds)
    timely = [length for length in lengths if bench.quick or _keeps_up(speeds["plain", length], length)]
    minutes = {length: _long(bench, tracks, length, 0.1 if bench.quick else 600) for length in timely}
    yield _worst(f"{tracks} tracks, worst block of ten minutes", minutes)
    yield _memory(bench, tracks, 4096, (0.1, 0.2) if bench.quick else (60, 600))


def _keeps_up(result: Result, length: int) -> bool:
    return result.word is None and result["mean"] < length / RATE


def _blocks(bench: Bench, name: str, tracks: int, length: int, seconds: float) -> Run:
    count = max(1, round(seconds * RATE / length))
    return Run(bench.ours, "blocks", {"console": name, "tracks": tracks, "length": length, "count": count})


def _long(bench: Bench, tracks: int, length: int, seconds: float) -> Result:
    count = max(1, round(seconds * RATE / length))
    arguments = {"console": "plain", "tracks": tracks, "length": length, "count": count}
    return _fresh(bench, "blocks", arguments, PATIENCE * seconds)


def _speeds(title: str, results: dict[tuple[str, int], Result]) -> Table:
    columns = ("", "samples in a block", "ms of sound", "ms to render it", "slowest", "of real time")
    table = Table(title, columns)
    for (name, length), result in results.items():
        lasts = length / RATE
        mean, slowest = result["mean"], result["slowest"]
        milliseconds = [scaled(value, 1e3) for value in (lasts, mean, slowest)]
        table.rows.append((CONSOLES[name], length, *milliseconds, scaled(mean, 1 / lasts)))
    return table


def _worst(title: str, results: dict[int, Result]) -> Table:
    table = Table(title, ("samples in a block", "ms of sound", "slowest, ms", "of real time", "late, %"))
    for length, result in results.items():
        lasts, slowest = length / RATE, result["slowest"]
        row = length, scaled(lasts, 1e3), scaled(slowest, 1e3), scaled(slowest, 1 / lasts), scaled(result["late"], 100)
        table.rows.append(row)
    return table


def _memory(bench: Bench, tracks: int, length: int, durations: tuple[float, float]) -> Table:
    title = f"{tracks} tracks of some length, in blocks of {length:,} samples"
    table = Table(title, ("", "seconds of sound", "resident MB", "ratio", "seconds"))
    rows = [("in blocks", d, "long_sound", {"tracks": tracks, "length": length, "seconds": d}) for d in durations]
    at_once = {**console(tracks, round(durations[0] * RATE)), "train": False}
    rows.append(("at once", durations[0], "rendering", at_once))
    first = None
    for name, duration, case, arguments in rows:
        answer = _fresh(bench, case, arguments, PATIENCE * duration)
        first = first or answer
        table.rows.append((name, duration, answer["peak"], ratio(answer["peak"], first["peak"]), answer["seconds"]))
    return table


def _fresh(bench: Bench, case: str, arguments: dict[str, Any], limit: float) -> Result:
    """Run once in a separate process, with a longer timeout."""
    worker = bench.ours if bench.quick else bench.ours.fresh()
    try:
        return Result([worker.ask(case, arguments, max(limit, 600))])
    except Unanswered as unanswered:
        return Result([], str(unanswered))
    finally:
        if worker is not bench.ours:
            worker.close()
