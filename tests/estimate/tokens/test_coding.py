"""Graphs to tokens, and back."""

import os

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grafx import processors as library
from grafx import trees
from grafx.data import GRAFX, NodeConfigs, batch_grafx, convert_to_tensor
from grafx.errors import EstimateError
from grafx.estimate.tokens import TokenSequence, Vocabulary, canonical_key, decode, encode, token_order
from grafx.parameters.tensors import collect_parameters, scatter_parameters

MANY = int(os.environ.get("GRAFX_MANY", "1"))  # times as many random cases; docs/guarantees.md says what 10 is for
TYPES = NodeConfigs(
    {
        "eq": {},
        "compressor": {"inlets": ["main", "sidechain"]},
        "crossover": {"outlets": ["low", "mid", "high"]},
        "lfo": {"inlets": []},
        "phaser": {"inlets": ["main", "lfo"]},
    }
)
PROCESSORS = {
    "compressor": library.Compressor(),
    "eq": library.ParametricEqualizer(num_filters=3),
    "blend": library.DryWet(library.TanhDistortion()),
}


@pytest.fixture
def vocabulary():
    return Vocabulary.of(TYPES, max_nodes=8)


def read(sequence, vocabulary):
    return " ".join(vocabulary.tokens[token] for token in sequence.tokens)


def graph(types, cables):
    """A graph of types and cables such as ``(0, 1)`` or ``(0, 1, "low", "sidechain")``."""
    G = GRAFX(config=TYPES)
    for node_type in types.split():
        G.add(node_type)
    for cable in cables:
        G.connect(*cable)
    return G


def assert_same(G, H, vocabulary):
    """The order of the tokens is an isomorphism."""
    place = {node: i for i, node in enumerate(token_order(G, vocabulary))}
    assert {place[i]: data["node_type"] for i, data in G.nodes(data=True)} == dict(H.nodes(data="node_type"))
    cables = [(place[s], place[d], c["outlet"], c["inlet"]) for s, d, c in G.edges(data=True)]
    assert sorted(cables) == sorted((s, d, c["outlet"], c["inlet"]) for s, d, c in H.edges(data=True))


# Structure


def test_chain_has_a_token_a_node(vocabulary):
    G = GRAFX(config=vocabulary.config)
    G.add_serial_chain(["in", "compressor", "eq", "out"])
    sequence = encode(G, vocabulary)
    assert read(sequence, vocabulary) == "in compressor eq out <end>"
    H = decode(sequence, vocabulary)
    assert str(H) == str(G)
    assert (H.counter, H.consecutive_ids, H.add("eq")) == (4, True, 4)  # to be edited like one built by hand


@pytest.mark.parametrize(
    ("G", "tokens"),
    [
        (graph("in eq out", [(0, 1), (0, 2), (1, 2)]), "in eq out ^1 ^2"),
        (graph("in compressor out", [(0, 1), (0, 1, "main", "sidechain"), (1, 2)]), "in compressor >sidechain ^1 out"),
        (graph("in crossover out", [(0, 1), (1, 2, "low")]), "in crossover out"),
        (graph("in crossover out", [(0, 1), (1, 2, "high")]), "in crossover out ^1 .high"),
        (
            graph("in crossover out", [(0, 1), (1, 2, "low"), (1, 2, "mid"), (1, 2, "high")]),
            "in crossover out ^1 ^1 .mid ^1 .high",
        ),
        (
            graph("in crossover compressor out", [(0, 1), (1, 2, "mid"), (1, 2, "high", "sidechain"), (2, 3)]),
            "in crossover compressor ^1 .mid >sidechain ^1 .high out",
        ),
        (graph("in eq out out", [(0, 1), (1, 2), (1, 3)]), "in eq out out"),
        (graph("in out eq", [(0, 1), (0, 2)]), "in eq out ^2"),
        (graph("lfo out", [(0, 1)]), "lfo out"),
        (graph("in in out", [(0, 2), (1, 2)]), "in in out ^1 ^2"),
        (graph("in in out", [(1, 2)]), "in in out"),
    ],
)
def test_what_is_written(G, tokens, vocabulary):
    sequence = encode(G, vocabulary)
    assert read(sequence, vocabulary) == f"{tokens} <end>"
    assert_same(G, decode(sequence, vocabulary), vocabulary)


def assert_round_trip(G, vocabulary, graphs, rng):
    sequence = encode(G, vocabulary)
    H = decode(sequence, vocabulary)
    assert H.config == vocabulary.config
    assert_same(G, H, vocabulary)
    assert encode(H, vocabulary) == sequence
    assert encode(graphs.renumbered(G, rng), vocabulary) == sequence
    return H


