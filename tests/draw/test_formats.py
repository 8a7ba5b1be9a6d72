"""Graphs in the languages of other programs, read back."""

import json
import re
import shutil
import subprocess

import networkx as nx
import pytest

from grafx.data import GRAFX, GraphError, NodeConfigs
from grafx.draw import draw_grafx, to_cytoscape, to_dot, to_mermaid, to_tikz
from grafx.draw.formats.tikz import escaped
from grafx.search import build_console

NAMES = [
    'a "quoted" name',
    "back\\slash \\n \\",
    "two\nlines",
    "100 % & more",
    "snake_case_name",
    "a] [b] {c} (d) |e|",
    "a --> b",
    "主唱 🎤 Ωμέγα голос",
    "<b>bold</b> &amp; #35; #quot;",
    "%% comment %%{init}%%",
    "1. first",
    "- item * `code` $x^2$ ~ $$y$$ $$$",
    "subgraph",
    "style a:b #35;",
    "click n0; subgraph",
    "é\u202ee \x00",
    "// /* */ --",
]


def wires():
    """Parallel edges, a sidechain, a feedback, and something that is not connected."""
    config = NodeConfigs(
        {
            "crossover": {"outlets": ["low", "high"]},
            "compressor": {"inlets": ["main", "sidechain"]},
            "eq": {},
            "delay": {},
        }
    )
    G = GRAFX(config=config)
    _, split = G.add_serial_chain(["in", "crossover"])
    press, out = G.add("compressor"), G.add("out")
    G.connect(split, press, outlet="low")
    G.connect(split, press, outlet="high", inlet="sidechain")
    G.connect(press, out)
    eq, delay = G.add("eq"), G.add("delay")
    G.add_edge(press, eq, outlet="main", inlet="main")
    G.add_edge(eq, delay, outlet="main", inlet="main")
    G.add_edge(delay, eq, outlet="main", inlet="main")
    G.add("mix")
    return G


def named():
    G = build_console(NAMES, {"the “group” \\ 1": NAMES[:3], "end": NAMES[3:5]}, ["eq"])
    for _, data in G.nodes(data=True):
        if data["node_type"] == "eq":
            data.update(settings={"gain_db": -3.0}, drywet_weight=0.5)
    return G


def others():
    """Ids and types of any kind, without a config."""
    G = nx.MultiDiGraph()
    for node, node_type in (("a b", "in"), (("x", 1), 'my "eq"\\'), (-3, "out")):
        G.add_node(node, node_type=node_type)
    G.add_edge("a b", ("x", 1))
    G.add_edge(("x", 1), -3, key="k", outlet='o"ut', inlet="in]let")
    return G


GRAPHS = {
    "wires": wires,
    "named": named,
    "others": others,
    "console": lambda: build_console(
        ["a", "b"], {"g": ["a"]}, ["eq"], returns={"r": ["reverb"]}, sidechains={"b": "a"}
    ),
    "empty": GRAFX,
}
every_graph = pytest.mark.parametrize("G", [pytest.param(make, id=name) for name, make in GRAPHS.items()])


def shown(value):
    """As texts are shown: with control characters escaped, but for line breaks."""
    from grafx.text import printable

    return "\n".join(map(printable, str(value).split("\n")))


def plain(G):
    """What is to come back: types, names, plugs."""
    H = nx.MultiDiGraph()
    for node, data in G.nodes(data=True):
        H.add_node(node, type=shown(data["node_type"]), name=shown(data.get("name") or ""))
    for u, v, data in G.edges(data=True):
        H.add_edge(u, v, outlet=shown(data.get("outlet", "main")), inlet=shown(data.get("inlet", "main")))
    return H


def same(one, other, names=True):
    def as_text(data):
        return [data["type"], *([data["name"]] if names else [])]

    def plugs(edges):
        return sorted((data["outlet"], data["inlet"]) for data in edges.values())

    return nx.is_isomorphic(one, other, lambda a, b: as_text(a) == as_text(b), lambda a, b: plugs(a) == plugs(b))


def test_the_comparison_tells_graphs_apart():
    one, other = plain(wires()), plain(wires())
    other.remove_edge(4, 5)
    assert same(one, plain(wires())) and not same(one, other)


# --- Graphviz -----------------------------------------------------------------------------------------------


