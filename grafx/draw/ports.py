"""Texts at the ends of edges: names of inlets and outlets, and what edges are labelled with."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from typing import NamedTuple

import networkx as nx
from matplotlib.axes import Axes

from ..data.cables import EdgeId
from .blocks import PORT_FONT, measure
from .boxes import draw_area, write
from .layout import Block, Layout, Point, Port
from .shapes import box
from .style import background

Texts = dict[Port, str]


class PortTexts(NamedTuple):
    """What is written at the ports of nodes, and on edges that share both of theirs."""

    at_ports: dict[Hashable, Texts]
    on_edges: dict[EdgeId, str]


def port_texts(G: nx.MultiDiGraph, labels: Mapping[EdgeId, str]) -> PortTexts:
    """Put labels of edges where they leave, or where they arrive if others with other labels leave there, too."""
    leaving, arriving = defaultdict(set), defaultdict(set)
    texts: dict[Hashable, Texts] = {}
    for u, v, key, data in G.edges(keys=True, data=True):
        out, into = (u, ("out", data.get("outlet", "main"))), (v, ("in", data.get("inlet", "main")))
        leaving[out].add((u, v, key))
        arriving[into].add((u, v, key))
        for node, port in (out, into):
            texts.setdefault(node, {})
            if port[1] != "main":
                texts[node][port] = port[1]
    on_edges = {}
    for ends in (leaving, arriving):
        for (node, port), edges in ends.items():
            found = {labels.get(edge) for edge in edges if ends is leaving or edge in on_edges}
            if len(found) == 1 and (label := found.pop()) and (ends is leaving or len(edges) == 1):
                texts[node][port] = f"{port[1]} {label}" if port[1] not in ("main", label) else label
                on_edges = {edge: text for edge, text in on_edges.items() if edge not in edges}
            elif ends is leaving:
                on_edges |= {edge: labels[edge] for edge in edges if edge in labels}
    return PortTexts(texts, on_edges)


def port_places(
    center: Point, block: Block, texts: Mapping[Port, str], vertical: bool
) -> Iterator[tuple[Point, str, int]]:
    """Where the texts at the ports of a node stand, and on which side: −1 where the flow enters, 1 where it leaves.

    Along the flow they begin there, or end on the side where it enters; where it goes downwards, all begin there.
    """
    for ports, sign in ((block.entry, -1), (block.exit, 1)):
        for port, offset in ports.items():
            if port in texts:
                out = block.length / 2
                across = (center[0] + offset + 4, center[1] - sign * (out + 1 + PORT_FONT / 2))
                along = (center[0] + sign * (out + 4), center[1] - offset + 3)
                yield across if vertical else along, texts[port], sign


def write_at_ports(
    ax: Axes, center: Point, block: Block, texts: Mapping[Port, str], vertical: bool, color: str
) -> None:
    """Write what is at the ports of a node."""
    for (x, y), text, sign in port_places(center, block, texts, vertical):
        where = ("left", "center") if vertical else ("left" if sign > 0 else "right", "baseline")
        write(ax, x, y, text, PORT_FONT, color, *where)


def write_on_edges(ax: Axes, layout: Layout, texts: Mapping[EdgeId, str], color: str) -> None:
    """Write what is on edges, in their middles."""
    ground = background(ax)
    for edge, text in texts.items():
        points = layout.routes[edge]
        one, other = points[(len(points) - 1) // 2], points[len(points) // 2]
        x, y = (one[0] + other[0]) / 2, (one[1] + other[1]) / 2
        behind = box((x, y), (measure(text, PORT_FONT) + 3, 1.2 * PORT_FONT), "sharp")
        draw_area(ax, behind, ground, ground, 0.0, 1.6)
        write(ax, x, y, text, PORT_FONT, color, "center", "center")
