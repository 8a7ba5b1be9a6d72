"""The command line: ``python -m benchmarks [sections] [--peer PYTHON] [--scatter PYTHON] [--quick]``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .measure import Worker
from .page import provenance, section_text, updated
from .sections import SECTIONS, Bench, load

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run sections, print their tables, and keep them in the page if a peer took part."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(sorted(unknown))}: choose from {', '.join(SECTIONS)}.")
    threads = 1 if options.quick else None  # several would wait for each other where cores are busy
    bench = Bench(
        ours=Worker(sys.executable, "ours", threads),
        theirs=Worker(options.peer, "grafx06", threads),
        scatter=Worker(options.scatter, "ours", threads),
        quick=options.quick,
    )
    recorded = options.peer and not options.quick
    try:
        for name in options.sections or SECTIONS:
            print(f"[{name}]", file=sys.stderr, flush=True)
            module = load(name)
            text = section_text(module, module.run(bench), provenance(bench, module.WORKERS))
            print(text, flush=True)
            if recorded:
                PAGE.write_text(updated(PAGE.read_text() if PAGE.exists() else "", text))
    finally:
        bench.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"all of {', '.join(SECTIONS)}")
    parser.add_argument(
        "--peer", metavar="PYTHON", help="a Python with GRAFX 0.6.0; its results go to docs/benchmarks.md"
    )
    parser.add_argument("--scatter", metavar="PYTHON", help="a Python with this package and torch_scatter")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything runs")
    return parser


if __name__ == "__main__":
    main()
