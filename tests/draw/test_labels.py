"""What is written in and around nodes and edges."""

from itertools import combinations

import pytest
from grafx.processors import Compressor, ParametricEqualizer

from grafx.data import GRAFX, GraphError, NodeConfigs
from grafx.draw import draw_grafx

both_directions = pytest.mark.parametrize("vertical", [False, True])


def texts_of(G, **options):
    return [text.get_text() for text in draw_grafx(G, legend=False, **options)[1].texts]


@pytest.fixture
def voice():
    """A chain whose first processor alone has settings."""
    G = GRAFX()
    G.add_serial_chain(["in", "compressor", "gain", "eq", "out"])
    G.nodes[0]["name"] = "lead vocals"
    G.nodes[1].update(name="glue", parameters={"threshold_db": -20.0, "ratio": 4.0}, drywet_weight=0.25)
    G.nodes[2].update(parameters={"left_gain_db": -6.0, "right_gain_db": -6.0}, drywet_weight=1.0)
    return G


@pytest.mark.parametrize("inside", ["short_type", "settings", "name", ("name", "settings"), "colour"])
def test_inputs_have_their_names_in_place_of_their_type_or_of_nothing(voice, inside):
    voice.nodes[3]["colour"] = "green"
    texts = texts_of(voice, node_inside=inside)
    assert texts.count("lead vocals") == 1 and "in" not in texts


def test_names_of_inputs_are_not_written_twice_nor_where_others_are_asked_for(voice):
    assert texts_of(voice, node_above="name").count("lead vocals") == 1
    assert texts_of(voice, node_inside=None, node_above="name").count("lead vocals") == 1
    assert "lead vocals" not in texts_of(voice, node_inside="node_type")
    assert "lead vocals" not in texts_of(voice, node_inside=None)
    assert "in" in texts_of(voice, node_above="name")
    voice.nodes[0]["name"] = "x" * 100
    assert "x" * 19 + "…" in texts_of(voice)


def test_names_go_where_a_drawing_is_so_narrow_that_the_rest_could_not_be_read(graphs):
    G = graphs.console(2)
    names = {"stem number 0", "stem number 1"}
    assert names <= set(texts_of(G)) and names <= set(texts_of(G, width=7))
    assert not names & set(texts_of(G, width=0.5))
    assert names <= set(texts_of(G, width=0.5, node_above="name"))


@pytest.mark.parametrize("name", [None, "", 5])
def test_inputs_without_a_name_have_their_type(voice, name):
    voice.nodes[0]["name"] = name
    assert "in" in texts_of(voice)


@pytest.mark.parametrize("place", ["inside", "above"])
def test_several_texts_stand_below_each_other(voice, place):
    options = {"node_inside": None} | {f"node_{place}": ("name", "settings", "wet")}
    texts = texts_of(voice, **options)
    assert "glue\nthreshold −20 dB\nratio 4\n25 % wet\n25 %" in texts
    assert texts_of(voice, **{**options, f"node_{place}": "wet"}).count("25 %") == 1
    with pytest.raises(GraphError, match=f"node_{place}='gone'"):
        draw_grafx(voice, **{f"node_{place}": ["name", "gone"]})


@both_directions
@pytest.mark.parametrize(
    "label, expected",
    [("wet", ["25 %", "100 %"]), ("level", ["−6 dB"]), (("wet", "level"), ["25 %", "100 %, −6 dB"])],
)
def test_edges_tell_the_share_and_the_level_of_what_they_come_from(voice, label, expected, vertical):
    assert sorted(texts_of(voice, node_inside=None, edge_label=label, vertical=vertical)) == sorted(expected)


@pytest.mark.parametrize(
    "parameters, text",
    [
        ({"left_gain_db": -3.0, "right_gain_db": 1.5}, "−3 / 1.5 dB"),
        ({"gain_db": [0.0, -0.001]}, "0 / −0.001 dB"),
        ({"gain_db": 0.0}, "0 dB"),
        ({"side_gain_db": -3.0}, None),
        ({"threshold_db": -3.0, "gain_db": 1.0}, None),
        ({"gain_db": "loud"}, None),
    ],
)
def test_only_what_changes_the_level_alone_has_one(voice, parameters, text):
    voice.nodes[2]["parameters"] = parameters
    assert texts_of(voice, node_inside=None, edge_label="level") == ([] if text is None else [text])


