"""``grafx data``."""

import json as json_format
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ...choices import AUDIBLE_DB, BY
from ...errors import EstimateError
from ...words import count as counted
from ..faults import INTERRUPTED, RESUMES, plain_errors
from ..outputs import check_folder
from ..progress import busy, in_lines
from ..terminal import notice, say, silence, warnings_as_notices

By = Enum("By", {name: name for name in BY}, type=str)


def data(
    prior: Annotated[
        str, typer.Argument(help="What graphs are drawn from: drums, guitar, mix, or a TOML file.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Where the data goes.", show_default=False)],
    count: Annotated[int, typer.Option(min=1, help="Examples for training.", show_default=False)],
    valid: Annotated[
        int | None, typer.Option(min=0, help="Examples for validation.", show_default="a tenth of --count")
    ] = None,
    test: Annotated[
        int | None, typer.Option(min=0, help="Examples for the test.", show_default="a tenth of --count")
    ] = None,
    sounds: Annotated[
        str, typer.Option(metavar="drums|tones|mix|FOLDER", help="Dry sounds: generated, or those of a folder.")
    ] = "drums",
    seconds: Annotated[float, typer.Option(help="Length of each example.")] = 2.0,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it.")] = 0,
    by: Annotated[
        By,  # pyright: ignore[reportInvalidTypeForm] – a class, made from names
        typer.Option(help="What validation and test do not share with training."),
    ] = By.sound,  # pyright: ignore[reportAttributeAccessIssue]
    loudness: Annotated[
        float | None, typer.Option(help="LUFS to which outputs are brought.", show_default="as they come")
    ] = None,
    audible: Annotated[
        float, typer.Option(help="Settings are drawn again for nodes that change the output by fewer dB than this.")
    ] = AUDIBLE_DB,
    batch: Annotated[int, typer.Option(min=1, help="How many graphs are rendered at once.")] = 32,
    workers: Annotated[int, typer.Option(min=0, help="Processes besides this one.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no notes and no progress.")] = False,
) -> None:
    """Make data for blind estimation: random graphs, their dry sounds and their outputs.

    Interrupt it at any time: the same command resumes.
    """
    with plain_errors(stopped=RESUMES), silence(quiet), in_lines(json), warnings_as_notices(UserWarning):
        with busy("reading the sounds"):
            from ...estimate.prior import load_prior
            from ...estimate.sounds import sounds_named
            from ...estimate.splits import SPLITS
            from ..data import a_tenth, make_datasets, write_datasets

            check_folder(out, EstimateError)
            graphs = load_prior(prior)
            dry = sounds_named(sounds, graphs.sample_rate, notice)
        sizes = dict(zip(SPLITS, (count, *(a_tenth(count) if n is None else n for n in (valid, test))), strict=True))
        options = {
            "seconds": seconds,
            "seed": seed,
            "by": by.value,
            "loudness": loudness,
            "audible_db": audible,
            "batch_size": batch,
        }
        datasets = make_datasets(graphs, dry, sizes, options)
        if not write_datasets(datasets, out, workers):
            notice(f"Stopped. What is complete is in {out}; the same command resumes.")
            raise typer.Exit(INTERRUPTED)
        if json:
            print(json_format.dumps({"folder": str(out), "prior": graphs.name, **sizes}))
        else:
            parts = (f"{counted(dataset.count, 'example')} for {dataset.split}" for dataset in datasets)
            say(f"Data is in {out}: {', '.join(parts)}.")
