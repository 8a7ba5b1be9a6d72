"""What any node does, as far as is heard: the spectra of what comes and goes."""

from typing import Any

from ...data.configs import BUILT_IN_TYPES
from ...search.mixing.weighted import inner
from ..heard import Heard
from .plots import View, axis, hertz_axis, plot, series, spectrum


def processor_of(heard: Heard, node_id: int) -> Any:
    """The processor of a node, without the wrappers around it."""
    return inner(heard.processors[heard.G.nodes[node_id]["node_type"]])


def views(heard: Heard, node_id: int) -> list[View]:
    """Spectra of the inputs and outputs of a node."""
    inputs, outputs = heard.inputs[node_id], heard.outputs[node_id]
    named: list[tuple[str, Any]] = [("input" if len(inputs) == 1 else f"input {n}", x) for n, x in inputs.items()]
    names = heard.G.config[heard.G.nodes[node_id]["node_type"]]["outlets"]
    if len(outputs) == 1:
        named.append(("output", outputs[0]))
    else:
        named += [(f"output {name}", y) for name, y in zip(names, outputs, strict=True)]
    if heard.G.nodes[node_id]["node_type"] in BUILT_IN_TYPES:
        named = named[-1:]
    lines = [series(label, *spectrum(signal, heard.sample_rate)) for label, signal in named]
    return [spectra(lines, heard.sample_rate)]


def spectra(lines: list[Any], sample_rate: int) -> View:
    top = max((y for line in lines for y in line["y"]), default=0.0)
    top = 10 * (top // 10 + 1)
    levels = axis("Level of a sixth of an octave", "dB", max(top - 80, -120.0), top)
    return plot("Spectrum", hertz_axis(sample_rate), levels, lines)