def test_attributes_of_edges_are_written_where_they_belong():
    """At the outlet where all that leaves there has the same, else where they arrive, else on the edge."""
    G = GRAFX()
    for node_type in ("in", "in", "eq", "mix", "mix", "out"):
        G.add(node_type)
    for source, dest, loudness in ((0, 2, 1), (2, 3, 2), (2, 4, 2), (0, 3, 3), (1, 3, 4), (1, 4, 4), (3, 5, 5)):
        G.connect(source, dest)
        G.edges[source, dest, 0]["loudness"] = loudness
    texts = texts_of(G, node_inside=None, edge_label="loudness")
    assert sorted(texts) == ["1", "2", "3", "4", "5"]
    with pytest.raises(GraphError, match=r"edge_label='pan': no edge has this attribute.*wet, level"):
        draw_grafx(G, edge_label="pan")


def test_labels_stand_beside_names_of_ports():
    G = GRAFX(config=NodeConfigs({"crossover": {"outlets": ["low", "high"]}}))
    _, split = G.add_serial_chain(["in", "crossover"])
    for outlet in ("low", "high"):
        G.connect(split, G.add("out"), outlet=outlet)
    G.nodes[split]["drywet_weight"] = 0.5
    assert {"low 50 %", "high 50 %"} <= set(texts_of(G, edge_label="wet"))
    assert {"low", "high"} <= set(texts_of(G, edge_label="outlet"))


@both_directions
@pytest.mark.parametrize("inside", [("short_type", "thumbnail"), ("name", "settings"), ("short_type", "wet")])
@pytest.mark.parametrize("options", [{}, {"width": 3.3, "theme": "print", "legend": "below"}, {"theme": "dark"}])
def test_nothing_is_written_over_anything_else(read_drawing, vertical, inside, options):
    from grafx.search import build_console

    G = build_console(
        ["drums", "bass", "lead vocals"],
        {"band": ["bass", "lead vocals"]},
        ["eq", "compressor", "gain"],
        returns={"room": ["reverb"]},
        sidechains={"bass": "drums"},
    )
    for node, data in G.nodes(data=True):
        if data["node_type"] not in ("in", "mix", "out"):
            data["drywet_weight"] = 0.1 * (node % 10)
        if data["node_type"] == "compressor":
            data["parameters"] = {"threshold_db": -30.0, "ratio": 4.0}
        if data["node_type"] == "send":
            data["parameters"] = {"left_gain_db": -10.0, "right_gain_db": -12.0}
    shown = {"node_inside": inside, "edge_label": ("wet", "level"), "groups": True}
    fig, ax = draw_grafx(G, vertical, **shown, **options)
    fig.set_dpi(500)  # so that small texts are not widened to whole pixels
    drawn = read_drawing(fig, ax)
    for one, other in combinations(drawn.text_boxes, 2):
        assert not one.overlaps(other)
    for text, box in zip(ax.texts, drawn.text_boxes, strict=True):
        if text._units in (6.5, 7.0):  # names of ports and groups, and what is on edges
            assert not [node for node, taken in drawn.boxes.items() if box.overlaps(taken)]


def test_thumbnails_and_texts_share_a_box(read_drawing, voice):
    processors = {"compressor": Compressor(), "eq": ParametricEqualizer()}
    plain = read_drawing(*draw_grafx(voice, node_inside="short_type"))
    drawn = read_drawing(*draw_grafx(voice, node_inside=("short_type", "thumbnail"), processors=processors))
    assert drawn.boxes[1].height > plain.boxes[1].height and drawn.boxes[3].height == plain.boxes[3].height
    inside = next(box for text, box in zip(drawn.texts, drawn.text_boxes, strict=True) if text == "cmp")
    assert drawn.boxes[1].x0 < inside.x0 and inside.x1 < drawn.boxes[1].x1
    assert drawn.boxes[1].y0 < inside.y0 and inside.y1 < drawn.boxes[1].y1 + 0.5
