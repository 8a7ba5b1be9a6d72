"""Sessions.

Songs of known recipes, spoiled as sessions are: their last stem starts 23.4 ms late or 200 ms early, is inverted, of
another song, or missing; the mix is 50 ms late, 6 dB louder, or clipped by as much; all is mono, or at 8 kHz. For each
case, what `grafx.search.align` does before a search: which stems it moves (later is positive), how many samples the
worst stem is then off, which it inverts or leaves out, how many samples of the mix are clipped, and how much of the
energy of the mix no stem explains.

The songs are those of the folders in `--songs FOLDER`, each with `stems/*.flac` and `chain.flac`. With `--search`, each
case is searched with and without alignment; the last columns are the loss that is left, relative to that of the plain
sum of the stems.
"""

from collections.abc import Iterator
from pathlib import Path

from ..measure import Run, alternate
from ..page import Table
from . import Bench, NotHere

WORKERS = ("ours",)
CASES = (
    "as it is",
    "one stem late",
    "one stem early",
    "one stem inverted",
    "mix late",
    "mix 6 dB louder",
    "mix clipped",
    "a stem of another song",
    "a stem missing",
    "all mono",
    "8 kHz",
    "late, inverted, clipped",
)
COLUMNS = ("case", "moved", "samples off", "inverted", "left out", "clipped", "unexplained", "notes")


def run(bench: Bench) -> Iterator[Table]:
    if bench.songs is None:
        raise NotHere("it takes songs: --songs FOLDER")
    songs = sorted(path.parent for path in Path(bench.songs).glob("*/chain.flac"))
    if len(songs) < 2:
        raise NotHere(f"{bench.songs} does not hold two songs")
    for song, other in zip(songs, [*songs[1:], songs[0]], strict=True):
        table = Table(song.name, (*COLUMNS, "aligned", "as given") if bench.search else COLUMNS)
        for case in CASES[:2] if bench.quick else CASES:
            arguments = {"folder": str(song), "other": str(other), "case": case}
            switches = {"search": bench.search, "quick": bench.quick}
            (row,) = alternate(Run(bench.ours, "sessions", {**arguments, **switches}), repeats=1, fresh=False)
            texts = {key: ", ".join(row[key]) or "–" for key in ("moved", "inverted", "left_out")}
            share = row["unexplained"]
            table.rows.append(
                (
                    case,
                    texts["moved"],
                    row["samples_off"],
                    texts["inverted"],
                    texts["left_out"],
                    row["clipped"],
                    share,
                    row["notes"],
                    *((row["aligned"], row["as_given"]) if bench.search else ()),
                )
            )
        yield table
