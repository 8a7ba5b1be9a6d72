import random
import re
import xml.etree.ElementTree as ET

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grafx.data import GRAFX, GraphError, NodeConfigs, batch_grafx, read_graphml, unbatch_grafx, write_graphml
from grafx.render import prepare_render, reorder_for_fast_render

CONFIG = NodeConfigs({"eq": {}, "split": {"outlets": ["low", "high"]}, "ring": {"inlets": ["main", "side"]}})
XMLNS = 'xmlns="http://graphml.graphdrawing.org/xmlns"'


def build(config=CONFIG):
    G = GRAFX(config=config, invalid_op="warn")
    G.remove(G.add("eq"))
    source = G.add("in", name=' Gesang – 歌 🎤 "x" & <b>\n\t')
    eq = G.add("eq", parameters={"gain": torch.ones(2)}, name="")
    split, ring, out = G.add("split"), G.add("ring"), G.add("out")
    G.connect(source, eq)
    G.connect(eq, split)
    G.connect(split, ring, outlet="low")
    G.connect(split, ring, outlet="high", inlet="side")
    G.connect(ring, out)
    G.nodes[eq].update(position=(0.1 + 0.2, -1e-300), gain=-0.1, color="#ff0000", label="EQ", fixed=True, count=10**20)
    G.edges[eq, split, 0].update(id=7, color="red")
    G.graph["title"] = "été"
    return G


def assert_equal_but_parameters(found, expected):
    nodes = {node: {**data, "parameters": None} for node, data in expected.nodes(data=True)}
    assert dict(found.nodes(data=True)) == nodes
    assert list(found.edges(data=True, keys=True)) == list(expected.edges(data=True, keys=True))
    assert found.graph == expected.graph and found.config == expected.config


@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize("config", [CONFIG, None])
def test_round_trip(tmp_path, config, scheduled):
    G = build(config)
    if scheduled:
        G = reorder_for_fast_render(G)
    write_graphml(G, tmp_path / "a.graphml")
    H = read_graphml(str(tmp_path / "a.graphml"))
    assert_equal_but_parameters(H, G)
    assert [path.name for path in tmp_path.iterdir()] == ["a.graphml"]
    if scheduled:
        assert prepare_render(H) == prepare_render(G)
    assert H.add("eq") == G.add("eq")


def test_an_edge_may_have_a_key(tmp_path):
    G = build()
    G.edges[1, 2, 0]["key"] = "C"
    write_graphml(G, tmp_path / "a")
    assert_equal_but_parameters(read_graphml(tmp_path / "a"), G)


def test_round_trip_of_nothing(tmp_path):
    write_graphml(GRAFX(), tmp_path / "a")
    assert_equal_but_parameters(read_graphml(tmp_path / "a"), GRAFX())


def test_a_batch_can_be_taken_apart_after_reading(tmp_path):
    G = build()
    G.nodes[1]["name"] = "first"
    union = batch_grafx([G, build()])
    write_graphml(union, tmp_path / "a")
    assert_equal_but_parameters(read_graphml(tmp_path / "a"), union)
    first, second = unbatch_grafx(read_graphml(tmp_path / "a"))
    assert first.nodes[0]["name"] == "first" and len(second) == 5


def test_writing_changes_nothing(tmp_path, snapshot):
    G = build()
    before = str(snapshot(G))
    write_graphml(G, tmp_path / "a")
    assert str(snapshot(G)) == before


def test_other_programs_find_labels_and_different_edge_ids(tmp_path):
    write_graphml(build(), tmp_path / "a")
    H = nx.read_graphml(tmp_path / "a", node_type=int, force_multigraph=True)
    assert {node: data["label"] for node, data in H.nodes(data=True)} == {
        1: build().nodes[1]["name"],
        2: "EQ",
        3: "split",
        4: "ring",
        5: "out",
    }
    assert sorted(key for *_, key in H.edges(keys=True)) == [0, 1, 2, 3, 4]
    root = ET.parse(tmp_path / "a").getroot()
    keys = {key.get("attr.name"): key.get("attr.type") for key in root.iter() if key.get("attr.name")}
    assert keys["x"] == keys["y"] == "double"


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.text(), st.text(), st.one_of(st.text(), st.integers(), st.booleans(), st.floats(allow_nan=False)))
def test_any_text_comes_back_or_is_refused(tmp_path_factory, name, key, value):
    G = GRAFX()
    G.add_serial_chain([{"node_type": "in", "name": name}, "out"])
    G.nodes[1].setdefault(key, value)
    path = tmp_path_factory.getbasetemp() / "any.graphml"
    try:
        write_graphml(G, path)
    except GraphError as error:
        assert "XML cannot hold" in str(error)
        texts = "".join(text for text in (name, key, value) if isinstance(text, str))
        assert re.search("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]", texts)
    else:
        assert_equal_but_parameters(read_graphml(path), G)


