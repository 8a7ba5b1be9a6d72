"""Differentiable audio processing graphs in PyTorch.

A graph is data, and rendering it is a loop that calls each type of processor once for all nodes that are ready::

    from grafx.data import GRAFX, NodeConfigs
    from grafx.processors import Compressor, ParametricEqualizer
    from grafx.render import Renderer

    processors = {"eq": ParametricEqualizer(), "compressor": Compressor()}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    G.add_serial_chain(["in", "eq", "compressor", "out"])
    renderer = Renderer(G, processors)  # a torch.nn.Module that owns the parameters
    mix = renderer(signals)  # (sources, channels, samples) -> (outputs, channels, samples)

Packages, and what they have first of all:

    grafx.data        graphs, as tensors, as files: GRAFX, NodeConfigs, convert_to_tensor, batch_grafx, save_grafx
    grafx.processors  what makes the sound: Compressor, GraphicEqualizer, Freeverb, DryWet, …; processors.base.Processor
    grafx.render      schedules, plans, sound: Renderer, StreamRenderer, render_grafx, prepare_render
    grafx.draw        pictures: draw_grafx, grafx_to_svg
    grafx.search      graphs from stems and a mix, settings from a sound: Mixer, Search, build_console, invert
    grafx.estimate    graphs from a sound alone: load_prior, GraphDataset, Vocabulary, compare_graphs, Estimator
    grafx.exchange    graphs in other programs: write_graph, to_pedalboard, from_pedalboard
    grafx.synth       synthesizers as graphs of their parts
    grafx.audio       audio files
    grafx.utils       making, collecting and scattering parameters
    grafx.settings    physical values of nodes
    grafx.errors      what is raised: GraphError, RenderError, AudioError, SearchError; processors.errors.ParameterError

``grafx.search`` and ``grafx.audio`` need the extra ``search``, ``grafx.estimate`` needs ``estimate``,
``grafx.exchange`` needs ``exchange``, and the command ``grafx`` needs ``cli``.
"""

from importlib import import_module
from typing import Any

_PACKAGES = frozenset(
    (
        "audio",
        "data",
        "draw",
        "errors",
        "estimate",
        "exchange",
        "parameters",
        "processors",
        "render",
        "search",
        "settings",
        "synth",
        "utils",
    )
)


def __getattr__(name: str) -> Any:
    """Import a package, or look up the version, when it is first asked for, so that ``import grafx`` takes no time."""
    if name in _PACKAGES:
        return import_module(f"{__name__}.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("grafx")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
