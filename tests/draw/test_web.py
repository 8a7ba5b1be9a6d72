"""Pictures as plain data, and the pages made of them, without a browser."""

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grafx.data import GRAFX, GraphError, NodeConfigs, convert_to_tensor
from grafx.draw import draw_grafx, picture, to_html
from grafx.draw.layout import find_backward_edges, find_chains
from grafx.draw.web import html as web_html
from grafx.draw.web import page, read_asset, script_json
from grafx.search import build_console

NODE_KEYS = {
    *("id", "type", "name", "short", "x", "y", "width", "height", "fill", "ink", "outline", "round", "above"),
    *("lines", "wet", "bypassed", "group", "chain"),
}
EDGE_KEYS = {"source", "dest", "key", "outlet", "inlet", "points", "backward"}
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\"'`&amp;&lt;",
    "שלום\u202egnp.exe",
    "\x00\x1b[31m\x7f\u2028\u2029\ud800",
    "x" * 100_000,
    "{{ 7 * 7 }} ${7 * 7} %s",
]


def console():
    returns, keys = {"room": ["reverb"]}, {"bass": "drums"}
    groups = {"band": ["bass", "voice"]}
    return build_console(["drums", "bass", "voice"], groups, ["eq", "gain"], returns=returns, sidechains=keys)


def splitter():
    G = GRAFX(NodeConfigs({"crossover": {"outlets": ["low", "high"]}, "compressor": {"inlets": ["main", "key"]}}))
    _, split = G.add_serial_chain(["in", "crossover"])
    squeezed = G.add("compressor")
    G.connect(split, squeezed, outlet="low")
    G.connect(split, squeezed, outlet="high", inlet="key")
    G.connect(squeezed, G.add("out"))
    return G


@pytest.fixture
def kinds(graphs):
    cycles = [(0, 1), (1, 2), (2, 3), (3, 4), (3, 1), (2, 1), (2, 2)]
    named = graphs.make(["in", "eq", "out"], [(0, 1), (1, 2)])
    return {
        "console": console(),
        "splitter": splitter(),
        "dag": graphs.dag(60),
        "cycles": graphs.make(["in", "mix", "delay", "eq", "out"], cycles),
        "parts": nx.disjoint_union_all([graphs.console(2), graphs.make(["eq"] * 5, [])]),
        "parallel": graphs.make(["in", "eq"], [(0, 1), (0, 1, "main", "key")]),
        "names": nx.relabel_nodes(named, {0: "a", 1: ("b", 1), 2: 2**60}),
        "empty": GRAFX(),
    }


