"""What nodes do: against graphs without them, built and rendered one by one."""

import math

import pytest
import torch
from grafx.processors import (
    LFO,
    Compressor,
    DelayLine,
    LinkwitzRileyCrossover,
    LowPassFilter,
    Send,
    TanhDistortion,
)

from grafx.data import GRAFX, NodeConfigs
from grafx.errors import GraphError
from grafx.estimate.audible import hear
from grafx.estimate.rendering import render_graphs

PROCESSORS = {
    "lowpass": LowPassFilter(),
    "drive": TanhDistortion(),
    "compressor": Compressor(sidechain=True, style="desk"),
    "crossover": LinkwitzRileyCrossover(2),
    "send": Send(),
    "lfo": LFO(),
    "delay": DelayLine(),
}
CONFIG = NodeConfigs.from_processors(PROCESSORS)
LENGTH = 4096


def chain():
    G = GRAFX(config=CONFIG)
    G.add_serial_chain(
        ["in", {"node_type": "lowpass", "parameters": {"frequency_hz": 300.0}}, "drive", "lowpass", "out"]
    )
    return G


def fork():
    """A dry path beside a wet one, which is on the same bus twice once the node is removed."""
    G = GRAFX(config=CONFIG)
    G.add_serial_chain(["in", {"node_type": "lowpass", "parameters": {"frequency_hz": 500.0}}, "mix", "drive", "out"])
    G.connect(0, 2)
    return G


def ducked():
    G = GRAFX(config=CONFIG)
    G.add_serial_chain(["in", "compressor", "mix", "out"])
    key, low = G.add_serial_chain(["in", {"node_type": "lowpass", "parameters": {"frequency_hz": 200.0}}])
    G.connect(low, 1, inlet="sidechain")
    G.connect(key, 2)
    return G


def banded():
    G = GRAFX(config=CONFIG)
    ids = {name: G.add(name) for name in ("in", "crossover", "drive", "lowpass", "mix", "out")}
    G.connect(ids["in"], ids["crossover"])
    G.connect(ids["crossover"], ids["drive"], outlet="band0")
    G.connect(ids["crossover"], ids["lowpass"], outlet="band1")
    for name in ("drive", "lowpass"):
        G.connect(ids[name], ids["mix"])
    G.connect(ids["mix"], ids["out"])
    return G


def sent():
    """A send whose return alone is heard on one way."""
    G = GRAFX(config=CONFIG)
    ids = {name: G.add(name) for name in ("in", "send", "drive", "mix", "out")}
    for source, dest, outlet in (("in", "send", "main"), ("send", "mix", "main"), ("send", "drive", "send")):
        G.connect(ids[source], ids[dest], outlet=outlet)
    G.connect(ids["drive"], ids["mix"])
    G.connect(ids["mix"], ids["out"])
    return G


def modulated():
    G = GRAFX(config=CONFIG)
    G.add_serial_chain(["in", {"node_type": "delay", "parameters": {"delay_ms": 5.0}}, "out"])
    G.connect(G.add("lfo", {"depth": 0.5}), 1, inlet="time")
    return G


GRAPHS = {make.__name__: make for make in (chain, fork, ducked, banded, sent, modulated)}


def removed(G, node):
    """Without a node, by the editing that people do; fed with silence where nothing is left."""
    G = G.copy()
    if G.nodes[node]["node_type"] == "lfo":
        G.remove(node)
        return G, 0
    other_outlets = [(d, k["inlet"]) for _, d, k in G.out_edges(node, data=True) if k["outlet"] in ("send", "band1")]
    sources = [(s, k["outlet"]) for s, _, k in G.in_edges(node, data=True) if k["inlet"] == "main"]
    dests = [(d, k["inlet"]) for _, d, k in G.out_edges(node, data=True) if (d, k["inlet"]) not in other_outlets]
    G.remove(node)
    for source, outlet in sources:
        for dest, inlet in dests:
            through = G.add("mix")
            G.connect(source, through, outlet=outlet)
            G.connect(through, dest, inlet=inlet)
    for dest, inlet in other_outlets:
        G.connect(G.add("in"), dest, inlet=inlet)
    return G, len(other_outlets)


@pytest.mark.parametrize("name", GRAPHS)
def test_changes_are_those_without_each_node(name):
    G = GRAPHS[name]()
    assert G.validate() == []
    count = sum(t == "in" for _, t in G.nodes(data="node_type"))
    sources = torch.randn(count, 2, LENGTH, generator=torch.Generator().manual_seed(0))
    (heard,) = hear([G], [sources], PROCESSORS)
    (output,) = render_graphs([G], [sources], PROCESSORS)
    torch.testing.assert_close(heard.output, output)
    assert set(heard.changes) == {n for n, t in G.nodes(data="node_type") if t in PROCESSORS}
    for node, change in heard.changes.items():
        without, silences = removed(G, node)
        inputs = torch.cat([sources, torch.zeros(silences, 2, LENGTH)])
        (other,) = render_graphs([without], [inputs], PROCESSORS)
        expected = 10 * math.log10(((other - output).square().mean() / output.square().mean()).item() + 1e-30)
        assert change == pytest.approx(expected, abs=0.01) or max(change, expected) < -120


def test_graphs_are_heard_together_as_alone():
    graphs = [make() for make in GRAPHS.values()]
    generator = torch.Generator().manual_seed(1)
    counts = [sum(t == "in" for _, t in G.nodes(data="node_type")) for G in graphs]
    sources = [torch.randn(count, 2, LENGTH, generator=generator) for count in counts]
    together = hear(graphs, sources, PROCESSORS)
    for G, rows, one in zip(graphs, sources, together, strict=True):
        (alone,) = hear([G], [rows], PROCESSORS)
        torch.testing.assert_close(one.output, alone.output, rtol=0, atol=1e-5)
        assert one.changes == pytest.approx(alone.changes, abs=0.1) or min(one.changes.values()) < -100


def test_what_alone_makes_the_sound_is_all_of_it():
    G = GRAFX(config=CONFIG)
    G.add_serial_chain(["lfo", "drive", "out"])
    (heard,) = hear([G], [torch.zeros(0, 1, LENGTH)], PROCESSORS)
    assert heard.changes[0] == 0  # without the generator there is silence
    assert heard.changes[1] < 0


def test_silence_is_told():
    G = chain()
    (heard,) = hear([G], [torch.zeros(1, 2, LENGTH)], PROCESSORS)
    assert heard.silent
    assert all(math.isfinite(change) for change in heard.changes.values())


def test_graphs_stay_as_they_are():
    for make in GRAPHS.values():
        G, before = make(), make()
        count = sum(t == "in" for _, t in G.nodes(data="node_type"))
        hear([G], [torch.zeros(count, 2, 64)], PROCESSORS)
        assert list(G.nodes(data=True)) == list(before.nodes(data=True))
        assert list(G.edges(data=True)) == list(before.edges(data=True))


def test_cycles_are_refused():
    G = GRAFX(config=CONFIG)
    first, last = G.add_serial_chain(["drive", "lowpass"])
    G.connect(last, first)
    with pytest.raises(GraphError):
        hear([G], [torch.zeros(0, 2, 64)], PROCESSORS)
