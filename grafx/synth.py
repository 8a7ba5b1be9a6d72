"""Synthesizers as graphs of oscillators, envelopes and filters."""

from collections.abc import Mapping

import torch.nn as nn

from .data import GRAFX, NodeConfigs
from .processors import KickSynth
from .processors.synth.kick import NODES, VOICES


def kick_graph(
    settings: Mapping[str, float] | None = None, synth: KickSynth | None = None
) -> tuple[GRAFX, dict[str, nn.Module]]:
    """Build a kick drum as a graph of oscillators, envelopes and filters, with the same sound as the single generator.

    The graph has no input; a silent input signal sets the length::

        G, processors = kick_graph(KICKS["hard"])
        kick = Renderer(G, processors)(torch.zeros(0, 1, 44100))

    Args:
        settings: Physical values of the controls of ``synth``. Omitted ones are at their default.
        synth: The generator, with its options; ``KickSynth()`` by default.

    Returns:
        The graph, whose nodes are named by function and hold raw parameters, and the processors of its types.

    Raises:
        ParameterError: A setting is unknown or out of its range.
    """
    synth = synth or KickSynth()
    processors = dict(synth.parts.items())
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    ids = {}
    for name, parameters in synth.settings_of_parts(**synth.dsp_to_raw(settings or {})).items():
        ids[name] = G.add(NODES[name], {raw: value[0] for raw, value in parameters.items()}, name)

    def connect(source: str, dest: str, inlet: str = "main") -> None:
        G.connect(ids[source], ids[dest], inlet=inlet)

    for voice in VOICES:
        connect("sweep", f"{voice} pitch")
        connect("lfo", f"{voice} pitch", "control")
        connect(f"{voice} pitch", f"{voice} range")
        connect(f"{voice} range", voice, "frequency")
        connect(voice, "body")
        connect(voice, "shell filter")
    connect("body envelope", "body", "control")
    connect("shell filter", "shell")
    connect("shell envelope", "shell", "control")
    connect("noise", "click")
    connect("click envelope", "click", "control")
    connect("click", "click filter")
    ends = ["body", "shell", "click filter"]
    if synth.use_modal:
        connect("strike", "mode")
        ends.append("mode")
    for end in ends:
        connect(end, "drive")
    G.connect(ids["drive"], G.add("out", name="kick"))
    return G, processors
