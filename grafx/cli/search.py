"""Implementation of ``grafx search``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..data import load_grafx
from ..files import remove_partial
from ..search import Options, Search, load_checkpoint, remove_checkpoint, save_checkpoint
from ..search.mixing.report import RESULT_FILES, write_results
from .material import Material
from .progress import CHECKPOINT, interrupts, run_with_progress
from .results import alone_in, finished_metrics, refuse_results
from .summary import print_summary
from .terminal import notice, say


def run_search(
    material: Material,
    groups: Mapping[str, Sequence[str]],
    options: Options,
    out: Path,
    truth: Mapping[str, Sequence[str]] | None = None,
) -> bool:
    """Search with a progress bar, write the results, and print a summary, next to the ground truth if known.

    An interrupted search is resumed. Results of another search are never overwritten. An interrupt while results are
    written waits until they are; a second one leaves at once, with the checkpoint.

    Returns:
        True if the search finished, false if it was interrupted.
    """
    search = Search(material.stems, material.mix, material.sample_rate, material.names, groups, options)
    if (metrics := finished_metrics(out, search)) is not None:
        remove_partial(out)  # if it was killed at the very end
        remove_checkpoint(out / CHECKPOINT)
        say(f"This search is finished already; its results are in {out}.")
        print_summary(metrics, load_grafx(out)[0], truth)
        return True
    with alone_in(out), interrupts() as interrupted:
        if load_checkpoint(search, out / CHECKPOINT):
            notice(f"Going on after step {search.step} of {search.total_steps}.")
        else:
            refuse_results(out)
        for text in search.diagnosis.notes:
            notice(text)
        # At once, so that a folder that cannot be written to is found before the search rather than after it.
        save_checkpoint(search, out / CHECKPOINT)
        stopped = run_with_progress(search, out, interrupted)
        save_checkpoint(search, out / CHECKPOINT)
        metrics = write_results(search, out)
        if not stopped:
            remove_checkpoint(out / CHECKPOINT)
    if stopped:
        notice(f"Stopped. The best graph so far is in {out}; the same command resumes.")
    print_summary(metrics, search.result().G, truth)
    say(f"Results are in {out}: {', '.join(RESULT_FILES)}.")
    return not stopped
