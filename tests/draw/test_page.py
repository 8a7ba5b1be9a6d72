"""Drawings for papers and screens: their size, legend, title and colours."""

import struct
import threading
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from grafx.data import GraphError
from grafx.draw import draw_edge, draw_grafx, held_positions, page


@pytest.fixture
def console(graphs):
    """Nineteen stems, of whose processors a third is left."""
    return graphs.console(19, keep=0.3, seed=1)


def points_of(ax):
    """Size of each text in points, as it is drawn."""
    ax.get_figure(root=True).draw_without_rendering()
    return {text.get_text(): text.get_fontsize() for text in ax.texts}


def inside(small, large, slack=0.5):
    return (
        small.x0 >= large.x0 - slack
        and small.x1 <= large.x1 + slack
        and small.y0 >= large.y0 - slack
        and small.y1 <= large.y1 + slack
    )


def test_a_pruned_console_fits_a_column_and_can_be_read(console, read_drawing):
    fig, ax = draw_grafx(console, width=3.3, legend="below")
    assert fig.get_size_inches()[0] == pytest.approx(3.3)
    assert np.prod(fig.get_size_inches()) < 4.9 * 3.6
    assert min(points_of(ax).values()) > 4.5
    drawn = read_drawing(fig, ax)
    for text, box in zip(ax.texts, drawn.text_boxes, strict=True):
        homes = [node for node in drawn.boxes.values() if node.contains((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)]
        assert len(homes) <= 1
        assert all(inside(box, home, 1.5) for home in homes), text.get_text()
    for (source, dest, _), curve in drawn.curves.items():
        for node, box in drawn.boxes.items():
            if node not in (source, dest):
                assert not any(box.x0 < x < box.x1 and box.y0 < y < box.y1 for x, y in curve), (source, dest, node)


@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize("width", [1.5, 3.3, 7, 30])
def test_figures_are_as_wide_as_asked(console, width, vertical):
    fig, ax = draw_grafx(console, width=width, vertical=vertical, title="A pruned console")
    assert fig.get_size_inches()[0] == pytest.approx(width)
    fig.draw_without_rendering()
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    for patch in ax.patches:
        x, y = patch.get_path().vertices.T
        assert left < x.min() and x.max() < right and bottom < y.min() and y.max() < top
    assert max(points_of(ax).values()) <= 10


def test_without_a_width_nothing_is_scaled(console):
    _, ax = draw_grafx(console)
    assert points_of(ax)["cmp"] in (7.5, 8.5)
    wide, ax = draw_grafx(console, width=30)
    assert set(points_of(ax).values()) == {7.5, 8.5}
    assert wide.get_size_inches()[1] == pytest.approx(draw_grafx(console)[0].get_size_inches()[1])


def test_all_shrinks_together_where_a_figure_becomes_smaller(console):
    fig, ax = draw_grafx(console)
    before, boxes = points_of(ax), [patch.get_window_extent().width for patch in ax.patches]
    fig.set_size_inches(fig.get_size_inches() / 2)
    after = points_of(ax)
    assert {text: size / 2 for text, size in before.items()} == pytest.approx(after)
    assert [patch.get_window_extent().width for patch in ax.patches] == pytest.approx([b / 2 for b in boxes])
    fig.set_size_inches(fig.get_size_inches() * [1, 3])  # out of shape
    assert points_of(ax) == pytest.approx(after)
    assert ax.patches[0].get_linewidth() == 1.0


def test_axes_of_ones_own_keep_their_place_and_their_neighbours(console):
    fig, (left, right) = plt.subplots(1, 2, figsize=(8, 4))
    right.plot([0, 1], [2, 3])
    place, size = left.get_position(original=True).bounds, tuple(fig.get_size_inches())
    found, ax = draw_grafx(console, ax=left)
    fig.draw_without_rendering()
    assert found is fig and ax is left
    assert left.get_position(original=True).bounds == place and tuple(fig.get_size_inches()) == size
    frame = left.get_window_extent()
    assert all(inside(patch.get_window_extent(), frame) for patch in left.patches)
    assert max(points_of(left).values()) < 8.5
    plt.close(fig)


@pytest.mark.parametrize(("vertical", "usual"), [(False, "above"), (True, "right")])
def test_the_legend_stands_where_it_should_or_goes(console, vertical, usual):
    def extent(patches):
        x, y = np.concatenate([patch.get_path().vertices for patch in patches]).T
        return x.min(), x.max(), y.min(), y.max()

    def split(**options):
        _, ax = draw_grafx(console, vertical=vertical, **options)
        graph = [patch for patch in ax.patches if patch.get_gid()]
        chips = [patch for patch in ax.patches if not patch.get_gid() and len(patch.get_path().vertices) > 4]
        return extent(graph), extent(chips) if chips else None

    for legend in ("above", "below", "right", True):
        (_, x1, y0, y1), (left, _, low, high) = split(legend=legend)
        where = usual if legend is True else legend
        assert {"above": low > y1, "below": high < y0, "right": left > x1}[where]
    assert split(legend=False)[1] is None


def test_titles_are_written_above_all(console):
    _, ax = draw_grafx(console, title="Two\nlines")
    title = next(text for text in ax.texts if text.get_text() == "Two\nlines")
    assert title.get_position()[1] > max(t.get_position()[1] for t in ax.texts if t is not title)


def luminance(color):
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_lines_and_texts_are_seen_on_every_background(graphs, theme):
    G = graphs.make(["in", "eq", "mix", "out"], [(0, 1), (1, 2), (2, 1), (2, 3)])
    fig, ax = draw_grafx(G, theme=theme, title="Title", node_above="node_type")
    paper = fig.get_facecolor()
    for text in ax.texts:
        if not any(p.get_gid() and p.get_path().contains_point(text.get_position()) for p in ax.patches):
            chip = [p for p in ax.patches if p.get_path().contains_point(text.get_position()) and p.get_fill()]
            assert contrast(text.get_color(), chip[-1].get_facecolor() if chip else paper) > 4.5
    for patch in ax.patches:
        if (patch.get_gid() or "").startswith("edge"):
            assert contrast(patch.get_edgecolor(), paper) > 3
    if theme == "print":
        fills = [patch.get_facecolor() for patch in ax.patches if (patch.get_gid() or "").startswith("node")]
        assert all(max(fill[:3]) - min(fill[:3]) < 0.01 for fill in fills)


def test_own_axes_on_a_dark_figure_get_light_lines(graphs):
    fig = Figure(facecolor="black")
    _, ax = draw_grafx(graphs.console(2), ax=fig.add_subplot())
    assert all(luminance(p.get_edgecolor()) > 0.2 for p in ax.patches if (p.get_gid() or "").startswith("edge"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 0}, "width is a positive number"),
        ({"width": float("nan")}, "width"),
        ({"width": "3"}, "width"),
        ({"ax": 3}, "ax is a matplotlib Axes, not a int"),
        ({"width": 3, "ax": Figure().add_subplot()}, "width or ax, not both"),
        ({"legend": "left"}, "legend is True, False, or one of 'above', 'below', 'right'"),
        ({"legend": None}, "legend"),
        ({"theme": "grey"}, "theme is one of 'light', 'dark', 'print'"),
    ],
)
def test_what_is_not_possible_is_said(console, options, words):
    with pytest.raises(GraphError, match=words):
        draw_grafx(console, **options)


