"""Whoever takes a cable takes and refuses the same ones."""

import pytest
import torch

from grafx.data import GRAFX, GraphError, NodeConfigs, convert_to_tensor, from_pyg
from grafx.data.cables import cable_faults
from grafx.data.formats.document import make_document, parse_document
from grafx.data.validate import find_malformed

CABLES = {
    "fits": ((0, 1, "main", "main"), []),
    "another outlet": ((1, 2, "low", "main"), []),
    "no such outlet": ((0, 1, "low", "main"), ["outlet"]),
    "no such inlet": ((0, 1, "main", "side"), ["inlet"]),
    "both": ((0, 1, "low", "side"), ["outlet", "inlet"]),
    "into what has no inlet": ((1, 0, "low", "main"), ["inlet"]),
    "no text": ((0, 1, None, 5), ["outlet", "inlet"]),
    "loop": ((1, 1, "low", "main"), ["loop"]),
    "nowhere": ((7, 1, "main", "main"), ["missing"]),
    "from nowhere to nowhere": ((7, 8, "main", "main"), ["missing", "missing"]),
    "twice": ((0, 2, "main", "main"), ["twice"]),
}


def pyg_of(cable, config, types):
    """A model's output: types and a cable as numbers, with one that no list has for what it lacks."""
    Data = pytest.importorskip("torch_geometric.data").Data
    source, dest, outlet, inlet = cable

    def number(node, side, plug):
        names = config[types[node]][side] if node < len(types) else ["main"]
        return names.index(plug) if plug in names else 9

    cables = [[0, 2, 0, 0], [source, dest, number(source, "outlets", outlet), number(dest, "inlets", inlet)]]
    table = torch.tensor(cables)
    x = torch.tensor([config.node_type_to_index[node_type] for node_type in types])
    return from_pyg(Data(x=x, edge_index=table[:, :2].T, edge_attr=table[:, 2:]), config)


@pytest.mark.parametrize("case", CABLES)
def test_graph_validation_files_and_models_agree_on_cables(case):
    cable, kinds = CABLES[case]
    types = ["in", "split", "eq"]
    config = NodeConfigs({"eq": {}, "split": {"outlets": ["main", "low"]}})
    G = GRAFX(config=config)
    for node_type in types:
        G.add(node_type)
    G.connect(0, 2)
    there = {(0, 2, "main", "main")}
    assert [fault.kind for fault in cable_faults(G.nodes, config, cable, there)] == kinds

    source, dest, outlet, inlet = cable
    document = make_document(G, {}, None, None)
    document["edges"].append({"source": source, "dest": dest, "outlet": outlet, "inlet": inlet})
    raw = G.copy()
    if "missing" not in kinds:
        raw.add_edge(source, dest, outlet=outlet, inlet=inlet)
    tries = {
        "graph": lambda: G.copy().connect(*cable),
        "file": lambda: parse_document(document),
        "model": lambda: pyg_of(cable, config, types),
        "validation": lambda: refuse(find_malformed(raw, config) or "missing" in kinds),
        "tensors": lambda: convert_to_tensor(raw) if kinds[:1] != ["missing"] else refuse(True),
    }
    if kinds in (["loop"], ["twice"]):
        del tries["tensors"]  # a loop is a cycle, which schedules refuse; one cable more is summed
    refused = {name: False for name in tries}
    for name, attempt in tries.items():
        try:
            attempt()
        except GraphError:
            refused[name] = True
    assert refused == dict.fromkeys(tries, bool(kinds))


def refuse(wrong):
    if wrong:
        raise GraphError("wrong")


@pytest.mark.parametrize("ends", [("out", "eq"), ("eq", "in")])
def test_inputs_have_no_inlet_and_outputs_no_outlet_without_a_config_either(ends):
    G = GRAFX()
    source, dest = (G.add(node_type) for node_type in ends)
    with pytest.raises(GraphError, match="only accepts"):
        G.connect(source, dest)
    document = make_document(G, {}, None, None)
    document["edges"].append({"source": source, "dest": dest, "outlet": "main", "inlet": "main"})
    with pytest.raises(GraphError, match=r"edges\[0\] \(0 -> 1\): node . has no (inlet|outlet) 'main'"):
        parse_document(document)
