import importlib.util

import pytest
import torch

from grafx.data import GRAFX
from grafx.render import Renderer, RenderError, prepare_render, render_grafx, reorder_for_fast_render


def case(toys, dtype=torch.float64, batch=()):
    """Sums of one, two and all signals, silent inlets, two outlets, and mono beside stereo."""
    G = GRAFX(config=toys.config)
    sources = [G.add("in") for _ in range(4)]
    splits = [G.add("split") for _ in range(4)]
    rings = [G.add("ring") for _ in range(3)]
    wide, mix, out = G.add("widen"), G.add("mix"), G.add("out")
    for source, split in zip(sources, splits, strict=True):
        G.connect(source, split)
        G.connect(split, mix, outlet="side")
        G.connect(split, rings[0])
    G.connect(splits[1], rings[1])
    G.connect(splits[3], rings[1], inlet="side")
    G.connect(splits[0], rings[2])
    for ring in rings:
        G.connect(ring, wide)
    G.connect(wide, mix)
    G.connect(mix, out)
    G = reorder_for_fast_render(G)
    processors = toys.make()
    parameters = toys.parameters(processors, G, dtype=dtype)
    x = torch.randn(*batch, 4, 1, 9, dtype=dtype, generator=torch.Generator().manual_seed(2)).requires_grad_()
    return processors, x, parameters, prepare_render(G)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_scattering_gives_what_summing_gives(toys, dtype, batch):
    pytest.importorskip("torch_scatter")
    processors, x, parameters, plan = case(toys, dtype, batch)
    found = []
    for aggregation in ("native", "scatter"):
        output, _, _ = render_grafx(processors, x, parameters, plan, input_signal_grad=True, aggregation=aggregation)
        found.append([output, *torch.autograd.grad(output.square().sum(), [x, *toys.leaves(parameters)])])
    torch.testing.assert_close(*found)


def test_an_unknown_aggregation_is_refused(toys):
    processors, x, parameters, plan = case(toys)
    with pytest.raises(RenderError, match="'native' or 'scatter', not 'sum'"):
        render_grafx(processors, x, parameters, plan, aggregation="sum")


def test_a_missing_package_is_named(toys, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch_scatter" else find_spec(name))
    G = GRAFX(config=toys.config)
    G.add_serial_chain(["in", "gain", "out"])
    renderer = Renderer(G, toys.make(), aggregation="scatter")
    with pytest.raises(RenderError, match="pip install torch_scatter"):
        renderer(torch.ones(1, 1, 3))
