"""Size of nodes in a drawing: measured texts and placed ports."""

from collections.abc import Hashable, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate

import networkx as nx
from matplotlib.textpath import text_to_path

from .fonts import font_of, writable
from .layout import Block, Port, find_backward_edges

PORT_FONT = 6.5  # points, as all lengths here
PORT_PITCH = 10.0
ARROW = (6.0, 2.6)  # length and half width
LOOP_ROOM = 14.0  # next to a node with a self-loop


def make_blocks(
    G: nx.MultiDiGraph,
    texts: tuple[Mapping[Hashable, str], Mapping[Hashable, str]],
    sides: tuple[float, float],
    fonts: tuple[float, float],
    vertical: bool,
    density: float = 1.0,
    pictures: Mapping[Hashable, tuple[float, float]] | None = None,
    at_ports: Mapping[Hashable, Mapping[Port, str]] | None = None,
) -> dict[Hashable, Block]:
    """Compute the block of each node from its two texts, their font sizes and the minimum size of its box.

    A density below 1 leaves less free around texts and arrows. ``pictures`` are the sizes, across and upwards, of what
    stands below the text inside, and ``at_ports`` what is written at ports, by default the names of those that are not
    ``main``.
    """
    inside, above = texts
    entries, exits = _find_ports(G)
    blocks = {}
    for n in G:
        ports = _order_ports(G, n, entries[n]), _order_ports(G, n, exits[n])
        named = {port: port[1] for side in ports for port in side if port[1] != "main"} | dict(
            (at_ports or {}).get(n, {})
        )
        size = _inner_size(inside[n], fonts[0], density, (pictures or {}).get(n))
        block = _make_block(
            size, above[n], (sides[1], sides[0]) if vertical else sides, fonts[1], ports, named, vertical, density
        )
        blocks[n] = replace(block, near=max(block.near, LOOP_ROOM)) if G.has_edge(n, n) else block
    return blocks


def _find_ports(G: nx.MultiDiGraph) -> tuple[dict[Hashable, set[Port]], dict[Hashable, set[Port]]]:
    backward = find_backward_edges(G)
    entries, exits = {n: set() for n in G}, {n: set() for n in G}
    for u, v, data in G.edges(data=True):
        out_side, in_side = (entries, exits) if (u, v) in backward else (exits, entries)
        out_side[u].add(("out", data.get("outlet", "main")))
        in_side[v].add(("in", data.get("inlet", "main")))
    return entries, exits


def _order_ports(G: nx.MultiDiGraph, node: Hashable, ports: set[Port]) -> list[Port]:
    config = G.graph.get("config")
    known = config[G.nodes[node]["node_type"]] if config is not None else {}

    def rank(port: Port) -> tuple:
        kind, name = port
        names = list(known.get(f"{kind}lets", ()))
        return kind, names.index(name) if name in names else len(names), name

    return sorted(ports, key=rank)


def _inner_size(text: str, font: float, density: float, picture: tuple[float, float] | None) -> tuple[float, float]:
    """How wide and how high a box is for what is in it."""
    wide, high = measure(text, font) + max(6 * density, 3), (text.count("\n") + 1) * 1.25 * font + 4 * density
    if picture is None:
        return wide, high
    return max(wide, picture[0]), picture[1] + (high - 4 * density if text else 0.0)


def _make_block(
    size: tuple[float, float],
    above: str,
    sides: tuple[float, float],
    font: float,
    ports: tuple[list[Port], list[Port]],
    texts: Mapping[Port, str],
    vertical: bool,
    density: float,
) -> Block:
    entry, exit_ = (_spread_ports(side, kind, texts, vertical) for side, kind in zip(ports, ("in", "out"), strict=True))
    offsets = [*entry.items(), *exit_.items()]
    text_length, text_width = size[::-1] if vertical else size
    outermost = max((abs(p) for _, p in offsets), default=0.0)
    length, width = max(sides[0], text_length), max(sides[1], text_width, 2 * outermost + 12)
    lead, tail = (_port_room(ports, texts, vertical, max(density, 0.6)) for ports in (entry, exit_))
    near = far = 0.0
    if above and vertical:
        far = measure(above, font) + 5
    elif above:
        near = (above.count("\n") + 1) * 1.2 * font + 2
        overhang = max(0.0, (measure(above, font) + 4 - length) / 2)
        lead, tail = max(lead, overhang), max(tail, overhang)
    if vertical:
        far = max([far, *(p + 5 + measure(texts[port], PORT_FONT) - width / 2 for port, p in offsets if port in texts)])
    return Block(length, width, lead, tail, near, far, entry, exit_)


def _spread_ports(ports: list[Port], kind: str, texts: Mapping[Port, str], vertical: bool) -> dict[Port, float]:
    """Spread ports across the side of a node. ``main`` stays at the centre, so that chains are straight."""
    # In a vertical drawing, what is written at a port is to its right and needs room there.
    pitches = {p: max(PORT_PITCH, measure(texts.get(p, ""), PORT_FONT) + 8 if vertical else 0.0) for p in ports}
    main: Port = (kind, "main")
    if main not in ports:
        places = [0.0, *accumulate(pitches[p] for p in ports)][: len(ports)]
        return {p: place - places[-1] / 2 for p, place in zip(ports, places, strict=True)}
    offsets: dict[Port, float] = {main: 0.0}
    low, high = 0.0, pitches[main]
    for i, port in enumerate(p for p in ports if p != main):
        if i % 2 == 0:
            offsets[port] = high
            high += pitches[port]
        else:
            low -= pitches[port]
            offsets[port] = low
    return offsets


def _port_room(ports: Mapping[Port, float], texts: Mapping[Port, str], vertical: bool, density: float) -> float:
    written = [texts[port] for port in ports if port in texts]
    room = density * (ARROW[0] + 2) if any(kind == "in" for kind, _ in ports) else 0.0
    if not written:
        return room
    return max(room, PORT_FONT + 4 if vertical else max(measure(text, PORT_FONT) for text in written) + 7)


@lru_cache(maxsize=10_000)
def measure(text: str, size: float) -> float:
    """Measure the widest line of a text in points."""
    text = writable(text)
    font = font_of(text, size)
    return max(text_to_path.get_text_width_height_descent(t, font, ismath=False)[0] for t in text.split("\n"))
