"""The page of a graph as one file."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch.nn as nn
from torch import Tensor

from ..data import GRAFX
from ..errors import GraphError, SearchError
from ..files import replacing
from ..search.arguments import whole_number
from ..words import count
from .heard import Heard, hear, nodes_of
from .losses import losses_of
from .model import node_model, page_model, to_json
from .sounds import packed, pairs_of, sounds_of
from .spectrogram import spectrograms
from .story import check_metrics
from .truth import truth_texts

MOST_BYTES = 10_000_000  # of a page
OF_PAGE = 250_000  # bytes for its own scripts and styles
SUFFIXES = (".html", ".htm")
MOST_NODES = 400

Names = Sequence[str] | Mapping[int, str]


def write_report(
    file: str | os.PathLike,
    G: GRAFX,
    sources: Tensor,
    sample_rate: int,
    processors: Mapping[str, nn.Module] | None = None,
    target: Tensor | None = None,
    names: Names | None = None,
    metrics: Mapping[str, Any] | None = None,
    truth: Mapping[str, Any] | None = None,
    title: str | None = None,
    most_bytes: int = MOST_BYTES,
) -> Path:
    """Write a page on which a graph can be seen and heard, as one file that needs no other and no network.

    It has at most 10 MB, or ``most_bytes``, however long the song is: sounds are as compressed as that takes, and of
    long songs there are excerpts of what nodes, and then single stems, sound like.

    Args:
        file: Where it goes, an ``.html`` file in an existing folder. One that is there is replaced when all is done.
        G: The graph, such as a search finds, or any other with audio.
        sources: ``(K, C, L)``, one for each ``in`` node in id order, as in their files; ``(0, C, L)`` for a graph of
            generators.
        sample_rate: In Hz.
        processors: Node type to processor, in addition to those of a console and the classes of
            :mod:`grafx.processors`, or in their place.
        target: ``(C, L)``: what the graph should sound like, which it is then compared with.
        names: Of the ``in`` nodes in id order, or of any nodes by id; by default those in the graph.
        metrics: Those of a search, for its losses and the story of its pruning.
        truth: What is known of how the target was made, see :func:`.read_truth`.
        title: Of the page.
        most_bytes: How large it may get, such as 1,000,000 for a page that is shown within another.

    Returns:
        The file.

    Raises:
        GraphError: The graph has a cycle, no output, more than 400 nodes, or attributes that do not fit.
        RenderError: A processor is missing, or what comes out of a node is not finite.
        AudioError: Sources or target do not fit the graph, or ``most_bytes`` have no room for the sounds.
        SearchError: Names, metrics, the ground truth or ``most_bytes`` are of another form.
        OSError: The file cannot be written.
    """
    path, most_bytes = _checked_path(file), whole_number("most_bytes", most_bytes)
    texts = truth_texts(truth)
    G = named(G, names)
    _check_size(G)
    check_metrics(metrics)
    model, sounds = report_of(hear(G, sources, sample_rate, processors, target), metrics, texts, title, most_bytes)
    from .page import page_html

    with replacing(path) as partial:
        partial.write_text(page_html(model, sounds), encoding="utf-8")
    return path


def report_of(
    heard: Heard,
    metrics: Mapping[str, Any] | None = None,
    truth: Mapping[str, Sequence[str]] | None = None,
    title: str | None = None,
    most_bytes: int = MOST_BYTES,
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Describe a page, and encode its sounds so that the whole has at most so many bytes.

    Returns:
        What :func:`.page_html` takes.
    """
    sounds = sounds_of(heard)
    nodes = {node_id: node_model(heard, node_id) for node_id in sorted(heard.G.nodes)}
    parts = {
        "loss": losses_of(heard, metrics),
        "spectrograms": spectrograms(heard.mix, heard.target, heard.sample_rate),
    }
    model = page_model(heard, sounds, {}, nodes, metrics, truth, title, parts)
    number = len(sounds.by_key)
    others = len(to_json(model).encode(errors="surrogatepass")) + OF_PAGE + number * (400 + 10 * pairs_of(number))
    entries, files = packed(sounds, heard.sample_rate, (most_bytes - others) * 3 // 4)
    return {**model, "sounds": entries}, files


def named(G: GRAFX, names: Names | None) -> GRAFX:
    """Copy a graph with other names of its nodes."""
    if not isinstance(G, GRAFX):
        raise GraphError(f"A report is of a GRAFX, not a {type(G).__name__}.")
    if names is None:
        return G
    inputs = nodes_of(G, "in")
    if not isinstance(names, Mapping):
        if isinstance(names, str) or len(names) != len(inputs):
            raise SearchError(f"names are {names!r:.80}, but should be {count(len(inputs), 'text')}, one of each stem.")
        names = dict(zip(inputs, names, strict=True))
    if unknown := [node_id for node_id in names if node_id not in G]:
        raise SearchError(f"names has node {unknown[0]!r}, which the graph does not have.")
    G = G.copy()
    for node_id, name in names.items():
        G.nodes[node_id]["name"] = name
    return G


def _check_size(G: GRAFX) -> None:
    if len(G) > MOST_NODES:
        raise GraphError(
            f"The graph has {count(len(G), 'node')}, and the sounds of more than {MOST_NODES} do not fit into a page:"
            " draw it without sound by G.to_html(), or give a part of it."
        )


def _checked_path(file: str | os.PathLike) -> Path:
    path = Path(file)
    if path.suffix.lower() not in SUFFIXES:
        raise SearchError(f"{path} should end in {' or '.join(SUFFIXES)}.")
    if path.is_dir():
        raise SearchError(f"{path} is a folder: give a file.")
    if not path.parent.is_dir():
        raise FileNotFoundError(2, "There is no such folder for the report", str(path.parent))
    return path
