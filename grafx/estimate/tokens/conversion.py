"""Sequences of tokens to the input of a graph neural network, and back, with settings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from ...data.conversion import convert_to_graph
from ...data.formats.pyg import from_pyg, to_pyg
from ...errors import EstimateError
from .coding import TokenSequence, decode, encode, read_norms, settings_of
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from torch_geometric.data import Data


def tokens_to_pyg(sequence: TokenSequence | Sequence[int], vocabulary: Vocabulary, features: str = "one-hot") -> "Data":
    """Convert a sequence to the input of a graph neural network.

    Args:
        sequence: The sequence; row ``i`` is its node ``i``.
        vocabulary: Its tokens.
        features: As for :func:`~grafx.data.to_pyg`.

    Returns:
        What :func:`~grafx.data.to_pyg` returns, and ``settings`` ``(V, vocabulary.size)``: the normalized values of
        each node, and NaN where its type has fewer. Without settings there is no such field.

    Raises:
        EstimateError: As for :func:`decode`.
        GraphError: ``features`` is unknown.
        ImportError: torch_geometric is not installed.
    """
    G = decode(sequence, vocabulary)
    data = to_pyg(G, features)
    told = vocabulary.bins or (isinstance(sequence, TokenSequence) and sequence.settings)
    if told and vocabulary.size:
        settings = torch.full((len(G), vocabulary.size), torch.nan, dtype=torch.double)
        for node_id, own in settings_of(G, vocabulary).items():
            settings[node_id, : len(own)] = torch.tensor(own, dtype=torch.double)
        data.settings = settings
    return data


def tokens_from_pyg(data: "Data", vocabulary: Vocabulary) -> TokenSequence:
    """Convert data of a graph neural network to a sequence.

    Args:
        data: As for :func:`~grafx.data.from_pyg`, a single graph; with the field ``settings``
            ``(V, vocabulary.size)``, or at the defaults without it.
        vocabulary: The tokens.

    Raises:
        EstimateError: As for :func:`encode`; the settings are of another shape, or not from 0 to 1.
        GraphError: As for :func:`~grafx.data.from_pyg`.
        ImportError: torch_geometric is not installed.
    """
    G = convert_to_graph(from_pyg(data, vocabulary.config))
    if "settings" in data:
        shape = (len(G), vocabulary.size)
        if tuple(data.settings.shape) != shape:
            raise EstimateError(f"The settings must be of shape {shape}, not {tuple(data.settings.shape)}.")
        types = {node_type.name: node_type for node_type in vocabulary.types}
        for row, node in zip(data.settings.tolist(), (G.nodes[i] for i in sorted(G.nodes)), strict=True):
            node_type = types[node["node_type"]]
            node["parameters"] = read_norms(row[: node_type.size], node_type, f"A node of type {node_type.name}")
    return encode(G, vocabulary)
