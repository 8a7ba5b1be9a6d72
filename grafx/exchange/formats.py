"""The formats that graphs are written in and read from, and where that is done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ExchangeError

if TYPE_CHECKING:
    import torch.nn as nn
    from torch import Tensor

    from ..data import GRAFX
    from .carried import Written


@dataclass(frozen=True)
class Format:
    """A format that graphs are written in.

    Attributes:
        summary: What it is, as in the list of all.
        writer: ``"module:function"`` below this package; the function is ``write(G, out, sample_rate, *, stems=None,
            processors=None, **options)`` and returns a :class:`.Written`.
        suffix: That of its main file; empty where it is a folder.
        hears: Whether what it writes depends on the sound of stems.
        plays: Whether it holds the sound of inputs, and so cannot be written without.
        options: Names of the further arguments of its writer that are options of the command line.
    """

    summary: str
    writer: str
    suffix: str
    hears: bool = True
    plays: bool = False
    options: tuple[str, ...] = ()

    def load(self) -> Callable[..., "Written"]:
        """Import the function that writes it."""
        return _function(self.writer)


@dataclass(frozen=True)
class Reader:
    """Something that graphs are made of.

    Attributes:
        summary: What it is, as in the list of all.
        reader: ``"module:function"`` below this package; the function is ``read(source)`` and returns the graph with
            metadata.
        suffix: That of its file; empty where it is no file.
        plays: Whether it holds the sound of inputs; the function then takes a folder for it as ``audio``.
    """

    summary: str
    reader: str
    suffix: str
    plays: bool = False

    def load(self) -> Callable[..., tuple["GRAFX", dict[str, Any]]]:
        """Import the function that reads it."""
        return _function(self.reader)


FORMATS: dict[str, Format] = {
    "csv": Format("settings with their units, a row for each value", "tables:write_csv", ".csv", hears=False),
    "dawproject": Format(
        "a project for DAWs: tracks, sends, faders, devices",
        "dawproject:write_dawproject",
        ".dawproject",
        plays=True,
        options=("seconds",),
    ),
    "json": Format("settings with their units, and the edges", "tables:write_json", ".json", hears=False),
    "faust": Format("a program in Faust, with sliders", "faust:write_faust", ".dsp"),
    "dot": Format("a drawing for Graphviz", "drawings:write_dot", ".dot", hears=False),
    "mermaid": Format("a flowchart for Markdown", "drawings:write_mermaid", ".mmd", hears=False),
    "cytoscape": Format("JSON for Cytoscape and Cytoscape.js", "drawings:write_cytoscape", ".cyjs", hears=False),
    "tikz": Format("a drawing for LaTeX", "drawings:write_tikz", ".tex", hears=False),
    "pedalboard": Format(
        "a Python script with Pedalboards, and NumPy for sums",
        "pedalboard:write_pedalboard",
        ".py",
        options=("responses",),
    ),
}
"""Name to format."""

READERS: dict[str, Reader] = {
    "dawproject": Reader("a project of a DAW", "dawproject:read_dawproject", ".dawproject", plays=True),
    "pedalboard": Reader(
        "MODULE:FUNCTION that returns a Pedalboard, or a dict of them", "pedalboard:read_pedalboard", ""
    ),
}
"""Name to what graphs are made of."""


def write_graph(
    G: "GRAFX",
    format: str,
    out: str | Path,
    sample_rate: int,
    *,
    stems: "Tensor | None" = None,
    processors: "Mapping[str, nn.Module] | None" = None,
    **options: Any,
) -> "Written":
    """Write a graph in a format of another program.

    Args:
        G: The graph, whose nodes hold their parameters: raw tensors, or physical values.
        format: A name of :data:`FORMATS`.
        out: The file, or the folder where a format writes one.
        sample_rate: In Hz.
        stems: ``(K, C, L)``, for the ``in`` nodes in id order: what is fitted is fitted to them, and the sound is
            compared on them. Without them that is done on noise, where it is needed.
        processors: Node type to processor, for types that are none of a console and no class of
            :mod:`grafx.processors`.
        options: Those of the format.

    Raises:
        ExchangeError: There is no such format, or the graph cannot be carried over: which node, why, what to do.
    """
    if format not in FORMATS:
        raise ExchangeError(f"There is no format '{format}': use one of {', '.join(FORMATS)}.")
    return FORMATS[format].load()(G, Path(out), sample_rate, stems=stems, processors=processors, **options)


def read_graph(source: Any, format: str, audio: Path | None = None) -> tuple["GRAFX", dict[str, Any]]:
    """Make a graph of what another program has.

    Args:
        source: A file, or what else the format is read from.
        format: A name of :data:`READERS`.
        audio: Folder for the sound of inputs, where the format holds it.

    Returns:
        The graph, whose nodes hold physical values, and metadata to save with it: at least the ``sample_rate`` where
        the source has one.

    Raises:
        ExchangeError: There is no such format, or the source cannot be read: where, why, what to do.
    """
    if format not in READERS:
        raise ExchangeError(f"No graph can be made of '{format}': use one of {', '.join(READERS)}.")
    reader = READERS[format]
    return reader.load()(source, audio) if reader.plays else reader.load()(source)


def _function(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f".{module}", __package__), name)