KINDS = ["console", "splitter", "dag", "cycles", "parts", "parallel", "names", "empty"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_has_every_node_and_every_edge_once(kinds, kind):
    G = kinds[kind]
    drawn = json.loads(json.dumps(picture(G), allow_nan=False))
    ids = dict(zip(G, [node["id"] for node in drawn["nodes"]], strict=True))
    assert len(set(ids.values())) == len(G)
    assert all(ids[n] == n for n in G if type(n) is int and n < 2**53)
    assert [node["type"] for node in drawn["nodes"]] == [t for _, t in G.nodes(data="node_type")]
    assert all(set(node) == NODE_KEYS for node in drawn["nodes"])
    assert all(set(edge) == EDGE_KEYS for edge in drawn["edges"])
    backward = find_backward_edges(G)
    expected = [
        (ids[u], ids[v], key, data["outlet"], data["inlet"], u == v or (u, v) in backward)
        for u, v, key, data in G.edges(keys=True, data=True)
    ]
    plain = ["source", "dest", "key", "outlet", "inlet", "backward"]
    assert [tuple(edge[name] for name in plain) for edge in drawn["edges"]] == expected
    assert {entry["type"] for entry in drawn["legend"]} == {t for _, t in G.nodes(data="node_type")}


@pytest.mark.parametrize("kind", KINDS)
def test_edges_of_a_picture_end_at_their_nodes_and_all_is_within(kinds, kind):
    drawn = picture(kinds[kind])
    nodes = {node["id"]: node for node in drawn["nodes"]}
    for edge in drawn["edges"]:
        for node, (x, y) in ((nodes[edge["source"]], edge["points"][0]), (nodes[edge["dest"]], edge["points"][-1])):
            across, along = abs(x - node["x"]), abs(y - node["y"])
            assert across == pytest.approx(node["width"] / 2, abs=0.02) or edge["source"] == edge["dest"]
            assert along <= node["height"] / 2 + 0.02
    corners = [(n["x"] + s * n["width"] / 2, n["y"] + s * n["height"] / 2) for n in drawn["nodes"] for s in (-1, 1)]
    for x, y in corners + [point for edge in drawn["edges"] for point in map(tuple, edge["points"])]:
        assert 0 <= x <= drawn["width"] and 0 <= y <= drawn["height"]


def test_a_picture_is_the_drawing_upside_down(graphs, read_drawing):
    G = graphs.dag(40)
    drawn, plain = read_drawing(*draw_grafx(G)), {node["id"]: node for node in picture(G)["nodes"]}
    for n in G:
        step = drawn.center(n) - drawn.center(0)
        moved = [plain[n]["x"] - plain[0]["x"], plain[0]["y"] - plain[n]["y"]]
        np.testing.assert_allclose(moved, step, atol=0.03)
    assert {n: plain[n]["chain"] for n in G} == find_chains(G)


def test_settings_weights_and_bypass_are_told():
    G = GRAFX()
    G.add_serial_chain(["in", "compressor", "eq", "gain", "out"])
    G.nodes[1].update(parameters={"threshold_db": -20.0, "ratio": 4.0}, drywet_weight=0.25, owner="voice")
    G.nodes[2].update(bypass=True, settings={"gain_db": float("nan")})
    G.nodes[3].update(drywet_weight=float("inf"), settings={"gain_db": [float("inf")] * 100})
    G.nodes[0]["name"] = "voice"
    one, two, three = picture(G)["nodes"][1:4]
    assert one["lines"] == ["threshold −20 dB", "ratio 4", "25 % wet"]
    assert (one["wet"], one["bypassed"], one["group"]) == (0.25, False, "voice")
    assert two["lines"] == ["gain nan dB", "bypassed"] and two["bypassed"]
    assert three["wet"] is None and len(three["lines"][0]) <= 160
    assert picture(G)["nodes"][0]["group"] == "voice"


@pytest.mark.parametrize(
    "held", [{"a": {"b": object()}}, {"a": "text"}, {1: 2.0}, "text", [1], {"a": None}, {"<b>": {"<i>": 1.0}}]
)
def test_settings_of_any_kind_leave_a_picture(held):
    G = GRAFX()
    G.nodes[G.add("eq")]["settings"] = held
    assert all(isinstance(line, str) for line in picture(G)["nodes"][0]["lines"])
    assert "<b>" not in to_html(G)


def test_groups_are_in_the_subgroups_they_are_mixed_into():
    parents = {group["name"]: group["parent"] for group in picture(console())["groups"]}
    assert parents == {"drums": None, "bass": "band", "voice": "band", "band": None, "room": None, "master": None}
    groups = {node["id"]: node["group"] for node in picture(console())["nodes"]}
    for n, data in console().nodes(data=True):
        assert groups[n] == (data.get("owner") or (data["name"] if data["node_type"] != "out" else None))


def test_what_follows_in_a_row_is_no_subgroup(graphs):
    G = graphs.make(["in", "eq", "eq", "eq", "out"], [(n, n + 1) for n in range(4)])
    nx.set_node_attributes(G, {1: "pre", 2: "post", 3: "post"}, "owner")
    assert picture(G)["groups"] == [{"name": "pre", "parent": None}, {"name": "post", "parent": None}]


def test_names_stand_above_unless_they_are_not_wanted():
    assert {node["above"] for node in picture(console())["nodes"]} >= {"drums", "master", None}
    assert {node["above"] for node in picture(console(), names=False)["nodes"]} == {None}


@pytest.mark.parametrize("value", [5, 0.5, None, ["a"], {"b": 1}, b"c", float("nan"), *HOSTILE])
def test_names_and_types_of_any_kind_are_shown_as_text(value):
    G = nx.MultiDiGraph()
    G.add_node(0, node_type=value, name=value)
    G.add_node(1, node_type="eq", owner=value)
    G.add_edge(0, 1, outlet=value, inlet=value)
    drawn, made = picture(G), to_html(G, title=value)
    assert all(isinstance(drawn["nodes"][0][key], str) for key in ("type", "short"))
    assert len(drawn["nodes"][0]["type"]) <= 500 and len(drawn["nodes"][0]["above"] or "") <= 24
    assert Held(made).picture == drawn
    made.encode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u2028-\u202e\u2066-\u2069]", made)
    assert len(made) < 150_000


