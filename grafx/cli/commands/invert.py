"""``grafx invert``."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ..faults import INTERRUPTED, RESUMES, plain_errors
from ..progress import busy

Synth = Enum("Synth", {name: name for name in ("kick",)}, type=str)
"""Those of :data:`grafx.cli.invert.SYNTHS`."""


def invert(
    file: Annotated[Path, typer.Argument(help="An audio file, mono or stereo.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where the results go.", show_default=False)],
    synth: Annotated[
        Synth,  # pyright: ignore[reportInvalidTypeForm] – a class, made from names
        typer.Option(help="The synthesizer."),
    ] = Synth.kick,  # pyright: ignore[reportAttributeAccessIssue]
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it.")] = 0,
) -> None:
    """Find the settings with which a synthesizer reproduces a sound.

    Writes the settings, their sound, spectrograms before and after, and a page. Interrupt it at any time: the best
    settings so far are saved, and the same command resumes.
    """
    with plain_errors(stopped=RESUMES):
        with busy("starting"):
            from ..inversions import sources_of_inversion
            from ..invert import run_invert
            from ..report import leave_report

        if not run_invert(file, synth.value, out, seed):
            raise typer.Exit(INTERRUPTED)
        leave_report(out, lambda folder: sources_of_inversion(folder, file))