def undotted(text):
    """What a quoted text of DOT says, in labels."""
    assert text[0] == text[-1] == '"'
    codes = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
    return re.sub(r"\\.", lambda match: codes[match[0]], text[1:-1])


@every_graph
@pytest.mark.parametrize("groups", [True, False])
def test_dot_comes_back(G, groups):
    pydot = pytest.importorskip("pydot")
    G = G()
    (read,) = pydot.graph_from_dot_data(to_dot(G, groups=groups))
    H = nx.MultiDiGraph()

    def collect(part):
        for node in part.get_nodes():
            key, data = node.get_name(), node.get_attributes()
            if key not in ("node", "edge", "graph"):
                H.add_node(key, type=undotted(data["node_type"]), name=undotted(data.get("node_name", '""')))
        for inner in part.get_subgraphs():
            collect(inner)

    collect(read)
    for edge in read.get_edges():
        plugs = {side: undotted(edge.get_attributes()[side]) for side in ("outlet", "inlet")}
        H.add_edge(edge.get_source(), edge.get_destination(), **plugs)
    assert same(plain(G), H)
    clusters = [undotted(part.get_label()) for part in read.get_subgraphs()]
    assert set(clusters) == ({"the “group” \\ 1", "end"} if "end" in clusters else {"g"} if clusters else set())
    assert bool(clusters) == (groups and any(name == "g" or name == "end" for _, name in G.nodes(data="name")))


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
@every_graph
def test_graphviz_draws_what_is_written(G):
    import xml.etree.ElementTree as ET

    G = G()
    command = ["dot", "-Tsvg"]
    made = subprocess.run(command, input=to_dot(G, settings=True).encode(), capture_output=True, timeout=60)
    assert made.returncode == 0 and not made.stderr
    texts = {text.text for text in ET.fromstring(made.stdout).iter("{http://www.w3.org/2000/svg}text")}
    wanted = {
        line for node in plain(G).nodes.values() for line in (*node["type"].split("\n"), *node["name"].split("\n"))
    }
    assert {" ".join(line.split()) for line in wanted - {""}} <= {" ".join((text or "").split()) for text in texts}


def test_dot_tells_settings_only_where_asked_for():
    assert "gain −3 dB" not in to_dot(named())
    assert 'settings="gain −3 dB\\n50 % wet"' in to_dot(named(), settings=True)


def test_kinds_of_edges_differ_in_dot():
    text = to_dot(wires())
    lines = {line.split(" [")[0].strip(): line for line in text.split("\n") if "->" in line}
    assert 'headlabel="sidechain"' in text and 'taillabel="high"' in text
    assert "style=dashed" in lines["n5 -> n4"] and "#dc2626" in lines["n5 -> n4"]
    assert "style" not in lines["n0 -> n1"]
    assert "rankdir=TB" in to_dot(wires(), vertical=True)


# --- Mermaid ------------------------------------------------------------------------------------------------

TEXT = r'"((?:[A-Za-z0-9_ ]|[^\x00-\x7f]|#\d+;|<br/>)*)"'
KEY = r"(n\d+)"
NODE = re.compile(rf"\s+{KEY}(?:\(\[{TEXT}\]\)|\({TEXT}\)|\{{\{{{TEXT}\}}\}}|\[{TEXT}\]|\[/{TEXT}/\])")
EDGE = re.compile(rf"  {KEY} (-->|-\.->)(?:\|{TEXT}\|)? {KEY}")
OTHERS = [
    re.compile(pattern)
    for pattern in (
        r"flowchart (LR|TB)",
        rf"\s+subgraph group\d+\[{TEXT}\]",
        r"\s+end",
        r"  linkStyle \d+(,\d+)* stroke:#[0-9a-f]{6}",
        r"  classDef type\d+ fill:#[0-9a-f]{6},stroke:#[0-9a-f]{6},color:#[0-9a-f]{6}",
        r"  class n\d+(,n\d+)* type\d+",
    )
]


def uncoded(text):
    decoded = re.sub(r"#(\d+);", lambda match: chr(int(match[1])), text.replace("<br/>", "\n"))
    assert "$$" not in decoded and "\\n" not in decoded  # in which Mermaid sees mathematics and line breaks
    return decoded.replace("\u2060", "")


