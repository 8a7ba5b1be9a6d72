"""Graphs of one processor, heard, and every class of processor made somehow."""

import inspect
import warnings

import grafx.processors as library
import torch
from grafx.processors.base import Processor
from grafx.processors.contract import contract_of

from grafx.data import GRAFX, NodeConfigs
from grafx.report import hear

RATE = 32000
# What cannot be made without options.
OPTIONS = {
    "DryWet": lambda: library.DryWet(library.StereoGain(), external_param=False),
    "GainStagingRegularization": lambda: library.GainStagingRegularization(library.ZeroPhaseFIREqualizer(64)),
    "SerialChain": lambda: library.SerialChain({"eq": library.ZeroPhaseFIREqualizer(64), "gain": library.StereoGain()}),
    "ParallelMix": lambda: library.ParallelMix({"a": library.StereoGain(), "b": library.Compressor(style="desk")}),
    "ConvolutionReverb": lambda: library.ConvolutionReverb(
        torch.randn(2, 2000, generator=torch.Generator().manual_seed(0)) * torch.linspace(0, -7, 2000).exp()
    ),
    "MultiBand": lambda: library.MultiBand(library.StereoGain(), sample_rate=RATE),
}
CLASSES = [
    name
    for name in library.__all__
    if inspect.isclass(getattr(library, name)) and issubclass(getattr(library, name), Processor)
]


def make(name, rate=RATE):
    """A processor of a class of the library, by its name."""
    if name in OPTIONS:
        return OPTIONS[name]()
    kind = getattr(library, name)
    names = inspect.signature(kind).parameters
    given = {option: rate for option in ("sample_rate", "sr") if option in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return kind(**given)


def graph_of(processor, parameters=None, **attributes):
    """``in → p → out``; all inlets get the input, and all outlets go to the output."""
    contract = contract_of(processor)
    G = GRAFX(config=NodeConfigs({"p": {"inlets": list(contract.inlets), "outlets": list(contract.outlets)}}))
    source = G.add("in", name="voice") if contract.inlets else None
    node = G.add("p", parameters=parameters)
    out = G.add("out")
    for inlet in contract.inlets:
        G.connect(source, node, inlet=inlet)
    for outlet in contract.outlets:
        G.connect(node, out, outlet=outlet)
    G.nodes[node].update(attributes)
    return G, node


def hear_one(processor, parameters=None, sources=None, rate=RATE, channels=2, target=None, **attributes):
    """Hear a processor alone; returns also its node."""
    G, node = graph_of(processor, parameters, **attributes)
    if sources is None:
        sources = 0.3 * torch.randn(1, channels, 3000, generator=torch.Generator().manual_seed(1))
    sources = sources if contract_of(processor).inlets else sources[:0]
    return hear(G, sources, rate, {"p": processor}, target), node
