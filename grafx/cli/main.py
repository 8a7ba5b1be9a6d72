"""Commands and options of ``grafx``."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from ..errors import GraphWarning, SearchError
from ..search.mixing.prune import METHODS
from ..search.mixing.search import Options
from .terminal import fail, say, warnings_as_notices

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)

INTERRUPTED = 130  # what shells use for a program that was interrupted
WRONG_USAGE = 2  # as of arguments that are missing or unknown

Method = Enum("Method", {name: name for name in METHODS}, type=str)
Synth = Enum("Synth", {"kick": "kick"}, type=str)

TEXTS = "short_type, node_type, node_id, name, chain, level, settings, or an attribute of the nodes"

StemPaths = Annotated[list[Path], typer.Argument(help="Audio files, mono or stereo.", show_default=False)]
ResultFolder = Annotated[
    Path, typer.Argument(help="Folder with the results of a search, or its graph.json.", show_default=False)
]


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Print errors that the user can fix as messages without a traceback."""
    try:
        with warnings_as_notices(GraphWarning):
            yield
    except ValueError as error:
        notes = " ".join(getattr(error, "__notes__", []))
        fail(f"{error} {notes}".strip())
    except ModuleNotFoundError as error:
        fail(f"This needs the package {error.name}: install grafx with its extra 'demo'.")
    except OSError as error:
        fail(f"{error.filename or 'A file'}: {error.strerror or error}.")


@contextmanager
def _usage() -> Iterator[None]:
    """Treat errors in this block as wrong usage of an option."""
    try:
        yield
    except ValueError as error:
        fail(str(error), WRONG_USAGE)


def _tell_version(wanted: bool) -> None:
    if wanted:
        say(f"grafx {__version__}")
        raise typer.Exit()


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Find, render and draw audio processing graphs."""


@app.command()
def search(
    stems: StemPaths,
    mix: Annotated[Path, typer.Option(help="Finished mix of these stems.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where the results go.", show_default=False)],
    group: Annotated[
        list[str] | None, typer.Option(help="A subgroup: NAME=STEM,STEM,… May be given several times.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it.")] = Options.seed,
    fit_steps: Annotated[int, typer.Option(min=0, help="Gradient steps on the full console.")] = Options.fit_steps,
    rounds: Annotated[int, typer.Option(min=0, help="Number of rounds of pruning and fine-tuning.")] = Options.rounds,
    tune_steps: Annotated[int, typer.Option(min=0, help="Gradient steps after each pruning.")] = Options.tune_steps,
    tolerance: Annotated[float, typer.Option(min=0, help="What pruning may cost in the loss.")] = Options.tolerance,
    method: Annotated[
        Method,  # pyright: ignore[reportInvalidTypeForm] – a class, made from names
        typer.Option(help="How processors are chosen that are removed."),
    ] = Method[Options.method],  # pyright: ignore[reportIndexIssue]
    align: Annotated[
        bool, typer.Option(help="Move, invert or leave out stems that clearly are so in the mix.")
    ] = Options.align,
) -> None:
    """Find a mixing graph that turns stems into a finished mix.

    Interrupt it at any time: the best graph so far is saved, and the same command resumes.
    """
    from ..search import build_console
    from .material import parse_groups, read_material, stem_names
    from .outputs import check_folder
    from .search import run_search

    with _usage():
        options = Options(
            seed=seed,
            fit_steps=fit_steps,
            rounds=rounds,
            tune_steps=tune_steps,
            tolerance=tolerance,
            method=method.value,
            align=align,
        )
        groups = parse_groups(group or [])
        build_console(stem_names(stems), groups)  # raises if groups are invalid
    with _plain_errors():
        check_folder(out, SearchError)
        material = read_material(stems, mix)
        if not run_search(material, groups, options, out):
            raise typer.Exit(INTERRUPTED)


@app.command()
def render(
    folder: ResultFolder,
    stems: StemPaths,
    out: Annotated[Path, typer.Option(help="Audio file to write; .wav keeps 32-bit floats.", show_default=False)],
    block: Annotated[
        int | None,
        typer.Option(min=1, help="Render this many samples at a time, for files of any length."),
    ] = None,
    tail: Annotated[bool, typer.Option(help="Continue after the stems until the sound has decayed.")] = False,
) -> None:
    """Mix stems with a saved graph."""
    from .render import render_folder

    with _plain_errors():
        render_folder(folder, stems, out, block, tail)
        say(f"Wrote {out}.")


@app.command()
def draw(
    folder: ResultFolder,
    out: Annotated[Path, typer.Option(help="Picture to write: .svg, .pdf or .png.", show_default=False)],
    vertical: Annotated[bool, typer.Option(help="Draw from top to bottom.")] = False,
    inside: Annotated[str, typer.Option(help=f"Text inside nodes: {TEXTS}.")] = "short_type",
    above: Annotated[str | None, typer.Option(help=f"Text above nodes: {TEXTS}.")] = None,
) -> None:
    """Draw a saved graph."""
    from .draw import check_picture, check_texts, draw_folder
    from .results import load_folder

    with _usage():
        check_picture(out)
    with _plain_errors():
        G = load_folder(folder)[0]
    with _usage():
        check_texts(G, {"--inside": inside, "--above": above})
    with _plain_errors():
        draw_folder(G, out, vertical=vertical, node_inside=inside, node_above=above)
        say(f"Wrote {out}.")


@app.command()
def invert(
    file: Annotated[Path, typer.Argument(help="An audio file, mono or stereo.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where the results go.", show_default=False)],
    synth: Annotated[Synth, typer.Option(help="The synthesizer.")] = Synth.kick,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it.")] = 0,
) -> None:
    """Find the settings with which a synthesizer reproduces a sound.

    Writes the settings, their sound, and spectrograms before and after. Interrupt it at any time: the best settings so
    far are saved, and the same command resumes.
    """
    from .invert import run_invert

    with _plain_errors():
        if not run_invert(file, synth.value, out, seed):
            raise typer.Exit(INTERRUPTED)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where the results go.")] = Path("grafx-demo"),
) -> None:
    """Mix real stems with third-party effects, search for the graph, and compare it with the ground truth."""
    from .demo import run_demo
    from .outputs import check_folder

    with _plain_errors():
        check_folder(out, SearchError)
        if not run_demo(out):
            raise typer.Exit(INTERRUPTED)