@every_graph
@pytest.mark.parametrize("groups", [True, False])
def test_mermaid_is_of_the_grammar_and_comes_back(G, groups):
    G = G()
    H, depth = nx.MultiDiGraph(), 0
    for line in to_mermaid(G, groups=groups).rstrip("\n").split("\n"):
        if match := NODE.fullmatch(line):
            label = uncoded(next(text for text in match.groups()[1:] if text is not None))
            H.add_node(match[1], label=label)
        elif match := EDGE.fullmatch(line):
            H.add_edge(match[1], match[4], label=uncoded(match[3] or ""))
        else:
            assert any(pattern.fullmatch(line) for pattern in OTHERS), line
        depth += line.strip().startswith("subgraph") - (line.strip() == "end")
        assert depth >= 0
    assert depth == 0
    wanted = nx.MultiDiGraph()
    for node, data in plain(G).nodes(data=True):
        wanted.add_node(node, label="\n".join(filter(None, [data["type"], data["name"]])))
    for u, v, data in plain(G).edges(data=True):
        out, into = data["outlet"], data["inlet"]
        both = f"{out} → {into}"
        wanted.add_edge(
            u, v, label="" if out == into == "main" else into if out == "main" else out if into == "main" else both
        )
    by_label = {"node_match": lambda a, b: a["label"] == b["label"]}
    by_label["edge_match"] = lambda a, b: (
        sorted(e["label"] for e in a.values()) == sorted(e["label"] for e in b.values())
    )
    assert nx.is_isomorphic(wanted, H, **by_label)


def test_mermaid_tells_settings_kinds_and_direction():
    assert uncoded(to_mermaid(named(), settings=True)).count("gain −3 dB") == 19 + 1
    assert "-.->" in to_mermaid(wires()) and "linkStyle" in to_mermaid(wires())
    assert to_mermaid(wires(), vertical=True).startswith("flowchart TB\n")


# --- Cytoscape ----------------------------------------------------------------------------------------------


@every_graph
@pytest.mark.parametrize("groups", [True, False])
def test_cytoscape_comes_back(G, groups):
    G = G()
    data = json.loads(json.dumps(to_cytoscape(G, groups=groups), allow_nan=False))
    read = nx.cytoscape_graph(data)
    assert read.is_directed() and read.is_multigraph()
    groups_of = {node for node, held in read.nodes(data=True) if held.get("is_group")}
    H = nx.MultiDiGraph()
    for node, held in read.nodes(data=True):
        if node not in groups_of:
            name = "" if held["name"] == held["node_type"] else held["name"]
            H.add_node(node, type=held["node_type"], name=name)
            assert groups or "parent" not in held
    H.add_edges_from((u, v, {side: held[side] for side in ("outlet", "inlet")}) for u, v, held in read.edges(data=True))
    assert same(plain(G), H)
    ids = [entry["data"]["id"] for kind in data["elements"].values() for entry in kind]
    assert len(set(ids)) == len(ids) and all(isinstance(each, str) for each in ids)
    for edge in data["elements"]["edges"]:
        assert {edge["data"]["source"], edge["data"]["target"]} <= set(ids)
    assert {held["parent"] for _, held in read.nodes(data=True) if "parent" in held} <= groups_of


def test_cytoscape_has_places_settings_and_groups():
    data = to_cytoscape(named(), settings=True, groups=True)["elements"]["nodes"]
    nodes = [entry for entry in data if not entry["data"].get("is_group")]
    assert len({tuple(entry["position"].values()) for entry in nodes}) == len(nodes)
    eq = next(entry["data"] for entry in nodes if entry["data"]["node_type"] == "eq")
    assert eq["settings"] == ["gain −3 dB", "50 % wet"] and eq["drywet_weight"] == 0.5
    assert {entry["data"]["name"] for entry in data if entry["data"].get("is_group")} == {"the “group” \\ 1", "end"}


# --- TikZ ---------------------------------------------------------------------------------------------------


def balanced(text):
    """Whether braces close, and brackets and parentheses outside of them, as TeX reads them."""
    depth, environments = 0, []
    text = re.sub(r"(?<!\\)%.*", "", text)
    for match in re.finditer(r"\\begin\{(\w+)\}|\\end\{(\w+)\}|\\\\|\\[{}%&#$_]|[{}]", text):
        if match[1]:
            environments.append(match[1])
        elif match[2]:
            assert environments.pop() == match[2]
        elif match[0] in "{}":
            depth += 1 if match[0] == "{" else -1
            assert depth >= 0
    return depth == 0 and not environments


