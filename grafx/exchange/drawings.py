"""Drawings in the languages of other programs, with the settings that nodes hold."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch.nn as nn
from torch import Tensor

from ..data import GRAFX
from ..draw import to_cytoscape, to_dot, to_mermaid, to_tikz
from ..files import replacing
from .carried import Written


def write_dot(
    G: GRAFX,
    out: Path,
    sample_rate: int,  # noqa: ARG001 – those of all writers
    *,
    stems: Tensor | None = None,  # noqa: ARG001
    processors: Mapping[str, nn.Module] | None = None,  # noqa: ARG001
) -> Written:
    """Write a graph for Graphviz, see :func:`.to_dot`."""
    return _written(out, to_dot(G, settings=True))


def write_mermaid(
    G: GRAFX,
    out: Path,
    sample_rate: int,  # noqa: ARG001
    *,
    stems: Tensor | None = None,  # noqa: ARG001
    processors: Mapping[str, nn.Module] | None = None,  # noqa: ARG001
) -> Written:
    """Write a graph as a flowchart of Mermaid, see :func:`.to_mermaid`."""
    return _written(out, to_mermaid(G))


def write_cytoscape(
    G: GRAFX,
    out: Path,
    sample_rate: int,  # noqa: ARG001
    *,
    stems: Tensor | None = None,  # noqa: ARG001
    processors: Mapping[str, nn.Module] | None = None,  # noqa: ARG001
) -> Written:
    """Write a graph for Cytoscape, see :func:`.to_cytoscape`."""
    data = to_cytoscape(G, settings=True)
    return _written(out, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def write_tikz(
    G: GRAFX,
    out: Path,
    sample_rate: int,  # noqa: ARG001
    *,
    stems: Tensor | None = None,  # noqa: ARG001
    processors: Mapping[str, nn.Module] | None = None,  # noqa: ARG001
) -> Written:
    """Write a graph as a picture of TikZ, see :func:`.to_tikz`."""
    return _written(out, to_tikz(G))


def _written(out: Path, text: str) -> Written:
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
    return Written([out])
