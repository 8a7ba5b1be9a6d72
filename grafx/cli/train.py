"""``grafx train``."""

import json as json_format
from pathlib import Path
from typing import Any

import typer

from ..estimate.recipe import Recipe
from .faults import INTERRUPTED
from .progress import interrupts, shown_progress
from .terminal import notice, say, silence


def run_train(
    recipe: Recipe,
    out: Path,
    data: Path | None,
    workers: int,
    where: dict[str, Any],
    tensorboard: Path | None,
    json: bool,
) -> None:
    """Train, with a progress bar, and say how good the model is. All processes but the first are silent."""
    from ..estimate.estimator import Estimator
    from ..estimate.train import train
    from ..estimate.training.fabric import make_fabric

    fabric = make_fabric(**where)
    with silence(not fabric.is_global_zero), interrupts() as interrupted:
        with shown_progress("looking for what is made already") as show:
            finished = train(recipe, out, data, workers, fabric, tensorboard, show, interrupted)
        if not finished:
            notice(f"Stopped. What is done is in {out}; the same command resumes.")
            raise typer.Exit(INTERRUPTED)
        if not fabric.is_global_zero:
            return
    measures = Estimator.load(out).about["measures"]
    if json:
        print(json_format.dumps({"folder": str(out), "measures": measures}))
        return
    for name, values in measures.items():
        words = {"given": "With the dry sound", "absent": "Without the dry sound"}[name]
        off = values["parameter_error"]
        say(
            f"{words}, {values['node_type_error']:.1%} of the node types of {values['graphs']} other sounds are wrong"
            + (f"; settings of those found are off by {off:.1%} of their range." if off is not None else ".")
        )
    say(f"The model is in {out}. grafx estimate FILE --model {out} uses it; {out / 'data'} is needed no more.")
