"""Rendering of many different graphs in one call."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from .. import trees
from ..data import GRAFX, batch_grafx
from ..data.queries import get_node_ids_from_type
from ..errors import EstimateError
from ..parameters.tensors import collect_parameters
from ..processors.contract import contract_of
from ..render import RenderData, prepare_render, render_grafx, reorder_for_fast_render

METHOD = "greedy"  # a schedule is used once: finding a shorter one would take longer than it saves


def render_graphs(
    graphs: Sequence[GRAFX], sources: Sequence[Tensor], processors: Mapping[str, nn.Module]
) -> list[Tensor]:
    """Render different graphs at once, with nodes of equal type together.

    Args:
        graphs: Graphs of equal config, whose nodes hold their parameters, physical or raw.
        sources: The dry sounds ``(K, C, L)`` of each graph, one for each ``in`` node, in id order; C and L are equal.
        processors: Node type to processor.

    Returns:
        The outputs of each graph, ``(C, L)``; ``(N, C, L)`` where it has N > 1 ``out`` nodes.

    Raises:
        EstimateError: The numbers of graphs and sources, or of sources and ``in`` nodes, differ.
        GraphError: A graph is not valid.
    """
    _check(graphs, sources)
    if not graphs:
        return []
    ordered, plan, used = prepared(graphs, processors)
    output, *_ = render_grafx(used, torch.cat(list(sources)), stacked_parameters(ordered, used), plan)
    counts = [len(get_node_ids_from_type(G, "out")) for G in graphs]
    return [rows[0] if len(rows) == 1 else rows for rows in output.split(counts)]


def prepared(
    graphs: Sequence[GRAFX], processors: Mapping[str, nn.Module]
) -> tuple[GRAFX, RenderData, dict[str, nn.Module]]:
    """Unite and order graphs, and plan their render: the union, the plan, and the processors that it needs."""
    ordered = reorder_for_fast_render(batch_grafx(graphs), METHOD)
    plan = prepare_render(ordered)
    return ordered, plan, {name: processors[name] for name in plan.counts if name in processors}


def mixed_output(output: Tensor) -> Tensor:
    """What is heard of a graph: its output ``(C, L)``, or the sum of several ``(N, C, L)``."""
    return output.sum(0) if output.ndim == 3 else output


def on_both_channels(signal: Tensor) -> Tensor:
    """A mono or stereo signal as a stereo one."""
    return signal.expand(2, -1)


def stacked_parameters(G: GRAFX, processors: Mapping[str, nn.Module]) -> dict[str, Any]:
    """Stack the parameters of nodes, as :func:`collect_parameters` does, faster where all of a type are physical."""
    return {node_type: _stacked(G, node_type, processor) for node_type, processor in processors.items()}


def _stacked(G: GRAFX, node_type: str, processor: Any) -> Any:
    nodes = [G.nodes[i] for i in get_node_ids_from_type(G, node_type)]
    given = [data.get("parameters") or {} for data in nodes]
    contract = contract_of(processor)
    plain = contract.controls and not any(
        data.get("settings") or any(isinstance(value, Tensor) for _, value in trees.items(tree))
        for data, tree in zip(nodes, given, strict=True)
    )
    if plain:
        leaves = contract.leaves()
        known = {leaf.path for leaf in leaves}
        if all(set(trees.paths(tree)) <= known for tree in given):
            values: dict[str, Any] = {}
            for leaf in leaves:
                of_nodes = [trees.at(tree, leaf.path) for tree in given]
                if any(value is not None for value in of_nodes):
                    default = torch.tensor(leaf.control.default).expand(leaf.shape)
                    rows = [default if v is None else torch.as_tensor(v, dtype=default.dtype) for v in of_nodes]
                    trees.put(values, leaf.path, torch.stack([row.expand(leaf.shape) for row in rows]))
            return processor.dsp_to_raw(values, len(nodes))
    return collect_parameters(G, {node_type: processor})[node_type]


def _check(graphs: Sequence[GRAFX], sources: Sequence[Tensor]) -> None:
    if len(graphs) != len(sources):
        raise EstimateError(f"There are {len(graphs)} graphs, but sources for {len(sources)}: give each its own.")
    for index, (G, rows) in enumerate(zip(graphs, sources, strict=True)):
        count = len(get_node_ids_from_type(G, "in"))
        if rows.ndim != 3 or len(rows) != count:
            raise EstimateError(
                f"Graph {index} has {count} 'in' node(s), but its sources have the shape"
                f" {tuple(rows.shape)}: give (sources, channels, samples)."
            )