CANNOT_BE_WRITTEN = {
    "object": (lambda G: G.nodes[1].update(color=object()), "node 1 has an attribute 'color' of type object"),
    "tensor": (lambda G: G.nodes[1].update(color=torch.ones(1)), "of type Tensor"),
    "position of three": (lambda G: G.nodes[1].update(position=(0.0, 1.0, 2.0)), "should be two numbers"),
    "position of words": (lambda G: G.nodes[1].update(position=("a", "b")), "should be two numbers"),
    "endless position": (lambda G: G.nodes[1].update(position=(0.0, float("inf"))), "inf"),
    "x": (lambda G: G.nodes[1].update(x=1.0), "attribute 'x'"),
    "endless number": (lambda G: G.nodes[1].update(gain=float("inf")), "inf"),
    "list": (lambda G: G.nodes[1].update(color=[1, 2]), "'color' of type list"),
    "edge attribute": (lambda G: G.edges[1, 2, 0].update(color=[1]), "edge 1 -> 2 has an attribute 'color'"),
    "graph attribute": (lambda G: G.graph.update(title={1, 2}), "the graph has an attribute 'title'"),
    "sequence": (lambda G: G.graph.update(type_sequence=[object()]), "JSON"),
    "graph id": (lambda G: G.graph.update(id="a"), "'id'"),
    "argument of networkx": (lambda G: G.nodes[1].update(node_for_adding=1), "'node_for_adding'"),
    "numbered attribute": (lambda G: G.nodes[1].update({1: 2}), "attribute 1"),
    "control character": (lambda G: G.nodes[1].update(name="a\0"), "node 1 has '.x00' in 'name'"),
    "carriage return": (lambda G: G.nodes[1].update(name="a\r\n"), "in 'name'"),
    "lone surrogate": (lambda G: G.nodes[1].update(name="\ud800"), "in 'name'"),
    "control character in a key": (lambda G: G.nodes[1].update({"\x01": 1}), "XML"),
    "named node": (lambda G: G.add_node("a", node_type="eq"), "not an integer"),
    "negative id": (lambda G: G.add_node(-1, node_type="eq"), "node -1"),
    "node without type": (lambda G: G.add_node(77), "node 77"),
    "edge without plugs": (lambda G: G.add_edge(1, 3), "edge 1 -> 3"),
}


@pytest.mark.parametrize("case", CANNOT_BE_WRITTEN)
def test_what_cannot_be_read_is_not_written(tmp_path, case):
    change, message = CANNOT_BE_WRITTEN[case]
    G = build()
    change(G)
    (tmp_path / "a").write_text("before")
    with pytest.raises(GraphError, match=message):
        write_graphml(G, tmp_path / "a")
    assert (tmp_path / "a").read_text() == "before" and len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written_to(tmp_path):
    with pytest.raises(GraphError, match=r"nowhere/a\.graphml cannot be written"):
        write_graphml(build(), tmp_path / "nowhere" / "a.graphml")
    with pytest.raises(GraphError, match="cannot be written"):
        write_graphml(build(), tmp_path)


# ---- files of others


def read(tmp_path, text):
    (tmp_path / "a.graphml").write_text(text, encoding="utf-8")
    return read_graphml(tmp_path / "a.graphml")


BY_HAND = f"""
<graphml {XMLNS}>
  <key id="t" for="node" attr.name="node_type" attr.type="string"><default>eq</default></key>
  <key id="o" for="edge" attr.name="outlet" attr.type="string"/>
  <graph edgedefault="directed">
    <node id="voice"><data key="t">in</data></node>
    <node id="warm"/>
    <node id="3"><data key="t">out</data></node>
    <edge source="voice" target="warm"/>
    <edge source="warm" target="3"><data key="o">high</data></edge>
    <edge source="warm" target="3"/>
  </graph>
</graphml>"""


