"""Settings as CSV and JSON: every control of every class, with its unit and range, and the value that is heard."""

import csv
import inspect
import json
import warnings

import pytest
import torch
from grafx.processors.base import Processor

from grafx import processors as library
from grafx.data import GRAFX, NodeConfigs
from grafx.exchange import write_graph
from grafx.utils import create_empty_parameters_from_shape_dict, map_tensors

CONTAINERS = {
    "DryWet": lambda: library.DryWet(library.Compressor(), external_param=False),
    "GainStagingRegularization": lambda: library.GainStagingRegularization(library.HighPassFilter()),
    "SerialChain": lambda: library.SerialChain(
        {"outer": library.SerialChain({"inner": library.DryWet(library.LowShelf(), external_param=False)})}
    ),
    "ParallelMix": lambda: library.ParallelMix({"low": library.LowPassFilter(), "gain": library.StereoGain()}),
    "MultiBand": lambda: library.MultiBand(library.Compressor(style="desk"), num_bands=2),
    "ConvolutionReverb": lambda: library.ConvolutionReverb(torch.ones(3)),
}


def classes():
    named = ((name, getattr(library, name)) for name in library.__all__)
    return [name for name, value in named if inspect.isclass(value) and issubclass(value, Processor)]


def made(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return CONTAINERS.get(name, getattr(library, name))()


def graph_of(processor, **attributes):
    """Nodes of one processor, each beside a straight cable."""
    G = GRAFX(config=NodeConfigs.from_processors({"it": processor}))
    source, out = G.add("in", name="kick"), G.add("out")
    bus = G.add("mix")
    raw = create_empty_parameters_from_shape_dict(processor.parameter_size(), 1, std=0.3)
    node = G.add("it", parameters=map_tensors(raw, lambda tensor: tensor[0].detach()))
    G.nodes[node].update(attributes)
    for inlet in processor.inlets[:1]:
        G.connect(source, node, inlet=inlet)
    G.connect(source, bus)
    G.connect(node, bus, outlet=processor.outlets[0])
    G.connect(bus, out)
    return G, node


def numbers(value):
    return [n for each in value for n in numbers(each)] if isinstance(value, list) else [value]


@pytest.mark.parametrize("name", classes())
def test_every_control_of_every_class_comes_out(name, tmp_path):
    torch.manual_seed(0)
    processor = made(name)
    G, node = graph_of(processor)
    write_graph(G, "json", tmp_path / "graph.json", 44100, processors={"it": processor})
    (told,) = [n for n in json.loads((tmp_path / "graph.json").read_text())["nodes"] if n["id"] == node]
    controls = {c["control"]: c for c in told["controls"]}
    raw = map_tensors(G.nodes[node]["parameters"], lambda tensor: tensor[None])
    physical = processor.raw_to_dsp(raw)
    for leaf in processor.leaves():
        if isinstance(processor, library.DryWet) and leaf.name == "drywet":
            assert controls["wet"]["value"] == pytest.approx(float(physical["drywet"]), rel=1e-6)
            continue
        found, value = controls[leaf.name], physical
        for part in leaf.path:
            value = value[part]
        assert (found["unit"], found["low"], found["high"]) == (leaf.control.unit, leaf.control.low, leaf.control.high)
        expected = torch.tensor(numbers(found["value"]), dtype=torch.float64)
        torch.testing.assert_close(expected, value[0].double().flatten(), rtol=1e-6, atol=1e-9)
    if not isinstance(processor, library.DryWet):
        assert controls["wet"]["value"] == 1


def test_the_table_has_a_row_for_each_value(tmp_path):
    eq = library.ZeroPhaseFIREqualizer(4, sample_rate=8000)
    G = GRAFX(config=NodeConfigs.from_processors({"eq": eq}))
    G.add_serial_chain(
        [
            {"node_type": "in", "name": "a, b"},
            {"node_type": "eq", "parameters": {"magnitude_db": [1, -2, 3, -4]}},
            "out",
        ]
    )
    G.nodes[0].update(delay_samples=80, inverted=True)
    G.nodes[1].update(drywet_weight=0.25, owner="kick")
    write_graph(G, "csv", tmp_path / "new" / "graph.csv", 8000, processors={"eq": eq})
    rows = list(csv.reader((tmp_path / "new" / "graph.csv").open(encoding="utf-8")))
    assert rows[0] == ["node", "name", "chain", "type", "control", "at", "value", "unit", "low", "high"]
    assert rows[1:3] == [
        ["0", "a, b", "", "in", "delay", "", "10.0", "ms", "", ""],
        ["0", "a, b", "", "in", "inverted", "", "1", "", "0", "1"],
    ]
    values = {row[5]: float(row[6]) for row in rows if row[4] == "magnitude_db"}
    assert values == {"0 Hz": 1, "1142.86 Hz": -2, "2285.71 Hz": 3, "3428.57 Hz": -4}
    assert [(row[2], row[6]) for row in rows if row[4] == "wet"] == [("kick", "0.25")]


def test_edges_tell_their_plugs(tmp_path):
    send = library.Send()
    G = GRAFX(config=NodeConfigs.from_processors({"send": send}))
    source, node, bus, out = G.add("in"), G.add("send"), G.add("mix"), G.add("out")
    G.connect(source, node)
    G.connect(node, bus, outlet="send")
    G.connect(node, bus, outlet="main")
    G.connect(bus, out)
    write_graph(G, "json", tmp_path / "graph.json", 44100, processors={"send": send})
    edges = json.loads((tmp_path / "graph.json").read_text())["edges"]
    assert sorted((e["source"], e["outlet"], e["dest"], e["inlet"]) for e in edges) == [
        (source, "main", node, "main"),
        (node, "main", bus, "main"),
        (node, "send", bus, "main"),
        (bus, "main", out, "main"),
    ]


def test_raw_parameters_without_a_control_come_out_as_such(tmp_path):
    class Bare(torch.nn.Module):
        def parameter_size(self):
            return {"weights": 2, "inner": {"bias": 1}}

        def forward(self, x, weights, inner):
            return x

    G = GRAFX(config=NodeConfigs(["bare"]))
    raw = {"weights": torch.tensor([1.5, float("inf")]), "inner": {"bias": torch.tensor([2.0])}}
    G.add_serial_chain(["in", {"node_type": "bare", "parameters": raw}, "out"])
    write_graph(G, "json", tmp_path / "graph.json", 44100, processors={"bare": Bare()})
    controls = json.loads((tmp_path / "graph.json").read_text())["nodes"][1]["controls"]
    assert [(c["control"], c["value"], c["unit"]) for c in controls] == [
        ("weights", [1.5, None], "raw"),
        ("inner.bias", [2.0], "raw"),
        ("wet", 1.0, ""),
    ]
