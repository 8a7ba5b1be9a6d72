"""Rendering of what an edit changed, and of what follows it."""

from dataclasses import replace

import networkx as nx
import torch

from ... import trees
from ...data import GRAFX
from ...render.check import Processors
from ...search.mixing.trials import differs
from ..heard import Heard, Inputs, Outlets, checked, keeper, weights_of


def rehear(before: Heard, G: GRAFX, processors: Processors) -> tuple[Heard, set[int]]:
    """Compute the output of those nodes that differ from what was heard before, and of those that follow.

    Where an output is the same nevertheless, as that of a bypassed node, what follows is not computed.

    Args:
        before: Another graph, with the same sources.
        G: The graph, whose processors hold their raw parameters.
        processors: Node type to processor, for all of its types.

    Returns:
        What :func:`~grafx.report.heard.hear` would return, and the ids of those nodes whose outputs are others.

    Raises:
        RenderError: What comes out of a node is not finite.
    """
    outputs: dict[int, Outlets] = {}
    own = {node_id: data for node_id, data in G.nodes(data=True) if data["node_type"] in processors}
    heard = replace(
        before,
        G=G,
        processors=processors,
        outputs=outputs,
        inputs=Inputs(G, outputs),
        parameters={node_id: trees.batch(data["parameters"]) for node_id, data in own.items()},
        weights=weights_of(G, processors),
    )
    keep, fresh = keeper(heard), set[int]()
    for node_id in nx.lexicographical_topological_sort(G):
        known = before.outputs.get(node_id)
        if known is not None and not differs(before.G, G, node_id) and not fresh.intersection(G.predecessors(node_id)):
            outputs[node_id] = known
            continue
        outlets = checked(heard, node_id)
        if known is not None and _same(outlets, known):
            outputs[node_id] = known
        else:
            outputs[node_id] = keep(outlets)
            fresh.add(node_id)
    return heard, fresh


def _same(outlets: Outlets, others: Outlets) -> bool:
    return len(outlets) == len(others) and all(map(torch.equal, outlets, others))
