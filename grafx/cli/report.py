"""``grafx report``, and the report that other commands leave beside their results."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..data.formats.io import GRAPH_FILE
from ..errors import GraphError
from .faults import plain_errors, usage
from .inversions import is_inversion, sources_of_inversion
from .outputs import check_file
from .own_processors import find_maker
from .results import ResultFolder, metrics_beside
from .sources import Mix, OwnProcessors, Sources, Stems, find_sources
from .terminal import notice, remark, say, silence

REPORT_FILE, TRUTH_FILE = "report.html", "truth.json"
PAGES = (".html", ".htm")


def report(
    folder: ResultFolder,
    stems: Stems = None,
    mix: Mix = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="What is known of the mix: a JSON file of its chains.", show_default="truth.json, if any"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Page to write.", show_default="report.html in the folder")] = None,
    processors: OwnProcessors = None,
) -> None:
    """Write a page to see and hear a saved graph.

    It is one file that opens in any browser, without a network.
    """
    folder = folder.parent if folder.is_file() else folder
    out = folder / REPORT_FILE if out is None else out
    from ..report import read_truth

    with plain_errors():
        with usage():
            maker = find_maker(processors) if processors else None
            check_file(out, PAGES, GraphError)
        known = read_truth(truth) if truth else None  # before the audio is read
        if is_inversion(folder) and not (folder / GRAPH_FILE).exists():
            sources = sources_of_inversion(folder, mix)
        else:
            sources = find_sources(folder, stems or (), mix, processors, maker)
        write_page(folder, out, sources, known)
        say(f"Wrote {out}.")


def write_page(folder: Path, out: Path, sources: Sources, truth: Mapping[str, Sequence[str]] | None = None) -> None:
    """Write the report of a folder's graph, with what lies beside it: its metrics and the ground truth."""
    from ..report import read_truth, write_report

    if truth is None and (folder / TRUTH_FILE).is_file():
        truth = read_truth(folder / TRUTH_FILE)
    write_report(
        out,
        sources.G,
        sources.stems,
        sources.sample_rate,
        sources.processors,
        sources.mix,
        names=sources.names,
        metrics=metrics_beside(folder),
        truth=truth,
        title=sources.title,
    )


def leave_report(folder: Path, find: Callable[[Path], Sources] = find_sources) -> None:
    """Write the report beside results that are complete already, so that what goes wrong loses nothing."""
    out = folder / REPORT_FILE
    if out.exists():
        return
    try:
        with silence(True):  # what is to be said of the files has been said
            sources = find(folder)
        write_page(folder, out, sources)
    except (ValueError, OSError) as error:
        notice(f"The results are complete, but their page could not be written. {error}")
        return
    remark(f"See and hear the result: {out}.")  # not among what programs read
