"""Commands and their options."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from ..search.search import Options
from .console import fail, say

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

INTERRUPTED = 130  # what shells use for a program that was interrupted

StemPaths = Annotated[list[Path], typer.Argument(help="Audio files, mono or stereo.", show_default=False)]
ResultFolder = Annotated[Path, typer.Argument(help="A folder that a search wrote.", show_default=False)]


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Messages instead of tracebacks for what a user can mend."""
    try:
        yield
    except ValueError as error:
        notes = " ".join(getattr(error, "__notes__", []))
        fail(f"{error} {notes}".strip())
    except ModuleNotFoundError as error:
        fail(f"This needs the package {error.name}: install grafx with its extra 'demo'.")
    except OSError as error:
        fail(f"{error.filename or 'A file'}: {error.strerror or error}.")


def _tell_version(wanted: bool) -> None:
    if wanted:
        say(f"grafx {__version__}")
        raise typer.Exit()


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version and exit.")
    ] = False,
) -> None:
    """Find, render and draw audio processing graphs."""


@app.command()
def search(
    stems: StemPaths,
    mix: Annotated[Path, typer.Option(help="The finished mix of these stems.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where the results go.", show_default=False)],
    group: Annotated[
        list[str] | None, typer.Option(help="A subgroup: NAME=STEM,STEM,… May be given several times.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it.")] = Options.seed,
    fit_steps: Annotated[int, typer.Option(min=0, help="Gradient steps on the full console.")] = Options.fit_steps,
    rounds: Annotated[int, typer.Option(min=0, help="How often pruning and fine-tuning alternate.")] = Options.rounds,
    tune_steps: Annotated[int, typer.Option(min=0, help="Gradient steps after each pruning.")] = Options.tune_steps,
    tolerance: Annotated[float, typer.Option(min=0, help="What pruning may cost in the loss.")] = Options.tolerance,
    method: Annotated[str, typer.Option(help="hybrid, drywet or brute-force.")] = Options.method,
) -> None:
    """Find a mixing graph that turns stems into a finished mix.

    Interrupt it at any time: the best graph so far is saved, and the same command goes on from there.
    """
    from .run import parse_groups, read_material, run_search

    with _plain_errors():
        options = Options(
            seed=seed,
            fit_steps=fit_steps,
            rounds=rounds,
            tune_steps=tune_steps,
            tolerance=tolerance,
            method=method,
        )
        material = read_material(stems, mix)
        if not run_search(material, parse_groups(group or []), options, out):
            raise typer.Exit(INTERRUPTED)


@app.command()
def render(
    folder: ResultFolder,
    stems: StemPaths,
    out: Annotated[Path, typer.Option(help="The audio file to write; .wav keeps 32-bit floats.", show_default=False)],
    block: Annotated[
        int | None,
        typer.Option(min=1, help="Render so many samples at a time: files of any length fit into memory."),
    ] = None,
    tail: Annotated[bool, typer.Option(help="Go on after the stems until the sound has died away.")] = False,
) -> None:
    """Mix stems with a graph that was found or edited."""
    from .run import render_folder

    with _plain_errors():
        render_folder(folder, stems, out, block, tail)
        say(f"Wrote {out}.")


@app.command()
def draw(
    folder: ResultFolder,
    out: Annotated[Path, typer.Option(help="The picture to write: .svg, .pdf or .png.", show_default=False)],
    vertical: Annotated[bool, typer.Option(help="Let signals flow downwards.")] = False,
    inside: Annotated[str, typer.Option(help="Attribute written inside nodes.")] = "short_type",
    above: Annotated[str | None, typer.Option(help="Attribute written above nodes.")] = None,
) -> None:
    """Draw a saved graph."""
    from .run import draw_folder

    with _plain_errors():
        draw_folder(folder, out, vertical=vertical, node_inside=inside, node_above=above)
        say(f"Wrote {out}.")


@app.command()
def invert(
    file: Annotated[Path, typer.Argument(help="An audio file, mono or stereo.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where the results go.", show_default=False)],
    synth: Annotated[str, typer.Option(help="The synthesizer: kick.")] = "kick",
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it.")] = 0,
) -> None:
    """Find the settings with which a synthesizer makes a sound.

    Writes them with their sound and spectrograms of before and after.
    """
    from .invert import run_invert

    with _plain_errors():
        run_invert(file, synth, out, seed)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where the results go.")] = Path("grafx-demo"),
) -> None:
    """Mix real stems with effects that are not ours, find a graph for that mix, and compare it with the truth."""
    from .demo import run_demo

    with _plain_errors():
        if not run_demo(out):
            raise typer.Exit(INTERRUPTED)
