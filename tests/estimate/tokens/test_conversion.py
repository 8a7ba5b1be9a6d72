"""Sequences of tokens to data of graph neural networks, and back."""

import pytest
import torch

from grafx import processors as library
from grafx.data import GRAFX, NodeConfigs, to_pyg
from grafx.errors import EstimateError
from grafx.estimate.tokens import Vocabulary, decode, encode, tokens_from_pyg, tokens_to_pyg

pytest.importorskip("torch_geometric")

PROCESSORS = {"compressor": library.Compressor(), "eq": library.ParametricEqualizer(num_filters=2)}


@pytest.mark.parametrize("features", ["one-hot", "index"])
def test_structures(graphs, rng, features):
    for _ in range(20):
        config = graphs.config(rng)
        vocabulary = Vocabulary.of(config, max_nodes=10)
        sequence = encode(graphs.graph(config, rng), vocabulary)
        data = tokens_to_pyg(sequence, vocabulary, features)
        expected = to_pyg(decode(sequence, vocabulary), features)
        assert torch.equal(data.x, expected.x) and torch.equal(data.edge_index, expected.edge_index)
        assert tokens_from_pyg(data, vocabulary) == sequence


@pytest.mark.parametrize("bins", [0, 5])
def test_settings(bins):
    vocabulary = Vocabulary.of(PROCESSORS, bins=bins)
    G = GRAFX(config=vocabulary.config)
    nodes = {"compressor": {"threshold_db": -30.0, "ratio": 2.0}, "eq": {"gain_db": [3.0, -2.0]}}
    G.add_serial_chain(["in", *({"node_type": t, "parameters": p} for t, p in nodes.items()), "out"])
    sequence = encode(G, vocabulary)
    data = tokens_to_pyg(sequence, vocabulary)
    assert data.settings.shape == (4, 6)
    assert data.settings.isnan().sum(1).tolist() == [6, 2, 0, 6]
    again = tokens_from_pyg(data, vocabulary)
    assert again.tokens == sequence.tokens
    for one, other in zip(again.settings, sequence.settings, strict=True):
        assert one == pytest.approx(other)


def test_tokens_alone_have_no_settings():
    vocabulary = Vocabulary.of(PROCESSORS)
    data = tokens_to_pyg(encode(_chain(vocabulary), vocabulary).tokens, vocabulary)
    assert "settings" not in data


def test_refusals():
    vocabulary = Vocabulary.of(PROCESSORS)
    data = tokens_to_pyg(encode(_chain(vocabulary), vocabulary), vocabulary)
    data.settings = data.settings[:, 1:]
    with pytest.raises(EstimateError, match=r"settings must be of shape \(3, 6\), not \(3, 5\)"):
        tokens_from_pyg(data, vocabulary)
    data.settings = torch.full((3, 6), 2.0)
    with pytest.raises(EstimateError, match=r"threshold_db is 2.0, not from 0 to 1"):
        tokens_from_pyg(data, vocabulary)
    with pytest.raises(ValueError, match="config"):
        tokens_from_pyg(data, Vocabulary.of(NodeConfigs(["compressor"])))


def _chain(vocabulary):
    G = GRAFX(config=vocabulary.config)
    G.add_serial_chain(["in", "compressor", "out"])
    return G