def test_a_file_made_by_hand(tmp_path):
    G = read(tmp_path, BY_HAND)
    assert [data["node_type"] for _, data in sorted(G.nodes(data=True))] == ["in", "eq", "out"]
    assert sorted((*edge[:2], edge[2]["outlet"], edge[2]["inlet"]) for edge in G.edges(data=True)) == [
        (0, 1, "main", "main"),
        (1, 2, "high", "main"),
        (1, 2, "main", "main"),
    ]
    assert G.config is None and G.consecutive_ids and G.add("eq") == 3


def test_coordinates_become_the_position(tmp_path):
    keys = "".join(f'<key id="{axis}" for="node" attr.name="{axis}" attr.type="int"/>' for axis in "xy")
    text = BY_HAND.replace("<graph ", keys + "<graph ", 1)
    place = '<data key="x">3</data><data key="y">-4</data>'
    G = read(tmp_path, text.replace('<node id="voice">', '<node id="voice">' + place))
    assert G.nodes[0]["position"] == (3.0, -4.0) and "x" not in G.nodes[0] and "position" not in G.nodes[1]
    with pytest.raises(GraphError, match=r"node 0.*position"):
        read(tmp_path, text.replace('<node id="voice">', '<node id="voice"><data key="x">3</data>'))


def test_ids_that_are_numbers_are_kept(tmp_path):
    G = read(tmp_path, BY_HAND.replace("voice", "7").replace("warm", "5"))
    assert sorted(G.nodes) == [3, 5, 7]
    assert not G.consecutive_ids and G.add("eq") == 8


def test_a_file_saved_by_yed(tmp_path):
    text = f"""<graphml {XMLNS} xmlns:y="http://www.yworks.com/xml/graphml">
      <key for="node" id="d0" yfiles.type="nodegraphics"/>
      <key for="node" id="d1" attr.name="node_type" attr.type="string"/>
      <key for="graph" id="d2" attr.name="config" attr.type="string"/>
      <graph edgedefault="directed" id="G">
        <data key="d2">{{"eq": {{}}}}</data>
        <node id="n0">
          <data key="d0"><y:ShapeNode><y:Geometry x="1.5" y="2"/><y:NodeLabel>EQ</y:NodeLabel></y:ShapeNode></data>
          <data key="d1">eq</data>
        </node>
      </graph>
    </graphml>"""
    G = read(tmp_path, text)
    assert G.config == NodeConfigs(["eq"])
    assert G.nodes[0]["node_type"] == "eq" and G.nodes[0]["label"] == "EQ" and G.nodes[0]["position"] == (1.5, 2.0)


def valid(tmp_path):
    write_graphml(reorder_for_fast_render(build()), tmp_path / "valid")
    return (tmp_path / "valid").read_text(encoding="utf-8")