def test_own_functions_draw_at_every_width(console):
    seen = []

    def edge(ax, G, edge, points, vertical, linewidth):
        seen.append(edge)
        draw_edge(ax, G, edge, points, vertical, linewidth)

    fig, _ = draw_grafx(console, draw_edge_fn=edge, width=3.3)
    assert len(seen) == console.number_of_edges()
    for node in console:
        console.nodes[node]["position"] = (40 * node, 17 * (node % 5))
    fig, _ = draw_grafx(console, compute_node_position_fn=held_positions, width=3.3)
    assert fig.get_size_inches()[0] == pytest.approx(3.3)


def test_pictures_have_as_many_pixels_as_the_figure_says(console, monkeypatch):
    def pixels(fig, **options):
        file = BytesIO()
        fig.savefig(file, format="png", **options)
        return struct.unpack(">II", file.getvalue()[16:24])

    fig, _ = draw_grafx(console, width=3.3)
    assert pixels(fig) == tuple((fig.get_size_inches() * fig.dpi).astype(int))
    assert pixels(fig, dpi=50)[0] == 165
    monkeypatch.setattr(page, "MOST_PIXELS", (60_000, 20_000))
    small = pixels(draw_grafx(console)[0])
    assert 15_000 < small[0] * small[1] <= 20_000
    with plt.rc_context({"savefig.dpi": 40}):
        assert pixels(fig)[0] == 132


def test_the_empty_graph_and_a_node(graphs):
    for G in (graphs.make([], []), graphs.make(["in"], [])):
        fig, _ = draw_grafx(G, width=2, title="x")
        assert fig.get_size_inches()[0] == pytest.approx(2) and fig.get_size_inches()[1] > 0


def test_threads_draw_the_same(console):
    expected, found = draw_grafx(console, width=3.3)[0]._repr_svg_(), []

    def work():
        found.append(draw_grafx(console, width=3.3)[0]._repr_svg_())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == 3 * [expected]


def test_text_is_drawn_as_it_is_where_tex_sets_the_rest(console):
    with plt.rc_context({"text.usetex": True}):
        fig, ax = draw_grafx(console, title="50 % of $x_1$")
        assert not any(text.get_usetex() for text in ax.texts)
        fig.draw_without_rendering()
