"""Any processor after any other, all pairs in one graph."""

import inspect

import grafx.processors
import pytest
import torch
from grafx.processors import DryWet, GainStagingRegularization, MultitapDelay, ParallelMix, SerialChain, StereoGain
from grafx.processors.base import Processor

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer

SHORT = {
    "FilteredNoiseShapingReverb": {"ir_len": 300, "num_bands": 3, "noise_randomness": "fixed"},
    "STFTMaskedNoiseReverb": {"ir_len": 300, "n_fft": 32, "hop_length": 16},
    "MultitapDelay": {"segment_len": 50, "num_segments": 3},
    "NewZeroPhaseFIREqualizer": {"num_frequency_bins": 33},
    "ZeroPhaseFIREqualizer": {"num_magnitude_bins": 33},
    "FIRFilter": {"fir_len": 31},
}
LENGTH = 200


def with_one_inlet_and_outlet():
    for name in grafx.processors.__all__:
        cls = getattr(grafx.processors, name)
        if not (inspect.isclass(cls) and issubclass(cls, Processor)) or inspect.isabstract(cls):
            continue
        _, *options = inspect.signature(cls.__init__).parameters.values()
        if all(p.default is not p.empty or p.kind == p.VAR_KEYWORD for p in options):
            processor = cls(**SHORT.get(name, {}))
            plugs = getattr(processor, "inlets", ("main",)), getattr(processor, "outlets", ("main",))
            if name != "MonoToStereo" and tuple(map(len, plugs)) == (1, 1):
                yield name, processor


def containers():
    """One nested three deep, around what has intermediates."""
    inner = SerialChain({"delay": MultitapDelay(**SHORT["MultitapDelay"]), "gain": StereoGain()})
    yield "Nested", ParallelMix({"a": SerialChain({"b": DryWet(inner, external_param=False)}), "c": StereoGain()})
    yield "Watched", GainStagingRegularization(StereoGain())


def one(tree, row):
    return {name: one(v, row) if hasattr(v, "items") else v[row : row + 1] for name, v in tree.items()}


def signal_of(result):
    return result[0] if isinstance(result, tuple) else result


@pytest.mark.slow
def test_every_pair_sounds_as_its_two_processors_called_in_turn():
    torch.manual_seed(0)
    processors = dict([*with_one_inlet_and_outlet(), *containers()])
    assert len(processors) > 25
    G = GRAFX(config=NodeConfigs(list(processors)))
    pairs = [(a, b) for a in processors for b in processors]
    for pair in pairs:
        G.add_serial_chain(["in", *pair, "out"])
    renderer = Renderer(G, processors)
    x = 0.3 * torch.randn(len(pairs), 2, LENGTH)
    y = renderer(x)
    assert y.isfinite().all() and y.shape == x.shape
    y.square().mean().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in renderer.parameters())

    rows = {name: iter(range(len(pairs) * 2)) for name in processors}
    row_of = {i: next(rows[t]) for i, t in sorted(renderer.G.nodes(data="node_type")) if t in processors}
    sources = [i for i, t in sorted(renderer.G.nodes(data="node_type")) if t == "in"]
    ends = [i for i, t in sorted(renderer.G.nodes(data="node_type")) if t == "out"]
    with torch.no_grad():
        for number, source in list(enumerate(sources))[::7]:
            signal, node = x[number : number + 1], source
            while node not in ends:
                (node,) = renderer.G.successors(node)
                if node in row_of:
                    node_type = renderer.G.nodes[node]["node_type"]
                    parameters = one(renderer.per_type_parameters[node_type], row_of[node])
                    signal = signal_of(processors[node_type](signal, **parameters))
            torch.testing.assert_close(y[ends.index(node)][None], signal, rtol=1e-4, atol=1e-5)
