"""Before and after a pruning, and the film between."""

import networkx as nx
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from grafx.data import GRAFX, GraphError
from grafx.draw import draw_pruning, film_pruning
from grafx.draw.pruning import origins, silent_edges
from grafx.search import build_console

PRUNED = ["eq", "reverb"]


def console(**options):
    return build_console(["kick", "bass"], {"rhythm": ["bass"]}, ["eq", "compressor"], **options)


def without(G, gone):
    """A copy in which some nodes are bypassed."""
    copy = G.copy()
    for node in gone:
        copy.bypass(node)
    return copy


def of_type(G, *types):
    return {node for node, data in G.nodes(data=True) if data["node_type"] in types}


def renumbered(G, told):
    """The same graph with other ids, which tells the old ones or does not."""
    H = GRAFX(config=G.config)
    ids = {node: H.add(data["node_type"], name=data["name"]) for node, data in sorted(G.nodes(data=True), reverse=True)}
    for node, data in G.nodes(data=True):
        H.nodes[ids[node]].update({key: value for key, value in data.items() if key != "node_type"})
        if told:
            H.nodes[ids[node]]["console_id"] = node
    H.add_edges_from((ids[u], ids[v], data) for u, v, data in G.edges(data=True))
    return H, {new: old for old, new in ids.items()}


@pytest.mark.parametrize("told", [True, False])
def test_nodes_are_found_again_whatever_their_ids(told):
    G = console()
    after, ids = renumbered(without(G, of_type(G, "eq")), told)
    assert origins(G, after) == ids
    if told:
        (gain, *_) = of_type(after, "compressor")
        after.nodes[gain]["node_type"] = "gain"
        assert origins(G, after) == ids


def test_nodes_of_the_same_ids_are_the_same():
    G = console()
    after = without(G, sorted(of_type(G, "eq"))[:2])
    assert origins(G, after) == {node: node for node in after}


def nodes_of(ax, side):
    drawn = {p.get_gid(): p for p in ax.patches if (p.get_gid() or "").startswith(f"node-('{side}'")}
    return {int(gid.split(", ")[1].rstrip(")")): patch for gid, patch in drawn.items()}


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
@pytest.mark.parametrize("vertical", [False, True])
def test_what_went_is_pale_and_the_rest_as_ever(theme, vertical):
    G = console()
    gone = of_type(G, "eq")
    fig, ax = draw_pruning(G, without(G, gone), vertical, theme=theme)
    before, after = nodes_of(ax, "before"), nodes_of(ax, "after")
    assert set(before) == set(G) and set(after) == set(G) - gone
    ground = sum(to_rgb(fig.get_facecolor()))
    for node, patch in before.items():
        away = abs(sum(patch.get_facecolor()[:3]) - ground)
        if node in gone:
            assert away < 0.4
        elif G.nodes[node]["node_type"] == "compressor":
            assert patch.get_facecolor() == after[node].get_facecolor() and away > 0.5
    texts = [text.get_text() for text in ax.texts]
    assert {"Before: 8 processors", "After: 4 processors"} <= set(texts)


@pytest.mark.parametrize("width, beside", [(None, True), (20, True), (3.3, False)])
def test_drawings_stand_beside_each_other_where_there_is_room(read_drawing, width, beside):
    G = build_console(["kick", "bass"], chain=["eq", "compressor", "gain", "delay"])
    fig, ax = draw_pruning(G, without(G, of_type(G, "eq")), width=width, groups=True)
    boxes = {side: [p.get_path().get_extents() for p in nodes_of(ax, side).values()] for side in ("before", "after")}
    right, left = max(box.x1 for box in boxes["before"]), min(box.x0 for box in boxes["after"])
    low, high = min(box.y0 for box in boxes["before"]), max(box.y1 for box in boxes["after"])
    assert (right < left) if beside else (high < low)
    assert width is None or fig.get_size_inches()[0] == pytest.approx(width)


def test_a_bypass_leaves_its_edges_and_a_cut_send_does_not():
    G = console(returns={"room": ["reverb"]})
    sends, reverb = of_type(G, "send"), of_type(G, "reverb")
    assert silent_edges(G, of_type(G, "eq")) == set()
    (bus,) = (node for node in of_type(G, "mix") if G.nodes[node]["name"] == "room")
    silent = {edge for edge in G.edges(keys=True) if {edge[0], edge[1]} & {*sends, *reverb, bus}}
    assert silent_edges(G, {*sends, *reverb}) == silent
    first = min(sends)
    assert silent_edges(G, {first}) == {edge for edge in G.edges(keys=True) if first in edge[:2]}


def frames(path):
    with Image.open(path) as film:
        found = []
        for place in range(film.n_frames):
            film.seek(place)
            found.append((film.convert("RGB"), film.info["duration"]))
        return found


@pytest.mark.parametrize(
    "options", [{}, {"theme": "dark", "width": 4, "groups": True}, {"vertical": True, "legend": False}]
)
def test_a_film_shows_every_round_with_all_in_its_place(tmp_path, options):
    G = console()
    everything = of_type(G, "eq", "compressor")
    rounds = [everything, everything - of_type(G, "eq"), everything - of_type(G, "eq") - {min(everything)}]
    after = without(G, of_type(G, "eq"))
    film_pruning(G, rounds[:2], tmp_path / "film.gif", after, title="A song", **options)
    found = frames(tmp_path / "film.gif")
    # Before, what goes, what is left, what was found; the last is there for longer.
    assert len(found) == 4
    assert len({image.size for image, _ in found}) == 1
    assert found[-1][1] > found[0][1]
    film_pruning(G, rounds[:2], tmp_path / "again.gif", after, title="A song", **options)
    assert (tmp_path / "film.gif").read_bytes() == (tmp_path / "again.gif").read_bytes()


def test_a_film_shows_that_a_round_went_too_far(tmp_path):
    from grafx.draw.pruning import _moments

    G = console()
    everything = sorted(of_type(G, "eq", "compressor"))
    rounds = [
        {"left": everything},
        {"left": everything[:5]},
        {"left": everything[:1], "back_to": 1},
        {"left": everything[:4]},
    ]
    captions = [caption for caption, *_ in _moments(G, rounds, None)]
    assert captions == [
        "Before: 8 processors",
        "Round 1: 3 of 8 go",
        "Round 1: 5 processors left",
        "Round 2: 4 of 5 go",
        "Round 2: 1 processor left",
        "Too far: back to round 1",
        "Round 3: 1 of 5 go",
        "Round 3: 4 processors left",
    ]
    gone = [len({node for node in gone if not isinstance(node, tuple)}) for _, gone, _ in _moments(G, rounds, None)]
    assert gone == [0, 0, 3, 3, 7, 3, 3, 4]


@pytest.mark.parametrize(
    "rounds, name, words",
    [
        ([], "a.gif", "needs the rounds"),
        ([[1], [999]], "a.gif", "Round 1 has left 999"),
        ([[1]], "a.mp4", "end in .gif"),
    ],
)
def test_what_is_no_film_is_refused_before_a_file_is_there(tmp_path, rounds, name, words):
    with pytest.raises(GraphError, match=words):
        film_pruning(console(), rounds, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_graphs_of_any_kind_are_compared(graphs):
    G = graphs.dag(20)
    H = G.copy()
    H.remove_nodes_from([5, 6])
    assert set(nodes_of(draw_pruning(G, H)[1], "after")) == set(H)
    draw_pruning(graphs.make([], []), graphs.make([], []))
    draw_pruning(G, nx.MultiDiGraph())
    with pytest.raises(GraphError, match="draw_pruning draws a GRAFX"):
        draw_pruning(G, None)
