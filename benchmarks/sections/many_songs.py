"""Many songs.

`grafx songs search` of a list, by two workers of one thread each, beside `grafx search` of its songs one after the
other, with all threads or with one. The songs are excerpts of one second, mixed by random engineers with pedalboard
(`tests/search/songs/make_songs.py`), from the stems of the songs in `--songs FOLDER` or of the demo. Searches are
short, six steps and one round of pruning, so that what a song costs beside them counts too. All write their results
with a page; *the same* are songs for which both wrote the same bytes, seconds in their metrics apart. A third of the
songs are searched one by one, and a sixth with one thread, evenly chosen, and their times scaled to all.

```bash
python -m benchmarks many_songs --songs songs --peer path/to/python
```
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..measure import wait_for_quiet
from ..page import Table, ratio
from . import Bench, NotHere

WORKERS = ("ours",)
MAKE = Path(__file__).parents[2] / "tests" / "search" / "songs" / "make_songs.py"
SHORT = ["--fit-steps", "6", "--rounds", "1", "--tune-steps", "3", "--method", "drywet"]
SHORTEST = ["--fit-steps", "2", "--rounds", "1", "--tune-steps", "1", "--method", "drywet", "--chain", "eq,gain"]


class Cost(NamedTuple):
    """What a command took."""

    wall: float
    processor: float


def run(bench: Bench) -> Iterator[Table]:
    count, every, options = (2, 2, SHORTEST) if bench.quick else (40, 3, SHORT)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        songs = _make(place / "songs", bench.songs, count, 0.5 if bench.quick else 1.0)
        if not bench.quick:
            wait_for_quiet()
        manifest = str(place / "songs" / "songs.jsonl")
        together = _grafx(["songs", "search", manifest, "--out", str(place / "all"), "--workers", "2", *options])
        table = Table(f"{count} songs", ("", "seconds", "ratio", "processor seconds", "ratio of those", "the same"))
        table.rows.append(("two workers", together.wall, "1.00×", together.processor, "1.00×", "–"))
        for threads in (1,) if bench.quick else (None, 1):
            some = songs[:: every if threads is None else 2 * every]
            out = place / f"alone{threads or ''}"
            costs = [_alone(song, place / "songs", out, threads, options) for song in some]
            wall, processor = (sum(each) * count / len(some) for each in zip(*costs, strict=True))
            same = sum(written(out / song["name"]) == written(place / "all" / song["name"]) for song in some)
            name = "one by one, all threads" if threads is None else "one by one, one thread"
            ratios = ratio(wall, together.wall), ratio(processor, together.processor)
            table.rows.append((name, wall, ratios[0], processor, ratios[1], f"{same} of {len(some)}"))
    yield table


def _make(out: Path, folders: str | None, count: int, seconds: float) -> list[dict[str, Any]]:
    """Make songs, and read their list."""
    if not MAKE.exists():
        raise NotHere("songs are made by a script of the tests, which are not here")
    stems = sorted(str(path) for path in Path(folders).iterdir() if path.is_dir()) if folders else []
    command = [sys.executable, str(MAKE), str(out), "--songs", str(count), "--seconds", str(seconds), *stems]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [json.loads(line) for line in (out / "songs.jsonl").read_text(encoding="utf-8").splitlines()]


def _alone(song: dict[str, Any], place: Path, out: Path, threads: int | None, options: Sequence[str]) -> Cost:
    """Search one song."""
    stems = [str(place / stem) for stem in song["stems"].values()]
    arguments = ["search", *stems, "--mix", str(place / song["mix"]), "--out", str(out / song["name"]), *options]
    return _grafx(arguments, threads)


def _grafx(arguments: Sequence[str], threads: int | None = None) -> Cost:
    """Run the command and all processes that it starts."""
    limit = {"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)} if threads else {}
    start, before = time.perf_counter(), _spent()
    command = [sys.executable, "-m", "grafx", *arguments, "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | limit)
    return Cost(time.perf_counter() - start, _spent() - before)


def _spent() -> float:
    """Seconds of processor time of all processes that have ended."""
    used = os.times()
    return used.children_user + used.children_system


def written(folder: Path) -> dict[str, Any]:
    """All that a search wrote, without the times that it took."""
    found: dict[str, Any] = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    metrics = json.loads(found["metrics.json"])
    return found | {"metrics.json": {name: value for name, value in metrics.items() if name != "seconds"}}
