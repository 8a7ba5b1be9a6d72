"""Command line of the benchmarks: ``python -m benchmarks [sections] [--peer PYTHON] [--scatter PYTHON]``.

``--audio FILE`` names a recording, ``--songs FOLDER`` songs, ``--song FOLDER`` one, ``--before PATH`` an earlier
version, ``--runs FOLDER`` results of searches; ``--quick`` runs tiny sizes.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from .measure import Worker
from .page import provenance, section_text, updated
from .plot import Plot
from .sections import SECTIONS, Bench, NotHere, load

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run sections, print their tables, and save them in the page if a peer took part."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(sorted(unknown))}: choose from {', '.join(SECTIONS)}.")
    if options.audio and not Path(options.audio).is_file():
        parser.error(f"there is no recording {options.audio}.")
    for name in ("song", "songs", "runs"):
        if (folder := getattr(options, name)) and not Path(folder).is_dir():
            parser.error(f"there is no folder {folder}.")
    if options.before and not Path(options.before).exists():
        parser.error(f"there is no Python or tree {options.before}.")
    threads = 1 if options.quick else None  # several would wait for each other where cores are busy
    bench = Bench(
        ours=Worker(sys.executable, "ours", threads),
        theirs=Worker(options.peer, "grafx06", threads),
        scatter=Worker(options.scatter, "ours", threads),
        pedalboard=Worker(options.peer, "pedalboard_", threads),
        quick=options.quick,
        audio=options.audio,
        songs=options.songs,
        search=options.search,
        before=_earlier(options.before, threads),
        song=options.song,
        runs=options.runs,
    )
    recorded = options.peer and not options.quick
    try:
        for name in options.sections or SECTIONS:
            print(f"[{name}]", file=sys.stderr, flush=True)
            _measure(load(name), bench, recorded)
    finally:
        bench.close()


def _earlier(place: str | None, threads: int | None) -> Worker:
    """What searches with an earlier version, of a Python or of a tree, which this Python can run."""
    if place and Path(place).is_dir():
        return Worker(sys.executable, "searching", threads, {"PYTHONPATH": str(Path(place).resolve())})
    return Worker(place, "searching", threads)


def _measure(module: ModuleType, bench: Bench, recorded: bool) -> None:
    try:
        parts = list(module.run(bench))
    except NotHere as reason:
        print(section_text(module, [], f"Not measured: {reason}."), flush=True)
        return
    text = section_text(module, parts, provenance(bench, module))
    print(text, flush=True)
    if recorded:
        PAGE.write_text(updated(PAGE.read_text() if PAGE.exists() else "", text))
        for part in parts:
            if isinstance(part, Plot):
                part.save(PAGE.parent)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"all of {', '.join(SECTIONS)}")
    parser.add_argument(
        "--peer",
        metavar="PYTHON",
        help="a Python with GRAFX 0.6.0 and other packages; results go to docs/benchmarks.md",
    )
    parser.add_argument("--scatter", metavar="PYTHON", help="a Python with this package and torch_scatter")
    parser.add_argument("--audio", metavar="FILE", help="a recording to compare sounds on, in place of a drum loop")
    parser.add_argument("--songs", metavar="FOLDER", help="songs with their stems, for the section sessions")
    parser.add_argument("--song", metavar="FOLDER", help="a song for the section search, in place of a made-up one")
    parser.add_argument("--runs", metavar="FOLDER", help="results of searches of the songs, for the section settings")
    parser.add_argument("--before", metavar="PATH", help="a Python with an earlier version, or the folder of its code")
    parser.add_argument("--search", action="store_true", help="also search the songs, which takes hours")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything runs")
    return parser


if __name__ == "__main__":
    main()
