"""A saved graph with the sound that goes through it: the stems, and the mix that it was made for."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch.nn as nn
from torch import Tensor

from ..audio import audio_digest, conform, read_audio, read_stems
from ..data import GRAFX
from ..data.formats.io import GRAPH_FILE
from ..errors import AudioError, GraphError, SearchError
from ..parameters.tensors import scatter_parameters
from ..search.mixing.console import hearing_processors
from ..text import printable
from ..words import count
from .config import CONFIG_FILE, read_config
from .estimated import KIND, level_of, processors_of_estimate
from .material import excerpt, span_text, stem_names
from .own_processors import Maker, check_own_types, made_by
from .results import load_folder
from .terminal import notice

AUDIO, TARGET = "audio", "target.wav"
"""Where the demo keeps its stems, and its mix among them."""
IMPORTED = "imported"
"""What is said in the metadata of a graph that another program's file was made into."""


@dataclass(frozen=True)
class Sources:
    """A graph, ``(K, 2, L)`` stems for its ``in`` nodes, and their ``(2, L)`` mix if it is known.

    Both are at the level at which the graph holds. ``metadata`` is what was saved with the graph. ``title`` is the name
    of what is mixed; that of the folder would make the same results differ.
    """

    G: GRAFX
    stems: Tensor
    mix: Tensor | None
    sample_rate: int
    names: list[str]
    processors: dict[str, nn.Module] | None
    title: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


def find_sources(
    folder: Path,
    stem_paths: Sequence[Path] = (),
    mix_path: Path | None = None,
    name: str | None = None,
    maker: Maker | None = None,
) -> Sources:
    """Load a graph and its audio.

    Args:
        folder: That of the graph, or its file.
        stem_paths: Audio files, by the names of inputs or in their order. Where there are none, those that the search
            in the folder was given.
        mix_path: The finished mix; that of the search where it is not given.
        name: How the user's processors are named on the command line.
        maker: The function that makes them.

    Raises:
        GraphError: There is no valid graph, or it has processors that are not known.
        AudioError: There is no audio, or it does not fit.
        OSError: A file cannot be read.
    """
    G, parameters, metadata = load_folder(folder)
    if parameters:
        scatter_parameters(G, parameters)
    asked: Mapping[str, Any] = {}
    if not stem_paths:
        asked = audio_of(folder.parent if folder.is_file() else folder, G, metadata)
        stem_paths, mix_path = asked["stems"], mix_path or asked["mix"]
    paths = stems_in_order(G, stem_paths, notice, asked.get("names"))
    mix = None
    rate = metadata.get("sample_rate")
    rate = rate if type(rate) is int and rate > 0 else None
    if mix_path is not None:
        signal, own_rate = read_audio(mix_path, notice)
        rate = rate or own_rate
        mix = conform(signal, own_rate, rate, printable(mix_path), notice)
        stems, rate = read_stems(paths, rate, mix.shape[-1], notice)
        span = asked.get("start"), asked.get("end")
        stems, mix = (excerpt(each, rate, *span, mix_path) for each in (stems, mix))
    else:
        stems, rate = stems_of_search(paths, rate, metadata)
    own = made_by(name, maker, rate) or processors_of_estimate(metadata)
    level = level_of(metadata)
    stems, mix = stems.mul_(level), None if mix is None else mix.mul_(level)
    check_own_types(G, metadata, hearing_processors(G, rate, own), own is not None)
    title = (mix_path or folder.resolve()).stem
    if "start" in asked or "end" in asked:
        title += f", {span_text(asked.get('start'), asked.get('end'))}"
    return Sources(G, stems, mix, rate, input_names(G), own, printable(title), metadata)


def input_names(G: GRAFX) -> list[str]:
    """Names of the ``in`` nodes, in id order; their ids where they have none."""
    return [data.get("name") or str(i) for i, data in sorted(G.nodes(data=True)) if data["node_type"] == "in"]