WRONG = {
    "no node type": ('attr.name="node_type"', 'attr.name="kind"', 'no node_type.*attr.name="node_type"'),
    "type not in config": (">eq<", ">reverb<", "reverb"),
    "type of no name": ('attr.name="node_type" attr.type="string"', 'attr.name="node_type" attr.type="int"', "int"),
    "kind that there is not": ('attr.type="string"', 'attr.type="text"', "KeyError"),
    "boolean of no kind": (">True<", ">yes<", "KeyError"),
    "id twice": ('<node id="1"', '<node id="0"', "node"),
    "same id otherwise written": ('<node id="1"', '<node id="00"', "node"),
    "id missing": ('<node id="1"', "<node", "node"),
    "huge id": ('<node id="1"', f'<node id="{"9" * 5000}"', "node"),
    "edge to nowhere": ('target="1"', 'target="99"', "nodes"),
    "edge to itself": ('source="0" target="1"', 'source="1" target="1"', "1 -> 1"),
    "edge of no direction": ('<edge source="0"', '<edge directed="false" source="0"', "directed"),
    "edges merged by their id": ('target="3" id="3"', 'target="3" id="2"', "5 edge elements describe 4 edges"),
    "unknown outlet": (">low<", ">middle<", "middle"),
    "undirected": ('"directed"', '"undirected"', "no direction"),
    "hyperedge": ("</graph>", "<hyperedge/></graph>", "hyperedge"),
    "second graph": ("</graph>", "</graph><graph><node id='a'/></graph>", "one graph"),
    "nested graph": ("</graph>", "<node id='5'><graph><node id='a'/></graph></node></graph>", "one graph"),
    "invalid_op": (">warn<", ">explode<", "invalid_op"),
    "config is no JSON": ('{"in":', "{in:", "JSON"),
    "config is a number": ('{"in":.*<', "3<", "config"),
    "config without end": ('{"in":', "[" * 100_000, "nested"),
    "sequence is no list": (r'\["in",.*\]', "3", "type_sequence"),
    "schedule with a gap": ('attr.name="rendering_order"', 'attr.name="order"', "rendering_order"),
    "counter text": ('attr.name="counter" attr.type="long"', 'attr.name="counter" attr.type="string"', "counter"),
    "parameters": ('attr.name="label"', 'attr.name="parameters"', "'parameters'"),
    "key of networkx": ('attr.name="label"', 'attr.name="node_for_adding"', "TypeError"),
    "no namespace": ("<graphml", "<graphml xmlns='urn:other' ><other", "GraphML"),
    "cut": ("</graph>(.|\n)*", "", "no element found|unclosed"),
    "encoding that there is not": ("encoding='utf-8'", "encoding='nope'", "encoding"),
    "encoding of no text": ("encoding='utf-8'", "encoding='zlib_codec'", "encoding"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(tmp_path, case):
    before, after, message = WRONG[case]
    text = valid(tmp_path)
    changed = re.sub(before, lambda _: after, text, count=1)
    assert changed != text
    with pytest.raises(GraphError, match=rf"(?s)a\.graphml does not describe a valid graph.*{message}"):
        read(tmp_path, changed)


@pytest.mark.parametrize("text", ["", "x", "<a/>", "<graphml/>", "<graphml><graph/></graphml>", "\0", "{}", "<" * 9999])
def test_what_is_no_graphml(tmp_path, text):
    with pytest.raises(GraphError, match=r"a\.graphml"):
        read(tmp_path, text)


def test_a_missing_file(tmp_path):
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(GraphError, match="cannot be read"):
            read_graphml(path)


BOMB = "<!DOCTYPE b [" + '<!ENTITY a0 "ha">'
BOMB += "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 30)) + "]>"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
@pytest.mark.parametrize(
    "doctype",
    [BOMB, '<!DOCTYPE b SYSTEM "file:///etc/passwd">', '<!DOCTYPE b [<!ENTITY a29 SYSTEM "file:///dev/zero">]>'],
)
def test_entities_are_refused(tmp_path, doctype, encoding):
    text = f"<?xml version='1.0' encoding='{encoding}'?>{doctype}<graphml {XMLNS}>&a29;</graphml>"
    (tmp_path / "a").write_bytes(text.encode(encoding))
    with pytest.raises(GraphError, match="document type declaration"):
        read_graphml(tmp_path / "a")


@pytest.mark.parametrize("element", ["node", "graph", "data"])
def test_great_depth_is_refused(tmp_path, element):
    with pytest.raises(GraphError, match="nested more than 100 deep"):
        read(tmp_path, f"<graphml {XMLNS}>" + f"<{element}>" * 200_000)


def test_other_encodings(tmp_path):
    text = valid(tmp_path)
    (tmp_path / "a").write_bytes(text.replace("utf-8", "utf-16").encode("utf-16"))
    assert_equal_but_parameters(read_graphml(tmp_path / "a"), read_graphml(tmp_path / "valid"))


VALUES = ["", " ", "-1", "0", "1e999", "nan", "true", "9" * 5000, "é", "in", "[]", "{}", "null", '{"a": {}}', "[1]"]
TOKENS = re.compile(r'"[^"]*"|>[^<>]+<')


def damage(content, generator):
    """Bytes changed, cut out or doubled, or a value replaced."""
    if generator.random() < 0.6:
        start, stop = generator.choice([match.span() for match in TOKENS.finditer(content)])
        return content[: start + 1] + generator.choice(VALUES).replace('"', "&quot;") + content[stop - 1 :]
    start = generator.randrange(len(content))
    stop = min(len(content), start + generator.choice([1, 1, 10, 200]))
    between = generator.choice([chr(generator.randrange(256)), "", content[start:stop] * 2])
    return content[:start] + between + content[stop:]


@pytest.mark.filterwarnings("ignore:No key type")
def test_damaged_files_end_in_graph_errors(tmp_path):
    content, generator, refused = valid(tmp_path), random.Random(0), 0
    for _ in range(400):
        text = content
        for _ in range(generator.randrange(1, 3)):
            text = damage(text, generator)
        try:
            G = read(tmp_path, text)
        except GraphError:
            refused += 1
        else:
            assert str(G) and G.add("eq") is not None
    assert 100 < refused < 400
