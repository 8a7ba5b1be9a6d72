"""Sharing of processors between renderers and with their callers."""

import inspect

import grafx.processors as gp
import pytest
import torch
import torch.nn as nn

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer, StreamRenderer


def is_plain(name):
    cls = getattr(gp, name)
    if not (inspect.isclass(cls) and issubclass(cls, gp.base.Processor)) or inspect.isabstract(cls):
        return False
    _, *options = inspect.signature(cls.__init__).parameters.values()
    return all(p.default is not p.empty or p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in options)


MAKE = {
    **{name: getattr(gp, name) for name in gp.__all__ if is_plain(name)},
    "DryWet": lambda: gp.DryWet(gp.ZeroPhaseFIREqualizer(16), external_param=False),
    "GainStagingRegularization": lambda: gp.GainStagingRegularization(gp.MultitapDelay(100, 2)),
    "SerialChain": lambda: gp.SerialChain({"eq": gp.ZeroPhaseFIREqualizer(16), "reverb": gp.STFTMaskedNoiseReverb()}),
    "ParallelMix": lambda: gp.ParallelMix({"eq": gp.ZeroPhaseFIREqualizer(16), "gain": gp.StereoGain()}),
}

CONVERSIONS = {
    "double": lambda module: module.double(),
    "bfloat16": lambda module: module.bfloat16(),
    "half": lambda module: module.half(),
    "to": lambda module: module.to(torch.float64),
    "device": lambda module: module.to("meta"),
    "eval": lambda module: module.eval(),
    "requires_grad_": lambda module: module.requires_grad_(False),
}


def graph(processors):
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    for node_type in processors:
        node = G.add(node_type)
        if G.config[node_type]["inlets"]:
            G.connect(G.add("in"), node, inlet=G.config[node_type]["inlets"][0])
        G.connect(node, G.add("out"), outlet=G.config[node_type]["outlets"][0])
    return G


def seen(module):
    """Where all tensors of a module are, of what types, and all modes."""
    tensors = [*module.named_buffers(), *module.named_parameters()]
    modes = [submodule.training for submodule in module.modules()]
    return [(name, t.dtype, t.device, t.data_ptr(), t.requires_grad) for name, t in tensors], modes


@pytest.mark.parametrize("name", MAKE)
def test_conversions_of_one_renderer_leave_all_others_alone(name):
    processors = {name: MAKE[name]()}
    assert not list(processors[name].parameters())
    G = graph(processors)
    first, *others = [Renderer(G, processors) for _ in range(1 + len(CONVERSIONS))]
    before = seen(processors[name]), seen(first)
    assert seen(first.processors[name]) == before[0]  # the same memory
    for convert, renderer in zip(CONVERSIONS.values(), others, strict=True):
        convert(renderer)
        assert (seen(processors[name]), seen(first)) == before


@torch.no_grad()
@pytest.mark.parametrize("kind", [Renderer, StreamRenderer])
@pytest.mark.parametrize("conversion", ["double", "bfloat16"])
def test_what_was_rendered_before_a_conversion_is_rendered_after_it(kind, conversion):
    processors = {
        "eq": gp.ZeroPhaseFIREqualizer(16),
        "reverb": gp.STFTMaskedNoiseReverb(ir_len=300, n_fft=32, hop_length=16),
        "delay": gp.DryWet(gp.MultitapDelay(100, 2), external_param=False),
    }
    G = graph(processors)
    first, second = kind(G, processors), kind(G, processors)
    x = torch.randn(3, 2, 400, generator=torch.Generator().manual_seed(0))
    expected = first(x)
    CONVERSIONS[conversion](second)
    first.state = None
    assert torch.equal(first(x), expected)
    if conversion == "double":
        assert second(x.double()).dtype == torch.double


def test_a_renderer_of_another_ones_processors_is_independent_too():
    processors = {"eq": gp.ZeroPhaseFIREqualizer(16)}
    first = Renderer(graph(processors), processors)
    second = Renderer(first.graph(), first.processors, first.per_type_parameters)
    before = seen(first)
    second.double()
    assert seen(first) == before


def test_one_processor_of_two_types_stays_one():
    eq = gp.ZeroPhaseFIREqualizer(16)
    renderer = Renderer(graph({"a": eq, "b": eq}), {"a": eq, "b": eq})
    assert renderer.processors["a"] is renderer.processors["b"] is not eq


class Learned(nn.Module):
    """A processor with a weight of its own."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def parameter_size(self):
        return {}

    def forward(self, x):
        return x * self.weight


@pytest.mark.parametrize("make", [Learned, lambda: gp.SerialChain({"net": Learned(), "gain": gp.StereoGain()})])
def test_processors_with_weights_are_shared_and_trained_together(make):
    processors = {"net": make()}
    G = graph(processors)
    first, second = Renderer(G, processors), Renderer(G, processors)
    assert first.processors["net"] is second.processors["net"] is processors["net"]
    optimizer = torch.optim.SGD(first.processors.parameters(), lr=0.5)
    x = torch.ones(1, 2, 3)
    first(x).sum().backward()
    optimizer.step()
    assert torch.equal(first(x), second(x)) and not torch.equal(second(x), x)


def test_what_cannot_be_copied_is_shared():
    compiled = torch.compile(gp.ZeroPhaseFIREqualizer(16), backend="eager")
    held = gp.StereoGain()
    held.generator = (i for i in range(3))
    processors = {"compiled": compiled, "held": held}
    renderer = Renderer(graph(processors), processors)
    assert renderer.processors["compiled"] is compiled and renderer.processors["held"] is held


def test_parameters_are_of_one_renderer():
    processors = {"gain": gp.StereoGain()}
    first = Renderer(graph(processors), processors)
    second = Renderer(first.G, processors, first.per_type_parameters)
    third = Renderer(first.graph(), processors)
    before = first.per_type_parameters["gain"]["log_gain"].detach().clone()
    with torch.no_grad():
        for renderer in (second, third):
            renderer.per_type_parameters["gain"]["log_gain"].add_(1)
    assert torch.equal(first.per_type_parameters["gain"]["log_gain"], before)
