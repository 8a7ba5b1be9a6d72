"""The outline of a graph that is too large to be drawn."""

import re
from xml.etree import ElementTree

import networkx as nx
import numpy as np
import pytest

from grafx.data import GRAFX
from grafx.draw.outline import MOST_COLUMNS, MOST_TYPES, depths, outline
from grafx.draw.web import notebook


def read(text):
    """The SVG of an outline and the area of each of its shapes."""
    root = ElementTree.fromstring(f"<all>{text}</all>")
    svg = root.find(".//{http://www.w3.org/2000/svg}svg")
    return svg, [area(path.get("d")) for path in svg]


def area(d):
    total = 0.0
    for run in d.split("M")[1:]:
        parts = re.findall(r"([HV]?)(-?[\d.e+-]+)", run.rstrip("z"))
        (x, y), points = (float(parts[0][1]), float(parts[1][1])), []
        points.append((x, y))
        for way, value in parts[2:]:
            x, y = (float(value), y) if way == "H" else (x, float(value))
            points.append((x, y))
        xs, ys = np.array(points).T
        total += abs(xs @ np.roll(ys, -1) - ys @ np.roll(xs, -1)) / 2
    return total


def test_depths_are_those_of_topological_generations(graphs):
    G = graphs.dag(200)
    assert depths(G) == {n: k for k, layer in enumerate(nx.topological_generations(G)) for n in layer}


def test_depths_of_cycles_loops_and_parallel_edges(graphs):
    ring = graphs.make(["eq"] * 4, [(0, 1), (1, 2), (2, 3), (3, 1), (2, 2), (0, 1, "low", "main")])
    assert depths(ring) == {0: 0, 1: 1, 2: 2, 3: 3}
    closed = graphs.make(["eq"] * 3, [(0, 1), (1, 2), (2, 0)])
    assert depths(closed) == {0: 0, 1: 1, 2: 2}
    assert depths(graphs.make([], [])) == {}


@pytest.mark.parametrize("count", [7, 500])
def test_areas_are_numbers_of_nodes(graphs, count):
    G = graphs.make(["in", *["eq", "reverb"] * count, "out"], [(i, i + 1) for i in range(2 * count + 1)])
    _, areas = read(outline(G))
    assert areas[1] == pytest.approx(areas[2], rel=0.02)
    assert areas[1] / sum(areas) == pytest.approx(count / len(G), rel=0.02)


def test_a_console_is_wide_where_its_stems_are(graphs):
    svg, areas = read(outline(graphs.console(50)))
    assert areas[1] / areas[0] == pytest.approx(51 / 50)  # one of them is the master's
    assert areas[0] / areas[-1] == pytest.approx(50)
    assert float(svg.get("height")) < 200 and float(svg.get("width")) < 700


def test_outlines_are_small_and_their_names_are_text():
    types = [f"<type {i}>" for i in range(30)]
    G = GRAFX()
    G.add_serial_chain(types * 30)
    text = outline(G)
    _svg, areas = read(text)
    assert len(areas) == MOST_TYPES + 1 and "others" in text and "<type" not in text
    assert len(text) < 100 * MOST_COLUMNS * 2
    assert outline(GRAFX()) == ""


def test_notebooks_show_an_outline_of_what_is_too_large(graphs, monkeypatch):
    monkeypatch.setattr(notebook, "to_html", None)
    monkeypatch.setattr(notebook, "grafx_to_svg", None)
    chain = GRAFX()
    chain.add_serial_chain(["eq"] * 500)
    dense = graphs.make(["eq"] * 90, [(i, j) for j in range(90) for i in range(j)])
    for G in (chain, dense):
        assert "<svg" in notebook.notebook_html(G) and "Too large" in notebook.notebook_html(G)
        assert notebook.notebook_svg(G) is None
    assert notebook.is_shown(graphs.console(30))