def test_what_is_no_graph_is_refused(graphs):
    for draw, name in ((picture, "picture"), (to_html, "to_html")):
        with pytest.raises(GraphError, match=f"{name} draws a GRAFX, not a dict"):
            draw({})
        with pytest.raises(GraphError, match="convert_to_graph"):
            draw(convert_to_tensor(console()))
        with pytest.raises(GraphError, match="Node 3 has no node_type"):
            draw(nx.MultiDiGraph([(3, 3)]))


def test_drawing_leaves_the_graph_alone(snapshot):
    G = console()
    before = snapshot(G)
    to_html(G)
    assert snapshot(G) == before


# --- Pages --------------------------------------------------------------------------------------------------


class Held(HTMLParser):
    """What elements a page has, and what its scripts hold."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.scripts = [], []
        self.feed(text)
        held = [text for attributes, text in self.scripts if attributes.get("id") == "picture"]
        self.picture = json.loads(held[0]) if held else None

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data):
        if self.cdata_elem == "script":
            self.scripts[-1] = self.scripts[-1][0], self.scripts[-1][1] + data


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters()) | st.floats(allow_nan=False, width=32),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
        max_leaves=6,
    ).filter(lambda value: "inf" not in repr(value))
)
def test_json_of_scripts_is_read_as_it_was_and_ends_no_element(value):
    written = script_json(value)
    assert not re.search("[<>&\u2028\u2029\ud800-\udfff]", written)
    assert json.loads(written) == value


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_json_of_scripts_has_finite_numbers_alone(number):
    with pytest.raises(ValueError):
        script_json({"x": number})


def test_a_page_asks_for_nothing_and_runs_its_own_scripts_alone():
    held = Held(to_html(console()))
    metas = [attrs for tag, attrs in held.elements if tag == "meta"]
    (policy,) = [attrs["content"] for attrs in metas if attrs.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["script-src"].count("sha256-") == 2 and "unsafe" not in rules["script-src"]
    assert not [attrs for tag, attrs in held.elements if "src" in attrs]
    assert [attrs["href"] for tag, attrs in held.elements if "href" in attrs] == ["data:,"]
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|innerHTML|eval\(", to_html(console()))
    addresses = set(re.findall(r"https?://[^\"' ]+", to_html(console())))
    assert addresses == {"http://www.w3.org/2000/svg"}


def test_pages_have_titles():
    assert "<title>Graph of 1 node and 0 edges</title>" in to_html(one_node())
    assert "<title>a &lt;b&gt; &amp; c</title>" in one_node().to_html("a <b> & c")
    assert page("t", "<p></p>", {"a": "</script>"}).count("</script>") == 1


def one_node():
    G = GRAFX()
    G.add("eq")
    return G


def test_a_graph_makes_its_own_page():
    G = console()
    assert G.to_html() == to_html(G) == to_html(G.copy())


def test_a_notebook_shows_the_page_in_a_frame():
    G = console()
    held = Held(G._repr_html_())
    ((tag, attributes),) = held.elements
    assert tag == "iframe" and attributes["srcdoc"] == G.to_html()
    assert attributes["sandbox"] == "allow-scripts allow-downloads"
    assert re.sub("<[^>]*>", "", G._repr_html_()) == html.escape(repr(G))


@pytest.mark.parametrize("types", [["eq"] * 3000, ["<b>"] * 3000])
def test_a_notebook_shows_a_line_of_text_where_a_graph_is_too_large(types):
    G = GRAFX()
    G.add_serial_chain(types)
    shown = G._repr_html_()
    assert G._repr_svg_() is None
    assert "3000 nodes" in shown and "G.to_html()" in shown and "<iframe" not in shown and "<b>" not in shown
    assert len(shown) < 1000


def test_a_notebook_tells_why_a_graph_is_not_drawn(monkeypatch):
    G = console()
    monkeypatch.setattr("grafx.draw.layout.MOST_WAYPOINTS", 0)
    assert "too large to be laid out" in G._repr_html_() and "<iframe" not in G._repr_html_()


def test_notebooks_choose_among_all_they_know():
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    shown, _ = interactive.InteractiveShell.instance().display_formatter.format(console())
    assert set(shown) >= {"text/plain", "text/html", "image/svg+xml"}


@pytest.mark.parametrize("name", ["viewer.js", "viewer.css"])
def test_assets_are_read_from_the_package(name):
    assert read_asset(name) == (Path(web_html.__file__).parent / name).read_text(encoding="utf-8")
