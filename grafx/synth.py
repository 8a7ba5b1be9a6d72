"""Synthesizers as graphs of oscillators, envelopes and filters."""

from collections.abc import Mapping

import torch.nn as nn

from .data import GRAFX, NodeConfigs
from .processors import KickSynth
from .processors.synth.kick import NODES


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
    synth = KickSynth() if synth is None else synth
    processors = dict(synth.parts.items())
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    ids = {}
    for name, parameters in synth.settings_of_parts(**synth.dsp_to_raw(settings or {})).items():
        ids[name] = G.add(NODES[name], {raw: value[0] for raw, value in parameters.items()}, name)
    for source, dest, inlet in synth.cables:
        G.connect(ids[source], ids[dest], inlet=inlet)
    G.connect(ids["drive"], G.add("out", name="kick"))
    return G, processors
