import networkx as nx
import pytest
from grafx.processors import DryWet, HardClip, ParametricEqualizer, TransientShaper

from grafx.data import GraphError
from grafx.search import build_console, console_processors
from grafx.search.mixing.console import CHAIN, processors_for


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


def types_of(G, owner):
    return [data["node_type"] for _, data in sorted(G.nodes(data=True)) if data.get("owner") == owner]


def test_another_chain_for_some_and_for_the_master():
    chain = {"a": ["peq", "saturation", "Phaser"], "g": []}
    G = build_console(["a", "b"], {"g": ["a"]}, chain, master=["eq", "compressor", "limiter"])
    assert walk(G, find(G, "in", "a")) == (full_chain("a", chain["a"]), find(G, "mix", "g"))
    assert walk(G, find(G, "in", "b"))[0] == full_chain("b")
    assert types_of(G, "g") == [] and types_of(G, "master") == ["eq", "compressor", "limiter"]
    assert types_of(build_console(["a"], chain={"a": ["eq"], "master": ["gain"]}), "master") == ["gain"]


def test_without_a_master_the_sum_is_the_mix():
    G = build_console(["a", "b"], master=())
    assert walk(G, find(G, "mix", "master")) == ([], find(G, "out", "mix"))
    assert types_of(G, "a") == list(CHAIN)


def test_returns_get_a_send_from_the_end_of_each_chain():
    returns = {"room": ["reverb"], "crush": ["compressor", "gain"]}
    G = build_console(["a", "b", "c"], {"g": ["a", "b"]}, {"c": []}, returns=returns)
    for name, chain in returns.items():
        bus = find(G, "mix", name)
        assert walk(G, bus) == (full_chain(name, chain), find(G, "mix", "master"))
        sends = list(G.predecessors(bus))
        assert [G.nodes[i]["node_type"] for i in sends] == ["send"] * 4
        assert [G.nodes[i]["owner"] for i in sends] == ["a", "b", "c", "g"]
        ends = [G.nodes[next(iter(G.predecessors(i)))] for i in sends]
        assert [end["node_type"] for end in ends] == ["reverb", "reverb", "in", "reverb"]
    assert G.validate() == [] and nx.is_directed_acyclic_graph(G)


def keyed(G):
    return [(G.nodes[s]["name"], G.nodes[d]["owner"]) for s, d, data in G.edges(data=True) if data["inlet"] != "main"]


def test_sidechains_are_driven_by_signals_before_their_chains():
    stems, groups, returns = ["bass", "drums", "voice"], {"g": ["voice"]}, {"room": ["reverb"]}
    sidechains = {"bass": "drums", "drums": "bass", "room": "voice", "master": "g"}
    G = build_console(stems, groups, ["eq"], returns=returns, sidechains=sidechains)
    assert sorted(keyed(G)) == [("bass", "drums"), ("drums", "bass"), ("g", "master"), ("voice", "room")]
    assert types_of(G, "bass")[:2] == ["eq", "ducker"] and types_of(G, "voice") == ["eq", "send"]
    placed = build_console(["a", "b"], chain={"a": ["ducker", "eq"]}, sidechains={"a": "b"})
    assert types_of(placed, "a") == ["ducker", "eq"] and keyed(placed) == [("b", "a")]


def test_processors_of_your_own_are_named_in_chains():
    own = {"clip": HardClip(), "keyed": TransientShaper(sidechain=True), "eq": ParametricEqualizer()}
    G = build_console(["a", "b"], chain={"a": ["clip", "keyed"]}, sidechains={"a": "b"}, processors=own)
    assert types_of(G, "a") == ["clip", "keyed"] and keyed(G) == [("b", "a")]
    assert G.config["keyed"]["inlets"] == ["main", "sidechain"]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"chain": ["equ"]}, "no 'equ': did you mean 'eq'"),
        ({"chain": ["eq", "Pahser"]}, "did you mean 'Phaser'"),
        ({"master": ["zzz"]}, "no 'zzz': there are eq, compressor"),
        ({"returns": {"room": ["reverp"]}}, "did you mean 'reverb'"),
        ({"chain": ["StereoToMidSide"]}, "outlets mid, side"),
        ({"chain": ["Amplifier"]}, "inlets main, control"),
        ({"chain": ["PinkNoise"]}, "inlets none"),
        ({"chain": ["ConvolutionReverb"]}, "cannot be made from its name alone"),
        ({"chain": ["eq", "send"]}, "'send' cannot stand in the chain of 'a'"),
        ({"chain": ["mix"]}, "'mix' cannot stand"),
        ({"chain": {"q": ["eq"]}}, "chain names 'q', but there are only a, b, g, master"),
        ({"chain": {"a": "eq"}}, "The types of 'a' must be several texts"),
        ({"chain": {"master": ["eq"]}, "master": ["eq"]}, "given twice"),
        ({"master": "limiter"}, "master must be several texts"),
        ({"returns": {"a": ["reverb"]}}, "'a' has the name of a stem or group"),
        ({"returns": {"g": ["reverb"]}}, "'g' has the name of a stem or group"),
        ({"returns": {"master": ["reverb"]}}, "'master' is the name of the master chain"),
        ({"returns": {"room": []}}, "'room' has no processors"),
        ({"returns": ["room"]}, "returns must map names to processor types"),
        ({"sidechains": {"a": "a"}}, "driven by itself"),
        ({"sidechains": {"a": "bb"}}, "unknown 'bb': did you mean 'b'"),
        ({"sidechains": {"zzz": "b"}}, "unknown 'zzz': there are only a, b, g, master"),
        ({"sidechains": {"a": "g"}}, "cannot be driven by 'g', which it feeds itself"),
        ({"sidechains": {"a": "room"}, "returns": {"room": ["reverb"]}}, "'room', which it feeds itself"),
        ({"sidechains": {"b": "g", "g": "master"}}, "'master', which it feeds itself"),
        ({"sidechains": ["a"]}, "sidechains must map names to names"),
        ({"chain": ["ducker"]}, "Nothing drives the 'ducker' of 'a'"),
    ],
)
def test_refusals_of_consoles(options, message):
    with pytest.raises(GraphError, match=message):
        build_console(["a", "b"], {"g": ["a"]}, **options)


def test_a_graph_gets_the_processors_that_it_names():
    G = build_console(["a", "b"], chain=["Phaser"], returns={"room": ["reverb"]}, sidechains={"a": "b"})
    assert tuple(processors_for(G)) == (*CHAIN, "Phaser", "ducker", "send")
    assert processors_for(G, 8000)["Phaser"].processor.processor.sample_rate == 8000
    with pytest.raises(GraphError, match="did you mean 'Phaser'"):
        console_processors(types=["Phasor"])
