"""Random graphs of random node types, and an isomorphism of networkx to trust."""

import itertools
import random
from types import SimpleNamespace

import networkx as nx
import pytest

from grafx.data import GRAFX, NodeConfigs

INLETS = ["main"], ["main"], ["main", "sidechain"], ["left", "right", "main"], []
OUTLETS = ["main"], ["main"], ["low", "high"], ["main", "envelope"], ["high", "mid", "low"], []


def random_config(rng):
    """Up to five types with any numbers of inlets and outlets."""
    types = {f"t{i}": {"inlets": rng.choice(INLETS), "outlets": rng.choice(OUTLETS)} for i in range(rng.randint(1, 5))}
    return NodeConfigs(types)


def random_graph(config, rng, most=10):
    """A valid graph: fed inlets, several cables between two nodes, open sidechains and ends, several outputs."""
    G, sources = GRAFX(config=config, invalid_op="mute"), []

    def add(node_type):
        node = G.add(node_type)
        for i, inlet in enumerate(config[node_type]["inlets"]):
            for _ in range(rng.choice([1, 1, 1, 2, 3]) if i == 0 else rng.choice([0, 1, 2])):
                source = rng.choice(sources)
                G.connect(source, node, rng.choice(config[G.nodes[source]["node_type"]]["outlets"]), inlet)
        sources.extend([node] * bool(config[node_type]["outlets"]))

    for _ in range(rng.randint(1, most - 1)):
        starts = [t for t in config.node_types if config[t]["outlets"] and not config[t]["inlets"]]
        add(rng.choice(config.node_types if sources else starts))
    add("out")
    return G


def renumbered(G, rng):
    """The same graph with other ids, and with nodes and cables in another order."""
    ids, edges = list(G.nodes), list(G.edges(data=True))
    new = dict(zip(ids, rng.sample(ids, len(ids)), strict=True))
    rng.shuffle(ids)
    rng.shuffle(edges)
    nodes = [(new[i], G.nodes[i]) for i in ids]
    return GRAFX.like(G, nodes, [(new[s], new[d], data) for s, d, data in edges])


def plugs(cables):
    return sorted((cable["outlet"], cable["inlet"]) for cable in cables.values())


def is_isomorphic(G, H):
    return nx.is_isomorphic(
        G, H, lambda one, other: one["node_type"] == other["node_type"], lambda one, other: plugs(one) == plugs(other)
    )


def branches(count, kinds, config):
    """An input, equal branches in parallel, an output; and the branches' nodes."""
    G = GRAFX(config=config)
    source, out = G.add("in"), G.add("out")
    rows = []
    for _ in range(count):
        row = [source, *(G.add(kind) for kind in kinds), out]
        for one, other in itertools.pairwise(row):
            G.connect(one, other)
        rows.append(row[1:-1])
    return G, rows


@pytest.fixture(scope="session")
def graphs():
    return SimpleNamespace(
        config=random_config,
        graph=random_graph,
        renumbered=renumbered,
        is_isomorphic=is_isomorphic,
        branches=branches,
    )


@pytest.fixture
def rng(request):
    return random.Random(request.node.name)
