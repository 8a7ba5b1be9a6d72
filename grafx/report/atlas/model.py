"""What an atlas shows of many songs, gathered one by one and of bounded size: counts, histograms, a row a song."""

import math
import os
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from ...files import relative_path
from ...parameters.words import UNITS
from ...search.songs.collect.run import FoundProcessor, Run, console_of, is_done, stem_of
from ...search.songs.collect.tables import natural, song_row

MOST_SONGS = 20_000
"""Rows; of more songs, those at even distances have one."""
MOST_STEMS = 24
"""Names of stems that are shown by themselves, the most frequent."""
BINS = 24
OUTER = 1.0
"""Percent at each end of a distribution that its first and last bins hold, so that few do not squeeze all others."""
FEW = 100
"""Values of which all lie between the ends of their histogram."""
ALL, OTHERS = "", "others"
LONGEST_REASON = 300
WET, WORTH = "\0wet", "\0worth"
MADE = {WET: ("wet", "%"), WORTH: ("what the loss gains without it", "")}
"""Numbers of processors that are no settings."""
LOG_UNITS = ("Hz", "ms", "s")
STATES = ("done", "failed", "running", "waiting")
COLUMNS = (
    "name",
    "state",
    "reason",
    "over",
    "found",
    "plain",
    "processors",
    "console",
    "stems",
    "seconds",
    "report",
    "parts",
)

_BAND = re.compile(r"(.+)/([\d.]+) Hz((?:/\d+)?)")


class Atlas:
    """Gathers songs for a page.

    Args:
        runs: Folder of the searches.
        report: Name of the page of a song in its folder, to which there are links.
    """

    def __init__(self, runs: str | os.PathLike, report: str = "report.html") -> None:
        self._runs, self._report = Path(runs), report
        self._rows: list[tuple[list[Any], set[tuple[str, str]]]] = []
        self._stride, self._count = 1, 0
        self._states: Counter[str] = Counter()
        self._found: Counter[tuple[str, str]] = Counter()
        self._began: Counter[tuple[str, str]] = Counter()
        self._songs_of: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()
        self._values: dict[tuple[str, str], dict[str, array]] = defaultdict(lambda: defaultdict(lambda: array("f")))

    def add(self, run: Run, parts: Sequence[FoundProcessor]) -> None:
        """Add a song with the processors that were found."""
        self._states[run.state.state] += 1
        if self._count % self._stride == 0:
            report = (self._runs / run.name / self._report).is_file()
            self._rows.append((_row(song_row(run), report), {(part.kind, part.stem) for part in parts}))
        self._count += 1
        if len(self._rows) > MOST_SONGS:
            self._rows, self._stride = self._rows[::2], 2 * self._stride
        if not is_done(run):
            return
        began = [(each["kind"], stem_of(each["owner"], each["role"])) for each in console_of(run)]
        self._began.update(began)
        self._totals["began"] += len(began)
        self._totals["found"] += len(parts)
        self._totals["seconds"] += run.metrics.get("seconds") or 0
        self._songs_of.update({stem for _, stem in began} | {part.stem for part in parts})
        for part in parts:
            self._found[part.kind, part.stem] += 1
            numbers = part.numbers() | {WET: 100 * part.drywet}
            if part.loss_without is not None and run.metrics.get("found_loss") is not None:
                numbers[WORTH] = part.loss_without - run.metrics["found_loss"]
            for name, value in numbers.items():
                self._values[part.kind, name][part.stem].append(value)

    def model(self, folder: Path) -> dict[str, Any]:
        """All that a page in a folder shows, as plain data."""
        common = sorted(self._songs_of, key=lambda stem: (-self._songs_of[stem], stem))[:MOST_STEMS]
        shown = [*common, OTHERS] if len(self._songs_of) > MOST_STEMS else common
        kinds = _by_kind(self._found, self._began)
        return {
            "title": f"Atlas of {self._count} song{'s' * (self._count != 1)}",
            "songs": self._count,
            "states": {state: self._states[state] for state in STATES},
            "processors": self._totals["found"],
            "console": self._totals["began"],
            "seconds": round(self._totals["seconds"], 1),
            "kinds": kinds,
            "stems": shown,
            "survival": self._survival(kinds, shown),
            "settings": {kind: self._settings(kind, shown) for kind in kinds},
            "base": quote(relative_path(self._runs, folder)) + "/",
            "report": self._report,
            "columns": list(COLUMNS),
            "rows": [[*row, _places(parts, kinds, shown)] for row, parts in self._rows],
        }

    def _survival(self, kinds: Sequence[str], stems: Sequence[str]) -> dict[str, dict[str, list[int]]]:
        """How often each kind was found on each stem, and how often it might have been."""
        table: dict[str, dict[str, list[int]]] = {kind: {} for kind in kinds}
        for place, counts in enumerate((self._found, self._began)):
            for (kind, stem), number in counts.items():
                for name in (ALL, stem if stem in stems else OTHERS):
                    table[kind].setdefault(name, [0, 0])[place] += number
        return table

    def _settings(self, kind: str, stems: Sequence[str]) -> dict[str, Any]:
        values = {name: _merged(by, stems) for (k, name), by in self._values.items() if k == kind}
        bands: dict[tuple[str, str], dict[float, str]] = defaultdict(dict)
        for name in values:
            if match := _BAND.fullmatch(name):
                bands[match[1], match[3]][float(match[2])] = name
        bands = {key: names for key, names in bands.items() if len(names) > 2}
        in_bands = {name for names in bands.values() for name in names.values()}
        single = sorted((name for name in values if name not in in_bands), key=natural)
        return {
            "curves": [_curve(*key, bands[key], values) for key in sorted(bands)],
            "numbers": [_histogram(name, values[name]) for name in single],
        }