@given(st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_random_graphs(graphs, rng):
    config = graphs.config(rng)
    G = graphs.graph(config, rng, most=12)
    H = assert_round_trip(G, Vocabulary.of(config, max_nodes=12), graphs, rng)
    assert graphs.is_isomorphic(G, H)


@pytest.mark.slow
def test_many_graphs(graphs, rng):
    for i in range(MANY * 10_000):
        if i % 50 == 0:
            config = graphs.config(rng)
            vocabulary = Vocabulary.of(config, max_nodes=16)
        G = graphs.graph(config, rng, most=rng.choice([4, 8, 12, 16]))
        assert_same(G, decode(encode(G, vocabulary), vocabulary), vocabulary)


def test_large_graphs(graphs, rng):
    """Many equal branches, whose settings alone tell them apart."""
    G, rows = graphs.branches(20, ["compressor", "eq", "blend"], NodeConfigs.from_processors(PROCESSORS))
    for row in rows:
        G.nodes[row[0]]["parameters"] = {"threshold_db": rng.choice([-20.0, -30.0])}
        G.nodes[row[1]]["parameters"] = {"gain_db": [rng.choice([-1.0, 0.0, 1.0]), 0.0, 0.0]}
    assert_round_trip(G, Vocabulary.of(PROCESSORS, max_nodes=64), graphs, rng)


def test_named_inputs():
    vocabulary = Vocabulary.of(TYPES, inputs=["voice", "drums"])
    G = graph("in in in compressor out", [(0, 3), (1, 3, "main", "sidechain"), (2, 4), (3, 4)])
    for node, name in enumerate(["voice", "drums", "room"]):
        G.nodes[node]["name"] = name
    sequence = encode(G, vocabulary)
    assert {"in:voice", "in:drums", "in"} < {*read(sequence, vocabulary).split()}
    H = decode(sequence, vocabulary)
    assert canonical_key(H) == canonical_key(G, inputs=vocabulary.inputs)
    (compressor,) = (i for i in H if H.nodes[i]["node_type"] == "compressor")
    names = {cable["inlet"]: H.nodes[source]["name"] for source, _, cable in H.in_edges(compressor, data=True)}
    assert names == {"main": "voice", "sidechain": "drums"}


def test_other_graphs_are_read(vocabulary):
    """A multigraph of networkx with other ids, and tensors."""
    G = graph("in crossover eq out", [(0, 1), (1, 2, "high"), (2, 3), (1, 3, "low")])
    plain = nx.relabel_nodes(nx.MultiDiGraph(G), {i: 10 - i for i in G})
    assert encode(plain, vocabulary) == encode(convert_to_tensor(G), vocabulary) == encode(G, vocabulary)


# Settings


def physical(rng, processor):
    """A random value of each control."""
    values = {}
    for leaf in processor.leaves():
        norm = torch.tensor([rng.random() for _ in range(leaf.shape.numel() if hasattr(leaf.shape, "numel") else 3)])
        value = leaf.control.from_norm(norm.double())
        trees.put(values, leaf.path, value[: leaf.shape[0]].tolist() if leaf.shape else value[0].item())
    return values


def with_settings(rng, config):
    G = GRAFX(config=config)
    nodes = [{"node_type": t, "parameters": physical(rng, PROCESSORS[t])} for t in PROCESSORS]
    G.add_serial_chain(["in", *nodes, "out"])
    return G


def normalized(G, node):
    processor = PROCESSORS[G.nodes[node]["node_type"]]
    return processor.dsp_to_norm(G.nodes[node]["parameters"] or {}, 1, torch.zeros((), dtype=torch.double))[0]


def test_continuous_settings(rng):
    vocabulary = Vocabulary.of(PROCESSORS)
    G = with_settings(rng, vocabulary.config)
    sequence = encode(G, vocabulary)
    H = decode(sequence, vocabulary)
    assert read(sequence, vocabulary) == "in compressor eq blend out <end>"
    for node in (1, 2, 3):
        expected = normalized(G, node)
        torch.testing.assert_close(torch.tensor(sequence.settings[node], dtype=torch.double), expected)
        torch.testing.assert_close(normalized(H, node), expected)
    raw, again = collect_parameters(G, PROCESSORS), collect_parameters(H, PROCESSORS)
    for one, other in zip(trees.tensors(raw), trees.tensors(again), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("bins", [1, 2, 7, 256])
def test_quantized_settings_are_within_half_a_bin(bins, rng):
    vocabulary = Vocabulary.of(PROCESSORS, bins=bins)
    for _ in range(10):
        G = with_settings(rng, vocabulary.config)
        assert token_order(G, vocabulary) == [*G]
        sequence = encode(G, vocabulary)
        assert sequence.settings == ()
        H = decode(sequence, vocabulary)
        for node in (1, 2, 3):
            assert (normalized(H, node) - normalized(G, node)).abs().max() <= 0.5 / bins + 1e-9
        assert encode(H, vocabulary) == sequence


def test_ends_of_ranges():
    for bins in (0, 4):
        vocabulary = Vocabulary.of(PROCESSORS, bins=bins)
        for end in ("low", "high"):
            G = GRAFX(config=vocabulary.config)
            values = {name: getattr(control, end) for name, control in PROCESSORS["compressor"].controls.items()}
            G.add_serial_chain(["in", {"node_type": "compressor", "parameters": values}, "out"])
            H = decode(encode(G, vocabulary), vocabulary)
            collect_parameters(H, PROCESSORS)  # within all ranges
            if not bins:
                assert H.nodes[1]["parameters"] == pytest.approx(values)


def test_nodes_without_settings_are_at_their_default():
    vocabulary = Vocabulary.of(PROCESSORS)
    G = GRAFX(config=vocabulary.config)
    G.add_serial_chain(["in", *PROCESSORS, "out"])
    H = decode(encode(G, vocabulary), vocabulary)
    for one, other in zip(
        trees.tensors(collect_parameters(G, PROCESSORS)), trees.tensors(collect_parameters(H, PROCESSORS)), strict=True
    ):
        torch.testing.assert_close(one, other)
    tokens_alone = decode(encode(G, vocabulary).tokens, vocabulary)
    assert [p for _, p in tokens_alone.nodes(data="parameters")] == [None] * 5


def test_settings_beside_raw_tensors():
    vocabulary = Vocabulary.of(PROCESSORS)
    G = GRAFX(config=vocabulary.config)
    G.add_serial_chain(["in", {"node_type": "compressor", "parameters": {"threshold_db": -30.0}}, "out"])
    expected = encode(G, vocabulary).settings
    H = G.copy()
    own = {"compressor": PROCESSORS["compressor"]}
    scatter_parameters(H, collect_parameters(G, own), own)
    torch.testing.assert_close(encode(H, vocabulary).settings[1], expected[1], rtol=1e-4, atol=1e-4)
    del H.nodes[1]["settings"]
    with pytest.raises(EstimateError, match=r"Node 1 \(compressor\) has the raw parameter .* none of threshold_db: .*"):
        encode(H, vocabulary)
    H.nodes[1]["parameters"] = trees.row(own["compressor"].raw_to_dsp(collect_parameters(G, own)["compressor"]))
    torch.testing.assert_close(encode(H, vocabulary).settings[1], expected[1], rtol=1e-4, atol=1e-4)


def test_tensors_whose_settings_are_too_long_are_not_taken_for_defaults():
    """A spectrum shows in octaves beside its tensor, which tell too little."""
    processors = {"fir": library.ZeroPhaseFIREqualizer(num_magnitude_bins=64)}
    vocabulary = Vocabulary.of(processors)
    G = GRAFX(config=vocabulary.config)
    G.add_serial_chain(["in", "fir", "out"])
    raw = {"fir": {name: torch.randn(1, 64) for name in processors["fir"].parameter_size()}}
    scatter_parameters(G, raw, processors)
    with pytest.raises(EstimateError, match="raw parameter"):
        encode(G, vocabulary)
    values = processors["fir"].raw_to_dsp(raw["fir"])
    G.nodes[1]["parameters"] = {
        name: value[0].clamp(setting.low, setting.high)
        for (name, value), setting in zip(values.items(), vocabulary.types[3].settings, strict=True)
    }
    H = decode(encode(G, vocabulary), vocabulary)
    for name, value in G.nodes[1]["parameters"].items():
        torch.testing.assert_close(torch.tensor(H.nodes[1]["parameters"][name]), value)


# Refusals


def chain(*nodes):
    G = GRAFX()
    G.add_serial_chain(["in", *nodes, "out"])
    return G


def compressor(**values):
    return chain({"node_type": "compressor", "parameters": values})


def cyclic():
    G = chain("compressor", "eq")
    G.connect(2, 1)
    return G


@pytest.mark.parametrize(
    ("G", "message"),
    [
        (chain("reverb"), "Node 1 has the node_type 'reverb', expected one of .*'compressor'"),
        (chain(*["eq"] * 7), "has 9 nodes, but this vocabulary is for 8 at most"),
        (cyclic(), "There is a cycle"),
        (GRAFX(), "no 'out' node"),
        (graph("in eq out", [(0, 2)]), "Nothing is connected to the inlet 'main' of node 1"),
        (graph("in compressor out", [(0, 1), (0, 1, "main", "sidechain"), (1, 2)]), "has the inlet 'sidechain'"),
        (batch_grafx([graph("in eq out", [(0, 1), (1, 2)])] * 2), "A batch of graphs has no tokens"),
        (nx.DiGraph(), "a MultiDiGraph of networkx, not a DiGraph"),
        (compressor(threshold_db=20.0), r"Node 1 \(compressor\): threshold_db is 20, but must lie within -60 to 0"),
        (compressor(threshold_db=float("nan")), "threshold_db is nan, but must lie within"),
        (compressor(threshold_db=True), "threshold_db must be a number, not True"),
        (compressor(threshold_db="loud"), "threshold_db must be a number, not 'loud'"),
        (compressor(threshold_db=[-1.0, -2.0]), "threshold_db has 2 values, but must have 1"),
        (compressor(treshold_db=-20.0), "has the setting treshold_db, but the vocabulary knows threshold_db, ratio"),
        (chain({"node_type": "compressor", "parameters": [-20.0]}), r"has the parameters \[-20.0\], not a dict"),
    ],
)
def test_graphs_that_are_refused(G, message):
    before = str(G)
    with pytest.raises(EstimateError, match=message):
        encode(G, Vocabulary.of(PROCESSORS, max_nodes=8))
    assert str(G) == before


def test_sequences_that_are_refused():
    vocabulary = Vocabulary.of(PROCESSORS, max_nodes=8)
    sequence = encode(chain("compressor"), vocabulary)
    other = Vocabulary.of(PROCESSORS, max_nodes=9)
    own, none = sequence.settings[1], ()
    refused = [
        (sequence, other, f"vocabulary {vocabulary.digest}, not of {other.digest}"),
        (sequence.tokens[:-1], vocabulary, "3 tokens does not end with <end>"),
        ((), vocabulary, "0 tokens does not end"),
        ((1, 0), vocabulary, r"Token 0 \(<end>\) cannot be at position 1, after in: possible: .*\(out\)"),
        (
            (1, 4, 2, 1, 1, 1, 1, 1, 1, 0),
            vocabulary,
            r"Token 1 .* at position 8, .*: possible: 0 \(<end>\)\.$",
        ),
        (sequence._replace(settings=(none, own)), vocabulary, "settings of 2 nodes, but tokens of 3"),
        (sequence._replace(settings=(none, own[1:], none)), vocabulary, r"Node 1 .* 3 normalized values, .* have 4"),
        (sequence._replace(settings=(none, (1.5, *own[1:]), none)), vocabulary, "threshold_db is 1.5, not from 0 to 1"),
        (sequence._replace(settings=(none, (float("nan"), *own[1:]), none)), vocabulary, "nan, not from 0 to 1"),
        (sequence._replace(settings=(none, ("x", *own[1:]), none)), vocabulary, "'x', not from 0 to 1"),
    ]
    for wrong, known, message in refused:
        with pytest.raises(EstimateError, match=message):
            decode(wrong, known)
    assert str(decode(TokenSequence((*sequence.tokens, 0, 0)), vocabulary)) == str(decode(sequence, vocabulary))


@pytest.mark.parametrize("bins", [0, 8])
def test_nodes_without_told_settings_are_at_their_defaults(bins):
    """So that a graph and its copy by tokens are the same where a node does nothing at its default."""
    from grafx.estimate import compare_graphs, draw_graph, parse_prior

    drawn = {"processor": "PeakingFilter", "controls": {"gain_db": {"uniform": [3, 9]}}}
    kinds = {"flat": {"processor": "PeakingFilter"}, "bell": drawn}
    prior = parse_prior({"kinds": kinds, "structures": {"chain": {"length": 2}}})
    G, vocabulary = draw_graph(prior, 0), Vocabulary.of(prior, bins=bins)
    again = decode(encode(G, vocabulary), vocabulary)
    assert {data["node_type"]: data["parameters"] for _, data in again.nodes(data=True)}["flat"] == {}
    comparison = compare_graphs(G, again, prior.processors)
    assert comparison.node_type_error == 0 and comparison.edge_f1 == 1
