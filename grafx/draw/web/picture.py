"""A drawing as plain data, which the viewer shows."""

from collections.abc import Hashable, Iterable, Mapping
from math import isfinite
from typing import Any

import networkx as nx

from ...data.attributes import BYPASS, WEIGHT
from ...parameters.words import node_lines
from ...text import printable
from ..blocks import make_blocks
from ..draw import NODE_OPTIONS, check_graph
from ..groups import owners, parents
from ..layout import Layout, find_backward_edges, find_chains, layered_layout
from ..page import find_bounds
from ..placing import NODE_SIDE
from ..style import is_round, outline_color, short_names, text_color, type_color

LONGEST_NAME = 500  # characters, of names and types
LONGEST_LABEL = 24  # of what is written above a node
LONGEST_LINE = 160
MOST_LINES = 40
MARGIN = 12.0  # points, as all lengths here
EXACT = 2**53  # up to where JavaScript tells all integers apart
BUILT_IN = ("in", "out", "mix")


def picture(G: nx.MultiDiGraph, names: bool = True) -> dict[str, Any]:
    """Lay a graph out, and return what there is to see as plain data.

    Args:
        G: The graph. It may be unfinished, disconnected, empty, or contain cycles.
        names: Write the names of nodes above them.

    Returns:
        A dict that can be written as JSON. Lengths are in points, y is downwards:

        - ``width``, ``height`` of the whole;
        - ``nodes``, each with ``id``, ``type``, ``name``, its ``short`` type, centre ``x`` and ``y``, ``width`` and
          ``height``, the colours ``fill``, ``ink``, ``outline``, whether it is ``round``, the label ``above`` it,
          the ``lines`` of its settings, its dry/wet weight ``wet``, whether it is ``bypassed``, its ``group`` (the
          owner of its chain) and the number of its ``chain``;
        - ``edges``, each with ``source``, ``dest``, ``key``, ``outlet``, ``inlet``, the ``points`` it passes, and
          whether it closes a cycle (``backward``);
        - ``groups``, each with its ``name``, and the ``parent`` it is mixed into, if there is one;
        - ``legend``: ``type``, ``short``, ``fill``, ``ink``, ``round`` of each type.

    Raises:
        GraphError: ``G`` is not a graph, or a node has no type.
    """
    check_graph(G, "picture")
    H = _cleaned(G)
    types = {n: data["node_type"] for n, data in H.nodes(data=True)}
    shorts = {t: printable(short) for t, short in short_names(types.values()).items()}
    above = {n: _label(data["name"]) if names else "" for n, data in H.nodes(data=True)}
    fonts = NODE_OPTIONS["inside_fontsize"], NODE_OPTIONS["above_fontsize"]
    inside = {n: shorts[t] for n, t in types.items()}
    blocks = make_blocks(H, (inside, above), (NODE_SIDE, NODE_SIDE), fonts, vertical=False)
    layout = layered_layout(H, blocks)
    left, bottom, right, top = find_bounds(layout, blocks, vertical=False)

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return round(point[0] - left + MARGIN, 2), round(top - point[1] + MARGIN, 2)

    ids, chains = _plain_ids(G), find_chains(H)
    groups = owners(G)
    return {
        "width": round(right - left + 2 * MARGIN, 2),
        "height": round(top - bottom + 2 * MARGIN, 2),
        "nodes": [
            {
                "id": ids[n],
                "type": types[n],
                "name": data["name"],
                "short": inside[n],
                **dict(zip(("x", "y"), place(layout.positions[n]), strict=True)),
                "width": round(blocks[n].length, 2),
                "height": round(blocks[n].width, 2),
                **_look(types[n]),
                "outline": outline_color(type_color(types[n])),
                "above": above[n] or None,
                "lines": _lines(G.nodes[n]),
                "wet": _wet(G.nodes[n].get(WEIGHT)),
                "bypassed": G.nodes[n].get(BYPASS) is True,
                "group": groups.get(n),
                "chain": chains[n],
            }
            for n, data in H.nodes(data=True)
        ],
        "edges": _edges(H, ids, layout, place),
        "groups": [{"name": name, "parent": parent} for name, parent in parents(H, groups).items()],
        "legend": [{"type": t, "short": shorts[t], **_look(t)} for t in _in_order(types.values())],
    }


def _cleaned(G: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """The same nodes and edges with texts that can be shown, whatever was in their place."""
    H = nx.MultiDiGraph()
    for n, data in G.nodes(data=True):
        H.add_node(n, node_type=_text(data["node_type"], LONGEST_NAME), name=_name(data.get("name")))
    for u, v, key, data in G.edges(keys=True, data=True):
        plugs = {plug: _text(data.get(plug, "main"), LONGEST_LABEL) for plug in ("outlet", "inlet")}
        H.add_edge(u, v, key, **plugs)
    config = G.graph.get("config")
    if config is not None and all(types in config for types in {data["node_type"] for _, data in H.nodes(data=True)}):
        H.graph["config"] = config
    return H


def _text(value: Any, longest: int) -> str:
    text = value if isinstance(value, str) else str(value)
    text = printable(text[: longest + 1])
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _name(value: Any) -> str | None:
    return None if value is None or value == "" else _text(value, LONGEST_NAME)


def _label(name: str | None) -> str:
    return "" if name is None else _text(name, LONGEST_LABEL)


def _lines(data: Mapping[str, Any]) -> list[str]:
    try:
        lines = node_lines(data)
    except (AttributeError, KeyError, TypeError, ValueError):
        lines = ["settings that are no numbers"]
    shown = [_text(line, LONGEST_LINE) for line in lines[:MOST_LINES]]
    return [*shown, "…"] if len(lines) > MOST_LINES else shown


def _wet(weight: Any) -> float | None:
    is_number = isinstance(weight, int | float) and not isinstance(weight, bool) and isfinite(weight)
    return round(min(max(float(weight), 0.0), 1.0), 4) if is_number else None


def _look(node_type: str) -> dict[str, Any]:
    fill = type_color(node_type)
    return {"fill": fill, "ink": text_color(fill), "round": is_round(node_type)}


def _plain_ids(G: nx.MultiDiGraph) -> dict[Hashable, int | str]:
    """Integers as they are, and others as texts that differ."""
    ids: dict[Hashable, int | str] = {}
    taken: set[int | str] = set()
    for n in G:
        plain: int | str = int(n) if isinstance(n, int) and abs(n) <= EXACT else _text(n, LONGEST_NAME)
        count = 1
        while plain in taken:
            count += 1
            plain = f"{_text(n, LONGEST_NAME)} ({count})"
        ids[n] = plain
        taken.add(plain)
    return ids


def _edges(H: nx.MultiDiGraph, ids: Mapping[Hashable, int | str], layout: Layout, place: Any) -> list[dict[str, Any]]:
    backward = find_backward_edges(H)
    return [
        {
            "source": ids[u],
            "dest": ids[v],
            "key": key if isinstance(key, int) and abs(key) <= EXACT else _text(key, LONGEST_NAME),
            "outlet": data["outlet"],
            "inlet": data["inlet"],
            "points": [list(place(point)) for point in layout.routes[u, v, key]],
            "backward": u == v or (u, v) in backward,
        }
        for u, v, key, data in H.edges(keys=True, data=True)
    ]


def _in_order(types: Iterable[str]) -> list[str]:
    order = {"in": 0, "out": 2}
    return sorted(dict.fromkeys(types), key=lambda t: order.get(t, 1))