def _row(song: Mapping[str, Any], report: bool) -> list[Any]:
    """What the table of songs shows of one, but for its last column."""
    losses = (_finite(song[key]) for key in ("found_over_plain", "found_loss", "plain_loss"))
    counts = (song["found_processors"], song["console_processors"], len(song["stems"]), _finite(song["seconds"]))
    reason = (song["reason"] or "")[:LONGEST_REASON]
    return [song["name"], STATES.index(song["state"]), reason, *losses, *counts, int(report)]


def _places(parts: Iterable[tuple[str, str]], kinds: Sequence[str], stems: Sequence[str]) -> list[int]:
    """Which kinds there are on which stems, as places in a table of them."""
    return sorted({kinds.index(k) * len(stems) + stems.index(s if s in stems else OTHERS) for k, s in parts})


def _by_kind(*counters: Counter[tuple[str, str]]) -> list[str]:
    """Kinds, the most frequent first."""
    totals: Counter[str] = Counter()
    for place, counter in enumerate(counters):
        for (kind, _), number in counter.items():
            totals[kind] += number if place == 0 else 0
    return sorted(totals, key=lambda kind: (-totals[kind], kind))


def _merged(by: Mapping[str, array], stems: Sequence[str]) -> dict[str, np.ndarray]:
    """Values by the names of stems that are shown, those of all first."""
    groups: dict[str, list[np.ndarray]] = defaultdict(list)
    for stem, values in by.items():
        finite = np.array(values, dtype=np.float64)
        finite = finite[np.isfinite(finite)]
        for name in (ALL, stem if stem in stems else OTHERS):
            groups[name].append(finite)
    merged = {name: np.concatenate(parts) for name, parts in groups.items()}
    return {name: merged[name] for name in (ALL, *stems, OTHERS) if name in merged and len(merged[name])}


def _curve(name: str, suffix: str, bands: Mapping[float, str], values: Mapping[str, Mapping[str, np.ndarray]]) -> dict:
    """How numbers at several frequencies are spread: the lowest and highest tenth, and the middle."""
    hertz = sorted(bands)
    by: dict[str, Any] = {}
    for stem in values[bands[hertz[0]]]:
        columns = [values[bands[f]].get(stem) for f in hertz]
        if all(column is not None for column in columns):
            spreads = np.array([_spread(column) for column in columns if column is not None]).T
            by[stem] = [len(columns[0] if columns[0] is not None else ()), *(list(map(_short, row)) for row in spreads)]
    title, unit = _words(name)
    return {"title": title + suffix.replace("/", " "), "unit": unit, "hertz": hertz, "by": by}


def _histogram(name: str, by: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """How a number is spread, in bins that all stems share."""
    title, unit = _words(name)
    if not by:
        return {"title": title, "unit": unit, "scale": "linear", "low": 0, "high": 1, "by": {}}
    values = by[ALL]
    low, high = (float(v) for v in np.percentile(values, [0, 100] if len(values) <= FEW else [OUTER, 100 - OUTER]))
    logarithmic = low > 0 and high > 8 * low and (unit in LOG_UNITS or title == "ratio")
    if not high > low:
        low, high = (low / 1.1, high * 1.1) if logarithmic else (low - 0.5, high + 0.5)
    edges = np.geomspace(low, high, BINS + 1) if logarithmic else np.linspace(low, high, BINS + 1)
    counted = {stem: np.histogram(each.clip(low, high), np.r_[low, edges[1:-1], high])[0] for stem, each in by.items()}
    return {
        "title": title,
        "unit": unit,
        "scale": "log" if logarithmic else "linear",
        "low": _short(low),
        "high": _short(high),
        "by": {s: [len(each), *map(_short, _spread(each)), counted[s].tolist()] for s, each in by.items()},
    }


def _spread(values: np.ndarray) -> np.ndarray:
    return np.percentile(values, [10, 50, 90])


def _words(name: str) -> tuple[str, str]:
    """What a number is called, and its unit."""
    if name in MADE:
        return MADE[name]
    path, _, last = name.rpartition("/")
    path, last = (path, last) if path and not last.isdigit() else ("", name)
    base, _, suffix = last.split("/")[0].rpartition("_")
    unit = UNITS.get(suffix) if base else None
    words = last.replace("/", " ") if unit is None else last.replace(f"_{suffix}", "", 1).replace("/", " ")
    return f"{path} {words}".replace("/", " ").replace("_", " ").strip(), unit or ""


def _finite(value: Any) -> float | None:
    return _short(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _short(value: float) -> float:
    return float(f"{value:.5g}")
