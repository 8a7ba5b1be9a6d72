"""``grafx estimate``."""

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from ...errors import EstimateError
from ..faults import plain_errors
from ..outputs import check_folder
from ..progress import busy, in_lines
from ..terminal import say, silence

KEPT = "Stopped. Estimates of files that were done are kept; give the others to go on."


def estimate(
    files: Annotated[list[Path], typer.Argument(help="Audio files, mono or stereo.", show_default=False)],
    model: Annotated[Path, typer.Option(help="Folder of `grafx train`.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where the results go; of each of several files in a folder of its own.")],
    dry: Annotated[
        list[Path] | None,
        typer.Option(help="What went in, if that is known. Give it once for all files, or once for each."),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many graphs to find for each file.")] = 5,
    json: Annotated[bool, typer.Option("--json", help="Print the estimates as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no notes.")] = False,
) -> None:
    """Estimate the graphs that may have made a sound.

    Writes the most likely graph with its settings and a drawing, all that were found with their probabilities, and
    where the dry sound is given, what it sounds like through the graph, and a page.
    """
    with plain_errors(stopped=KEPT), silence(quiet), in_lines(json):
        with busy("reading the model"):
            from ...estimate.estimator import Estimator
            from ..estimate import refuse_results, run_estimates, tasks_of

            tasks = tasks_of(files, dry or [], out)
            check_folder(out, EstimateError)
            estimator = Estimator.load(model)
            for task in tasks:
                refuse_results(task.out)
        said, failed = run_estimates(estimator, tasks, k, json)
        if json:
            print(json_format.dumps(said, indent=1))
        elif failed:
            say(f"{failed} of {len(tasks)} files could not be estimated; results of the others are in {out}.")
        elif len(tasks) == 1:
            say(f"Results are in {tasks[0].out}.")
        else:
            say(f"Results are in {out}, of each file in a folder of its own.")
        if failed:
            raise typer.Exit(1)
