"""Search.

What a search for a mixing graph spends its time on, how fast it finds one, and how its loss relates to others.
`--song FOLDER` names a song, with stems and a mix, in place of a made-up one, `--songs FOLDER` more of them for whole
searches and losses, `--before PATH` an earlier version of this package, as a Python or as its code:

```bash
python -m benchmarks search --search --song falcon69 --songs songs --before earlier-tree --peer path/to/python
```

**A gradient step.** Times of the parts of a step of `grafx.search.Search` while it fits the full console: cutting an
*excerpt* of two seconds and one before, *rendering* it, the *loss*, the *backward* pass of both, Adam (*optimizer*),
and all else (the *rest*). A *trial* bypasses processors and compares; here it is the time of one round of pruning,
divided by its trials.

**A fit.** The console of the first section, with a dry/wet weight for each processor, is fitted to the mix by Adam
(rate 0.1) on excerpts of four seconds, from the same values on and with the same excerpts under each package. Losses
are those of the loudest excerpt, which is not trained on more than others, over steps, and over the seconds of the
training alone. The loss is `auraloss.freq.MultiResolutionSTFTLoss` with 64 mel bands, the mean over left, right, mid
and side; *ours* has it as `MatchLoss`, with targets that are transformed once, *ours, auraloss* as GRAFX 0.6.0 does.
*Repaired* is as for consoles.

**Whole searches**, by `--search`: with default options, without reading files and compiling. The *loss* is relative to
that of the plain sum of the stems, and *left* are processors. Processor time is that of all threads. Over seconds, the
loss is the mean over some steps, each with an excerpt of its own; it rises where processors are removed.

**Losses.** The search of {ref}`Lee et al., 2024 <lee-2024-pruning>` minimizes a multi-resolution STFT loss of left,
right, mid and side, as auraloss has it. `MatchLoss` is of this kind: frames of 512, 1024 and 4096 samples, hops of a
quarter, 64 mel bands, spectral convergence and the mean difference of logarithms. *Mel* is the ratio of auraloss's
value with these options to ours: they are the same. *Linear* is auraloss with all bins in place of bands. Half of the
bins lie above 11 kHz, but only a sixth of the bands, so it minds hiss and dullness more. Values differ, then; what
counts in a search is whether both say the same of two mixes. Spearman's *rank correlation* tells, over mixes with other
levels (the plain sum, mixtures of it and the mix, a stem or a side too loud) and over these and *damaged* ones (noise,
clipping, dull sound). A *ratio* is that of the mean of the linear loss to that of ours.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..measure import NOT_MEASURED, Result, Run, Unanswered, Worker, alternate, wait_for_quiet
from ..page import Table, ratio
from ..plot import COLORS, Line, Plot
from . import Bench

WORKERS = ("ours", "theirs", "before")
PACKAGES = ("grafx", "torch", "auraloss", "numba")
PARTS = ("excerpt", "render", "loss", "backward", "optimizer", "rest")
LONGEST = 3600.0
"""Seconds of a whole search."""
FITS = {
    "ours": ("ours", "fitting", "ours"),
    "ours, auraloss": ("ours", "fitting", "auraloss"),
    "0.6.0": ("theirs", "fitting", "auraloss"),
    "0.6.0 repaired": ("theirs", "fitting_repaired", "auraloss"),
}
"""Name to the worker, its case and its loss."""


def run(bench: Bench) -> Iterator[Table | Plot]:
    yield _parts(bench)
    yield from _fits(bench)
    if bench.search or bench.quick:
        yield from _searches(bench)
    yield _losses(bench)


def _parts(bench: Bench) -> Table:
    size = {"steps": 2, "seconds": 0.5, "method": "drywet"} if bench.quick else {"steps": 20}
    runs = [Run(worker, "search_parts", {"song": bench.song, **size}) for worker in (bench.ours, bench.before)]
    now, before = alternate(*runs, repeats=1 if bench.quick else 3)
    table = Table(f"Milliseconds of a step, {_title(bench.song)}", ("", "ms", "of a step", "before", "ratio"))
    for part in (*PARTS, "step"):
        table.rows.append(
            (part, now[part], _share(now[part], now["step"]), before[part], ratio(before[part], now[part]))
        )
    trials = f"trial, of {_count(now['trials'])} and {_count(before['trials'])}"
    table.rows.append((trials, now["trial"], NOT_MEASURED, before["trial"], ratio(before["trial"], now["trial"])))
    return table


def _fits(bench: Bench) -> Iterator[Table | Plot]:
    steps, every, seconds, repeats = (2, 1, 0.3, 1) if bench.quick else (80, 10, 4.0, 1)
    size = {"song": bench.song, "seconds": seconds, "steps": steps, "every": every}
    runs = [Run(getattr(bench, worker), case, size | {"loss": loss}) for worker, case, loss in FITS.values()]
    found = dict(zip(FITS, alternate(*runs, repeats=repeats, fresh=not bench.quick), strict=True))
    marks = range(0, steps + 1, every)
    curves = {name: [(r[f"seconds_{m}"], r[f"loss_{m}"]) for m in marks] for name, r in found.items()}
    yield _plot("benchmarks_search_fit", "Loss of a console over the seconds of its training.", curves)
    ours = found["ours"]["seconds_a_step"]
    speed = Table(f"Seconds a step, {_title(bench.song)}", ("", "seconds", "ratio"))
    speed.rows += [(name, r["seconds_a_step"], ratio(r["seconds_a_step"], ours)) for name, r in found.items()]
    yield speed
    over_steps = Table("Loss over steps", ("steps", *FITS))
    over_steps.rows += [(f"{m}", *(r[f"loss_{m}"] for r in found.values())) for m in marks]
    yield over_steps
    yield reached(curves)


def reached(curves: dict[str, Sequence[tuple[Any, Any]]]) -> Table:
    """When each of some curves falls to losses that all have reached after a quarter, a half and all of their points.

    Args:
        curves: Name to seconds and losses; the first is ours.
    """
    table = Table("Seconds to reach a loss", ("loss", *(cell for name in curves for cell in (name, "ratio"))))
    measured = [[loss for _, loss in curve] for curve in curves.values() if not isinstance(curve[-1][1], str)]
    count = min(map(len, measured), default=0)
    ends = (max(1, count // 4), max(1, count // 2), count - 1) if measured else ()
    for loss in sorted({max(min(losses[: end + 1]) for losses in measured) for end in ends}, reverse=True):
        times = [first_below(curve, loss) for curve in curves.values()]
        table.rows.append((f"{loss:.3f}", *(cell for time in times for cell in (time, ratio(time, times[0])))))
    return table


def first_below(curve: Sequence[tuple[Any, Any]], loss: float) -> float | str:
    """Return when a curve of seconds and losses first falls to a loss, ``"not"`` or the word that stands in for it."""
    if isinstance(curve[-1][1], str):
        return curve[-1][1]
    return next((seconds for seconds, value in curve if value <= loss), "not")


def _searches(bench: Bench) -> Iterator[Table | Plot]:
    columns = ("song", "version", "loss", "removed", "left", "seconds", "processor seconds", "ratio", "ratio of those")
    table, curves = Table("Whole searches", columns), {}
    for song in _songs(bench):
        results = {
            name: _searched(worker, song, bench) for name, worker in (("now", bench.ours), ("before", bench.before))
        }
        for name, found in results.items():
            numbers = [found[key] for key in ("of_plain", "removed", "left", "wall", "processor")]
            ratios = [ratio(found[key], results["now"][key]) for key in ("wall", "processor")]
            table.rows.append((_title(song), name, *numbers, *ratios))
            if found.word is None:
                curves[f"{_title(song)}, {name}"] = found["curve"]
    yield table
    if curves:
        yield _plot("benchmarks_search", "Loss of whole searches, relative to the plain sum, over seconds.", curves)
        yield _over_seconds(curves)


def _searched(worker: Worker, song: str | None, bench: Bench) -> Result:
    """One run in a process of its own, as it takes minutes; unless it is quick."""
    fresh = worker if bench.quick else worker.fresh()
    if not bench.quick:
        wait_for_quiet()
    try:
        return Result([fresh.ask("whole_search", {"song": song, "quick": bench.quick}, LONGEST)])
    except Unanswered as unanswered:
        return Result([], str(unanswered))
    finally:
        if fresh is not worker:
            fresh.close()


def _over_seconds(curves: dict[str, Sequence[tuple[float, float]]]) -> Table:
    longest = max(curve[-1][0] for curve in curves.values())
    times = [time for time in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if time < longest] or [longest]
    table = Table("Loss over seconds, relative to the plain sum", ("", *(f"{time:g} s" for time in times), "end"))
    for name, curve in curves.items():
        table.rows.append((name, *(value_at(curve, time) for time in times), curve[-1][1]))
    return table


def value_at(curve: Sequence[tuple[float, float]], time: float) -> float | str:
    """Return the last loss before a time; a dash where there is none yet, or the curve has ended."""
    known = [loss for seconds, loss in curve if seconds <= time]
    return known[-1] if known and curve[-1][0] >= time else NOT_MEASURED


def _losses(bench: Bench) -> Table:
    columns = ("song", "mixes", "mel", "rank correlation", "with damaged", "ratio", "of damaged", "plain sum", "linear")
    table = Table("Losses of mixes", columns)
    seconds = 0.5 if bench.quick else 12.0
    for song in _songs(bench):
        (found,) = alternate(
            Run(bench.ours, "losses", {"song": song, "seconds": seconds}), repeats=1, fresh=not bench.quick
        )
        table.rows.append((_title(song), *([found.word] * 8 if found.word else agreement(found))))
    return table


def agreement(found: Mapping[str, Any] | Result) -> list[Any]:
    """Compare the losses of the case of this name: the cells of a row."""
    from scipy.stats import spearmanr

    ours, mel, linear, count = found["ours"], found["mel"], found["linear"], int(found["rebalanced"])
    ranks = [f"{spearmanr(ours[:end], linear[:end]).statistic:.3f}" for end in (count, None)]
    ratios = [sum(linear[part]) / sum(ours[part]) for part in (slice(count), slice(count, None))]
    return [len(ours), f"{sum(mel) / sum(ours):.4f}", *ranks, *ratios, ours[0], linear[0]]


def _songs(bench: Bench) -> list[str | None]:
    songs = sorted(str(path.parent) for path in Path(bench.songs).glob("*/chain.flac")) if bench.songs else []
    return [*([bench.song] if bench.song or not songs else []), *songs]


def _plot(name: str, description: str, curves: dict[str, Any]) -> Plot:
    drawn = [[point for point in curve if not isinstance(point[0], str) and point[0] > 0] for curve in curves.values()]
    lines = [
        Line(title, points, COLORS[i % len(COLORS)], dashed=i >= len(COLORS))
        for i, (title, points) in enumerate(zip(curves, drawn, strict=True))
    ]
    return Plot(name, description, "seconds", "loss", lines)


def _title(song: str | None) -> str:
    return "made-up song" if song is None else Path(song).name


def _share(part: float | str, whole: float | str) -> str:
    return NOT_MEASURED if isinstance(part, str) or isinstance(whole, str) else f"{100 * part / whole:.0f} %"


def _count(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.0f}"
