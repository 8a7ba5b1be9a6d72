"""``grafx train``."""

import os
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from ...choices import DRY
from ...errors import EstimateError
from ..faults import RESUMES, plain_errors, usage
from ..outputs import check_folder
from ..progress import busy, in_lines
from ..terminal import silence, warnings_as_notices

Dry = Enum("Dry", {name: name for name in DRY}, type=str)

NUMBER = "Instead of what the preset has."


def train(
    out: Annotated[Path, typer.Option(help="Where the model goes.", show_default=False)],
    preset: Annotated[
        str, typer.Option(metavar="tiny|small|base|FILE", help="How large, on what, how long; or a TOML file.")
    ] = "tiny",
    data: Annotated[
        Path | None, typer.Option(help="Data of `grafx data` to learn from.", show_default="made on the way")
    ] = None,
    prior: Annotated[str | None, typer.Option(help=f"What graphs are drawn from. {NUMBER}", show_default=False)] = None,
    sounds: Annotated[
        str | None,
        typer.Option(metavar="drums|tones|mix|FOLDER", help=f"Dry sounds. {NUMBER}", show_default=False),
    ] = None,
    examples: Annotated[int | None, typer.Option(min=1, help=NUMBER, show_default=False)] = None,
    steps: Annotated[int | None, typer.Option(min=1, help=NUMBER, show_default=False)] = None,
    dry: Annotated[
        Dry | None,  # pyright: ignore[reportInvalidTypeForm] – a class, made from names
        typer.Option(help=f"Whether the model hears the dry sound beside the output. {NUMBER}", show_default=False),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help=f"Everything random follows from it. {NUMBER}", show_default=False)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that make data.", show_default="one a core")
    ] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda, mps, …")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="How many of these, on each machine.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="How many machines.")] = 1,
    precision: Annotated[str, typer.Option(help="32-true, bf16-mixed, 16-mixed, …")] = "32-true",
    tensorboard: Annotated[
        Path | None, typer.Option(help="Folder for the progress, for TensorBoard.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print how good the model is as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no notes and no progress.")] = False,
) -> None:
    """Train a model that estimates graphs from sounds.

    Makes random graphs and their sounds, and learns to read the graphs off them. Interrupt it at any time: the same
    command resumes. Several devices or machines run the same command.
    """
    with plain_errors(stopped=RESUMES), silence(quiet), in_lines(json), warnings_as_notices(UserWarning):
        for folder in (out, *([tensorboard] if tensorboard else [])):
            check_folder(folder, EstimateError)
        _refuse_making(data, prior=prior, sounds=sounds, examples=examples)
        changes: dict[str, dict[str, Any]] = {
            "data": {"prior": prior, "sounds": sounds, "examples": examples, "dry": dry and dry.value, "seed": seed},
            "training": {"steps": steps, "seed": seed},
        }
        with busy("starting"):
            from ...estimate.recipe import load_recipe
            from ..train import run_train

            recipe = load_recipe(preset).having(
                **{part: {k: v for k, v in values.items() if v is not None} for part, values in changes.items()}
            )
        where = {
            "accelerator": accelerator,
            "devices": devices,
            "num_nodes": nodes,
            "precision": precision,
        }
        run_train(recipe, out, data, os.cpu_count() or 1 if workers is None else workers, where, tensorboard, json)


def _refuse_making(data: Path | None, **asked: Any) -> None:
    """Refuse options of data that is made, where data is given."""
    if data is not None and (given := [f"--{name}" for name, value in asked.items() if value is not None]):
        with usage():
            raise EstimateError(f"{', '.join(given)} would make data, but --data gives it: leave one out.")
