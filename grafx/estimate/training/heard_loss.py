"""A loss that listens: the sounds that true graphs make with the settings that a network says."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ... import trees
from ...data import GRAFX
from ...data.queries import get_node_ids_from_type
from ...processors.contract import contract_of
from ...render import render_grafx
from ...search import MatchLoss
from ..batches import Example
from ..corpus import graph_of, places_of_nodes
from ..prior import Prior
from ..rendering import on_both_channels, prepared
from ..tokens import Vocabulary, canonical_order, settings_of

ROW = "told"
"""Attribute of a node: the example and the place of its token."""


def heard_loss(
    tokens: Tensor,
    settings: Tensor,
    examples: Sequence[Example],
    vocabulary: Vocabulary,
    prior: Prior,
    measure: MatchLoss,
) -> Tensor:
    """The mean distance of outputs from the sounds that their graphs make with other settings, to be descended.

    Args:
        tokens: Those of the true graphs, ``(B, T)``.
        settings: Normalized ones of all tokens but the last, ``(B, T − 1, settings)``, through which gradients flow.
        examples: The same graphs, with their dry sounds and outputs.
        vocabulary: The tokens.
        prior: It has the processors.
        measure: The distance.
    """
    graphs = [_placed(row, one, vocabulary) for row, one in zip(tokens, settings.detach(), strict=True)]
    for row, G in enumerate(graphs):
        for _, data in G.nodes(data=True):
            data[ROW] = (row, data[ROW])
    sources = torch.cat([_sources(one, vocabulary) for one in examples])
    ordered, plan, processors = prepared(graphs, prior.processors)
    parameters = {name: _raw(ordered, name, processor, settings, vocabulary) for name, processor in processors.items()}
    made = render_grafx(processors, sources, parameters, plan)[0]
    pairs = zip(made, examples, strict=True)
    return torch.stack(
        [measure(on_both_channels(one.gain * y), on_both_channels(one.output)) for y, one in pairs]
    ).mean()


def _placed(tokens: Tensor, settings: Tensor, vocabulary: Vocabulary) -> GRAFX:
    """A graph whose nodes know the place of their token."""
    G = graph_of(tokens, settings, vocabulary)
    for node, place in zip(G.nodes, places_of_nodes(tokens.tolist(), vocabulary), strict=True):
        G.nodes[node].pop("parameters", None)
        G.nodes[node][ROW] = place
    return G


def _sources(example: Example, vocabulary: Vocabulary) -> Tensor:
    """Dry sounds in the order in which tokens have the inputs."""
    G = example.G
    order = canonical_order(G, vocabulary.inputs, settings_of(G, vocabulary))
    inputs = get_node_ids_from_type(G, "in")
    return example.sources[[inputs.index(node) for node in order if G.nodes[node]["node_type"] == "in"]]


def _raw(G: GRAFX, name: str, processor: Any, settings: Tensor, vocabulary: Vocabulary) -> Mapping[str, Any]:
    """Raw parameters of all nodes of a type."""
    told = next(node_type for node_type in vocabulary.types if node_type.name == name)
    rows = [G.nodes[node][ROW] for node in get_node_ids_from_type(G, name)]
    norms = torch.stack([settings[row, place] for row, place in rows])
    columns, values = {}, {}
    for setting in told.settings:
        columns[setting.name], norms = norms[:, : setting.size], norms[:, setting.size :]
    for leaf in contract_of(processor).leaves():
        if leaf.name in columns:
            value = leaf.control.from_norm(columns[leaf.name]).reshape(len(rows), *leaf.shape)
        elif leaf.name in told.fixed:
            value = torch.tensor(told.fixed[leaf.name], dtype=settings.dtype).expand(len(rows), *leaf.shape)
        else:
            continue
        trees.put(values, leaf.path, value)
    return processor.dsp_to_raw(values, len(rows), settings)
