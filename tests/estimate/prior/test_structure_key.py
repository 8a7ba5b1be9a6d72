"""Keys of structures against isomorphism by networkx."""

import itertools
import random
from dataclasses import replace

import networkx as nx

from grafx.data import GRAFX
from grafx.estimate.prior import draw_graph, draw_settings, load_prior, structure_key


def isomorphic(G, H):
    def plugs(edges):
        return sorted((e["outlet"], e["inlet"]) for e in edges.values())

    return nx.is_isomorphic(
        G,
        H,
        node_match=lambda a, b: a["node_type"] == b["node_type"],
        edge_match=lambda a, b: plugs(a) == plugs(b),
    )


def test_keys_are_equal_as_structures_are_isomorphic(everything):
    kinds = {name: everything.kinds[name] for name in ("ducker", "crossover", "gain")}
    structures = {name: everything.structures[name] for name in ("chain", "dag")}
    small = replace(everything, kinds=kinds, structures=structures, max_nodes=8)
    graphs = [draw_graph(small, seed) for seed in range(40)]
    same = [isomorphic(G, H) for G, H in itertools.combinations(graphs, 2)]
    assert [structure_key(G) == structure_key(H) for G, H in itertools.combinations(graphs, 2)] == same
    assert any(same) and not all(same)


def test_a_key_ignores_numbers_names_and_settings():
    prior = load_prior("mix")
    for seed in range(20):
        G = draw_graph(prior, seed)
        ids = list(G)
        random.Random(seed).shuffle(ids)
        H = nx.relabel_nodes(draw_settings(prior, G, 1), dict(zip(G, ids, strict=True)))
        H.nodes[0]["name"] = "other"
        assert structure_key(H) == structure_key(G)


def test_a_key_tells_outlets_and_inlets_apart():
    keys = set()
    for outlet, inlet in itertools.product(("main", "send"), ("main", "sidechain")):
        G = GRAFX()
        source, dest = G.add("a"), G.add("b")
        G.connect(source, dest, outlet, inlet)
        keys.add(structure_key(G))
    assert len(keys) == 4


def test_a_key_is_the_same_on_every_machine():
    G = GRAFX()
    G.add_serial_chain(["in", "eq", "out"])
    assert structure_key(G) == "da9e3d232c9416293d89eb83505285a3"