@every_graph
@pytest.mark.parametrize("options", [{}, {"vertical": True, "width": 3.3, "theme": "print", "node_above": "name"}])
def test_tikz_has_every_node_and_edge_where_they_are_drawn(G, options):
    G = G()
    text = to_tikz(G, **options)
    assert balanced(text)
    nodes = dict(re.findall(r"\\node\[[^\n]*?\] \((n\d+)\) at \((-?[\d.]+,-?[\d.]+)\)", text))
    assert len(nodes) == len(G)
    edges = re.findall(r"  % (n\d+) -> (n\d+)\n  \\draw\[", text)
    H = nx.MultiDiGraph(edges)
    H.add_nodes_from(nodes)
    assert nx.is_isomorphic(H, nx.MultiDiGraph(G))
    for used, defined in ((r"(?:fill|draw|text)=(\w+)", r"\\definecolor\{(\w+)\}"),):
        assert set(re.findall(used, text)) - {"white"} <= set(re.findall(defined, text))


def test_tikz_is_the_drawing(read_drawing):
    G = wires()
    drawn = read_drawing(*draw_grafx(G))
    for node, x, y in re.findall(r"\(n(\d+)\) at \((-?[\d.]+),(-?[\d.]+)\)", to_tikz(G)):
        assert drawn.center(int(node)) == pytest.approx([float(x), float(y)], abs=0.01)


def test_tikz_has_thumbnails():
    G = GRAFX()
    G.add_serial_chain(["in", "compressor", "out"])
    G.nodes[1]["parameters"] = {"threshold_db": -20.0}
    bare, drawn = (to_tikz(G, node_inside=inside) for inside in ("short_type", ("short_type", "thumbnail")))
    assert drawn.count(r"\draw[draw=grafxtext") == 2 and bare.count(r"\draw[draw=grafxtext") == 0
    assert balanced(drawn) and "{cmp}" in drawn


@pytest.mark.parametrize("name", NAMES)
def test_nothing_in_a_name_means_anything_to_tex(name):
    written = escaped(name)
    assert balanced(f"{{{written}}}")
    bare = re.sub(r"\\(?:\\|[{}$&#_%]|text\w+\{\}|char34\{\}|ensuremath\{[^}]*\})|\{[\[\]*]\}|-\{\}|~", "", written)
    assert not set(bare) & set("\\{}$&#_%^[]<>|`\"'")


def test_a_width_shrinks_the_picture():
    scale = float(re.search(r"scale=([\d.]+)", to_tikz(named(), width=2.0))[1])
    assert scale < 1 and "scale=1," in to_tikz(named())
    with pytest.raises(GraphError, match="'light', 'print', not 'dark'"):
        to_tikz(named(), theme="dark")
    with pytest.raises(GraphError, match="no keyword 'node_colour'"):
        to_tikz(named(), node_colour="red")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("lualatex") is None and shutil.which("pdflatex") is None, reason="needs LaTeX")
@every_graph
def test_latex_draws_what_is_written(G, tmp_path):
    document = rf"""\documentclass{{article}}\usepackage{{tikz,textcomp}}\begin{{document}}
{to_tikz(G(), node_above="name")}\end{{document}}"""
    if shutil.which("lualatex") is None:
        document = document.encode("latin-1", "ignore").decode("latin-1")
    (tmp_path / "graph.tex").write_text(document, encoding="utf-8")
    program = "lualatex" if shutil.which("lualatex") else "pdflatex"
    command = [program, "-interaction=nonstopmode", "-halt-on-error", "graph.tex"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120)
    assert made.returncode == 0, made.stdout[-1500:].decode(errors="replace")


@pytest.mark.parametrize("write", [to_dot, to_mermaid, to_cytoscape, to_tikz])
def test_what_is_no_graph_is_refused(write):
    with pytest.raises(GraphError, match=f"{write.__name__} draws a GRAFX"):
        write({"nodes": []})


@pytest.mark.parametrize("write", [to_dot, to_mermaid, to_cytoscape, to_tikz])
def test_writing_leaves_the_graph_alone(write, snapshot):
    G = named()
    before = snapshot(G)
    write(G)
    assert snapshot(G) == before