def stems_in_order(
    G: GRAFX, paths: Sequence[Path], notice: Callable[[str], Any], names: Sequence[str] | None = None
) -> list[Path]:
    """The files of stems in the order of the ``in`` nodes: by their names or, where these are others, as they are.

    Args:
        G: The graph.
        paths: Audio files.
        notice: Told of other names.
        names: Those of the stems; by default those of their files.

    Raises:
        AudioError: There are more or fewer.
    """
    inputs = input_names(G)
    if len(paths) != len(inputs):
        raise AudioError(
            f"The graph mixes {count(len(inputs), 'stem')} ({', '.join(inputs)}), but {len(paths)} were given."
        )
    by_name = dict(zip(names or stem_names(paths), paths, strict=True))
    if set(by_name) == set(inputs):
        return [by_name[name] for name in inputs]
    pairs = ", ".join(f"{path.name} as '{name}'" for path, name in zip(paths, inputs, strict=True))
    notice(f"File names are not those of the search; they are taken in order: {pairs}.")
    return list(paths)


def stems_of_search(paths: Sequence[Path], sample_rate: int | None, metadata: Mapping[str, Any]) -> tuple[Tensor, int]:
    """Read stems, at the length of the search's mix if they are those of the search, otherwise at their own."""
    notices: list[str] = []
    for num_samples in (metadata.get("num_samples"), None):
        notices.clear()
        stems, rate = read_stems(paths, sample_rate, num_samples, notices.append)
        if audio_digest(stems) == metadata.get("stems_digest"):
            break
    for text in notices:
        notice(text)
    return stems, rate


def audio_of(folder: Path, G: GRAFX, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The audio that the search in a folder was given: by the names of a :class:`.Request`, stems and mix at least.

    What was imported has no mix.
    """
    remedy = "give the stems, and the --mix if there is one"
    asked = folder
    while not _says(folder) and (folder.absolute().parent / GRAPH_FILE).is_file():
        folder = folder.absolute().parent  # an edited graph lies in the folder of the one that it came from
    folder = folder if _says(folder) else asked
    if (folder / CONFIG_FILE).is_file():
        try:
            request = read_config(folder / CONFIG_FILE)
        except SearchError as error:
            raise AudioError(f"{error} So the audio is not known: {remedy}.") from None
        request = {"stems": [], "mix": None, **request}
    else:
        stems = [folder / AUDIO / f"{name}.wav" for name in input_names(G)]
        mix = folder / AUDIO / TARGET
        request = {"stems": stems, "mix": None if metadata.get(IMPORTED) else mix}
        if not any(path.is_file() for path in (*stems, mix)):
            raise AudioError(f"{folder} does not say what its graph was made for: {remedy}.")
    stems, mix = request["stems"], request["mix"]
    if len(request.get("names", stems)) != len(stems):
        raise AudioError(f"{folder / CONFIG_FILE} does not name each stem: {remedy}.")
    if gone := [os.path.normpath(path) for path in (*stems, *([mix] if mix else [])) if not path.is_file()]:
        others = f" and {count(len(gone) - 1, 'other file')}" if gone[1:] else ""
        raise AudioError(
            f"{folder} was made for audio that is not there, {gone[0]}{others}; one of the two may have been moved:"
            f" {remedy}."
        )
    return request


def _says(folder: Path) -> bool:
    """Whether a folder says what its graph was made for."""
    return (folder / CONFIG_FILE).is_file() or (folder / AUDIO).is_dir()


def check_mixing_graph(folder: Path, metadata: Mapping[str, Any]) -> None:
    """Refuse what is no graph that a search writes, or ``grafx estimate``.

    Raises:
        GraphError: It is another graph.
    """
    sizes = metadata.get("sample_rate"), metadata.get("num_samples", 1)
    if metadata.get("kind") not in ("mixing graph", KIND) or not all(type(size) is int and size > 0 for size in sizes):
        raise GraphError(f"{folder} does not hold a mixing graph, as a search writes it.")
