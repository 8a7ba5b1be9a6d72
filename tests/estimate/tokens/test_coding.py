"""Graphs to tokens, and back."""

import pytest

from grafx.data import GRAFX, NodeConfigs
from grafx.estimate.tokens import Vocabulary, decode, encode


@pytest.fixture
def vocabulary():
    types = {"eq": {}, "compressor": {"inlets": ["main", "sidechain"]}, "crossover": {"outlets": ["low", "high"]}}
    return Vocabulary.of(NodeConfigs(types), max_nodes=8)


def read(sequence, vocabulary):
    return " ".join(vocabulary.tokens[token] for token in sequence.tokens)


def test_chain_has_a_token_a_node(vocabulary):
    G = GRAFX(config=vocabulary.config)
    G.add_serial_chain(["in", "compressor", "eq", "out"])
    sequence = encode(G, vocabulary)
    assert read(sequence, vocabulary) == "in compressor eq out <end>"
    assert str(decode(sequence, vocabulary)) == str(G)
