"""Preparation of a graph for streaming: latency compensation, and cycles cut at delays."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import networkx as nx
import torch
import torch.nn as nn
from torch import Tensor

from ..data.cables import EdgeId
from ..data.configs import BUILT_IN_TYPES, NodeConfigs
from ..data.graph import GRAFX
from ..errors import GraphError

BEFORE = "id_before"
"""Node attribute with the id in the original graph."""


@dataclass(frozen=True)
class Aligned:
    """Result of :func:`aligned`.

    Attributes:
        G: The graph, whose nodes have their original ids in the attribute ``id_before``. For each cut it has an
            additional ``in`` node, after all others, and delay nodes for signals that would be early.
        waits: Node type to processor, of the delay nodes.
        cuts: Original id and outlet of the signal for each additional ``in`` node, and the original id of the delay
            that reads it.
        latency_samples: Latency of all outputs.
        departures: Node to the latency of its output.
    """

    G: GRAFX
    latency_samples: int
    departures: dict[int, int] = field(default_factory=dict)
    waits: dict[str, nn.Module] = field(default_factory=dict)
    cuts: list[tuple[int, str, int]] = field(default_factory=list)


class Wait(nn.Module):
    """Delay of an early signal in a stream, until the others at the same inlet have arrived."""

    def __init__(self, num_samples: int) -> None:
        super().__init__()
        self.num_samples = num_samples

    def parameter_size(self) -> dict:
        return {}

    # Common parameters are not meant for nodes that the original graph did not have.
    def forward(self, input_signals: Tensor, **_: Tensor) -> Tensor:
        return input_signals

    def stream(self, block: Tensor, state: Tensor | None = None, **_: Tensor) -> tuple[Tensor, Tensor]:
        past = block.new_zeros(*block.shape[:-1], self.num_samples) if state is None else state
        extended = torch.cat([past, block], -1)
        return extended[..., : block.shape[-1]], extended[..., block.shape[-1] :].clone()


def aligned(
    G: GRAFX, config: NodeConfigs, latencies: Mapping[str, int], delay_of: Callable[[int], int | None]
) -> Aligned:
    """Make a graph ready for blocks.

    Args:
        G: A graph; it may have cycles.
        config: Its config, or one for it.
        latencies: Node type to how late its processors are in a stream; 0 for what is missing.
        delay_of: From a node to the least delay in samples between its first inlet and its outlets, None for what is
            no delay.

    Raises:
        GraphError: A cycle has no delay, or has a processor with look-ahead.
    """
    cuts = _cuts(G, config, delay_of)
    arrivals = _arrivals(G, latencies)
    outputs = [node_id for node_id, data in G.nodes(data=True) if data["node_type"] == "out"]
    total = max((arrivals[node_id] for node_id in outputs), default=0)
    arrivals |= dict.fromkeys(outputs, total)

    def departure(node_id: int) -> int:
        return arrivals[node_id] + latencies.get(G.nodes[node_id]["node_type"], 0)

    lags = {
        edge: lag
        for edge in G.edges(keys=True)
        if edge not in cuts and (lag := arrivals[edge[1]] - departure(edge[0])) > 0
    }
    wait_types = _new_types(config, lags.values())
    waits = {wait_types[lag]: Wait(lag) for lag in wait_types}
    ready = GRAFX.like(G, G.nodes(data=True), config=_with_types(config, waits))
    ready.counter = max(G.nodes, default=-1) + 1
    waiting: dict[tuple[int, str, int], int] = {}
    inputs = []
    for *edge, data in G.edges(keys=True, data=True):
        source, dest, _ = edge = tuple(edge)
        outlet = data["outlet"]
        if edge in cuts:
            inputs.append((source, outlet, dest))
            continue
        if edge in lags:
            place = source, outlet, lags[edge]
            if place not in waiting:
                waiting[place] = ready.add(wait_types[lags[edge]])
                ready.add_edge(source, waiting[place], outlet=outlet, inlet="main")
            source, outlet = waiting[place], "main"
        ready.add_edge(source, dest, **{**data, "outlet": outlet})
    for _, _, dest in inputs:
        ready.add_edge(ready.add("in"), dest, outlet="main", inlet=_first_inlet(G, config, dest))
    for node_id, data in ready.nodes(data=True):
        data[BEFORE] = node_id
    departures = {node_id: departure(node_id) for node_id in G.nodes}
    departures |= {wait: departures[source] + lag for (source, _, lag), wait in waiting.items()}
    return Aligned(ready, total, departures, waits, inputs)


def _new_types(config: NodeConfigs, lags: Iterable[int]) -> dict[int, str]:
    """Samples to wait to the name of a type that waits for so long, which the graph does not have yet."""
    types = {}
    for lag in sorted(set(lags)):
        name = f"wait {lag}"
        while name in config:
            name += "+"
        types[lag] = name
    return types


def _with_types(config: NodeConfigs, names: Iterable[str]) -> NodeConfigs:
    own = {t: plugs for t, plugs in config.node_type_dict.items() if t not in BUILT_IN_TYPES}
    return NodeConfigs({**own, **{name: {} for name in names}})


def _first_inlet(G: GRAFX, config: NodeConfigs, node_id: int) -> str:
    return config[G.nodes[node_id]["node_type"]]["inlets"][0]


def _cuts(G: GRAFX, config: NodeConfigs, delay_of: Callable[[int], int | None]) -> set[EdgeId]:
    """Edges into delays without which there is no cycle; of each cycle, the one into the longest delay."""
    cuts: set[EdgeId] = set()
    rest = nx.MultiDiGraph(G.edges(keys=True, data=True))
    while True:
        try:
            cycle = nx.find_cycle(rest)
        except nx.NetworkXNoCycle:
            return cuts
        nodes = [source for source, _, _ in cycle]
        delays = {
            edge: delay
            for edge in cycle
            if rest.edges[edge]["inlet"] == _first_inlet(G, config, edge[1])
            if (delay := delay_of(edge[1])) is not None
        }
        if not delays:
            raise GraphError(
                f"There is a cycle {_describe(G, [*nodes, nodes[0]])} without a delay: put a DelayLine of at least one "
                "block into it, or remove one of its cables."
            )
        cuts.add(max(delays, key=delays.get))
        rest.remove_edges_from(cuts)


def _arrivals(G: GRAFX, latencies: Mapping[str, int]) -> dict[int, int]:
    """Compute the latency of the signals at the inlets of each node. Nodes on a common cycle have the same."""
    groups = nx.condensation(nx.DiGraph(G))
    arrivals: dict[int, int] = {}
    for group in nx.topological_sort(groups):
        members = groups.nodes[group]["members"]
        own = {node_id: latencies.get(G.nodes[node_id]["node_type"], 0) for node_id in members}
        if any(own.values()) and (len(members) > 1 or G.has_edge(*[*members] * 2)):
            late = next(node_id for node_id in members if own[node_id])
            raise GraphError(
                f"Node {_describe(G, [late])} looks {own[late]} samples ahead and is part of a cycle: use a causal "
                "processor there."
            )
        sources = {source for member in members for source in G.predecessors(member)} - set(members)
        arrival = max(
            (arrivals[source] + latencies.get(G.nodes[source]["node_type"], 0) for source in sources), default=0
        )
        arrivals.update(dict.fromkeys(members, arrival))
    return arrivals


def _describe(G: GRAFX, nodes: Iterable[int]) -> str:
    return " -> ".join(f"{node_id} ({_named(G.nodes[node_id])})" for node_id in nodes)


def _named(data: Mapping[str, Any]) -> str:
    return f"{data['node_type']} '{data['name']}'" if data.get("name") else data["node_type"]
