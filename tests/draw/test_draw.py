import warnings
import xml.etree.ElementTree as ET
from itertools import combinations

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from grafx.data import GRAFX, GraphError, NodeConfigs
from grafx.draw import draw_edge, draw_grafx, draw_node, grafx_to_svg, held_positions
from grafx.draw.style import COLORS, shape_of, short_names, text_color, type_color

SVG = "{http://www.w3.org/2000/svg}"
both_directions = pytest.mark.parametrize("vertical", [False, True])


def svg_texts(svg):
    return ["".join(t.itertext()).strip() for t in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.fixture
def chain(graphs):
    return graphs.make(["in", "eq", "compressor", "out"], [(0, 1), (1, 2), (2, 3)])


@both_directions
def test_the_legend_names_every_type_once(graphs, vertical):
    G = graphs.console(2)
    texts = svg_texts(grafx_to_svg(G, vertical=vertical, node_inside=None))
    assert sorted(texts) == sorted({t for _, t in G.nodes(data="node_type")})


def test_short_names_inside_are_explained_in_the_legend(chain):
    texts = svg_texts(grafx_to_svg(chain))
    assert texts.count("cmp") == 2
    assert texts.count("compressor") == 1


@pytest.mark.parametrize(
    "by, expected",
    [
        ("node_id", ["0", "1", "2", "3"]),
        ("node_type", ["in", "eq", "compressor", "out"]),
        ("level", ["0", "1", "2", "3"]),
        ("chain", ["0", "0", "0", "0"]),
        ("rendering_order", ["10", "11", "12", "13"]),
        ("name", ["vocals"]),
        ("gain_db", ["-1.5", "0.3333"]),
        ("price", ["5$ & <6$>"]),
        (None, []),
    ],
)
@pytest.mark.parametrize("place", ["inside", "above"])
def test_texts(chain, by, expected, place):
    nx.set_node_attributes(chain, {n: n + 10 for n in chain}, "rendering_order")
    chain.nodes[0]["name"] = "vocals"
    chain.nodes[1].update(gain_db=-1.5, price="5$ & <6$>")
    chain.nodes[2]["gain_db"] = 1 / 3
    bare = svg_texts(grafx_to_svg(chain, node_inside=None))
    options = {"node_inside": None} | {f"node_{place}": by}
    texts = svg_texts(grafx_to_svg(chain, **options))
    for text in bare:
        texts.remove(text)
    named = ["vocals"] if place == "inside" and by in ("gain_db", "price") else []  # an input without a text of its own
    assert texts == named + expected


def test_long_texts_are_cut(chain):
    chain.nodes[1]["note"] = "x" * 1000
    assert "x" * 39 + "…" in svg_texts(grafx_to_svg(chain, node_inside="note"))


def test_names_of_ports_stand_at_ports_that_are_not_main(graphs):
    G = graphs.make(
        ["in", "crossover", "compressor", "out"],
        [(0, 1), (1, 2, "low", "main"), (1, 2, "high", "sidechain"), (2, 3)],
    )
    texts = svg_texts(grafx_to_svg(G))
    assert [texts.count(t) for t in ("low", "high", "sidechain", "main")] == [1, 1, 1, 0]


@both_directions
@pytest.mark.parametrize("inside", ["short_type", "node_type"])
def test_texts_do_not_touch_each_other_nor_other_nodes_nor_edges(graphs, read_drawing, vertical, inside):
    G = graphs.console(8, 2, keep=0.5)
    fig, ax = draw_grafx(G, vertical=vertical, node_inside=inside, node_above="name")
    drawn = read_drawing(fig, ax)
    for a, b in combinations(drawn.text_boxes, 2):
        assert not a.overlaps(b)
    for text, label in zip(drawn.texts, drawn.text_boxes, strict=True):
        if text.startswith("stem"):
            assert not [n for n, box in drawn.boxes.items() if label.overlaps(box)]
            for curve in drawn.curves.values():
                assert not label.count_contains(curve)


@both_directions
def test_everything_is_within_the_page(graphs, read_drawing, vertical):
    G = graphs.dag(50)
    G.add_edge(0, 0)
    nx.set_node_attributes(G, "a rather long name", "name")
    fig, ax = draw_grafx(G, vertical=vertical, node_above="name")
    drawn = read_drawing(fig, ax)
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    for box in [*drawn.boxes.values(), *drawn.text_boxes]:
        assert x0 <= box.x0 and box.x1 <= x1 and y0 <= box.y0 and box.y1 <= y1
    for curve in drawn.curves.values():
        assert x0 <= curve[:, 0].min() and curve[:, 0].max() <= x1
        assert y0 <= curve[:, 1].min() and curve[:, 1].max() <= y1


@pytest.mark.parametrize("num_nodes", [5, 150])
def test_text_keeps_its_size_and_the_page_grows(graphs, num_nodes):
    fig, ax = draw_grafx(graphs.dag(num_nodes))
    width, height = fig.get_size_inches() * 72
    assert ax.get_xlim()[1] - ax.get_xlim()[0] == pytest.approx(width)
    assert ax.get_ylim()[1] - ax.get_ylim()[0] == pytest.approx(height)
    assert min(t.get_size() for t in ax.texts) >= 6.5


@both_directions
@pytest.mark.parametrize("suffix, magic", [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
@pytest.mark.parametrize("num_nodes", [0, 1, 20])
def test_file_formats(graphs, tmp_path, suffix, magic, vertical, num_nodes):
    G = graphs.dag(num_nodes) if num_nodes > 1 else graphs.make(["eq"] * num_nodes, [])
    fig, _ = draw_grafx(G, vertical=vertical)
    fig.savefig(tmp_path / f"graph.{suffix}")
    assert (tmp_path / f"graph.{suffix}").read_bytes().startswith(magic)


def test_text_stays_text_in_saved_files(chain, tmp_path):
    draw_grafx(chain)[0].savefig(tmp_path / "graph.svg")
    assert "compressor" in svg_texts((tmp_path / "graph.svg").read_text())


@pytest.mark.parametrize("make", ["chain", "crowd"])
@pytest.mark.slow
def test_enormous_drawings_have_a_bearable_number_of_pixels(graphs, make):
    if make == "chain":
        G = graphs.make(["eq"] * 1500, [(i, i + 1) for i in range(1499)])
    else:
        G = graphs.make(["eq"] * 4, [])
    fig, _ = draw_grafx(G, node_size=1 if make == "chain" else 400)
    width, height = fig.get_size_inches() * fig.dpi
    assert max(width, height) < 2**16
    assert width * height < 1.01e8


def test_pyplot_knows_nothing_of_drawings(chain):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(25):
            draw_grafx(chain)
    assert plt.get_fignums() == []


def test_a_drawing_shows_itself_in_a_notebook(chain):
    fig, _ = draw_grafx(chain)
    assert ET.fromstring(fig._repr_svg_()).tag == f"{SVG}svg"
    assert grafx_to_svg(chain) == fig._repr_svg_()


def test_colors(chain, graphs):
    def color(G, node, **kwargs):
        _, ax = draw_grafx(G, **kwargs)
        return next(p.get_facecolor()[:3] for p in ax.patches if p.get_gid() == f"node-{node}")

    assert color(chain, 1) == to_rgb(type_color("eq"))
    assert color(chain, 1, colors={"eq": "hotpink"}) == to_rgb("hotpink")
    assert color(chain, 2, colors={"eq": "hotpink"}) == color(chain, 2)
    alone = graphs.make(["my_own_type"], [])
    crowd = graphs.make(["other", "another", "my_own_type"], [])
    assert color(alone, 0) == color(crowd, 2)
    with pytest.raises(ValueError, match="nocolor"):
        draw_grafx(chain, colors={"eq": "nocolor"})


def test_well_known_types_have_colors_of_their_own():
    families = ["in", "out", "mix", "eq", "compressor", "noisegate", "imager", "gain_panning", "delay", "reverb"]
    assert len({type_color(t) for t in families}) == len(families)
    for same in (["eq", "ParametricEqualizer"], ["imager", "stereo_imager"], ["delay", "multitap_delay"]):
        assert len({type_color(t) for t in same}) == 1


@pytest.mark.parametrize("node_type", ["in", "out", "mix", "eq", "reverb", "x", "limiter", "日本", ""])
def test_text_on_a_color_is_legible(node_type):
    def luminance(color):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    fill = type_color(node_type)
    dark, light = sorted([luminance(fill), luminance(text_color(fill))])
    assert (light + 0.05) / (dark + 0.05) > 4.5


# What the cones of a dichromat make of linear RGB (Machado, Oliveira and Fernandes 2009).
VISIONS = {
    "usual": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]


def lab(color, vision="usual"):
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    white = TO_XYZ @ np.ones(3)
    ratio = TO_XYZ @ np.clip(VISIONS[vision] @ linear, 0, 1) / white
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", VISIONS)
def test_well_known_types_differ_whatever_the_colour_vision(vision):
    for one, other in combinations(COLORS, 2):
        distance = np.linalg.norm(lab(COLORS[one], vision) - lab(COLORS[other], vision))
        assert distance >= 8, (one, other, distance)


def test_well_known_types_differ_in_grey_by_shape_or_lightness():
    for one, other in combinations(COLORS, 2):
        lighter = abs(lab(COLORS[one])[0] - lab(COLORS[other])[0])
        assert shape_of(one) != shape_of(other) or lighter >= 7, (one, other, lighter)


def test_numbers_at_the_end_stay_whole():
    names = short_names(["proc20", "proc2", "wait 63", "eq_100", "eq", "proc2000"])
    assert [names[t] for t in ("proc20", "proc2", "wait 63", "eq_100")] == ["p20", "pr2", "w63", "e100"]
    assert len(set(names.values())) == len(names)


def test_short_names_are_short_and_distinct():
    types = [
        "eq",
        "equalizer",
        "compressor",
        "comp",
        "company",
        "gain",
        "multitap_delay",
        "delay",
        "mid_side",
        "m",
        "in",
    ]
    names = short_names(types)
    assert list(names) == types
    assert len(set(names.values())) == len(types)
    assert max(map(len, names.values())) <= 3
    assert [names[t] for t in ("eq", "in", "m", "compressor", "delay")] == ["eq", "in", "m", "cmp", "dly"]


def test_own_functions_take_over(chain):
    positions = {0: (0, 0), 1: (100, 0), 2: (100, 80), 3: (300, 0)}
    seen = []

    def place(G, blocks, vertical, radius):
        assert radius == 3 and set(blocks) == set(G)
        return positions

    def node(ax, G, node, center, *args, shadow, **kwargs):
        seen.append((node, center, shadow))
        draw_node(ax, G, node, center, *args, **kwargs)

    def edge(ax, G, edge, points, **kwargs):
        seen.append(edge)
        draw_edge(ax, G, edge, points, **kwargs)

    draw_grafx(
        chain,
        compute_node_position_fn=lambda G, blocks, vertical, radius, node_spacing: place(G, blocks, vertical, radius),
        draw_node_fn=node,
        draw_edge_fn=edge,
        position_radius=3,
        node_shadow=True,
    )
    assert {s[0]: s[1] for s in seen if s[-1] is True} == positions
    assert (0, 1, 0) in seen


def test_networkx_layouts_serve_as_positions(chain):
    draw_grafx(chain, compute_node_position_fn=lambda G, *_, **__: nx.circular_layout(G, scale=100))
    with pytest.raises(ValueError, match="no position for node 2"):
        draw_grafx(chain, compute_node_position_fn=lambda *_, **__: {0: (0, 0), 1: (50, 0)})


def lines_of(ax):
    """Edge to (whether it is dashed, the ends of its line)."""
    lines = {}
    for patch in ax.patches:
        if (patch.get_gid() or "").startswith("edge-"):
            edge = tuple(map(int, patch.get_gid().split("-")[1:3]))
            lines[edge] = patch.get_linestyle() != "solid", patch.get_path().vertices[[0, -1]]
    return lines


@both_directions
@pytest.mark.parametrize(
    "places", [[(0, 0), (-90, 5), (-160, 0), (-300, 9)], [(0, 0), (3, 90), (0, 180), (-5, 260)], [(9, 9), (9, 9)] * 2]
)
def test_only_what_closes_a_cycle_is_a_feedback_wherever_it_points(chain, vertical, places):
    nx.set_node_attributes(chain, dict(enumerate(places)), "position")
    _, ax = draw_grafx(chain, vertical=vertical, compute_node_position_fn=held_positions)
    assert [dashed for dashed, _ in lines_of(ax).values()] == [False] * 3
    chain.add_edge(2, 1)
    _, ax = draw_grafx(chain, vertical=vertical, compute_node_position_fn=held_positions)
    assert {edge for edge, (dashed, _) in lines_of(ax).items() if dashed} == {(2, 1)}


def test_edges_leave_and_arrive_at_the_sides_that_face_each_other(chain):
    places = {0: (0, 0), 1: (-90, 5), 2: (-160, 0), 3: (-160, 80)}
    nx.set_node_attributes(chain, places, "position")
    _, ax = draw_grafx(chain, compute_node_position_fn=held_positions)
    for (source, dest), (_, ((start, _), (end, _))) in lines_of(ax).items():
        if dest == 3:  # above its source: both at the right
            assert start > -160 and end > -160
        else:
            assert places[dest][0] < end < start < places[source][0]


@both_directions
def test_nodes_stand_where_their_positions_say(chain, read_drawing, vertical):
    positions = {0: (0, 0), 1: (60.5, -40), 2: (-20, 80.25), 3: (200, 0)}
    nx.set_node_attributes(chain, positions, "position")
    drawn = read_drawing(*draw_grafx(chain, vertical=vertical, compute_node_position_fn=held_positions))
    for node, position in positions.items():
        assert drawn.center(node) == pytest.approx(position)
    wide = read_drawing(*draw_grafx(chain, compute_node_position_fn=held_positions, position_node_spacing=2))
    assert wide.center(2) == pytest.approx([-40, 160.5])

    def attributes(G, blocks, **_):
        return nx.get_node_attributes(G, "position")

    assert grafx_to_svg(chain, compute_node_position_fn=attributes) == grafx_to_svg(
        chain, compute_node_position_fn=held_positions
    )


@pytest.mark.parametrize(
    "position", [None, "left", (1,), (1, 2, 3), 5, (float("nan"), 0), (0, float("inf")), (1, None)]
)
def test_nodes_without_a_position_are_named(chain, position):
    nx.set_node_attributes(chain, (0, 0), "position")
    chain.nodes[2]["position"] = position
    with pytest.raises(ValueError, match=r"Node 2 has the position .*G\.nodes\[2\]\['position'\] = \(x, y\)"):
        draw_grafx(chain, compute_node_position_fn=held_positions)
    del chain.nodes[2]["position"]
    with pytest.raises(ValueError, match="Node 2 has the position None"):
        draw_grafx(chain, compute_node_position_fn=held_positions)


@pytest.mark.parametrize("option", ["node_color", "edge_style", "position_gap", "banana", "node_", "size"])
def test_unknown_keywords_are_named(chain, option):
    with pytest.raises(ValueError, match=rf"{option!r}.*node_inside.*edge_linewidth.*position_node_spacing"):
        draw_grafx(chain, **{option: 1})


@pytest.mark.parametrize("place", ["node_inside", "node_above"])
def test_unknown_attributes_are_named(chain, place):
    chain.nodes[0]["loudness"] = 1
    with pytest.raises(ValueError, match=rf"{place}='banana'.*node_id.*chain.*level.*loudness"):
        draw_grafx(chain, **{place: "banana"})
    with pytest.raises(ValueError, match="Order the graph"):
        draw_grafx(chain, **{place: "rendering_order"})


def test_what_is_no_graph_is_refused():
    with pytest.raises(ValueError, match="not a list"):
        draw_grafx([1, 2])


@pytest.mark.parametrize("size", [0.5, 1, 3])
def test_node_size_and_line_widths(chain, read_drawing, size):
    fig, ax = draw_grafx(chain, node_size=size, node_linewidth=2.5, edge_linewidth=1.5, node_inside=None)
    drawn = read_drawing(fig, ax)
    assert drawn.boxes[1].width == pytest.approx(26 * size)
    widths = {p.get_gid(): p.get_linewidth() for p in ax.patches}
    assert widths["node-1"] == 2.5
    assert widths["edge-0-1-0"] == 1.5


def test_drawing_leaves_the_graph_alone(graphs):
    G = graphs.console(2)
    before = nx.to_dict_of_dicts(G), dict(G.nodes(data=True)), dict(G.graph)
    draw_grafx(G, node_above="level", node_inside="chain")
    assert (nx.to_dict_of_dicts(G), dict(G.nodes(data=True)), dict(G.graph)) == before


def test_a_grafx_with_a_config_is_drawn_in_the_order_of_its_outlets(read_drawing):
    from grafx.data import GRAFX, NodeConfigs, convert_to_tensor

    G = GRAFX(config=NodeConfigs({"crossover": {"outlets": ["low", "mid", "high"]}, "eq": {}}))
    source, crossover, out = G.add("in"), G.add("crossover"), G.add("out")
    G.connect(source, crossover)
    for outlet in ("high", "low", "mid"):
        eq = G.add("eq")
        G.connect(crossover, eq, outlet=outlet)
        G.connect(eq, out)
    drawn = read_drawing(*draw_grafx(G))
    starts = {G.edges[e]["outlet"]: curve[0, 1] for e, curve in drawn.curves.items() if e[0] == crossover}
    assert starts["low"] > starts["mid"] > starts["high"]
    ends = [
        drawn.center(v)[1] for _, v, _ in sorted(G.out_edges(crossover, data="outlet"), key=lambda e: -starts[e[2]])
    ]
    assert ends == sorted(ends, reverse=True)
    with pytest.raises(ValueError, match="convert_to_graph"):
        draw_grafx(convert_to_tensor(G))


def place_as_grafx_does(G, node_spacing=(0.8, 0.8)):
    for index, (_, data) in enumerate(G.nodes(data=True)):
        data.update(x0=node_spacing[0] * index, y0=node_spacing[1] * (index % 2))


@pytest.mark.parametrize("vertical", [False, True])
def test_sizes_and_spacings_are_given_as_numbers_or_in_the_lengths_of_grafx(vertical):
    G = GRAFX()
    G.connect(G.add_serial_chain(["in", "eq", "mix", "out"])[0], 2)
    usual = draw_grafx(G, vertical)[0]._repr_svg_()
    lengths = {"position_node_spacing": (0.8, 0.8), "node_size": (0.5, 0.5)}
    assert draw_grafx(G, vertical, **lengths)[0]._repr_svg_() == usual
    doubled = {"position_node_spacing": 2.0, "node_size": 2.0}
    lengths = {"position_node_spacing": (1.6, 1.6), "node_size": [1.0, 1.0]}
    assert draw_grafx(G, vertical, **lengths)[0]._repr_svg_() == draw_grafx(G, vertical, **doubled)[0]._repr_svg_()
    wide, plain = (draw_grafx(G, node_size=size)[0].get_size_inches() for size in ((1.5, 0.5), (0.5, 0.5)))
    assert wide[0] > plain[0] + 3 * 50 / 72 and wide[1] == plain[1]
    for key in lengths:
        for wrong in ("large", (1.0,), (1.0, "x")):
            with pytest.raises(GraphError, match="a number, or two of them"):
                draw_grafx(G, **{key: wrong})


@pytest.mark.parametrize("vertical", [False, True])
def test_functions_with_the_arguments_of_grafx_place_and_draw(vertical, snapshot):
    G = GRAFX()
    G.connect(G.add_serial_chain(["in", "eq", "mix", "out"])[0], 2)
    before = snapshot(G)
    nodes, edges = {}, {}

    def draw_node(ax, G, node, color_config, vertical=False, inside="node_type", size=(0.5, 0.5), linewidth=0.6):
        node_id, data = node
        nodes[node_id] = (data["x0"], data["y0"], *size)
        ax.add_patch(Rectangle((data["x0"], data["y0"]), *size, **color_config.get_colors(data["node_type"])))

    def draw_edge(ax, G, edge, vertical, linewidth=0.6):
        source, dest, data = edge
        ends = (
            G.nodes[source]["meta"]["out_points"][data["outlet"]],
            G.nodes[dest]["meta"]["in_points"][data["inlet"]],
        )
        edges[source, dest] = vertical, linewidth
        for node, (x, y) in zip((source, dest), ends, strict=True):
            left, bottom = G.nodes[node]["x0"], G.nodes[node]["y0"]
            assert left <= x <= left + 26 and bottom <= y <= bottom + G.nodes[node]["meta"]["y"]
        ax.plot(*zip(*ends, strict=True), linewidth=linewidth)

    functions = {"draw_node_fn": draw_node, "draw_edge_fn": draw_edge}
    options = {"position_node_spacing": (1.0, 0.5), "node_size": (0.5, 0.5), "edge_linewidth": 2.0}
    draw_grafx(G, vertical, place_as_grafx_does, **functions, **options)
    assert snapshot(G) == before
    for index, (x, y, *size) in nodes.items():
        assert size == [26, 26]
        expected = (26.0 * (index % 2), -52.0 * index) if vertical else (52.0 * index, -26.0 * (index % 2))
        assert (x + 13, y + 13) == pytest.approx(expected)
    assert edges == dict.fromkeys([(0, 1), (1, 2), (2, 3), (0, 2)], (vertical, 2.0))
    draw_grafx(G, compute_node_position_fn=place_as_grafx_does)
    with pytest.raises(GraphError, match="left no x0 and y0 with node 0"):
        draw_grafx(G, compute_node_position_fn=lambda G: None)


def test_colors_are_a_dict_or_a_list_in_the_order_of_types():
    config = NodeConfigs(["eq", "reverb"])
    G = GRAFX(config=config)
    G.add_serial_chain(["in", "eq", "reverb", "out"])
    listed = draw_grafx(G, colors=["red", "green", "blue", "cyan", "gold"])[0]._repr_svg_()
    named = dict(zip(config.node_types, ["red", "green", "blue", "cyan", "gold"], strict=True))
    assert listed == draw_grafx(G, colors=named)[0]._repr_svg_()
