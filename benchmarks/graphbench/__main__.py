"""Make and check entries: ``python -m benchmarks.graphbench``."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from grafx.audio import write_audio

from .entry import EntryError, check_scores, read_entry, score_entry
from .tasks import SPLITS, TASKS


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the tests of a task as audio files, or check an entry."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graphbench", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="write the sounds of the tests of a task")
    make.add_argument("task", choices=TASKS)
    make.add_argument("--out", type=Path, required=True)
    check = commands.add_parser("check", help="compute the scores of an entry, and compare those that it claims")
    check.add_argument("entry", type=Path)
    options = parser.parse_args(arguments)
    try:
        if options.command == "make":
            write_test(options.task, options.out)
        else:
            check_entry(options.entry)
    except EntryError as error:
        sys.exit(f"Error: {error}")


def write_test(name: str, out: Path, count: int | None = None) -> None:
    """Write the outputs and dry sounds of both splits, ``drums/unseen/012.wav`` and ``drums/unseen/012-dry0.wav``."""
    task = TASKS[name]
    for split in SPLITS:
        folder = out / name / split
        folder.mkdir(parents=True, exist_ok=True)
        for index, example in enumerate(task.test(split, count)):
            write_audio(folder / f"{index:03d}.wav", example.output, task.prior.sample_rate)
            for place, dry in enumerate(example.sources):
                write_audio(folder / f"{index:03d}-dry{place}.wav", dry, task.prior.sample_rate)


def check_entry(path: Path) -> None:
    """Print the scores of an entry, and fail where it claims others."""
    entry = read_entry(path)
    computed = score_entry(entry)
    print(json.dumps(computed, indent=1))
    if "scores" not in entry:
        print(f'{path} claims no scores: these can be added as its "scores".', file=sys.stderr)
    elif wrong := check_scores(entry["scores"], computed):
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
