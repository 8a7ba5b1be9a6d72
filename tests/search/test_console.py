import networkx as nx
import pytest
from grafx.processors import DryWet

from grafx.data import GraphError
from grafx.search import build_console, console_processors
from grafx.search.mixing.console import CHAIN


def names(count):
    return [f"stem {i}" for i in range(count)]


def count(G, node_type):
    return sum(data["node_type"] == node_type for _, data in G.nodes(data=True))


def find(G, node_type, name):
    (node,) = [i for i, data in G.nodes(data=True) if data["node_type"] == node_type and data["name"] == name]
    return node


def walk(G, node):
    """Types and owners from a node to where ways meet or end, and where that is."""
    chain = []
    while True:
        (node,) = G.successors(node)
        data = G.nodes[node]
        if data["node_type"] in ("mix", "out"):
            return chain, node
        assert G.in_degree(node) == 1
        chain.append((data["node_type"], data["owner"]))


def full_chain(owner, chain=CHAIN):
    return [(node_type, owner) for node_type in chain]


@pytest.mark.parametrize("num_stems", [1, 2, 5])
def test_a_chain_for_each_stem_and_one_for_the_master(num_stems):
    G = build_console(names(num_stems))
    assert G.number_of_nodes() == num_stems * 8 + 1 + 7 + 1
    assert G.number_of_edges() == G.number_of_nodes() - 1
    assert {t: count(G, t) for t in CHAIN} == dict.fromkeys(CHAIN, num_stems + 1)
    master = find(G, "mix", "master")
    for name in names(num_stems):
        assert walk(G, find(G, "in", name)) == (full_chain(name), master)
    assert walk(G, master) == (full_chain("master"), find(G, "out", "mix"))
    assert nx.is_weakly_connected(G) and nx.is_directed_acyclic_graph(G)


def test_in_nodes_are_in_the_order_of_the_stems():
    stems = ["z", "a", "m"]
    G = build_console(stems, {"g": ["m", "z"]})
    found = [G.nodes[i]["name"] for i in sorted(G.nodes) if G.nodes[i]["node_type"] == "in"]
    assert found == stems


def test_subgroups():
    G = build_console(["kick", "snare", "bass", "voice"], {"drums": ["snare", "kick"], "rest": ["voice"]})
    master, drums, rest = (find(G, "mix", name) for name in ("master", "drums", "rest"))
    ends = {name: walk(G, find(G, "in", name))[1] for name in ("kick", "snare", "bass", "voice")}
    assert ends == {"kick": drums, "snare": drums, "bass": master, "voice": rest}
    assert walk(G, drums) == (full_chain("drums"), master)
    assert walk(G, rest) == (full_chain("rest"), master)
    assert count(G, "mix") == 3 and count(G, "eq") == 4 + 2 + 1


def test_another_chain():
    chain = ["gain", "eq", "gain"]
    G = build_console(["a", "b"], chain=chain)
    assert walk(G, find(G, "in", "b")) == (full_chain("b", chain), find(G, "mix", "master"))
    assert count(G, "gain") == 6 and count(G, "reverb") == 0


def test_no_chain():
    G = build_console(["a", "b"], {"g": ["a"]}, chain=[])
    assert sorted(data["node_type"] for _, data in G.nodes(data=True)) == ["in", "in", "mix", "mix", "out"]
    assert walk(G, find(G, "in", "a")) == ([], find(G, "mix", "g"))
    assert walk(G, find(G, "mix", "g")) == ([], find(G, "mix", "master"))


@pytest.mark.parametrize(
    "stems, groups, message",
    [
        ([], None, "at least one stem"),
        (["a", "b", "a"], None, "a occurs twice"),
        (["a", "master"], None, "'master' is the name of the master chain"),
        (["a", "b"], {"a": ["b"]}, "a occurs twice"),
        (["a", "b"], {"master": ["b"]}, "'master' is the name of the master chain"),
        (["a", "b"], {"g": []}, "'g' has no stems"),
        (["a", "b"], {"g": ["a", "c"]}, "'g' names the stem 'c', but there are only a, b"),
        (["a", "b"], {"g": ["a"], "h": ["b", "a"]}, "'a' is in the groups 'g' and 'h'"),
        (["a", "b"], {"g": ["a", "a"]}, "'a'"),
        (["a", "b"], {"g": ["a"], "h": ["g"]}, "'g'"),
    ],
)
def test_refusals(stems, groups, message):
    with pytest.raises(GraphError, match=message):
        build_console(stems, groups)


def test_every_type_has_a_processor_under_dry_wet():
    processors = console_processors()
    assert tuple(processors) == CHAIN
    assert all(isinstance(processor, DryWet) for processor in processors.values())
