"""``grafx report``, and the report that other commands leave beside their results."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .options import REPORT_FILE as REPORT_FILE
from .progress import busy
from .results import metrics_beside
from .sources import Sources, find_sources
from .terminal import notice, remark, silence

TRUTH_FILE = "truth.json"


@busy("writing the page")
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
