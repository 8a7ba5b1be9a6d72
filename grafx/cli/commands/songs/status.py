"""``grafx songs status``."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column

from ....text import printable
from ....words import count, duration
from ...faults import plain_errors
from ...options import Runs
from ...tables import print_table
from ...terminal import say

if TYPE_CHECKING:
    from ....search.songs.status import Status

FAILURES_SHOWN = 20


def status(
    runs: Runs,
    as_json: Annotated[bool, typer.Option("--json", help="Print all numbers and failures as JSON.")] = False,
) -> None:
    """Say how far the searches of many songs are, and why some have failed."""
    from ....search.songs.status import read_status

    with plain_errors():
        found = read_status(runs)
        if as_json:
            failed = [{k: v for k, v in asdict(state).items() if k != "asked"} for state in found.failed]
            print(json.dumps(asdict(found) | {"failed": failed}, indent=1))
            return
        _print(found)


def _print(found: "Status") -> None:
    from ....search.songs.state import DONE, FAILED, RUNNING, WAITING

    songs, total = found.songs, sum(found.songs.values())
    words = [f"{songs[DONE]} of {count(total, 'song')} are done"]
    words += [f"{songs[RUNNING]} run"] if songs[RUNNING] else []
    again = f", {found.again} of them again" if found.again else ""
    words += [f"{songs[WAITING]} wait{again}"] if songs[WAITING] else []
    words += [f"{songs[FAILED]} failed"] if songs[FAILED] else []
    say(f"{'; '.join(words)}.")
    if found.seconds:
        say(f"Those that are done took {duration(found.seconds)} of work.")
    if found.remaining is not None:
        say(f"About {duration(found.remaining)} remain.")
    elif songs[WAITING] and not found.active:
        say("Nobody runs them on this machine; the command that began resumes.")
    if found.failed:
        shown = found.failed[:FAILURES_SHOWN]
        rows = [(printable(state.name), str(state.attempts), printable(state.reason)) for state in shown]
        print_table("Failures", ("song", Column("tried", justify="right"), "reason"), rows, ruled=True)
        if len(found.failed) > FAILURES_SHOWN:
            say(f"{count(len(found.failed) - FAILURES_SHOWN, 'other song')} failed: --json has all.")
