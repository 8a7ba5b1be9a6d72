"""Drawings in the languages of other programs, with the settings that nodes hold."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch.nn as nn
from torch import Tensor

from ..data import GRAFX
from ..draw import to_cytoscape, to_dot, to_mermaid, to_tikz
from ..files import write_text
from .carried import Written


def _writer(text_of: Callable[[GRAFX], str]) -> Callable[..., Written]:
    def write(
        G: GRAFX,
        out: Path,
        sample_rate: int,  # noqa: ARG001 – those of all writers
        *,
        stems: Tensor | None = None,  # noqa: ARG001
        processors: Mapping[str, nn.Module] | None = None,  # noqa: ARG001
    ) -> Written:
        write_text(out, text_of(G))
        return Written([out])

    return write


write_dot = _writer(lambda G: to_dot(G, settings=True))
write_mermaid = _writer(to_mermaid)
write_cytoscape = _writer(lambda G: json.dumps(to_cytoscape(G, settings=True), indent=1, ensure_ascii=False) + "\n")
write_tikz = _writer(to_tikz)
