"""Random graphs, and a matching found by trying all."""

import random
from itertools import permutations, product
from types import SimpleNamespace

import pytest

from grafx.data import GRAFX

TYPES = ["a", "b", "c"]


def random_graph(seed, size=6, types=TYPES):
    """A graph of inputs, processors and an output, with cables at several inlets and outlets."""
    choose = random.Random(seed)
    G = GRAFX()
    nodes = [G.add("in") for _ in range(choose.randint(1, 2))]
    for _ in range(choose.randint(0, size)):
        node = G.add(choose.choice([*types, "mix"]))
        for source in choose.sample(nodes, min(len(nodes), choose.choice([1, 1, 2]))):
            side = choose.choice(["main", "main", "side"])
            G.connect(source, node, outlet="main", inlet="main" if G.nodes[node]["node_type"] == "mix" else side)
        nodes.append(node)
    out = G.add("out")
    for node in choose.sample(nodes, min(len(nodes), 2)):
        G.connect(node, out)
    return G


def renumbered(G, seed):
    """The same graph with other ids, and nodes and cables in another order."""
    choose = random.Random(seed)
    ids = list(G.nodes)
    new = dict(zip(ids, choose.sample(range(3 * len(ids) + 1), len(ids)), strict=True))
    nodes = [(new[node], dict(data)) for node, data in G.nodes(data=True)]
    edges = [(new[s], new[d], dict(data)) for s, d, data in G.edges(data=True)]
    choose.shuffle(nodes)
    choose.shuffle(edges)
    return GRAFX.like(G, nodes, edges)


def all_matchings(G, H):
    """All matchings of nodes of one type that leave none over that could have a partner."""
    by_type = []
    for node_type in {t for _, t in G.nodes(data="node_type")}:
        ones = [i for i, t in G.nodes(data="node_type") if t == node_type]
        others = [i for i, t in H.nodes(data="node_type") if t == node_type]
        if len(ones) <= len(others):
            by_type.append([list(zip(ones, chosen, strict=True)) for chosen in permutations(others, len(ones))])
        else:
            by_type.append([list(zip(chosen, others, strict=True)) for chosen in permutations(ones, len(others))])
    for parts in product(*by_type):
        yield dict(pair for part in parts for pair in part)


def agreeing(G, H, matching):
    cables = {(s, d, data["outlet"], data["inlet"]) for s, d, data in H.edges(data=True)}
    return sum(
        (matching.get(s), matching.get(d), data["outlet"], data["inlet"]) in cables for s, d, data in G.edges(data=True)
    )


@pytest.fixture(scope="package")
def graphs():
    return SimpleNamespace(random=random_graph, renumbered=renumbered, all_matchings=all_matchings, agreeing=agreeing)
