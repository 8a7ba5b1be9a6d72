"""Before and after a pruning: side by side, and as a film."""

import os
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import networkx as nx
from matplotlib.axes import Axes

from ..data.attributes import CONSOLE_ID
from ..data.cables import EdgeId
from ..data.configs import BUILT_IN_TYPES
from ..errors import GraphError
from ..words import count as counted
from .draw import OWN, Drawing, Scene, check_graph, check_look, fills_of, make_scene, new_axes, paint, room_of, surround
from .groups import Grouping, buses, together
from .kinds import is_send
from .layout import Block, Layout, Spacing, layered_layout
from .page import find_bounds, fit
from .placing import Sheet
from .scaled import root_of

PANEL_GAP = 26.0  # points between two drawings
FRAMES_PER_SECOND = 1.25
LAST_FRAMES = 3  # how long the end is seen
MOST_PIXELS = 1600  # along a side of a film

Round = Mapping[str, Any] | Collection[Hashable]


def draw_pruning(
    before: nx.MultiDiGraph,
    after: nx.MultiDiGraph,
    vertical: bool = False,
    *,
    width: float | None = None,
    legend: bool | str = True,
    title: str | None = None,
    theme: str = "light",
    groups: bool = False,
    processors: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> tuple[Drawing, Axes]:
    """Draw a graph before and after a pruning side by side; what went is pale in the first.

    Nodes of both are the same by their ``console_id``, as in what a search finds; where they have none by their id, if
    also type, name and owner are the same; else by these, in their order. Where a ``width`` has no room for both, the
    second drawing stands below the first.

    Args:
        before: The graph before.
        after: The graph after.
        vertical: As all others, see :func:`~grafx.draw.draw_grafx`.
        width: Of the figure in inches.
        legend: Where it stands, if there is one.
        title: Written above all.
        theme: ``"light"``, ``"dark"`` or ``"print"``.
        groups: Draw boxes around subgroups.
        processors: Node type to processor, for thumbnails.
        **kwargs: Options of nodes, edges and positions.

    Returns:
        The figure and its axes.

    Raises:
        GraphError: One is no graph, or an option is unknown or has no such value.

    Examples:
        >>> fig, ax = draw_pruning(search.console.G, search.result().G, width=7)
    """
    for G in (before, after):
        check_graph(G, "draw_pruning")
    check_look(width, None, legend, theme)
    both = _side_by_side(before, after)
    kept = set(origins(before, after).values())
    gone = {node for node in before if node not in kept}
    faded = [("before", node) for node in gone]
    faded += [(("before", u), ("before", v), key) for u, v, key in silent_edges(before, gone)]
    panels = {
        "before": f"Before: {counted(_processors(before), 'processor')}",
        "after": f"After: {counted(_processors(after), 'processor')}",
    }
    boxes = [(text, {node for node in both if node[0] == side}) for side, text in panels.items()]
    if groups:
        for side, G in (("before", before), ("after", after)):
            boxes += [(name, {(side, node) for node in members}) for name, members in buses(G)]
    ax = new_axes(theme)
    room = room_of(ax, width, False)
    functions = {**OWN, "position": _apart(room, boxes[2:])}
    boxes = [box for box in boxes if box[1]]
    scene = make_scene(both, functions, Sheet(vertical, room), None, theme, boxes, processors, kwargs)
    paint(ax, scene, faded=set(faded))
    fit(root_of(ax), ax, surround(ax, scene, legend, title, room), width)
    return root_of(ax), ax


def film_pruning(
    before: nx.MultiDiGraph,
    rounds: Sequence[Round],
    path: str | os.PathLike,
    after: nx.MultiDiGraph | None = None,
    vertical: bool = False,
    *,
    width: float | None = None,
    legend: bool | str = True,
    title: str | None = None,
    theme: str = "light",
    groups: bool = False,
    processors: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> None:
    """Show a pruning as a film, an animated GIF, in which all nodes keep their places.

    For each round, what goes is marked, and then it is pale. Where a round went too far, what comes back is seen, too.

    Args:
        before: The graph before.
        rounds: What is left of its processors at the beginning and after each round: the entries that a search has as
            ``rounds``, also in its ``metrics.json``; or collections of ids.
        path: The file, ``*.gif``.
        after: What was found at last, for which the end of the film stands.
        vertical: As all others, see :func:`draw_pruning`.
        width: Of the film in inches, 100 pixels each.
        legend: Where it stands, if there is one.
        title: Written above all.
        theme: ``"light"``, ``"dark"`` or ``"print"``.
        groups: Draw boxes around subgroups.
        processors: Node type to processor, for thumbnails.
        **kwargs: Options of nodes, edges and positions.

    Raises:
        GraphError: One is no graph, there are no rounds, one has left what was not there, the file should end in
            ``.gif``, or an option is unknown or has no such value.

    Examples:
        >>> film_pruning(search.console.G, search.rounds, "pruning.gif", search.result().G)
    """
    check_graph(before, "film_pruning")
    check_look(width, None, legend, theme)
    if Path(path).suffix.lower() != ".gif":
        raise GraphError(f"A film is a GIF: let its name end in .gif, unlike {os.fspath(path)}.")
    moments = _moments(before, rounds, after)
    ax = new_axes(theme)
    room = room_of(ax, width, False)
    boxes = buses(before) if groups else []
    scene = make_scene(before, OWN, Sheet(vertical, room), None, theme, boxes, processors, kwargs)
    last = scene if after is None else _as_found(scene, after, theme)
    titles = [caption if title is None else f"{title}\n{caption}" for caption, *_ in moments]
    longest = max(titles, key=len)
    frames = [
        (text, last if number == len(moments) - 1 else scene, gone, going)
        for number, (text, (_, gone, going)) in enumerate(zip(titles, moments, strict=True))
    ]
    bounds = surround(ax, scene, legend, longest, room)
    fit(root_of(ax), ax, bounds, width)
    _write_gif(ax, path, [*frames, *frames[-1:] * (LAST_FRAMES - 1)], legend, room)


def origins(before: nx.MultiDiGraph, after: nx.MultiDiGraph) -> dict[Hashable, Hashable]:
    """Node after a pruning to the one that it was before, without those that are new."""
    keys = {data.get(CONSOLE_ID, node): node for node, data in before.nodes(data=True)}
    told = {node: data[CONSOLE_ID] for node, data in after.nodes(data=True) if data.get(CONSOLE_ID) is not None}
    if any(key in keys for key in told.values()):
        found = {node: keys[key] for node, key in told.items() if key in keys}
        return {**_alike(before, after, set(found), set(found.values())), **found}
    if all(node in before and _look(before, node) == _look(after, node) for node in after):
        return {node: node for node in after}
    return _alike(before, after, set(), set())


def silent_edges(before: nx.MultiDiGraph, gone: Collection[Hashable]) -> set[EdgeId]:
    """Edges of what was cut with sends, unlike those of processors that are bypassed."""
    live = before.copy()
    live.remove_nodes_from([node for node in gone if is_send(before, node) or _is_built_in(before, node)])
    starts = [node for node in live if before.in_degree(node) == 0]
    ends = [node for node in live if before.out_degree(node) == 0]
    heard = set(starts).union(*(nx.descendants(live, node) for node in starts))
    heard &= set(ends).union(*(nx.ancestors(live, node) for node in ends))
    return {edge for edge in before.edges(keys=True) if not {edge[0], edge[1]} <= heard}


# --- Two drawings -------------------------------------------------------------------------------------------


def _side_by_side(before: nx.MultiDiGraph, after: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """Both graphs as one, whose nodes are ``(side, node)``."""
    both = nx.MultiDiGraph()
    for side, G in (("before", before), ("after", after)):
        both.add_nodes_from(((side, node), data) for node, data in G.nodes(data=True))
        for u, v, key, data in G.edges(keys=True, data=True):
            both.add_edge((side, u), (side, v), key, **data)
    types = {data["node_type"] for _, data in both.nodes(data=True)}
    configs = [G.graph["config"] for G in (before, after) if G.graph.get("config") is not None]
    if known := [config for config in configs if all(node_type in config for node_type in types)]:
        both.graph["config"] = known[0]
    return both


def _apart(room: float | None, groups: Sequence[Grouping]) -> Any:
    """A layout for :func:`_side_by_side`: one beside the other, or below it where there is no room."""

    def place(
        G: nx.MultiDiGraph, blocks: Mapping[Hashable, Block], vertical: bool = False, node_spacing: Spacing = 1.0
    ) -> Layout:
        positions, routes, right, top = {}, {}, 0.0, 0.0
        parts = []
        for side in ("before", "after"):
            part = nx.MultiDiGraph(**{key: value for key, value in G.graph.items() if key == "config"})
            part.add_nodes_from((node, data) for node, data in G.nodes(data=True) if node[0] == side)
            for tail, head, key, data in G.edges(part, keys=True, data=True):
                part.add_edge(tail, head, key, **data)
            inner = [(name, members) for name, members in groups if members <= set(part)]
            layout = (together(layered_layout, inner) if inner else layered_layout)(
                part, {node: blocks[node] for node in part}, vertical=vertical, node_spacing=node_spacing
            )
            parts.append((layout, find_bounds(layout, blocks, vertical)))
        widths = [bounds[2] - bounds[0] for _, bounds in parts]
        below = room is not None and sum(widths) + PANEL_GAP > room
        for layout, (left, bottom, far, high) in parts:
            x, y = (-left, top - high) if below else (right - left, -high)
            positions |= {node: (place[0] + x, place[1] + y) for node, place in layout.positions.items()}
            routes |= {edge: [(p[0] + x, p[1] + y) for p in points] for edge, points in layout.routes.items()}
            right += far - left + PANEL_GAP
            top -= high - bottom + PANEL_GAP
        return Layout(positions, routes)

    place.closes_gaps = True  # pyright: ignore[reportFunctionMemberAccess] – as that of a single drawing does
    return place


# --- Films --------------------------------------------------------------------------------------------------


def _moments(
    before: nx.MultiDiGraph, rounds: Sequence[Round], after: nx.MultiDiGraph | None
) -> list[tuple[str, set[Any], set[Hashable]]]:
    """Caption, what is gone, with the edges that are, and what is about to go."""
    keys = {data.get(CONSOLE_ID, node): node for node, data in before.nodes(data=True)}
    lefts = []
    for entry in rounds:
        left = entry["left"] if isinstance(entry, Mapping) else entry
        if unknown := [key for key in left if key not in keys]:
            raise GraphError(f"Round {len(lefts)} has left {unknown[0]!r}, which is no node of the graph before it.")
        lefts.append({keys[key] for key in left})
    if not lefts:
        raise GraphError("A film needs the rounds of a pruning: what was left at the beginning and after each.")
    everything = set().union(*lefts)

    def gone(left: set[Hashable]) -> set[Any]:
        return _with_silent(before, everything - left)

    moments = [(f"Before: {counted(len(lefts[0]), 'processor')}", gone(lefts[0]), set())]
    current = lefts[0]
    for number, left in zip(count(1), lefts[1:]):
        text = f"Round {number}: {counted(len(left), 'processor')} left"
        if going := current - left:
            moments.append((f"Round {number}: {len(going)} of {len(current)} go", gone(current), going))
        moments.append((text, gone(left), set()))
        entry = rounds[number]
        back = entry.get("back_to") if isinstance(entry, Mapping) else None
        current = lefts[back] if isinstance(back, int) and 0 <= back < number else left
        if current != left:
            moments.append((f"Too far: back to round {back}", gone(current), set()))
    if after is not None:
        found = set(origins(before, after).values())
        text = f"Found: {counted(_processors(after), 'processor')}"
        moments.append((text, _with_silent(before, {node for node in before if node not in found}), set()))
    return moments


def _with_silent(before: nx.MultiDiGraph, gone: set[Hashable]) -> set[Any]:
    """What is gone, the edges that are, and the sums that get nothing, or lead nowhere, then."""
    edges = silent_edges(before, gone)
    heard = {node for edge in before.edges(keys=True) if edge not in edges for node in edge[:2]}
    sums = {node for node, data in before.nodes(data=True) if data["node_type"] == "mix" and node not in heard}
    return gone | edges | sums


def _as_found(scene: Scene, after: nx.MultiDiGraph, theme: str) -> Scene:
    """The same places with the types that nodes have at last, such as of an equalizer that became a gain."""
    G, inside = scene.G.copy(), dict(scene.written.inside)
    for node, origin in origins(scene.G, after).items():
        now = after.nodes[node]["node_type"]
        if now != G.nodes[origin]["node_type"]:
            G.nodes[origin]["node_type"] = now
            if scene.chips is not None:
                inside[origin] = scene.chips.get(now, now[:3])
    types = {data["node_type"] for _, data in G.nodes(data=True)}
    fills = {**fills_of(types - set(scene.fills), theme), **scene.fills}
    placed = replace(scene.placed, written=replace(scene.written, inside=inside))
    return replace(scene, G=G, placed=placed, fills=fills)


def _write_gif(
    ax: Axes,
    path: str | os.PathLike,
    frames: Sequence[tuple[str, Scene, set[Any], set[Hashable]]],
    legend: bool | str,
    room: float | None,
) -> None:
    from matplotlib.animation import PillowWriter

    figure, limits = root_of(ax), (ax.get_xlim(), ax.get_ylim())
    dpi = min(100.0, MOST_PIXELS / max(figure.get_size_inches()))
    writer = PillowWriter(fps=FRAMES_PER_SECOND)  # pyright: ignore[reportArgumentType]  it is a float in truth
    with writer.saving(figure, os.fspath(path), dpi):
        for text, scene, gone, going in frames:
            ax.clear()
            ax.set(xlim=limits[0], ylim=limits[1], aspect="equal")
            ax.set_axis_off()
            paint(ax, scene, gone, going)
            surround(ax, scene, legend, text, room)
            writer.grab_frame()


# --- Nodes of both ------------------------------------------------------------------------------------------


def _alike(
    before: nx.MultiDiGraph, after: nx.MultiDiGraph, taken: set[Hashable], used: set[Hashable]
) -> dict[Hashable, Hashable]:
    """Nodes of the same look in their order, without those that are taken already."""
    waiting: dict[tuple, list[Hashable]] = {}
    for node in _in_order(before):
        if node not in used:
            waiting.setdefault(_look(before, node), []).append(node)
    found = {}
    for node in _in_order(after):
        if node not in taken and (alike := waiting.get(_look(after, node))):
            found[node] = alike.pop(0)
    return found


def _in_order(G: nx.MultiDiGraph) -> list[Hashable]:
    return list(nx.topological_sort(G)) if nx.is_directed_acyclic_graph(G) else list(G)


def _look(G: nx.MultiDiGraph, node: Hashable) -> tuple:
    data = G.nodes[node]
    name = data.get("name") if _is_built_in(G, node) else None
    return data["node_type"], name, data.get("owner")


def _processors(G: nx.MultiDiGraph) -> int:
    return sum(not _is_built_in(G, node) for node in G)


def _is_built_in(G: nx.MultiDiGraph, node: Hashable) -> bool:
    return G.nodes[node]["node_type"] in BUILT_IN_TYPES
