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
    inside: Mapping[Hashable, str],
    above: Mapping[Hashable, str],
    sides: tuple[float, float],
    fonts: tuple[float, float],
    vertical: bool,
    density: float = 1.0,
) -> dict[Hashable, Block]:
    """Compute the block of each node from its two texts, their font sizes and the minimum size of its box.

    A density below 1 leaves less free around texts and arrows.
    """
    entries, exits = _find_ports(G)
    blocks = {}
    for n in G:
        ports = _order_ports(G, n, entries[n]), _order_ports(G, n, exits[n])
        block = _make_block(inside[n], above[n], sides[::-1] if vertical else sides, fonts, *ports, vertical, density)
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


def _make_block(
    text, above, sides, fonts, inlets: list[Port], outlets: list[Port], vertical: bool, density: float
) -> Block:
    entry, exit_ = _spread_ports(inlets, "in", vertical), _spread_ports(outlets, "out", vertical)
    offsets = [*entry.items(), *exit_.items()]
    lines = text.count("\n") + 1
    text_size = (measure(text, fonts[0]) + max(6 * density, 3), lines * 1.25 * fonts[0] + 4 * density)
    text_length, text_width = text_size[::-1] if vertical else text_size
    outermost = max((abs(p) for _, p in offsets), default=0.0)
    length, width = max(sides[0], text_length), max(sides[1], text_width, 2 * outermost + 12)
    lead, tail = (_port_room(ports, vertical) * max(density, 0.6) for ports in (entry, exit_))
    near = far = 0.0
    if above and vertical:
        far = measure(above, fonts[1]) + 5
    elif above:
        near = (above.count("\n") + 1) * 1.2 * fonts[1] + 2
        overhang = max(0.0, (measure(above, fonts[1]) + 4 - length) / 2)
        lead, tail = max(lead, overhang), max(tail, overhang)
    if vertical:
        far = max([far, *(p + 5 + _measure_port(port) - width / 2 for port, p in offsets if port[1] != "main")])
    return Block(length, width, lead, tail, near, far, entry, exit_)


def _measure_port(port: Port) -> float:
    return 0.0 if port[1] == "main" else measure(port[1], PORT_FONT)


def _spread_ports(ports: list[Port], kind: str, vertical: bool) -> dict[Port, float]:
    """Spread ports across the side of a node. ``main`` stays at the centre, so that chains are straight."""
    # In a vertical drawing, the name of a port is to its right and needs room there.
    pitches = {p: max(PORT_PITCH, _measure_port(p) + 8 if vertical else 0.0) for p in ports}
    main: Port = (kind, "main")
    if main not in ports:
        places = [0.0, *accumulate(pitches[p] for p in ports)][: len(ports)]
        return {p: place - places[-1] / 2 for p, place in zip(ports, places, strict=True)}
    offsets: dict[Port, float] = {main: 0.0}
    low, high = 0.0, PORT_PITCH
    for i, port in enumerate(p for p in ports if p != main):
        if i % 2 == 0:
            offsets[port] = high
            high += pitches[port]
        else:
            low -= pitches[port]
            offsets[port] = low
    return offsets


def _port_room(ports: Mapping[Port, float], vertical: bool) -> float:
    names = [name for _, name in ports if name != "main"]
    room = ARROW[0] + 2 if any(kind == "in" for kind, _ in ports) else 0.0
    if not names:
        return room
    return max(room, PORT_FONT + 4 if vertical else max(measure(n, PORT_FONT) for n in names) + 7)


@lru_cache(maxsize=10_000)
def measure(text: str, size: float) -> float:
    """Measure the widest line of a text in points."""
    text = writable(text)
    font = font_of(text, size)
    return max(text_to_path.get_text_width_height_descent(t, font, ismath=False)[0] for t in text.split("\n"))
